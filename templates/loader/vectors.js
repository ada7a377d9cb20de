import { lazy } from "./lazy.js";

/** @import { Head } from "./head.js" */
/** @import { Work } from "./work.js" */

/**
 * Takes the blocks of a table of word vectors, which answers from its first stage on.
 *
 * @param {Work} work gets the table
 * @param {Head} head
 */
export async function takeVectors(work, head) {
  const { job, reports } = work;
  job.ask(head, 0);
  const { model, add } = (await job.race(lazy("vectors"))).openVectors(head);
  work.model = model;
  for (const [number, name] of head.stages.entries()) {
    reports.tell({ phase: name });
    await job.stage(head, number, add);
    work.stage(name).resolve(model);
    work.ready.resolve(model);
    if (head.stages[number + 1]) work.usable(name);
  }
}
