/** The files of one load in the worker: the page fetches them, as it does its own. */
import { Sent } from "./channel.js";

/** @import { FileSpec } from "../loader/files.js" */
/** @import { Job } from "../loader/job.js" */
/** @import { Work } from "../loader/work.js" */

/** @typedef {{ bytes: Uint8Array<ArrayBuffer>, source: string }} File */

/**
 * Makes a job as urgent as a page's load is at any time.
 *
 * @param {Job} job
 * @param {Job} own the page's
 * @param {() => number} [behind] how many ranks it comes after that
 * @param {boolean} [background]
 */
export function follow(job, own, behind = () => 0, background = false) {
  Object.defineProperties(job, {
    rank: { get: () => own.rank + behind(), set() {} },
    background: { get: () => background || own.background, set() {} },
  });
}

/** Fetches what the worker asks for. */
export class Serving {
  #work;
  /** By the worker's number. @type {Map<number, { job: Job, behind: number, take: (spec: FileSpec) => Promise<File> }>} */
  #jobs = new Map();

  /** @param {Work} work */
  constructor(work) {
    this.#work = work;
  }

  /**
   * Has a file kept until the worker asks for it.
   *
   * @param {number} number of the worker's job
   * @param {FileSpec} spec
   * @param {number} behind the rank of the load itself, from now on
   * @param {boolean} background
   */
  claim(number, spec, behind, background) {
    let one = this.#jobs.get(number);
    if (!one) this.#jobs.set(number, (one = this.#open(number, background)));
    one.behind = behind;
    one.job.claim(spec);
    // A ladder reads a head twice. What a load that is over holds nobody would ever let go.
    const { job, state } = this.#work;
    if (spec.path.endsWith(".json") && state !== "full" && !job.stopped) job.claim(spec);
  }

  /** @param {number} number @param {boolean} background */
  #open(number, background) {
    const { job: own, entry } = this.#work;
    const Kind = /** @type {typeof Job} */ (own.constructor);
    /** The file that has just come. @type {{ bytes: Uint8Array<ArrayBuffer>, done: (file: File) => void } | undefined} */
    let come;
    const job = new Kind(entry, background, (_, __, source) => come?.done({ bytes: come.bytes, source }));
    follow(job, own, () => this.#jobs.get(number)?.behind ?? 0, background);
    /** @param {FileSpec} spec @returns {Promise<File>} */
    const take = (spec) =>
      new Promise((resolve, reject) => {
        const shards = [{ ...spec, stage: 0, segments: [] }];
        job
          .stage(/** @type {any} */ ({ shards }), 0, (_, bytes, sole) => {
            const whole = sole && bytes.byteLength === bytes.buffer.byteLength;
            come = { bytes: whole ? bytes : bytes.slice(), done: resolve };
          })
          .catch(reject);
      });
    return { job, behind: 0, take };
  }

  /**
   * Fetches a file that will be asked for.
   *
   * @param {number} number
   * @param {FileSpec} spec
   */
  prepare(number, spec) {
    this.#jobs.get(number)?.job.ask(/** @type {any} */ ({ shards: [{ ...spec, stage: 0 }] }), 0);
  }

  /**
   * Gives a file away.
   *
   * @param {number} number
   * @param {FileSpec} spec
   */
  async read(number, spec) {
    const file = await this.#jobs.get(number)?.take(spec);
    return file && new Sent(file, [file.bytes.buffer]);
  }

  /** @param {number} number of a job that has all it needs: what is still on its way to it is no longer its own to give away */
  end(number) {
    this.#jobs.get(number)?.job.abort();
    this.#jobs.delete(number);
  }

  /** Ends all jobs. */
  close() {
    for (const { job } of this.#jobs.values()) job.abort();
    this.#jobs.clear();
  }
}
