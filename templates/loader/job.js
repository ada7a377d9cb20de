import { cancelled } from "./errors.js";
import { claim, prepare, read, release } from "./files.js";
import { readHead } from "./head.js";

/** @import { Entry } from "./entry.js" */
/** @import { ModelError } from "./errors.js" */
/** @import { FileSpec, SharedFile } from "./files.js" */
/** @import { Head, Shard } from "./head.js" */
/** @import { Priority } from "./settings.js" */

/** One pass over the files of one model. */
export class Job {
  #entry;
  #onFile;
  /** @type {Set<(reason: unknown) => void>} */
  #waiting = new Set();
  /** @type {Set<SharedFile>} */
  #claims = new Set();
  /** @type {ModelError | undefined} */
  stopped;

  /**
   * @param {Entry} entry
   * @param {boolean} [background] whether nobody waits for it
   * @param {(bytes: number, wire: number, source: string) => void} [onFile]
   */
  constructor(entry, background = false, onFile = () => {}) {
    this.#entry = entry;
    this.background = background;
    this.#onFile = onFile;
    this.rank = rankOfPriority(entry.priority);
  }

  /**
   * Ends the job: whoever waits for it gets an abort.
   *
   * @param {unknown} [cause]
   */
  abort(cause) {
    this.stopped ??= cancelled(this.#entry.name, cause);
    for (const reject of this.#waiting) reject(this.stopped);
    this.end();
  }

  /** Lets go of all files. */
  end() {
    for (const file of this.#claims) this.#drop(file);
  }

  check() {
    if (this.stopped) throw this.stopped;
  }

  /**
   * Waits for a promise, but no longer than the job lasts. Promise.race would hold all that came until the job is gone.
   *
   * @template T
   * @param {Promise<T>} promise
   * @returns {Promise<T>}
   */
  race(promise) {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      promise.then(resolve, reject).finally(() => this.#waiting.delete(reject));
      if (this.stopped) reject(this.stopped);
    });
  }

  /**
   * Has a file kept for this job, from whoever fetches it: a job that was ended early would keep it for ever.
   *
   * @param {FileSpec} spec
   */
  claim(spec) {
    this.check();
    const file = claim(spec, this);
    this.#claims.add(file);
    return file;
  }

  /** @param {SharedFile} file */
  #drop(file) {
    this.#claims.delete(file);
    release(file, this);
  }

  /**
   * @param {FileSpec} spec
   * @param {(bytes: Uint8Array<ArrayBuffer>, file: SharedFile) => void} use
   */
  async #take(spec, use) {
    const file = this.claim(spec);
    const bytes = await this.race(read(file));
    this.check();
    const { source } = file;
    file.source = "memory";
    const { length } = bytes;
    use(bytes, file);
    this.#onFile(length, source === "network" ? spec.wire : 0, source);
  }

  /** Reads the head and claims all shards, so that whoever else needs them now shares them. */
  async head() {
    const spec = this.#entry.file();
    /** @type {any} */
    let head;
    await this.#take(spec, (bytes) => (head = readHead(bytes, spec)));
    for (const shard of head.shards) this.claim(shard);
    return /** @type {Head} */ (head);
  }

  /**
   * Starts fetching the shards of a stage that will be taken soon.
   *
   * @param {Head} head
   * @param {number} number
   */
  ask(head, number) {
    for (const shard of head.shards) if (shard.stage === number) prepare(this.claim(shard));
  }

  /**
   * Takes the shards of one stage, several at a time.
   *
   * @param {Head} head
   * @param {number} stage
   * @param {(shard: Shard, bytes: Uint8Array<ArrayBuffer>, sole: boolean) => void} [use] gets the bytes, and whether
   *   they are its own; without it what is not in the store is kept in memory
   */
  async stage(head, stage, use) {
    await Promise.all(
      head.shards
        .filter((shard) => shard.stage === stage)
        .map((shard) =>
          this.#take(shard, (bytes, file) => {
            // Two shards may have the same bytes, of zeros for example.
            const sole = head.shards.every((other) => other === shard || other.sha256 !== shard.sha256);
            use?.(shard, bytes, sole && file.claims.size === 1);
            if (use || file.kept) this.#drop(file);
          }),
        ),
    );
  }
}

/** @param {Priority} priority */
export const rankOfPriority = (priority) => ["high", "normal", "low"].indexOf(priority);
