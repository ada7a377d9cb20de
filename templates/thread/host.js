/** The one worker of a page: how it is started, and how the page learns of its end. */
import { attempted, notify } from "../loader/guards.js";
import { keyOf, notesOf } from "../modules/memory.js";
import { Channel } from "./channel.js";

/** @import { Failure, Handler } from "./channel.js" */
/** @import { Settings } from "../loader/settings.js" */

/** @typedef {{ release: string, modules?: Record<string, string>, models: Record<string, any[]> }} Index */
/** What a load is to its worker. @typedef {{ lost: () => void } & Record<string, any>} Guest */
/** `rest` is called when a load leaves. @typedef {{ channel: Channel, guests: Map<number, Guest>, rest: () => void }} Host */

/** Of each copy of the loader, known by its settings: its worker, and how many have ended. @type {WeakMap<Settings, { current?: Promise<Host>, ends: number }>} */
const places = new WeakMap();
const patience = 10_000; // milliseconds that a worker without models is kept
let last = 0;
/** @type {any} */
let policy;

/** @param {Settings} settings */
function placeOf(settings) {
  const place = places.get(settings) ?? { ends: 0 };
  places.set(settings, place);
  return place;
}

/** Bundlers take what is written inside of new URL() for a file to be copied. */
const own = import.meta.url;

/** Gives a number that no load of this page has had. */
export const nextNumber = () => ++last;

/**
 * Says why there can be no worker, if there can be none.
 *
 * @param {Index} index
 * @param {Settings} settings
 * @param {boolean} computes whether the model needs TensorFlow.js
 */
export function obstacle(index, settings, computes) {
  if (settings.worker === false) return "configure({ worker: false }) forbids it";
  if (!("Worker" in globalThis)) return "there are no workers here";
  if (!index.modules?.worker) return "the bundle has none";
  if (computes && !index.modules.tf && !settings.workerTf) return "there is no TensorFlow.js for it: see configure({ workerTf })";
  if (placeOf(settings).ends > 1) return "it ended twice";
}

/**
 * Gives the folders that hold the bundle's modules.
 *
 * @param {Settings} settings
 * @returns {string[]}
 */
export const basesOf = (settings) => [settings.baseUrl ?? new URL(".", own), ...(settings.fallbackUrls ?? [])].map(String);

/**
 * Gives the worker, which is started at first need.
 *
 * @param {Index} index
 * @param {Settings} settings
 * @param {Failure} ModelError
 * @returns {Promise<Host>}
 * @throws an Error that says why there is none
 */
export function hostOf(index, settings, ModelError) {
  const place = placeOf(settings);
  if (!place.current) {
    const gone = () => {
      if (place.current === mine) place.current = undefined;
    };
    const mine = (place.current = open(index, settings, ModelError, (wanted) => {
      if (!wanted) place.ends++;
      gone();
    }));
    mine.catch(gone);
  }
  return place.current;
}

/**
 * @param {Index} index
 * @param {Settings} settings
 * @param {Failure} ModelError
 * @param {(wanted: boolean) => void} onEnd
 * @returns {Promise<Host>}
 */
async function open(index, settings, ModelError, onEnd) {
  const path = `worker.${index.modules?.worker.slice(0, 16)}.js`;
  const addresses = await Promise.all(
    basesOf(settings).map(async (base) => {
      const address = new URL(path, base).href;
      return (await settings.resolveUrl?.(address)) ?? address;
    }),
  );
  const worker = await begin(addresses);
  /** @type {Map<number, Guest>} */
  const guests = new Map();
  /** @param {string} name @param {boolean} [asked] */
  const to = (name, asked) => (/** @type {number} */ load, /** @type {any[]} */ ...args) => {
    const guest = guests.get(load);
    if (guest) return guest[name](...args);
    if (asked) throw new ModelError("abort", "The model was disposed");
  };
  /** @type {Record<string, Handler>} */
  const handlers = {
    event: (event) => notify(settings.onEvent, event),
    note: (text) => attempted(() => notesOf(settings)?.setItem(keyOf(settings), text)),
    resolveUrl: (address) => settings.resolveUrl?.(address) ?? address,
    ...Object.fromEntries(["read", "status"].map((name) => [name, to(name, true)])),
    ...Object.fromEntries(["claim", "prepare", "end", "slow", "file", "tell", "reached", "know", "stage", "full", "failed", "later"].map((name) => [name, to(name)])),
  };
  const channel = new Channel(worker, handlers, ModelError);
  let over = false;
  const end = (wanted = false) => {
    if (over) return;
    over = true;
    onEnd(wanted);
    worker.terminate();
    channel.close(new ModelError("runtime", "The worker ended, perhaps for want of memory: run it again"));
    for (const guest of [...guests.values()]) guest.lost();
  };
  const locks = globalThis.navigator?.locks;
  const name = `shardpress worker ${Math.random()}`;
  const held = locks && (await channel.ask("hold", [name]));
  // Granted when the worker is gone, however it went. A hang is no end: it may be a long run.
  if (held) locks.request(name, () => end()).catch(() => {});
  // Without locks this is all that there is to know of an end.
  worker.onerror = (event) => {
    event.preventDefault?.();
    if (!held) end();
    else console.error(event.message);
  };
  // What it holds of TensorFlow.js and the graphics processor is worth more than a start, but not for ever.
  const rest = () => void (guests.size || setTimeout(() => guests.size || end(true), patience));
  return { channel, guests, rest };
}

/**
 * Starts the worker, whatever origin the bundle is from.
 *
 * @param {string[]} addresses of its module
 * @returns {Promise<Worker>}
 */
async function begin(addresses) {
  const same = addresses.filter((address) => new URL(address).origin === globalThis.location?.origin);
  const source = `(async () => {
  let failure;
  for (const place of ${JSON.stringify(addresses).replaceAll("<", "\\u003c")}) {
    try {
      return await import(place);
    } catch (error) {
      failure = error;
    }
  }
  postMessage({ failure: String(failure) });
})();`;
  const blob = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  /** @type {unknown} */
  let failure;
  try {
    for (const address of [...same.slice(0, 1), blob]) {
      try {
        return await answering(new Worker(trusted(address), { type: "module", name: "shardpress" }));
      } catch (error) {
        failure = error;
      }
    }
  } finally {
    URL.revokeObjectURL(blob);
  }
  throw failure;
}

/**
 * Waits for a worker's first word.
 *
 * @param {Worker} worker
 * @returns {Promise<Worker>}
 */
function answering(worker) {
  return new Promise((resolve, reject) => {
    const fail = (/** @type {unknown} */ why) => {
      worker.terminate();
      reject(new Error(`it does not start: ${why}`));
    };
    worker.onerror = (event) => {
      event.preventDefault?.();
      fail(event.message ?? "a policy of the page may forbid it");
    };
    worker.onmessage = ({ data }) => (data?.failure ? fail(data.failure) : resolve(worker));
  });
}

/** @param {string} address */
function trusted(address) {
  const { trustedTypes } = /** @type {any} */ (globalThis);
  if (!trustedTypes) return address;
  // The decoding workers of this loader, or of another copy, may have taken a name.
  for (const suffix of ["", "-2", "-3"]) {
    try {
      policy ??= trustedTypes.createPolicy(`shardpress${suffix}`, { createScriptURL: String });
    } catch {
      // It is taken, or not allowed.
    }
  }
  return policy ? policy.createScriptURL(address) : address;
}
