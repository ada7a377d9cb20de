/*! Shardpress offline worker */
/**
 * Serves models, TensorFlow.js and the page itself without a network. The site's own worker brings it in:
 *
 *     self.shardpress = { base: "https://cdn.example.com/models/", shell: ["/"], runtime: ["/tf.min.js"] };
 *     importScripts("https://cdn.example.com/models/sw.<hash>.js");
 *
 * `base` is where `loader.js` lies, `shell` lists pages and what they need (the newest is tried first), `runtime` what never
 * changes in place, such as TensorFlow.js and its wasm files, `fallback` the page of the shell that answers for all routes of a
 * single-page app. Heads and shards are kept by the loader itself. Only GET requests are touched, and nothing is ever sent.
 */
(() => {
  const worker = /** @type {any} */ (self);
  /** @type {{ base?: string, shell?: string[], runtime?: string[], fallback?: string, patience?: number }} */
  const { base = "./", shell = [], runtime = [], fallback, patience = 3000 } = worker.shardpress ?? {};
  const name = "shardpress-offline";
  const files = "shardpress";
  /** @param {string} address */
  const absolute = (address) => new URL(address, worker.location.href).href;
  const root = absolute(base);
  const loader = `${root}loader.js`;
  const pages = new Set(shell.map(absolute));
  const fixed = new Set(runtime.map(absolute));
  const hash = /\.([0-9a-f]{16})\.(?:js|wasm)$/;

  /** @param {string} url */
  const kept = async (url) => (await caches.open(name)).match(url, { ignoreVary: true });

  /**
   * Keeps an answer as one that was not redirected, which no page may be, and without `Vary`, which may forbid to keep it.
   *
   * @param {string} url
   * @param {Response} response
   */
  const keep = async (url, response) => {
    const headers = new Headers(response.headers);
    headers.delete("vary");
    await (await caches.open(name)).put(url, new Response(await response.blob(), { headers }));
  };

  /** Fetches all that has to be there without a network; one that is missing makes the browser try again later. */
  const fill = async () => {
    const wanted = [loader, ...pages, ...fixed];
    await Promise.all(
      wanted.map(async (url) => {
        if (fixed.has(url) && (await kept(url))) return;
        const response = await fetch(url, { cache: fixed.has(url) ? "default" : "no-cache" });
        if (!response.ok) throw new Error(`${url} answers ${response.status}: it is listed in self.shardpress`);
        if (url === loader) await keepModules(await response.clone().text());
        await keep(url, response);
      }),
    );
  };

  /**
   * Keeps what a loader imports later.
   *
   * @param {string} text of the loader
   */
  const keepModules = async (text) => {
    for (const [module, hash] of Object.entries(JSON.parse(/"modules":({.*?})/.exec(text)?.[1] ?? "{}"))) {
      const url = `${root}${module}.${hash.slice(0, 16)}.js`;
      if (await kept(url)) continue;
      const response = await fetch(url);
      if (!response.ok) throw new Error(`${url} answers ${response.status}: publish the bundle again`);
      await keep(url, response);
    }
  };

  /**
   * Forgets what is not listed any more. Pinned loaders, modules and wasm files stay as long as a page is open that may have
   * them; then those go that neither the loader and the pages that are kept name, nor what these name.
   */
  const tidy = async () => {
    const box = await caches.open(name);
    const busy = (await worker.clients.matchAll({ includeUncontrolled: true })).length;
    const named = [loader, ...pages];
    let rest = (await box.keys()).map(({ url }) => url).filter((url) => !fixed.has(url) && !named.includes(url));
    if (busy) rest = rest.filter((url) => !hash.test(url));
    for (const url of named) {
      const text = rest.length ? ((await (await kept(url))?.text()) ?? "") : "";
      for (const one of rest) if (text.includes(hash.exec(one)?.[1] ?? url)) named.push(one);
      rest = rest.filter((one) => !named.includes(one));
    }
    for (const url of rest) await box.delete(url);
    await worker.clients.claim();
  };

  /** @param {string} text of a loader */
  const releaseOf = (text) => /"release":"([0-9a-f]{16})"/.exec(text)?.[1];

  /**
   * Keeps a fresh copy, and tells the pages when it is another release of the loader.
   *
   * @param {string} url
   * @param {Response} response
   */
  const renew = async (url, response) => {
    if (url !== loader) return keep(url, response);
    const before = releaseOf((await (await kept(url))?.text()) ?? "");
    const text = await response.clone().text();
    const now = releaseOf(text);
    await keepModules(text);
    await keep(url, response);
    if (!before || !now || now === before) return;
    for (const client of await worker.clients.matchAll()) client.postMessage({ type: "shardpress-release", release: now });
  };

  /** @param {Request} request */
  const addressOf = ({ url }) => url.replace(/#.*/, "");

  /**
   * Asks the network, and after a while, or when it fails, takes the kept copy. What comes for another address than the
   * copy's is not kept: it may be of this visitor only.
   *
   * @param {any} event
   * @param {string} url of the copy
   */
  const freshFirst = async (event, url) => {
    const own = addressOf(event.request) === url;
    const fresh = fetch(event.request).then((response) => {
      if (own && response.ok) event.waitUntil(renew(url, response.clone()));
      return response;
    });
    event.waitUntil(fresh.catch(() => {}));
    const late = new Promise((resolve) => setTimeout(resolve, patience));
    const first = await Promise.race([fresh, late]).catch(() => undefined);
    if (first instanceof Response && first.status < 500) return first;
    return (await kept(url)) ?? fresh;
  };

  /**
   * Takes the kept copy, else fetches it and keeps it.
   *
   * @param {any} event
   * @param {string} url
   */
  const keptFirst = async (event, url) => {
    const copy = await kept(url);
    if (copy) return copy;
    const response = await fetch(event.request);
    if (response.ok) event.waitUntil(keep(url, response.clone()));
    return response;
  };

  /**
   * Gives a head or shard that the loader has kept; it checks what it gets in any case.
   *
   * @param {any} event
   * @param {string} hash
   */
  const fromLoader = async (event, hash) => {
    const box = await caches.open(files);
    return (await box.match(`https://shardpress.invalid/${hash}`)) ?? fetch(event.request);
  };

  worker.addEventListener("install", (/** @type {any} */ event) => event.waitUntil(fill()));
  worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(tidy()));
  worker.addEventListener("fetch", (/** @type {any} */ event) => {
    const { request } = event;
    // The loader asks past every cache when a file was wrong.
    if (request.method !== "GET" || request.cache === "reload" || request.cache === "no-store") return;
    const url = addressOf(request);
    const asked = url.replace(/\?.*/, "");
    // Servers give a folder's index.html for its address, and some the page without its ending.
    const page = request.mode === "navigate" && ["", "index.html", ".html"].map((ending) => asked + ending).find((one) => pages.has(one));
    const hashed = url.startsWith(root) ? /\.([0-9a-f]{16})\.(json|bin|js|wasm)$/.exec(url) : null;
    if (fixed.has(url) || /^(js|wasm)$/.test(hashed?.[2] ?? "")) event.respondWith(keptFirst(event, url));
    else if (hashed) event.respondWith(fromLoader(event, hashed[1]));
    else if (url === loader || pages.has(url)) event.respondWith(freshFirst(event, url));
    else if (page) event.respondWith(freshFirst(event, page));
    else if (request.mode === "navigate" && fallback && new URL(url).origin === worker.location.origin) {
      event.respondWith(freshFirst(event, absolute(fallback)));
    }
  });
})();
