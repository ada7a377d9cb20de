/**
 * What a page may set; undefined stands for the default.
 *
 * @typedef {object} Settings
 * @property {any} [tf] TensorFlow.js, or a function that gives it or a promise of it; called at first need
 * @property {string | URL} [baseUrl] the folder that holds `assets/`
 * @property {(url: string, init: RequestInit) => Promise<Response>} [fetch]
 * @property {number} [concurrency] requests at a time over all models (4)
 * @property {(event: LoadEvent) => void} [onEvent] one record for each stage that is usable and each failure
 */

/** @typedef {"high" | "normal" | "low"} Priority */

/**
 * A stage that is usable (`head`, `base`, `full`; a model without refinement has no `base`), or a failure.
 *
 * @typedef {{ type: "stage", model: string, stage: string, ms: number, bytes: number, source: string }
 *   | { type: "failure", model: string, code: ErrorCode, message: string, url: string | undefined, ms: number }
 * } LoadEvent
 */

/** @type {Settings} */
const settings = {};

/**
 * Sets options for all later loads.
 *
 * @param {Settings} options
 */
export function configure(options) {
  Object.assign(settings, options);
  if ("tf" in options) runtimePromise = undefined;
}

/**
 * Gives the absolute address of a bundle file.
 *
 * @param {string} path relative to the bundle's root
 * @param {string} model
 */
function resolve(path, model) {
  const base = settings.baseUrl ?? defaultBase();
  if (!base) {
    throw new ModelError("manifest", "No base URL: call configure({ baseUrl }) with the folder that holds assets/", { model });
  }
  try {
    return new URL(path, new URL(String(base).replace(/\/?$/, "/"), globalThis.location?.href)).href;
  } catch (cause) {
    throw new ModelError("manifest", `The base URL ${base} is not valid: give configure({ baseUrl }) a full one`, { model, cause });
  }
}

/**
 * Calls a page's function; what it throws must not end a load.
 *
 * @template T
 * @param {((value: T) => void) | undefined} listener
 * @param {T} value
 */
function notify(listener, value) {
  try {
    listener?.(value);
  } catch (error) {
    console.error(error);
  }
}
