/**
 * A file of the bundle: its place and the proof of its content.
 *
 * @typedef {object} FileSpec
 * @property {string} model
 * @property {string} path
 * @property {number} bytes decoded length
 * @property {number} wire length as sent, about
 * @property {string} sha256
 * @property {boolean} refines whether every model's first answer comes before it
 */

/**
 * A file that somebody needs; it is fetched once for all of them and forgotten when the last one lets go.
 *
 * @typedef {object} SharedFile
 * @property {FileSpec} spec
 * @property {Set<Job>} claims
 * @property {AbortController} controller
 * @property {boolean} here
 * @property {boolean} kept whether it is in the store
 * @property {string} source
 * @property {Promise<Uint8Array<ArrayBuffer>>} [content]
 */

/** @type {Map<string, SharedFile>} by hash, as models may share files */
const files = new Map();

/** @type {{ file: SharedFile, run: () => Promise<void> }[]} */
const queue = [];
let running = 0;
let bestBase = 0;

/**
 * @param {FileSpec} spec
 * @param {Job} job
 */
function claim(spec, job) {
  let file = files.get(spec.sha256);
  if (!file) {
    file = { spec, claims: new Set(), controller: new AbortController(), here: false, kept: false, source: "network" };
    files.set(spec.sha256, file);
  }
  file.claims.add(job);
  return file;
}

/**
 * @param {SharedFile} file
 * @param {Job} job
 */
function release(file, job) {
  file.claims.delete(job);
  if (file.claims.size) return;
  forget(file);
  if (!file.here) file.controller.abort();
}

/** @param {SharedFile} file */
function forget(file) {
  if (files.get(file.spec.sha256) === file) files.delete(file.spec.sha256);
}

/**
 * Gives the checked bytes of a claimed file.
 *
 * @param {SharedFile} file
 */
function read(file) {
  return (file.content ??= quiet(
    inTurn(file).then(
      (bytes) => {
        file.here = true;
        return bytes;
      },
      (error) => {
        // The next one to ask tries again.
        forget(file);
        throw error;
      },
    ),
  ));
}

/**
 * Gives a file's place in the queue as it is now: lower is sooner. First answers go before refinements.
 *
 * @param {SharedFile} file
 */
const rankOf = ({ claims, spec }) => Math.min(...[...claims].map(({ rank }) => rank)) + (spec.refines ? 3 : 0);

/**
 * Gets a file in one of the few slots that all models share; whoever has the lowest rank takes the next free one.
 *
 * @param {SharedFile} file
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
function inTurn(file) {
  return new Promise((resolve, reject) => {
    queue.push({ file, run: () => obtain(file).then(resolve, reject) });
    fillSlots();
  });
}

function fillSlots() {
  const slots = Math.max(1, settings.concurrency ?? 4);
  while (running < slots && queue.length) {
    const ranks = queue.map(({ file }) => rankOf(file));
    const [next] = queue.splice(ranks.indexOf(Math.min(...ranks)), 1);
    running++;
    next.run().finally(() => {
      running--;
      fillSlots();
    });
  }
}

/**
 * Takes a file out of the store, or downloads and keeps it; of two tabs one downloads and the other waits.
 *
 * @param {SharedFile} file
 */
async function obtain(file) {
  const { spec, controller } = file;
  const { signal } = controller;
  const stored = async () => {
    const bytes = await readStored(spec);
    if (bytes) {
      file.kept = true;
      file.source = "cache";
    }
    return bytes;
  };
  const fetched = async () => {
    const bytes = await download(file);
    await keep(file, bytes);
    return bytes;
  };
  const bytes = await stored();
  if (bytes) return bytes;
  const locks = (await fileStore()) && globalThis.navigator?.locks;
  if (!locks || signal.aborted) return fetched();
  const control = new AbortController();
  const stop = () => control.abort();
  // The other tab may be frozen, and keep its lock for hours. Of a lock that was given, an abort takes nothing.
  setTimeout(stop, 5000);
  signal.addEventListener("abort", stop);
  /** @type {ReturnType<typeof fetched> | undefined} */
  let work;
  const begin = () => (work ??= stored().then((found) => found ?? fetched()));
  await attempted(() => locks.request(`shardpress ${spec.sha256}`, { signal: control.signal }, begin))?.catch(() => {});
  return begin();
}

/** Files that came from the network, of all models: as long as any come, none is given up. */
let arrived = 0;

/**
 * Fetches and checks one file: up to four times from each place while the network or a server fails and nothing else
 * comes either, each time once more past the HTTP cache when what came is not what the hash says. Tries without a
 * network do not count.
 *
 * @param {SharedFile} file
 */
