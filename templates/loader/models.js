/** A model of the bundle. */
class Entry {
  /**
   * @param {string} name
   * @param {any[]} item of the index
   * @param {string} [contract] where it is an older one
   */
  constructor(name, [sha256, headBytes, load, priority, format, bytes, wireBytes, ...rest], contract) {
    this.name = name;
    this.contract = contract;
    const [older] = rest.flatMap((item) => (item?.older ? [item.older] : []));
    /** The last model with another contract, for pages that were built against it. @type {Entry | undefined} */
    this.older = older && new Entry(name, [...older.slice(1), load, priority, format, 0, 0], older[0]);
    /** @type {string} */
    this.sha256 = sha256;
    /** @type {number} */
    this.headBytes = headBytes;
    /** @type {"now" | "idle" | "visible" | "interaction" | "manual"} */
    this.policy = load;
    /** @type {Priority} */
    this.priority = priority;
    /** @type {"graph-model" | "layers-model" | "word-vectors"} */
    this.format = format;
    /** @type {number} decoded bytes of all files */
    this.bytes = bytes;
    /** @type {number} the same as sent */
    this.wireBytes = wireBytes;
  }

  /** The model's head. @returns {FileSpec} */
  file() {
    const { name, sha256, headBytes } = this;
    return { model: name, path: `assets/${name}.${sha256.slice(0, 16)}.json`, bytes: headBytes, wire: headBytes, sha256, refines: false };
  }

  /**
   * Starts loading, or joins a load.
   *
   * @param {LoadOptions} [options]
   */
  load(options = {}) {
    const { older } = this;
    const entry = older && options.contract === older.contract ? older : this;
    return new Handle(works.get(entry) ?? new Work(entry), options);
  }

  /**
   * Fetches all files and keeps them for the next load, in the store or else in memory; needs no TensorFlow.js.
   *
   * @returns {Promise<void>}
   */
  prefetch() {
    const work = works.get(this);
    if (work?.started) return work.full.promise.then(() => {});
    const started = prefetches.get(this);
    if (started) return started.done;
    const job = new Job(this, true);
    const prefetch = { taken: false, end: () => {}, done: this.#prefetch(job) };
    prefetches.set(this, prefetch);
    const end = () => {
      job.end();
      if (prefetches.get(this) === prefetch) prefetches.delete(this);
    };
    prefetch.done.then(() => (prefetch.taken ? end() : (prefetch.end = end)), end);
    return prefetch.done;
  }

  /** @param {Job} job */
  async #prefetch(job) {
    const head = await job.head();
    for (const stage of head.stages.keys()) await job.stage(head, stage);
  }

  /**
   * Says how much of the model is kept from an earlier visit: it asks nothing of the network.
   *
   * @returns {Promise<"absent" | "partial" | "cached">}
   */
  async status() {
    const spec = this.file();
    const head = await readStored(spec);
    if (!head) return "absent";
    const keys = await (await fileStore())?.keys();
    return readHead(head, spec).shards.every((shard) => keys?.includes(keyOf(shard))) ? "cached" : "partial";
  }

  /** A TensorFlow.js IO handler with weights of full precision: `tf.loadGraphModel(models.NAME.ioHandler())`. */
  ioHandler() {
    return {
      load: async () => {
        const { head, buffers } = await this.whole(new Job(this));
        return artifactsOf(head, head.weights, buffers);
      },
    };
  }

  /**
   * Reads all of the model at full precision.
   *
   * @param {Job} job
   */
  async whole(job) {
    /** @type {Decoder | undefined} */
    let decoder;
    try {
      const head = await job.head();
      if (head.kind === "word-vectors") throw new ModelError("contract", `${this.name} is no model of TensorFlow.js: use load()`, { model: this.name });
      takeOver(this);
      decoder = await openDecoder(head);
      for (const stage of head.stages.keys()) await job.stage(head, stage, decoder.add);
      return { head, buffers: await decoder.take(ownersOf(head.weights), false) };
    } finally {
      decoder?.close();
      job.end();
    }
  }

  /** Says whether the device has the memory for this model, as far as it tells: 16 times its bytes, and half a gigabyte. */
  canRun() {
    const { deviceMemory = Infinity } = /** @type {any} */ (globalThis.navigator ?? {});
    return deviceMemory * 0x40000000 >= Math.max(0x20000000, 16 * this.bytes);
  }
}

/** @typedef {{ taken: boolean, end: () => void, done: Promise<void> }} Prefetch */

/** @type {Map<Entry, Prefetch>} */
const prefetches = new Map();

/**
 * Lets go of prefetched files that a load has claimed.
 *
 * @param {Entry} entry
 */
function takeOver(entry) {
  const prefetch = prefetches.get(entry);
  if (!prefetch) return;
  prefetch.taken = true;
  prefetch.end();
}

/**
 * The models of this release, by name.
 *
 * @type {Readonly<Record<string, Entry>>}
 */
export const models = Object.freeze(Object.fromEntries(Object.entries(CONFIG.models).map(([name, item]) => [name, new Entry(name, item)])));
