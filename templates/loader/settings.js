import { ModelError } from "./errors.js";
import { form, index } from "./form.js";
import { attempted, notify } from "./guards.js";

/** @import { ErrorCode } from "./errors.js" */
/** @import { FileStore } from "./store.js" */

/**
 * What a page may set; undefined stands for the default.
 *
 * @typedef {object} Settings
 * @property {any} [tf] TensorFlow.js, or a function that gives it or a promise of it; called at first need
 * @property {string | URL} [baseUrl] the folder that holds `assets/`
 * @property {(string | URL)[]} [fallbackUrls] folders with the same files, tried when the first one fails
 * @property {(url: string, init: RequestInit) => Promise<Response>} [fetch]
 * @property {(url: string) => string | Promise<string>} [resolveUrl] changes each address, to sign it for example
 * @property {"persistent" | "http" | "none"} [cache] where checked files are kept: in Cache Storage (the default), only
 *   in the browser's HTTP cache, or nowhere
 * @property {FileStore | Promise<FileStore | undefined>} [store] used in place of Cache Storage
 * @property {string} [cacheName] name in Cache Storage (`shardpress`)
 * @property {number} [concurrency] requests at a time over all models (4)
 * @property {(bytes: number, tries: number) => number} [timeout] milliseconds that a file of so many bytes may take
 * @property {boolean} [worker] whether workers are used where the page allows it, to decode weights and to run models (true)
 * @property {string | URL | (string | URL)[]} [workerTf] addresses of TensorFlow.js for the worker that runs models: a module, or scripts
 *   in order; else it has the bundle's
 * @property {boolean} [respectSaveData] whether Save-Data and 2g hold back `idle` and `visible` (true)
 * @property {(event: LoadEvent) => void} [onEvent] one record for each stage that is usable and each failure
 */

/** @typedef {"high" | "normal" | "low"} Priority */

/**
 * A stage that is usable (`head`, the output stages, `full`; a model without refinement has no `base`), weights that are back
 * after a lost graphics context or the end of their worker, a network that went away or came back in mid-load, kept files that the browser has taken away, a rung that is not fetched or too slow, or a failure.
 * `bytes` and `wire` count what came until then: decoded from anywhere, and as sent over the network.
 *
 * @typedef {{ type: "stage", model: string, release: string, stage: string, ms: number, bytes: number, wire: number,
 *     source: string, backend: string | undefined }
 *   | { type: "recovery", model: string, release: string, backend: string, ms: number }
 *   | { type: "thread", model: string, release: string, thread: "page", why: string }
 *   | { type: "offline" | "online", model: string, release: string, ms: number }
 *   | { type: "eviction", model: string, release: string, files: number, bytes: number, persisted: boolean }
 *   | { type: "plan", model: string, release: string, rung: number, take: boolean, why: string, ms: number }
 *   | { type: "failure", model: string, release: string, code: ErrorCode, message: string, url: string | undefined, ms: number }
 * } LoadEvent
 */

/** @type {Settings} */
export const settings = {};

/**
 * What was found out under the settings as they are.
 *
 * @type {{ runtime?: Promise<any>, store?: Promise<FileStore | undefined>, place: number }} `place` is the number of
 *   the folder that answered last
 */
export const found = { place: 0 };

/**
 * Sets options for all later loads.
 *
 * @param {Settings} options
 */
export function configure({ ...options }) {
  // Resolved now: the page may change its address later. In a page with <base> that is what relative addresses start at.
  const { baseUrl, fallbackUrls } = options;
  if (baseUrl) options.baseUrl = absolute(baseUrl);
  if (fallbackUrls) options.fallbackUrls = fallbackUrls.map(absolute);
  Object.assign(settings, options);
  if ("tf" in options) found.runtime = undefined;
  found.store = undefined;
  found.place = 0;
}

/**
 * Gives a folder's full address, or what was given where that is none: it is told when a file of it is asked for.
 *
 * @param {string | URL} base
 */
function absolute(base) {
  return attempted(() => new URL(String(base).replace(/\/?$/, "/"), globalThis.document?.baseURI ?? globalThis.location?.href).href, base);
}

/**
 * Gives the absolute addresses of a bundle file, one for each place that holds it.
 *
 * @param {string} path relative to the bundle's root
 * @param {string} model
 */
export function resolve(path, model) {
  return [settings.baseUrl ?? form.base(), ...(settings.fallbackUrls ?? [])].map((base) => {
    const url = attempted(() => new URL(path, base).href);
    if (url) return url;
    throw new ModelError("manifest", `No base URL (${base}): give configure({ baseUrl }) the folder that holds assets/`, { model });
  });
}

/**
 * Tells the page's listener what happened to a model.
 *
 * @param {string} model
 * @param {any} record the rest of a `LoadEvent`
 */
export const emit = (model, record) => notify(settings.onEvent, { model, release: index.release, ...record });
