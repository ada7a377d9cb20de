import { ModelError, asModelError, cancelled } from "./errors.js";
import { isRight } from "./hash.js";
import { whileOffline } from "./offline.js";
import { found, resolve, settings } from "./settings.js";
import { fillSlots } from "./slots.js";
import { deferred, quiet, sleep } from "./wait.js";

/** @import { SharedFile } from "./files.js" */

/** Files that came from the network, of all models: as long as any come, none is given up. */
let arrived = 0;

/** Milliseconds until an answer of the network began, of late: those of preloads, which begin at once, hardly count. */
let latency = 0;

/**
 * Fetches and checks one file: up to four times from each place while the network or a server fails and nothing else
 * comes either, each time once more past the HTTP cache when what came is not what the hash says. Tries without a
 * network do not count.
 *
 * @param {SharedFile} file
 */
export async function download(file) {
  const { spec, claims, halt: { signal } } = file;
  let places = resolve(spec.path, spec.model).map((url, base) => ({ url, base }));
  places = [...places.slice(found.place), ...places.slice(0, found.place)];
  let seen = arrived;
  for (let tries = 1; ; tries++) {
    /** @type {any} */
    let failure;
    for (const place of places) {
      for (const reload of [false, true]) {
        if (signal.aborted) throw cancelled(spec.model);
        const low = [...claims].every(({ rank, background }) => background || rank > 1) || spec.refines;
        try {
          const bytes = await attempt(file, place.url, tries, low, reload);
          found.place = place.base;
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
 * @param {SharedFile} file
 * @param {string} address
 * @param {number} tries
 * @param {boolean} low whether the browser may put it behind everything else
 * @param {boolean} reload
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
async function attempt(file, address, tries, low, reload) {
  const { spec, halt: { signal } } = file;
  const { model } = spec;
  const control = new AbortController();
  const late = /** @type {ReturnType<typeof deferred<never>>} */ (deferred());
  const stop = () => control.abort();
  // At 8 kB/s each of four requests is slower than 2g.
  const limit = settings.timeout?.(spec.bytes, tries) ?? tries * (8000 + spec.bytes / 8);
  /** @type {any} */
  let timer;
  const wait = (/** @type {boolean} */ soon, ms = limit) => {
    clearTimeout(timer);
    file.soon = soon;
    fillSlots();
    // A server that says nothing holds up who asked for this, but soon nobody else.
    const first = soon ? ms : Math.min(3000, ms / 2);
    timer = setTimeout(() => {
      if (!soon) return wait(true, ms - first);
      late.reject(new Error(`not there after ${Math.round(limit / 1000)} s`));
      stop();
    }, first);
  };
  wait(false);
  signal.addEventListener("abort", stop);
  let url = address;
  const get = async () => {
    url = (await settings.resolveUrl?.(address)) ?? address;
    // Node's own fetch refuses files.
    const disk = /^file:/.test(url) && !settings.fetch && /** @type {any} */ (globalThis).process?.getBuiltinModule?.("fs/promises");
    if (disk) return new Uint8Array(await disk.readFile(new URL(url)));
    const cache = reload ? "reload" : settings.cache === "none" && "no-store";
    const asked = performance.now();
    const response = await (settings.fetch ?? fetch)(url, { signal: control.signal, ...(low && { priority: "low" }), ...(cache && { cache }) });
    const { ok, status } = response;
    latency = Math.max(latency / 2, performance.now() - asked);
    if (ok) {
      return readBody(response, spec.bytes, (at) => {
        const spent = performance.now() - asked;
        wait(spent > latency && (spec.bytes - at) * spent < at * latency);
      });
    }
    const advice = status >= 500 || status === 429 ? "try later" : "publish again, or reload the page";
    throw new ModelError("network", `${url} answers ${status}: ${advice}`, { model, url, status });
  };
  try {
    const bytes = await Promise.race([late.promise, get()]);
    if (await isRight(bytes, spec)) {
      arrived++;
      return bytes;
    }
    const { length } = bytes;
    const what = length === spec.bytes ? "other content" : length > spec.bytes ? `more bytes than ${spec.bytes}` : `${length} bytes instead of ${spec.bytes}`;
    // What servers of single-page apps answer for any address.
    const advice = bytes[0] === 60 ? "it is a web page: give configure({ baseUrl }) the folder that holds assets/" : "publish again, or clear the cache";
    throw new ModelError("integrity", `${url} has ${what}: ${advice}`, { model, url });
  } catch (error) {
    throw asModelError(error, "network", `${url} cannot be fetched, see the connection and CORS`, { model, url });
  } finally {
    wait(true);
    clearTimeout(timer);
    // A signal that is listened to is kept, and all that its listeners know.
    signal.removeEventListener("abort", stop);
  }
}

/**
 * Reads an answer as it comes, and no more of it than one byte too many.
 *
 * @param {Response} response
 * @param {number} length that it should have
 * @param {(at: number) => void} onProgress
 */
async function readBody(response, length, onProgress) {
  const reader = response.body?.getReader?.();
  if (!reader) return new Uint8Array(await response.arrayBuffer());
  const bytes = new Uint8Array(length);
  for (let at = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return bytes.subarray(0, at);
    const fits = value.subarray(0, length - at);
    bytes.set(fits, at);
    at += fits.length;
    onProgress(at);
    if (fits.length < value.length) {
      quiet(reader.cancel());
      const more = new Uint8Array(length + 1);
      more[0] = bytes[0];
      return more;
    }
  }
}
