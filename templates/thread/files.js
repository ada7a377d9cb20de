/** Files of the bundle, which the page fetches: in a worker this takes the place of the module of the same name. */
import { quiet } from "../loader/wait.js";

/** @import { FileSpec, SharedFile } from "../loader/files.js" */
/** @import { Job } from "../loader/job.js" */
/** @import { Channel } from "./channel.js" */

/** A file's description that says for which load it is: a head's. @typedef {FileSpec & { load?: number }} Asked */

/** The line to the page, and the rank that each load has by itself. @type {{ page?: Channel, ranks: Map<number, () => number> }} */
export const line = { ranks: new Map() };

/** What the jobs of this worker hold: all of a job's files are of the load whose head it asked for. @type {Map<Job, { load: number, number: number, files: Map<string, SharedFile> }>} */
const jobs = new Map();
let last = 0;

/**
 * @param {Asked} spec
 * @param {Job} job
 * @returns {SharedFile}
 */
export function claim({ load = 0, ...spec }, job) {
  let own = jobs.get(job);
  if (!own) jobs.set(job, (own = { load, number: ++last, files: new Map() }));
  let file = own.files.get(spec.sha256);
  if (!file) {
    file = { spec, claims: new Set([job]), halt: new AbortController(), kept: true, source: "network" };
    own.files.set(spec.sha256, file);
    line.page?.say("claim", own.load, own.number, spec, job.rank - (line.ranks.get(own.load)?.() ?? job.rank), job.background);
  }
  return file;
}

/**
 * @param {SharedFile} file
 * @param {Job} job
 */
export function release(file, job) {
  const own = jobs.get(job);
  own?.files.delete(file.spec.sha256);
  if (!own || own.files.size) return;
  jobs.delete(job);
  line.page?.say("end", own.load, own.number);
}

/**
 * Gives the bytes of a claimed file, which the page has checked; they are nobody else's.
 *
 * @param {SharedFile} file
 */
export function read(file) {
  return (file.content ??= quiet(
    ask(file).catch((error) => {
      // The next one to ask tries again.
      file.content = undefined;
      throw error;
    }),
  ));
}

/**
 * Has the page fetch a claimed file, which stays there until it is read: another job of this load may be the one to do so.
 *
 * @param {SharedFile} file
 */
export function prepare(file) {
  const [job] = file.claims;
  const own = jobs.get(job);
  if (own && !file.content) line.page?.say("prepare", own.load, own.number, file.spec);
}

/** @param {SharedFile} file @returns {Promise<Uint8Array<ArrayBuffer>>} */
async function ask(file) {
  const [job] = file.claims;
  const own = jobs.get(job);
  const { bytes, source } = await line.page?.ask("read", [own?.load, own?.number, file.spec]);
  file.source = source;
  return bytes;
}
