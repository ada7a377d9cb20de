/** What a page holds of a ladder: one object that stays, whichever rung answers. */

/** @import { Entry } from "../loader/entry.js" */
/** @import { Work } from "../loader/work.js" */
/** @import { Rung } from "./rungs.js" */

/** @typedef {new (code: "contract" | "runtime", message: string, where?: object) => Error} Failure */
/** @typedef {(name: string) => Promise<any>} Lazy */
/** @typedef {{ now: Rung, runners: Map<Rung, string> }} Ladder */

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
