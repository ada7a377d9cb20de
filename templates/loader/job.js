/** One pass over the files of one model. */
class Job {
  /**
   * @param {Entry} entry
   * @param {Priority} [priority]
   * @param {(bytes: number, source: string) => void} [onFile]
   */
  constructor(entry, priority = entry.priority, onFile = () => {}) {
    this.entry = entry;
    this.onFile = onFile;
    this.rank = ["high", "normal", "low"].indexOf(priority);
    /** @type {ModelError | undefined} */
    this.stopped = undefined;
    this.stop = deferred();
    /** @type {Map<string, SharedFile>} */
    this.claims = new Map();
  }

  /**
   * Ends the job: whoever waits for it gets an abort.
   *
   * @param {unknown} [cause]
   */
  abort(cause) {
    const { name } = this.entry;
    this.stopped ??= new ModelError("abort", `Loading of ${name} was cancelled`, { model: name, cause });
    this.stop.reject(this.stopped);
    this.end();
  }

  /** Lets go of all files. */
  end() {
    for (const url of [...this.claims.keys()]) this.drop(url);
  }

  check() {
    if (this.stopped) throw this.stopped;
  }

  /**
   * @template T
   * @param {Promise<T>} promise
   * @returns {Promise<T>}
   */
  race(promise) {
    return /** @type {Promise<T>} */ (Promise.race([this.stop.promise, promise]));
  }

  /** @param {FileSpec} spec */
  claim({ url }) {
    const file = this.claims.get(url) ?? claim(url);
    this.claims.set(url, file);
    return file;
  }

  /** @param {string} url */
  drop(url) {
    const file = this.claims.get(url);
    this.claims.delete(url);
    if (file) release(url, file);
  }

  /** @param {FileSpec} spec */
  async take(spec) {
    this.check();
    const file = this.claim(spec);
    const source = file.here ? "memory" : "network";
    const bytes = await this.race(read(file, spec));
    this.check();
    this.onFile(bytes.length, source);
    return bytes;
  }

  /** Reads the head and claims all shards, so that whoever else needs them now shares them. */
  async head() {
    const { name, sha256, headBytes } = this.entry;
    const url = resolve(`assets/${name}.${sha256.slice(0, 16)}.json`, name);
    /** @type {FileSpec} */
    const spec = { model: name, url, bytes: headBytes, sha256, rank: this.rank, low: false };
    const head = readHead(await this.take(spec), spec);
    for (const shard of head.shards) this.claim(shard);
    return head;
  }

  /**
   * Takes the shards of one stage, several at a time.
   *
   * @param {Head} head
   * @param {number} stage
   * @param {(shard: Shard, bytes: Uint8Array) => void} [use] after it the bytes are let go
   */
  async stage(head, stage, use) {
    await Promise.all(
      head.shards
        .filter((shard) => shard.stage === stage)
        .map(async (shard) => {
          const bytes = await this.take(shard);
          if (use) {
            use(shard, bytes);
            this.drop(shard.url);
          }
        }),
    );
  }
}
