/** A model of the bundle. */
class Entry {
  /**
   * @param {string} name
   * @param {any[]} item of the index
   */
  constructor(name, [sha256, headBytes, load, priority, format, bytes, wireBytes]) {
    this.name = name;
    /** @type {string} */
    this.sha256 = sha256;
    /** @type {number} */
    this.headBytes = headBytes;
    /** @type {"now" | "idle" | "visible" | "interaction" | "manual"} */
    this.policy = load;
    /** @type {Priority} */
    this.priority = priority;
    /** @type {"graph-model" | "layers-model"} */
    this.format = format;
    /** @type {number} decoded bytes of all files */
    this.bytes = bytes;
    /** @type {number} the same as sent */
    this.wireBytes = wireBytes;
  }

  /**
   * Starts loading, or joins a load.
   *
   * @param {LoadOptions} [options]
   */
  load(options = {}) {
    return new Handle(works.get(this.name) ?? new Work(this, options.priority), options);
  }

  /**
   * Fetches all files and keeps them in memory for the next load; needs no TensorFlow.js.
   *
   * @returns {Promise<void>}
   */
  prefetch() {
    const work = works.get(this.name);
    if (work) return work.full.promise.then(() => {});
    const started = prefetches.get(this.name);
    if (started) return started.done;
    const job = new Job(this);
    const prefetch = { taken: false, end: () => {}, done: this.#prefetch(job) };
    prefetches.set(this.name, prefetch);
    const end = () => {
      job.end();
      if (prefetches.get(this.name) === prefetch) prefetches.delete(this.name);
    };
    prefetch.done.then(() => (prefetch.taken ? end() : (prefetch.end = end)), end);
    return prefetch.done;
  }

  /** @param {Job} job */
  async #prefetch(job) {
    const head = await job.head();
    for (const stage of head.stages.keys()) await job.stage(head, stage);
  }

  /** A TensorFlow.js IO handler with weights of full precision: `tf.loadGraphModel(models.NAME.ioHandler())`. */
  ioHandler() {
    return {
      load: async () => {
        const job = new Job(this);
        try {
          const head = await job.head();
          takeOver(this.name);
          const weights = new WeightBytes(head.weights);
          for (const stage of head.stages.keys()) await job.stage(head, stage, (shard, bytes) => weights.add(shard, bytes));
          return artifactsOf(head, weights);
        } finally {
          job.end();
        }
      },
    };
  }
}

/** @typedef {{ taken: boolean, end: () => void, done: Promise<void> }} Prefetch */

/** @type {Map<string, Prefetch>} */
const prefetches = new Map();

/**
 * Lets go of prefetched files that a load has claimed.
 *
 * @param {string} name
 */
function takeOver(name) {
  const prefetch = prefetches.get(name);
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
