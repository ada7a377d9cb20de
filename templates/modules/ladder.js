/*! Shardpress ladders */
import { Climb, announce } from "./climbing.js";
import { entriesOf, stepsOf } from "./rungs.js";

/** @import { Entry } from "../loader/entry.js" */
/** @import { Settings } from "../loader/settings.js" */
/** @import { Work } from "../loader/work.js" */
/** @import { Telling } from "./climbing.js" */
/** @import { Budget } from "./fit.js" */
/** @import { Index, Step } from "./rungs.js" */
/** @import { Failure, Lazy } from "./standing.js" */

export { run } from "./standing.js";

/**
 * Tells what of a model this device would be given now, and why; how fast it is, where that counts and is not known yet, a
 * probe of a few milliseconds tells, if the page has TensorFlow.js already.
 *
 * @param {Entry} entry
 * @param {Lazy} lazy
 * @param {Index} index
 * @param {Settings} settings
 * @param {{ runtime?: Promise<any> }} found
 * @param {Work} [work] of the model that is alone, whose runs are timed from now on
 * @returns {Promise<Step[]>}
 */
export async function plan(entry, lazy, index, settings, found, work) {
  const entries = entriesOf(entry, index);
  if (!entry.fit.probe) return plain(await stepsOf(entry, entries, settings));
  const { Budget, attend, runtimeAtHand } = /** @type {typeof import("./fit.js")} */ (await lazy("fit"));
  if (work) {
    await attend(work, settings, (why) => announce(entry, index, settings, { rung: 1, take: true, why }, 0));
    return [];
  }
  const budget = new Budget(entry, entries, settings);
  const tf = await runtimeAtHand(found, settings);
  if (tf) await budget.guess(tf);
  return plain(await stepsOf(entry, entries, settings, budget, tf));
}

/** What a page is told of steps. @param {Awaited<ReturnType<typeof stepsOf>>} steps @returns {Step[]} */
const plain = (steps) => steps.map(({ later: _, ...step }) => step);

/**
 * Loads the rungs of a ladder one after the other, each of which takes the place of the one before.
 *
 * @param {Work} work of the ladder
 * @param {Telling} telling
 * @param {Lazy} lazy
 * @param {Index} index
 * @param {Settings} settings
 * @param {{ runtime?: Promise<any> }} found
 * @param {Failure} ModelError
 */
export async function climb(work, telling, lazy, index, settings, found, ModelError) {
  const { entry, job } = work;
  const entries = entriesOf(entry, index);
  // A load does without its budget where the module that knows of it is not to be had.
  const budget = entry.fit.probe && (await job.race(openBudget(entry, entries, settings, lazy).catch(() => undefined)));
  const steps = await job.race(stepsOf(entry, entries, settings, budget));
  const on = new Climb(work, { entries, telling, index, settings, lazy, ModelError, found, budget }, steps);
  try {
    for (const i of on.taken.keys()) {
      try {
        await on.step(i);
      } catch (error) {
        if (!on.passOver(i, error)) throw error;
      }
    }
    await on.stay();
  } catch (error) {
    on.fail();
    throw error;
  } finally {
    on.end();
  }
}

/**
 * @param {Entry} entry
 * @param {Entry[]} entries
 * @param {Settings} settings
 * @param {Lazy} lazy
 * @returns {Promise<Budget | undefined>}
 */
const openBudget = async (entry, entries, settings, lazy) => new (await lazy("fit")).Budget(entry, entries, settings);
