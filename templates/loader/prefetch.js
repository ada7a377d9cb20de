import { Job } from "./job.js";

/** @import { Entry } from "./entry.js" */

/** @typedef {{ taken: boolean, end: () => void, done: Promise<void> }} Prefetch */

/** By hash: a model that runs off the page's thread has the same files. @type {Map<string, Prefetch>} */
const prefetches = new Map();

/**
 * Fetches all files of a model, once for all who ask.
 *
 * @param {Entry} entry
 */
export function prefetch(entry) {
  const started = prefetches.get(entry.sha256);
  if (started) return started.done;
  const job = new Job(entry, true);
  /** @type {Prefetch} */
  const one = { taken: false, end: () => {}, done: fetchAll(job) };
  prefetches.set(entry.sha256, one);
  const end = () => {
    job.end();
    if (prefetches.get(entry.sha256) === one) prefetches.delete(entry.sha256);
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
  const one = prefetches.get(entry.sha256);
  if (!one) return;
  one.taken = true;
  one.end();
}
