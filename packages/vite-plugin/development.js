/** In `vite dev`: serves the bundle as it is now, and tells open pages of each new one, which they swap in. */
import { readFile } from "node:fs/promises";
import { unwatchFile, watchFile } from "node:fs";
import path from "node:path";
import { hash, isBundled, readIndex } from "./bundle.js";

/** @typedef {import("./bundle.js").Bundle} Bundle */
/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */

/** Below the base: what no site has of its own. */
export const own = "@shardpress/";

const beat = 15_000;
const pause = 200;

/** @type {Record<string, string>} */
const types = { js: "text/javascript; charset=utf-8", json: "application/json", bin: "application/octet-stream", wasm: "application/wasm" };

/**
 * What pages are told, see `dev/client.js` of the build's folder.
 *
 * @typedef {object} State
 * @property {string} pages
 * @property {string} release
 * @property {Record<string, { head: string, policy: string, priority: string }>} models
 * @property {Record<string, string>} shapes
 * @property {Record<string, string>} contents
 * @property {object[]} errors
 * @property {boolean} served there is a bundle
 */

/** One bundle of models, as a development server gives it. */
export class Development {
  /** @type {State} */
  #state = { pages: hash(String(Date.now())).slice(0, 16), release: "", models: {}, shapes: {}, contents: {}, errors: [], served: true };
  /** @type {Set<Response>} */
  #pages = new Set();
  #work = Promise.resolve();
  #missed = false;
  #beat;
  #loader;
  #look = () => this.update();

