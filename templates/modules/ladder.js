/*! Shardpress ladders, and what fits a device */
import { idle } from "../loader/wait.js";
import { Rung, entriesOf, lack, stepsOf } from "./rungs.js";

/** @import { Entry } from "../loader/entry.js" */
/** @import { Progress } from "../loader/reports.js" */
/** @import { Settings } from "../loader/settings.js" */
/** @import { Work } from "../loader/work.js" */
/** @import { Budget } from "./fit.js" */
/** @import { Index, Step } from "./rungs.js" */

/** @typedef {new (code: "contract" | "runtime", message: string, where?: object) => Error} Failure */
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
  if (!entry.fit.probe) return stepsOf(entry, entries, settings);
  const { Budget, attend, runtimeAtHand } = /** @type {typeof import("./fit.js")} */ (await lazy("fit"));
  if (work) {
    await attend(work, settings, (why) => announce(entry, index, settings, { rung: 1, take: true, why }, 0));
    return [];
  }
  const budget = new Budget(entry, entries, settings);
  const tf = await runtimeAtHand(found, settings);
  if (tf) await budget.guess(tf);
  return stepsOf(entry, entries, settings, budget, tf);
}

/**
 * Tells the page what becomes of a rung.
 *
 * @param {Entry} entry
 * @param {Index} index
 * @param {Settings} settings
 * @param {{ rung: number, take: boolean, why: string }} step
 * @param {number} start when the load began, or 0
 */
function announce({ name: model }, { release }, settings, { rung, take, why }, start) {
  try {
    settings.onEvent?.({ type: "plan", model, release, rung, take, why, ms: start && Math.round(performance.now() - start) });
  } catch (error) {
    console.error(error);
  }
}

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
  const { name: model } = entry;
  const start = performance.now();
  const entries = entriesOf(entry, index);
  /** @type {Budget | undefined} */
  const budget = entry.fit.probe && (await job.race(openBudget(entry, entries, settings, lazy)));
  const steps = await job.race(stepsOf(entry, entries, settings, budget));
  const taken = steps.filter(({ take }) => take);
  /** @type {Rung[]} */
  const rungs = [];
  /** Gets the head of the next rung early, so that its files follow without a pause. @type {typeof job | undefined} */
  let early;
  /** @type {any} */
  const state = { now: undefined, runners: new Map() };
  const sum = (/** @type {"bytes" | "wire"} */ key) => taken.reduce((total, step) => total + step[key], 0);
  telling.tell({ total: sum("bytes"), wire: sum("wire") });
  for (const step of steps) if (!step.take && step.rung > taken[0].rung) announce(entry, index, settings, step, start);
  const stood = stable(entry, state, rungs, ModelError);
  const arrive = (/** @type {number} */ bytes, /** @type {number} */ wire, /** @type {string} */ source) => {
    budget?.file(wire, source);
    telling.file(bytes, wire, source);
  };
  const refuse = (/** @type {Step} */ step, /** @type {string} */ why, loaded = 0) => {
    const { total, wire } = telling.progress;
    telling.tell({ total: total - step.bytes + loaded, wire: wire - step.wire });
    announce(entry, index, settings, { ...step, take: false, why }, start);
  };
  try {
    for (const [i, step] of taken.entries()) {
      const place = step.rung - 1;
      const tf = state.now?.work.tf;
      if (tf) {
        await job.race(budget?.sound(state.now, taken.slice(i).map(({ rung }) => rung - 1)) ?? Promise.resolve());
        const why = lack(entries[place], tf) || budget?.judge(place, tf, step.wire).fault;
        if (why) {
          refuse(step, why);
          continue;
        }
      }
      telling.tell({ phase: `rung:${step.rung}` });
      const rung = new Rung(entries[place], step.rung, work, !i, i === taken.length - 1, arrive);
      rungs.push(rung);
      const contract = await job.race(Promise.race([rung.work.contract.promise, rung.hold.ready.then(() => rung.work.contract.promise)]));
      early?.end();
      const next = taken[i + 1];
      // Whatever may yet be against it has to be known before.
      if (next && (!budget || next.ms)) {
        const Kind = /** @type {typeof import("../loader/job.js").Job} */ (job.constructor);
        early = new Kind(entries[next.rung - 1], true, (_, wire, source) => arrive(0, wire, source));
        early.head().catch(() => {});
      }
      if (tf) check(entry, contract, work, ModelError);
      else {
        // What the rungs say of themselves is theirs; until one answers, the ladder knows its stages and its contract.
        work.know({ contract, stages: steps.slice(0, taken.at(-1)?.rung).map((one) => `rung:${one.rung}`) });
        for (const one of steps) work.stage(`rung:${one.rung}`);
      }
      const slow = await job.race(Promise.race([rung.hold.ready.then(() => ""), ...(tf && budget ? [budget.unwanted(place, tf)] : [])]));
      if (slow) {
        const { loaded } = rung.hold.progress;
        rung.dispose();
        refuse(step, slow, loaded);
        continue;
      }
      if (tf) await job.race(warm(rung.work, lazy));
      const { total = 0, loaded = 0 } = state.now?.hold.progress ?? {};
      adopt(work, rung, state, stood);
      budget?.time(rung);
      // What would have refined the rung below will not come.
      telling.tell({ total: telling.progress.total - total + loaded });
    }
    state.now.stay();
    for (const { rung } of steps) {
      if (rung > state.now.number) work.stage(`rung:${rung}`).reject(new ModelError("runtime", `Rung ${rung} of ${model} is too much for this device: see plan()`, { model }));
    }
    await job.race(state.now.hold.full);
  } catch (error) {
    // What answers stays whole, and what was on its way to take its place goes.
    for (const rung of rungs) if (rung !== state.now) rung.dispose();
    if (job.stopped) state.now?.hold.cancel();
    else state.now?.stay();
    throw error;
  } finally {
    early?.end();
  }
}

/**
 * Gives what the rungs may take of the device's time; nothing where that cannot be had, as a load does without.
 *
 * @param {Entry} entry
 * @param {Entry[]} entries
 * @param {Settings} settings
 * @param {Lazy} lazy
 */
const openBudget = (entry, entries, settings, lazy) => lazy("fit").then(({ Budget }) => new Budget(entry, entries, settings)).catch(() => undefined);

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
