import { Job } from "./job.js";

/** @import { Entry } from "./entry.js" */

/** @typedef {{ taken: boolean, end: () => void, done: Promise<void> }} Prefetch */

/** @type {Map<Entry, Prefetch>} */
const prefetches = new Map();

/**
 * Fetches all files of a model, once for all who ask.
 *
 * @param {Entry} entry
 */
export function prefetch(entry) {
  const started = prefetches.get(entry);
  if (started) return started.done;
  const job = new Job(entry, true);
  /** @type {Prefetch} */
  const one = { taken: false, end: () => {}, done: fetchAll(job) };
  prefetches.set(entry, one);
  const end = () => {
    job.end();
    if (prefetches.get(entry) === one) prefetches.delete(entry);
  };
  one.done.then(() => (one.taken ? end() : (one.end = end)), end);
  return one.done;
}

/** @param {Job} job */
async function fetchAll(job) {
  const head = await job.head();
  for (const stage of head.stages.keys()) await job.stage(head, stage);
}

/**
 * Releases prefetched files that a load has claimed.
 *
 * @param {Entry} entry
 */
export function takeOver(entry) {
  const one = prefetches.get(entry);
  if (!one) return;
  one.taken = true;
  one.end();
}