async function download({ spec, claims, controller }) {
  const { signal } = controller;
  let places = resolve(spec.path, spec.model).map((url, base) => ({ url, base }));
  places = [...places.slice(bestBase), ...places.slice(0, bestBase)];
  let seen = arrived;
  for (let tries = 1; ; tries++) {
    /** @type {any} */
    let failure;
    for (const place of places) {
      for (const reload of [false, true]) {
        if (signal.aborted) throw cancelled(spec.model);
        const low = [...claims].every(({ rank, background }) => background || rank > 1) || spec.refines;
        try {
          const bytes = await attempt(spec, place.url, tries, signal, low, reload);
          bestBase = place.base;
          return bytes;
        } catch (error) {
          failure = error;
        }
        if (failure.code !== "integrity") break;
      }
      const { code, status } = failure;
      if (code !== "network" || (status < 500 && status !== 429)) places = places.filter((other) => other !== place);
    }
    if (places.length && ((await whileOffline(signal)) || arrived > seen)) {
      tries = 0;
      seen = arrived;
    }
    if (!places.length || tries > 3) throw failure;
    await sleep(Math.random() * 400 * 2 ** tries, signal);
  }
}

/**
 * @param {FileSpec} spec
 * @param {string} address
 * @param {number} tries
 * @param {AbortSignal} signal
 * @param {boolean} low whether the browser may put it behind everything else
 * @param {boolean} reload
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
async function attempt(spec, address, tries, signal, low, reload) {
  const { model } = spec;
  const control = new AbortController();
  const late = /** @type {ReturnType<typeof deferred<never>>} */ (deferred());
  const stop = () => control.abort();
  // At 8 kB/s each of four requests is slower than 2g.
  const limit = settings.timeout?.(spec.bytes, tries) ?? tries * (8000 + spec.bytes / 8);
  const expire = () => {
    late.reject(new Error(`not there after ${Math.round(limit / 1000)} s`));
    stop();
  };
  let timer = setTimeout(expire, limit);
  signal.addEventListener("abort", stop);
  let url = address;
  const get = async () => {
    url = (await settings.resolveUrl?.(address)) ?? address;
    // Node's own fetch refuses files.
    const disk = /^file:/.test(url) && !settings.fetch && /** @type {any} */ (globalThis).process?.getBuiltinModule?.("fs/promises");
    if (disk) return new Uint8Array(await disk.readFile(new URL(url)));
    const cache = reload ? "reload" : settings.cache === "none" && "no-store";
    const response = await (settings.fetch ?? fetch)(url, { signal: control.signal, ...(low && { priority: "low" }), ...(cache && { cache }) });
    const { ok, status } = response;
    if (ok) {
      return readBody(response, spec.bytes, () => {
        clearTimeout(timer);
        timer = setTimeout(expire, limit);
      });
    }
    const advice = status >= 500 || status === 429 ? "try again later" : "see that the bundle is published and the page is not older than it";
    throw new ModelError("network", `${url} answers ${status}: ${advice}`, { model, url, status });
  };
  try {
    const bytes = await Promise.race([late.promise, get()]);
    if (await isRight(bytes, spec)) {
      arrived++;
      return bytes;
    }
    const { length } = bytes;
    const found = length === spec.bytes ? "other content" : length > spec.bytes ? `more bytes than ${spec.bytes}` : `${length} bytes instead of ${spec.bytes}`;
    // What servers of single-page apps answer for any address.
    const advice = bytes[0] === 60 ? "it is a web page: give configure({ baseUrl }) the folder that holds assets/" : "publish the bundle again or clear the cache before it";
    throw new ModelError("integrity", `${url} has ${found}: ${advice}`, { model, url });
  } catch (error) {
    throw asModelError(error, "network", `${url} cannot be fetched, see the connection and CORS`, { model, url });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

/**
 * Reads an answer as it comes, and no more of it than one byte too many.
 *
 * @param {Response} response
 * @param {number} length that it should have
 * @param {() => void} onProgress
 */
async function readBody(response, length, onProgress) {
  const reader = response.body?.getReader?.();
  if (!reader) return new Uint8Array(await response.arrayBuffer());
  const bytes = new Uint8Array(length);
  for (let at = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return bytes.subarray(0, at);
    onProgress();
    const fits = value.subarray(0, length - at);
    bytes.set(fits, at);
    at += fits.length;
    if (fits.length < value.length) {
      quiet(reader.cancel());
      const more = new Uint8Array(length + 1);
      more[0] = bytes[0];
      return more;
    }
  }
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {FileSpec} spec
 */
const isRight = async (bytes, spec) => bytes.length === spec.bytes && (await sha256(bytes)) === spec.sha256;
