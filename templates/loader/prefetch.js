import { Job } from "./job.js";
import { deferred } from "./wait.js";

/** @import { Entry } from "./entry.js" */

/** Prefetches, and what is called when a load has claimed their files: by hash, as a model that runs off the page's thread has the same. @type {Map<string, { done: Promise<void>, take: (by?: unknown) => void }>} */
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
  const { promise, resolve } = deferred();
  const done = fetchAll(job);
  prefetches.set(entry.sha256, { done, take: resolve });
  const end = () => {
    job.end();
    prefetches.delete(entry.sha256);
  };
  done.then(() => promise).then(end, end);
  return done;
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
  prefetches.get(entry.sha256)?.take();
}
