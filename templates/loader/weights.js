import { openDecoder, ownersOf, dataOf, specsOf } from "./decode.js";
import { index } from "./form.js";
import { lazy } from "./lazy.js";
import { alive, watch } from "./recovery.js";
import { makeTensors, swapper } from "./refine.js";
import { buildModel, registerOps, runtime } from "./runtime.js";
import { settings } from "./settings.js";
import { quiet } from "./wait.js";

/** @import { Head } from "./head.js" */
/** @import { Work } from "./work.js" */

/**
 * Makes a TensorFlow.js model of weights as their stages come, and refines it.
 *
 * @param {Work} work gets the model
 * @param {Head} head
 */
export async function takeWeights(work, head) {
  const { entry, job, reports } = work;
  const { weights, refine, stages } = head;
  const early = (settings.tf || index.modules?.tf) && quiet(runtime());
  // Modules travel beside the weights; what fails here fails again below.
  if (early) quiet(registerOps(head));
  for (const name of head.modules ?? []) quiet(lazy(name));
  const decoder = await openDecoder(head);
  /** @type {ReturnType<typeof swapper> | undefined} */
  let swap;
  /** @type {Record<string, any>} */
  let fresh = {};
  try {
    for (let number = 0; number < stages.length; number++) {
      reports.tell({ phase: stages[number] });
      // Behind what answers first, TensorFlow.js too, but without a pause.
      if (number === refine - 1) quiet(Promise.resolve(early).then(() => job.ask(head, refine)));
      await job.stage(head, number, decoder.add);
      const last = number >= refine - 1;
      if (head.kind === "layers-model" && !last) continue;
      const usable = weights.filter(({ stage }) => (swap ? stage === number : stage <= number));
      const tf = (work.tf = await job.race(early ?? runtime()));
      job.ask(head, number + 1);
      if (number === refine) {
        await makeTensors(tf, weights, decoder, job, fresh);
      } else {
        const buffers = await job.race(decoder.take(ownersOf(usable), refine < stages.length));
        if (swap) fresh = await tf.io.decodeWeights(dataOf(usable, buffers), specsOf(usable));
        else {
          work.model = await buildModel(tf, head, usable, buffers, entry);
          if (job.stopped) work.release();
          job.check();
          swap = swapper(tf, work.model, head.kind);
          alive.add(work);
          watch(work);
        }
      }
      if (Object.keys(fresh).length) await swap?.run(fresh, job);
      tf.dispose(fresh);
      fresh = {};
      for (const name of stages.slice(0, number + 1)) work.stage(name).resolve(work.model);
      if (last) work.ready.resolve(work.model);
      if (number < stages.length - 1) work.attained(stages[number]);
    }
  } finally {
    work.tf?.dispose(fresh);
    swap?.end();
    decoder.close();
  }
}
