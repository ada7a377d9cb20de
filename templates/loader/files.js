import { download } from "./download.js";
import { attempted } from "./guards.js";
import { fillSlots, inTurn } from "./slots.js";
import { fileStore, keep, readStored } from "./store.js";
import { quiet } from "./wait.js";

/** @import { Job } from "./job.js" */

/**
 * A file of the bundle: its place and the proof of its content.
 *
 * @typedef {object} FileSpec
 * @property {string} model
 * @property {string} path
 * @property {number} bytes decoded length
 * @property {number} wire length as sent, about
 * @property {string} sha256
 * @property {boolean} refines whether every model's first answer comes before it
 */

/**
 * A file that somebody needs; it is fetched once for all of them and forgotten when the last one lets go.
 *
 * @typedef {object} SharedFile
 * @property {FileSpec} spec
 * @property {Set<Job>} claims
 * @property {AbortController} halt
 * @property {boolean} kept whether it is in the store
 * @property {string} source
 * @property {boolean} [soon] whether nothing has to wait for it: it would be here before a request that is made now is answered,
 *   or nothing comes of it at present
 * @property {Promise<Uint8Array<ArrayBuffer>>} [content]
 */

/** @type {Map<string, SharedFile>} by hash, as models may share files */
const files = new Map();

/**
 * @param {FileSpec} spec
 * @param {Job} job
 */
export function claim(spec, job) {
  let file = files.get(spec.sha256);
  if (!file) {
    file = { spec, claims: new Set(), halt: new AbortController(), kept: false, source: "network" };
    files.set(spec.sha256, file);
  }
  file.claims.add(job);
  fillSlots();
  return file;
}

/**
 * @param {SharedFile} file
 * @param {Job} job
 */
export function release(file, job) {
  file.claims.delete(job);
  if (file.claims.size) return fillSlots();
  forget(file);
  file.halt.abort();
}

/** @param {SharedFile} file */
function forget(file) {
  if (files.get(file.spec.sha256) === file) files.delete(file.spec.sha256);
}

/**
 * Gives the checked bytes of a claimed file.
 *
 * @param {SharedFile} file
 */
export function read(file) {
  return (file.content ??= quiet(
    inTurn(() => rankOf(file), () => obtain(file)).catch((error) => {
      // The next one to ask tries again.
      forget(file);
      throw error;
    }),
  ));
}

/** Has a claimed file come that will be read soon: a worker leaves it on the page until then. */
export { read as prepare };

/**
 * Gives a file's place in the queue as it is now: lower is sooner. First answers go before refinements, and for what is as
 * good as here nothing has to wait.
 *
 * @param {SharedFile} file
 */
const rankOf = ({ claims, spec, soon }) => (soon ? Infinity : Math.min(...[...claims].map(({ rank }) => rank)) + (spec.refines ? 3 : 0));

/**
 * Takes a file out of the store, or downloads and keeps it; of two tabs one downloads and the other waits.
 *
 * @param {SharedFile} file
 */
async function obtain(file) {
  const { spec, halt: { signal } } = file;
  const stored = async () => {
    const bytes = await readStored(spec);
    if (bytes) {
      file.kept = true;
      file.source = "cache";
    }
    return bytes;
  };
  const fetched = async () => {
    const bytes = await download(file);
    await keep(file, bytes);
    return bytes;
  };
  const bytes = await stored();
  if (bytes) return bytes;
  const locks = (await fileStore()) && globalThis.navigator?.locks;
  if (!locks || signal.aborted) return fetched();
  // Its signal is the request's option.
  const control = new AbortController();
  const stop = () => control.abort();
  // The other tab may be frozen, and keep its lock for hours. Of a lock that was given, an abort takes nothing.
  setTimeout(stop, 5000);
  signal.addEventListener("abort", stop);
  /** @type {ReturnType<typeof fetched> | undefined} */
  let work;
  const begin = () => (work ??= stored().then((found) => found ?? fetched()));
  await attempted(() => locks.request(`shardpress ${spec.sha256}`, control, begin))?.catch(() => {});
  return begin();
}
