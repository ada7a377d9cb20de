import { ownersOf } from "./decode.js";
import { ModelError } from "./errors.js";
import { breather, deferred } from "./wait.js";

/** @import { Decoder } from "./decode.js" */
/** @import { Head, Weight } from "./head.js" */
/** @import { Job } from "./job.js" */

/**
 * Brings refined weights into a model in one instant.
 *
 * @param {any} tf
 * @param {any} model
 * @param {Head["kind"]} kind
 * @returns {{ run: (fresh: Record<string, any>, job: Job) => Promise<void>, end: () => void }}
 */
export function swapper(tf, model, kind) {
  if (kind === "graph-model") {
    const calls = guardCalls(model);
    return { run: (fresh, job) => calls.between(() => swapGraphWeights(model, fresh), job), end: calls.end };
  }
  // Layers models run synchronously. The variables take the values over; what their constraints make does not stay.
  const run = async (/** @type {Record<string, any>} */ fresh) => {
    checkAlive(model.weights.map((/** @type {any} */ { val }) => val));
    tf.tidy(() => model.loadWeights(fresh, false));
  };
  return { run, end() {} };
}

/**
 * Makes the tensors of all weights that the last stage refined, in slices.
 *
 * @param {any} tf
 * @param {Weight[]} weights
 * @param {Decoder} decoder that has all planes
 * @param {Job} job
 * @param {Record<string, any>} fresh gets them by name; the caller disposes what is left in it
 */
export async function makeTensors(tf, weights, decoder, job, fresh) {
  const refined = weights.filter(({ planes }) => planes[2]);
  const buffers = await job.race(decoder.take(ownersOf(refined), false));
  const breathe = breather();
  for (const { name, shape, owner } of refined) {
    // An engine scope that the page opened must not take it away.
    fresh[name] = tf.keep(tf.tensor(new Float32Array(/** @type {ArrayBuffer} */ (buffers.get(owner))), shape, "float32"));
    await breathe();
    job.check();
  }
}

/** @param {any[]} tensors */
function checkAlive(tensors) {
  if (tensors.some(({ isDisposed }) => isDisposed)) throw new ModelError("abort", "The model was disposed");
}

/**
 * Gives a graph model its new weights and disposes the ones they replace.
 *
 * @param {any} model
 * @param {Record<string, any>} fresh emptied
 */
function swapGraphWeights(model, fresh) {
  const { executor, initializer } = model;
  const next = { ...executor.weightMap };
  /** @type {any[]} */
  const stale = Object.keys(fresh).flatMap((name) => next[name] ?? []);
  checkAlive(stale);
  for (const name in fresh) {
    next[name] = [fresh[name]];
    delete fresh[name];
  }
  executor.weightMap = next;
  if (initializer) initializer.weightMap = next;
  for (const tensor of stale) tensor.dispose();
}

/**
 * Knows when no asynchronous call of a graph model is under way.
 *
 * @param {any} model
 */
function guardCalls(model) {
  const call = model.executeAsync;
  let calls = 0;
  let wake = () => {};
  /** @type {Promise<void> | undefined} */
  let closed;
  // predictAsync goes through here as well.
  model.executeAsync = async (/** @type {any[]} */ ...args) => {
    while (closed) await closed;
    calls++;
    try {
      return await call.apply(model, args);
    } finally {
      calls--;
      wake();
    }
  };
  return {
    /**
     * Runs an action between calls; those made meanwhile wait for it.
     *
     * @param {() => void} action
     * @param {Job} job
     */
    async between(action, job) {
      const { promise, resolve } = /** @type {ReturnType<typeof deferred<void>>} */ (deferred());
      closed = promise;
      try {
        while (calls) await job.race(new Promise((/** @type {(value: void) => void} */ done) => (wake = () => done())));
        job.check();
        action();
      } finally {
        closed = undefined;
        resolve();
      }
    },
    end() {
      delete model.executeAsync;
    },
  };
}
