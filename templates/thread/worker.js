/*! Shardpress worker */
import { Entry } from "../loader/entry.js";
import { ModelError } from "../loader/errors.js";
import { form, index } from "../loader/form.js";
import { lazy } from "../loader/lazy.js";
import { runtime } from "../loader/runtime.js";
import { found, settings } from "../loader/settings.js";
import { quiet } from "../loader/wait.js";
import { Work } from "../loader/work.js";
import { pack } from "./answer.js";
import { Channel, plainError } from "./channel.js";
import { line } from "./files.js";
import { closeAll } from "./plain.js";
import { Served } from "./served.js";

/** @import { Port } from "./channel.js" */

/**
 * What a page tells its worker first, and again with each load.
 *
 * @typedef {object} Told
 * @property {typeof index} index
 * @property {string} base the folder that the bundle's modules are in
 * @property {string[]} fallbackUrls
 * @property {string[]} runtime addresses of TensorFlow.js, where the bundle does not bring it
 * @property {boolean} resolves whether the page changes addresses
 * @property {boolean} [respectSaveData]
 */

/** The models that the page loads, by its numbers. @type {Map<number, Served>} */
const served = new Map();
let runtimes = "";

/** @param {number} load */
const of = (load) => {
  const one = served.get(load);
  if (!one) throw new ModelError("abort", "The model was disposed");
  return one;
};

/**
 * Serves a page's models on this thread.
 *
 * @param {Port} port
 * @param {any} [locks] of the browser: whoever waits for this worker's lock learns of its end
 */
export function start(port, locks = globalThis.navigator?.locks) {
  const page = (line.page = new Channel(port, handlers, ModelError));
  settings.worker = false;
  settings.cache = "none";
  settings.onEvent = (event) => page.say("event", event);
  handlers.hold = (/** @type {string} */ name) =>
    new Promise((resolve, reject) => {
      if (!locks) return resolve(false);
      locks.request(name, () => (resolve(true), new Promise(() => {}))).catch(reject);
    }).catch(() => false);
  page.say("up");
}

/** @type {Record<string, (...args: any[]) => any>} */
const handlers = {
  /** @param {number} load @param {string} name @param {any[]} item @param {Told} told */
  open(load, name, item, told) {
    learn(told);
    // It comes beside the head.
    if (item[4] !== "word-vectors" && (settings.tf || index.modules?.tf)) quiet(runtime());
    const say = (/** @type {string} */ what, /** @type {any[]} */ ...args) =>
      line.page?.say(what, load, ...args.map((one) => (one instanceof Error ? plainError(one, ModelError) : one)));
    const own = new Served(new (kindOf(load))(name, item), Work, lazy, say);
    line.ranks.set(load, () => own.work.job.rank);
    served.set(load, own);
  },
  /** @param {number} load @param {any} given @param {Record<string, any>} options @param {AbortSignal} signal */
  async run(load, given, options, signal) {
    try {
      return pack(await of(load).run(given, { ...options, signal }));
    } finally {
      closeAll(given);
    }
  },
  /** @param {number} load @param {string} method @param {any[]} args @param {AbortSignal} signal */
  async call(load, method, args, signal) {
    return pack(await of(load).call(method, method === "nearest" || method === "analogy" ? withSignal(args, method, signal) : args));
  },
  selfTest: (load) => of(load).selfTest(),
  pickBackend: (load, stay) => of(load).pickBackend(stay),
  warmUp: (load) => of(load).warmUp(),
  cancel: (load) => served.get(load)?.cancel(),
  dispose(load) {
    served.get(load)?.dispose();
    served.delete(load);
    line.ranks.delete(load);
  },
};

/** Puts the signal where the methods of word vectors look for it. @param {any[]} args @param {string} method @param {AbortSignal} signal */
function withSignal(args, method, signal) {
  const at = method === "nearest" ? 2 : 4;
  const all = Array.from({ length: at + 1 }, (_, i) => args[i]);
  all[at] = { ...all[at], signal };
  return all;
}

/**
 * Gives entries that say for which load their files are; those of a ladder's rungs are made by the same class.
 *
 * @param {number} load
 */
const kindOf = (load) =>
  class extends Entry {
    file() {
      return { ...super.file(), load };
    }

    /** @returns {Promise<"absent" | "partial" | "cached">} */
    status() {
      return /** @type {any} */ (line.page).ask("status", [load, this.file()]);
    }
  };

/** @param {Told} told */
function learn({ index: known, base, fallbackUrls, runtime, resolves, respectSaveData }) {
  Object.assign(index, known);
  form.base = () => base;
  Object.assign(settings, { fallbackUrls, respectSaveData });
  settings.resolveUrl = resolves ? (address) => line.page?.ask("resolveUrl", [address]) ?? Promise.resolve(address) : undefined;
  const wanted = JSON.stringify(runtime);
  if (wanted === runtimes) return;
  runtimes = wanted;
  found.runtime = undefined;
  settings.tf = runtime.length ? () => importRuntime(runtime) : undefined;
}

/**
 * Imports TensorFlow.js: modules, or scripts, which leave it as `tf`; the wasm backend finds its binaries beside its script.
 *
 * @param {string[]} addresses
 */
async function importRuntime(addresses) {
  const scope = /** @type {any} */ (globalThis);
  /** @type {any} */
  let tf;
  let wasm;
  for (const address of addresses) {
    const made = await import(/* webpackIgnore: true */ /* @vite-ignore */ address);
    tf ??= made.tensor ? made : made.default?.tensor ? made.default : undefined;
    const { setWasmPaths } = scope.tf?.wasm ?? {};
    if (setWasmPaths && setWasmPaths !== wasm) setWasmPaths(new URL(".", address).href);
    wasm = setWasmPaths;
  }
  return tf ?? scope.tf;
}

if ("WorkerGlobalScope" in globalThis) start(/** @type {any} */ (globalThis));
