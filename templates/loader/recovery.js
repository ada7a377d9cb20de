import { dataOf, specsOf } from "./decode.js";
import { Job } from "./job.js";
import { lazy } from "./lazy.js";
import { swapper } from "./refine.js";
import { emit } from "./settings.js";
import { idle, quiet } from "./wait.js";

/** @import { Work } from "./work.js" */

/** Those whose models have weights. @type {Set<Work>} */
export const alive = new Set();

/**
 * Has the graphics context watched that holds the weights.
 *
 * @param {Work} work
 */
export function watch({ tf }) {
  if (tf.getBackend?.() === "webgl") quiet(idle().then(() => lazy("device")).then(({ watchContext }) => watchContext(alive)));
}

/**
 * Brings the weights back once there is a backend that can hold them.
 *
 * @param {Work} work
 * @param {Promise<unknown>} renewed
 */
export async function recovered(work, renewed) {
  const start = performance.now();
  try {
    await renewed;
    await reload(work);
    emit(work.entry.name, { type: "recovery", ms: Math.round(performance.now() - start), backend: work.tf.getBackend() });
  } catch (error) {
    work.reports.failure(error);
  }
}

/**
 * Makes all weights anew, at full precision, on the backend as it is.
 *
 * @param {Work} work
 */
export async function reload(work) {
  await work.full.promise.catch(() => {});
  const { tf, model, entry } = work;
  // A rung may have gone with its place taken.
  if (!model) return;
  const job = new Job(entry);
  const { head, buffers } = await entry.whole(job);
  const fresh = await tf.io.decodeWeights(dataOf(head.weights, buffers), specsOf(head.weights));
  const swap = swapper(tf, model, head.kind);
  try {
    if (work.model) await swap.run(fresh, job);
  } finally {
    swap.end();
    tf.dispose(fresh);
  }
}