  /**
   * @param {Bundle} bundle
   * @param {string} base of the site, with slashes around
   * @param {string} folder that the bundle has in the site, with a closing slash
   * @param {() => void} reload called when there is a bundle for pages that found none
   */
  constructor(bundle, base, folder, reload) {
    this.bundle = bundle;
    this.base = base;
    this.folder = folder;
    this.reload = reload;
    this.#loader = path.join(bundle.cdn, "loader.js");
    // Looked at rather than watched: the folder may not be there yet, and network drives tell of no change.
    watchFile(this.#loader, { interval: pause, persistent: false }, this.#look);
    this.#beat = setInterval(() => this.#say(": still here\n\n"), beat).unref();
    this.update();
  }

  close() {
    unwatchFile(this.#loader, this.#look);
    clearInterval(this.#beat);
    for (const page of this.#pages) page.end();
    this.#pages.clear();
  }

  /** Reads the bundle, and tells the pages where it is another one. */
  update() {
    this.#work = this.#work.then(async () => {
      const next = await this.#read();
      if (!next || next.release === this.#state.release) return;
      this.#state = next;
      this.#say(this.#told());
      if (this.#missed) this.reload();
      this.#missed = false;
    });
    return this.#work;
  }

  async #read() {
    try {
      const content = await readFile(this.#loader);
      const index = readIndex(content.toString());
      const { shapes, contents } = this.#state;
      /** @type {State} */
      const next = { ...this.#state, release: hash(content).slice(0, 16), models: {}, shapes: { ...shapes }, contents: { ...contents } };
      for (const [name, [head, , policy, priority]] of Object.entries(index.models)) {
        next.models[name] = { head, policy, priority };
        if (!next.shapes[head]) [next.shapes[head], next.contents[head]] = await this.#describe(name, head);
      }
      return next;
    } catch {
      return undefined; // none yet, or one that a newer build is taking away: its loader will be looked at next
    }
  }

  /**
   * Hashes all of a model but its weights' values (models of one shape can take each other's weights), and all but what a
   * second, better compression changes.
   *
   * @param {string} name
   * @param {string} sha256
   */
  async #describe(name, sha256) {
    const place = path.join(this.bundle.cdn, "assets", `${name}.${sha256.slice(0, 16)}.json`);
    const { sample, ...head } = JSON.parse(await readFile(place, "utf8"));
    const weights = head.weights.map((/** @type {any} */ weight) => [weight.name, weight.shape, weight.dtype]);
    const vectors = head.kind === "word-vectors" && head.shards.map((/** @type {any} */ shard) => shard.sha256);
    const shards = head.shards.map((/** @type {any} */ { wire, ...shard }) => shard);
    return [[head.kind, head.contract, head.artifacts, weights, vectors], { ...head, shards }].map((facts) => hash(JSON.stringify(facts)).slice(0, 16));
  }

  #told() {
    return `data: ${JSON.stringify(this.#state)}\n\n`;
  }

  /** @param {string} text */
  #say(text) {
    for (const page of this.#pages) page.write(text);
  }

  /**
   * Gives the models' module for pages. It waits for the loader that is live when the page opens.
   *
   * @param {readonly string[]} names that the loader exports
   */
  module(names) {
    const address = JSON.stringify(`${this.base}${own}cdn/loader.js?live`);
    // In a variable, for Vite resolves what it can read, and no file stands for this address.
    return `const address = ${address};\nconst loader = await import(/* @vite-ignore */ address);\nexport const { ${names.join(", ")} } = loader;\n`;
  }

  /**
   * Answers requests for the bundle; all others go on.
   *
   * @param {Request & { originalUrl?: string }} request
   * @param {Response} response
   * @param {() => void} next
   */
  async answer(request, response, next) {
    const { pathname, searchParams } = new URL(`http://localhost${request.originalUrl ?? request.url}`);
    const place = pathname.startsWith(this.base) ? pathname.slice(this.base.length) : "";
    if (place === `${own}dev/events`) return this.#listen(request, response);
    const [, script] = /^@shardpress\/dev\/([a-z-]+\.js)$/.exec(place) ?? [];
    if (script) return this.#file(response, path.join(this.bundle.folder, "dev", script));
    const [name] = [`${own}cdn/`, this.folder].flatMap((prefix) => (place.startsWith(prefix) ? [place.slice(prefix.length)] : []));
    if (name === undefined || !isBundled(name)) return next();
    if (name === "loader.js" && searchParams.has("live")) return this.#live(response);
    return this.#file(response, path.join(this.bundle.cdn, ...name.split("/")));
  }

  /**
   * @param {Request} request
   * @param {Response} response
   */
  #listen(request, response) {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write(this.#told());
    this.#pages.add(response);
    request.on("close", () => this.#pages.delete(response));
  }

  /**
   * @param {Response} response
   * @param {string} place
   */
  async #file(response, place) {
    try {
      const content = await readFile(place);
      response.writeHead(200, { "Content-Type": types[place.split(".").pop() ?? ""], "Content-Length": content.length, "Cache-Control": "no-store" });
      response.end(content);
    } catch {
      response.writeHead(404, { "Content-Type": "text/plain", "Cache-Control": "no-store" });
      response.end(`There is no ${place}: build the models with shardpress\n`);
    }
  }

  /**
   * Gives a module that exports all of the pinned loader, and keeps the page's models up to date.
   *
   * @param {Response} response
   */
  async #live(response) {
    await this.update();
    const { release, models } = this.#state;
    this.#missed ||= !release;
    const heads = Object.fromEntries(Object.entries(models).map(([name, { head }]) => [name, head]));
    const pinned = JSON.stringify(`./loader.${release}.js`);
    const script = release
      ? `import * as loader from ${pinned};
import { attach, remember } from "../dev/client.js";
export * from ${pinned};
export const configure = (options) => {
  remember(options);
  loader.configure(options);
};
attach(loader, ${JSON.stringify(heads)});
`
      : `throw new Error(${JSON.stringify(`There is no bundle of models in ${this.bundle.folder}: build it with shardpress, and this page loads again`)});\n`;
    response.writeHead(200, { "Content-Type": types.js, "Cache-Control": "no-store" });
    response.end(script);
  }
}
