/*! Shardpress ladders */
import { idle } from "../loader/wait.js";
import { Rung, entriesOf, stepsOf } from "./rungs.js";

/** @import { Entry } from "../loader/entry.js" */
/** @import { Progress } from "../loader/reports.js" */
/** @import { Settings } from "../loader/settings.js" */
/** @import { Work } from "../loader/work.js" */
/** @import { Index, Step } from "./rungs.js" */

/** @typedef {new (code: "contract", message: string, where?: object) => Error} Failure */
/** @typedef {(name: string) => Promise<any>} Lazy */
/**
 * What tells a page of the ladder: its progress, and the files that come.
 *
 * @typedef {{ progress: Progress, tell: (news: Partial<Progress>) => void, file: (bytes: number, wire: number, source: string) => void }} Telling
 */
/** @typedef {{ now: Rung, runners: Map<Rung, string> }} Ladder */

/** The rung that answers in place of each, by its work. @type {WeakMap<object, Ladder>} */
const ladders = new WeakMap();
const shading = ["webgl", "webgpu"];

/**
 * Tells what of a ladder this device would be given now, and why.
 *
 * @param {Entry} entry
 * @param {Index} index
 * @param {Settings} settings
 * @returns {Promise<Step[]>}
 */
export const plan = (entry, index, settings) => stepsOf(entriesOf(entry, index), settings);

/**
 * Loads the rungs of a ladder one after the other, each of which takes the place of the one before.
 *
 * @param {Work} work of the ladder
 * @param {Telling} telling
 * @param {Index} index
 * @param {Settings} settings
 * @param {Lazy} lazy
 * @param {Failure} ModelError
 */
export async function climb(work, telling, index, settings, lazy, ModelError) {
  const { entry, job } = work;
  const entries = entriesOf(entry, index);
  const steps = await job.race(stepsOf(entries, settings));
  const taken = steps.filter(({ take }) => take);
  /** @type {Rung[]} */
  const rungs = [];
  /** Fetches for the next rung while this one is made a model, so that its files follow without a pause. @type {typeof job | undefined} */
  let early;
  /** @type {any} */
  const state = { now: undefined, runners: new Map() };
  const sum = (/** @type {"bytes" | "wire"} */ key) => taken.reduce((total, step) => total + step[key], 0);
  telling.tell({ total: sum("bytes"), wire: sum("wire") });
  const model = stable(entry, state, rungs, ModelError);
  try {
    for (const [i, step] of taken.entries()) {
      telling.tell({ phase: `rung:${step.rung}` });
      const rung = new Rung(entries[step.rung - 1], step.rung, work, !i, i === taken.length - 1, (...file) => telling.file(...file));
      rungs.push(rung);
      const next = taken[i + 1] && entries[taken[i + 1].rung - 1];
      const contract = await job.race(Promise.race([rung.work.contract.promise, rung.hold.ready.then(() => rung.work.contract.promise)]));
      early?.end();
      if (next) {
        const Kind = /** @type {typeof import("../loader/job.js").Job} */ (job.constructor);
        early = new Kind(next, true, (_, wire, source) => telling.file(0, wire, source));
        Object.defineProperty(early, "rank", { get: () => job.rank + 3 });
        fetchAfter(early, rung).catch(() => {});
      }
      if (i) check(entry, contract, work, ModelError);
      else {
        // What the rungs say of themselves is theirs; until one answers, the ladder knows its stages and its contract.
        work.know({ contract, stages: steps.slice(0, taken.at(-1)?.rung).map((one) => `rung:${one.rung}`) });
        for (const one of steps) work.stage(`rung:${one.rung}`);
      }
      await job.race(rung.hold.ready);
      if (i) await job.race(warm(rung.work, lazy));
      const { total = 0, loaded = 0 } = state.now?.hold.progress ?? {};
      adopt(work, rung, state, model);
      // What would have refined the rung below will not come.
      telling.tell({ total: telling.progress.total - total + loaded });
    }
    await job.race(state.now.hold.full);
  } catch (error) {
    // What answers stays whole, and what was on its way to take its place goes.
    for (const rung of rungs) if (rung !== state.now) rung.dispose();
    if (job.stopped) state.now?.hold.cancel();
    else state.now?.stay();
    throw error;
  } finally {
    early?.abort();
  }
}

