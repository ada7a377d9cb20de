/*! Shardpress threads */
import { Load } from "./load.js";

/** @import { Settings } from "../loader/settings.js" */
/** @import { Work } from "../loader/work.js" */
/** @import { Failure } from "./channel.js" */
/** @import { Index } from "./host.js" */
/** @import { Telling } from "./told.js" */

/** @type {WeakMap<object, Load>} */
const loads = new WeakMap();

/** @param {object} work @returns {Load} */
const of = (work) => /** @type {Load} */ (loads.get(work));

/**
 * Loads a model off the page's thread.
 *
 * @param {Work} work
 * @param {Telling} telling
 * @param {(name: string) => Promise<any>} lazy
 * @param {Index} index
 * @param {Settings} settings
 * @param {unknown} _ what the page's thread has of TensorFlow.js: this one does without
 * @param {Failure} ModelError
 */
export async function climb(work, telling, lazy, index, settings, _, ModelError) {
  const { job } = work;
  const load = new Load({ work, telling, index, settings, lazy, ModelError });
  loads.set(work, load);
  try {
    await job.race(load.begin());
    await job.race(load.over);
  } catch (error) {
    load.stop(!!job.stopped);
    throw error;
  }
}

/**
 * @param {object} work
 * @param {any} given
 * @param {Record<string, any>} options
 */
export const run = (work, given, options) => of(work).run(given, options);

/** @param {object} work */
export const test = (work) => of(work).ask("selfTest", []);

/** @param {object} work @param {{ stay?: boolean }} means */
export const pick = (work, { stay }) => of(work).ask("pickBackend", [!!stay]);

/** @param {object} work @param {{ idle: () => Promise<unknown> }} means */
export async function warm(work, { idle }) {
  await idle();
  await of(work).ask("warmUp", []);
  return true;
}
