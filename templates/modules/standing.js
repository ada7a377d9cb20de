/** What a page holds of a ladder: one object that stays, whichever rung answers. */

/** @import { Entry } from "../loader/entry.js" */
/** @import { Work } from "../loader/work.js" */
/** @import { Rung } from "./rungs.js" */

/** @typedef {new (code: "contract" | "runtime", message: string, where?: object) => Error} Failure */
/** @typedef {(name: string) => Promise<any>} Lazy */
/** @typedef {{ now: Rung, modules: Map<Rung, readonly string[]> }} Ladder `modules` are what each rung's head says that `run` needs */

/** The rung that answers in place of each, by its work. @type {WeakMap<object, Ladder>} */
const ladders = new WeakMap();

/**
 * Has a rung answer from now on.
 *
 * @param {Work} work of the ladder
 * @param {Rung} rung
 * @param {Ladder} state
 * @param {object} model
 */
export function adopt(work, rung, state, model) {
  const before = state.now;
  const own = rung.work;
  // Whole runs are counted too: they look at the head before they call the model.
  state.modules.set(rung, own.head.modules ?? []);
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
  work.attained(`rung:${rung.number}`);
  before?.retire();
}

/**
 * Gives the one object that a page holds: it hands all calls to the rung that answers.
 *
 * @param {Entry} entry
 * @param {{ now: Rung }} state
 * @param {Rung[]} rungs
 * @param {() => void} end ends the climb
 * @param {Failure} ModelError
 */
export function stable({ name, ladder }, state, rungs, end, ModelError) {
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
      end();
      for (const rung of rungs) rung.dispose();
    },
  };
}

/**
 * Fetches what a rung needs besides what the one below does: a run on it must not fail for want of a module.
 *
 * @param {Work} work of the rung
 * @param {Ladder} state
 * @param {Lazy} lazy
 */
export function furnish({ head }, { now, modules }, lazy) {
  const here = modules.get(now) ?? [];
  return Promise.all((head.modules ?? []).filter((name) => !here.includes(name)).map(lazy));
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
  const state = /** @type {Ladder} */ (ladders.get(lent));
  const { now } = state;
  return now.during(async () => {
    await now.work.recovery;
    return (await lazy(state.modules.get(now)?.[0] ?? "glue")).run(lend(state, now), given, options, lazy, ModelError);
  });
}

/**
 * What runs a rung, and may go on after it: a stream goes from window to window, and from rung to rung.
 *
 * @param {Ladder} state
 * @param {Rung} rung
 * @returns {any}
 */
const lend = (state, rung) => ({
  get tf() {
    return rung.work.tf;
  },
  get model() {
    return rung.work.model;
  },
  get head() {
    return rung.work.head;
  },
  next: () => (state.now === rung ? undefined : lend(state, state.now)),
});