/**
 * Gets the head of a rung at once, which is small, and its files as soon as all of the rung below have come.
 *
 * @param {{ head: () => Promise<any>, ask: (head: any, stage: number) => void, check: () => void }} early
 * @param {Rung} below
 */
async function fetchAfter(early, below) {
  const head = await early.head();
  await below.here;
  early.check();
  early.ask(head, 0);
}

/**
 * @param {Entry} entry
 * @param {string} contract
 * @param {Work} work
 * @param {Failure} ModelError
 */
function check({ name }, contract, work, ModelError) {
  if (contract !== work.head.contract) {
    throw new ModelError("contract", `A rung of ${name} has the contract ${contract}, not ${work.head.contract}: publish all of them again`, { model: name });
  }
}

/**
 * Has a rung answer from now on.
 *
 * @param {Work} work of the ladder
 * @param {Rung} rung
 * @param {Ladder} state
 * @param {object} model
 */
function adopt(work, rung, state, model) {
  const before = state.now;
  const own = rung.work;
  // Whole runs are counted too: they look at the head before they call the model.
  state.runners.set(rung, own.head.modules?.[0] ?? "glue");
  own.head = { ...own.head, modules: ["ladder"] };
  ladders.set(own, state);
  rung.use();
  state.now = rung;
  work.now = own;
  work.rung = rung.number;
  work.tf = own.tf;
  work.model = model;
  for (let number = 1; number <= rung.number; number++) work.stage(`rung:${number}`).resolve(model);
  work.ready.resolve(model);
  work.usable(`rung:${rung.number}`);
  before?.retire();
}

/**
 * Compiles what a rung needs before the page waits for it, where there is anything to compile.
 *
 * @param {Work} work of the rung
 * @param {Lazy} lazy
 */
async function warm({ tf, model, head }, lazy) {
  if (!shading.includes(tf.getBackend?.())) return;
  const device = await lazy("device").catch(() => undefined);
  await device?.warmUp(tf, model, idle, head.avoid);
}

/**
 * Gives the one object that a page holds: it hands all calls to the rung that answers.
 *
 * @param {Entry} entry
 * @param {{ now: Rung }} state
 * @param {Rung[]} rungs
 * @param {Failure} ModelError
 */
function stable({ name, ladder }, state, rungs, ModelError) {
  const call = (/** @type {string} */ method) => (/** @type {any[]} */ ...args) => {
    if (ladder?.tensors) return state.now.work.model[method](...args);
    throw new ModelError("contract", `${name} has rungs with different inputs: use handle.run(), which takes the same for all`, { model: name });
  };
  const [predictAsync, executeAsync] = ["predictAsync", "executeAsync"].map((method) => async (/** @type {any[]} */ ...args) => call(method)(...args));
  return {
    get inputs() {
      return state.now.work.model.inputs;
    },
    get outputs() {
      return state.now.work.model.outputs;
    },
    predict: call("predict"),
    execute: call("execute"),
    predictAsync,
    executeAsync,
    dispose() {
      for (const rung of rungs) rung.dispose();
    },
  };
}

/**
 * Runs the rung that answers, which stays until its answer is there.
 *
 * @param {object} lent the work of a rung
 * @param {any} given
 * @param {Record<string, any>} options
 * @param {Lazy} lazy
 * @param {Failure} ModelError
 */
export function run(lent, given, options, lazy, ModelError) {
  const { now, runners } = /** @type {Ladder} */ (ladders.get(lent));
  return now.during(async () => {
    await now.work.recovery;
    return (await lazy(/** @type {string} */ (runners.get(now)))).run(now.work, given, options, lazy, ModelError);
  });
}
