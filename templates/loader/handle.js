/**
 * How far a load is.
 *
 * @typedef {object} Progress
 * @property {number} loaded decoded bytes that are there
 * @property {number} total decoded bytes of the whole model
 * @property {number} wire bytes of the whole model as sent
 * @property {string} phase `head`, the name of a stage, `full`, `failed` or `aborted`
 * @property {string} source of the last file: `network` or `memory`
 */

/**
 * @typedef {object} LoadOptions
 * @property {AbortSignal} [signal]
 * @property {(progress: Progress) => void} [onProgress]
 * @property {Priority} [priority]
 */

/** The work that all handles of one model share: it ends when the last handle has been cancelled or disposed. */
class Work {
  /**
   * @param {Entry} entry
   * @param {Priority} [priority]
   */
  constructor(entry, priority) {
    this.entry = entry;
    this.started = performance.now();
    this.users = 0;
    this.holders = 0;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    /** @type {Progress} */
    this.progress = { loaded: 0, total: entry.bytes, wire: entry.wireBytes, phase: "head", source: "network" };
    this.ready = deferred();
    this.full = deferred();
    /** @type {any} */
    this.model = undefined;
    /** @type {string[] | undefined} */
    this.labels = undefined;
    this.job = new Job(entry, priority, (bytes, source) => this.tell({ loaded: this.progress.loaded + bytes, source }));
    works.set(entry.name, this);
    this.run().catch((error) => this.fail(error));
  }

  async run() {
    const { entry, job } = this;
    // A handle that is cancelled at once must not have asked for anything.
    await undefined;
    const head = await job.head();
    takeOver(entry.name);
    this.labels = head.labels;
    this.report("head");
    const early = settings.tf && quiet(runtime());
    const weights = new WeightBytes(head.weights);
    await this.fetch(head, 0, head.refine, weights);
    const tf = await job.race(early ?? runtime());
    await weights.fill();
    job.check();
    const model = (this.model = await buildModel(tf, head, weights, entry.name));
    if (job.stopped) this.release();
    job.check();
    if (head.refine < head.stages.length) {
      const swap = swapper(tf, model, head.kind);
      this.ready.resolve(model);
      this.report("base");
      /** @type {Record<string, any>} */
      const fresh = {};
      try {
        await this.fetch(head, head.refine, head.stages.length, weights);
        await makeTensors(tf, weights, job, fresh);
        await swap.run(fresh, job);
      } finally {
        tf.dispose(fresh);
        swap.end();
      }
    }
    this.tell({ phase: "full" });
    this.ready.resolve(model);
    this.full.resolve(model);
    this.report("full");
    job.end();
  }

  /**
   * @param {Head} head
   * @param {number} from stage
   * @param {number} to stage behind the last
   * @param {WeightBytes} weights
   */
  async fetch(head, from, to, weights) {
    for (let stage = from; stage < to; stage++) {
      this.tell({ phase: head.stages[stage] });
      await this.job.stage(head, stage, (shard, bytes) => weights.add(shard, bytes));
    }
  }

  /** @param {"head" | "base" | "full"} stage that is usable from now on */
  report(stage) {
    const { loaded, source } = this.progress;
    notify(settings.onEvent, { type: "stage", model: this.entry.name, stage, ms: this.elapsed(), bytes: loaded, source });
  }

  /** @param {Partial<Progress>} news */
  tell(news) {
    Object.assign(this.progress, news);
    for (const listener of this.listeners) listener();
  }

  elapsed() {
    return Math.round(performance.now() - this.started);
  }

  /** @param {unknown} error */
  fail(error) {
    const { name } = this.entry;
    const { code, message, url } = (error = asModelError(error, "runtime", `Loading of ${name} failed`, { model: name }));
    this.job.abort();
    if (works.get(name) === this) works.delete(name);
    this.tell({ phase: code === "abort" ? "aborted" : "failed" });
    notify(settings.onEvent, { type: "failure", model: name, code, message, url, ms: this.elapsed() });
    this.ready.reject(error);
    this.full.reject(error);
  }

  /** @param {unknown} [cause] */
  leave(cause) {
    if (--this.users) return;
    if (this.progress.phase === "full") return;
    if (works.get(this.entry.name) === this) works.delete(this.entry.name);
    this.job.abort(cause);
  }

  release() {
    if (works.get(this.entry.name) === this) works.delete(this.entry.name);
    this.model?.dispose();
    this.model = undefined;
  }
}

/** @type {Map<string, Work>} */
const works = new Map();

/** One caller's hold on a model. Handles of one model share one TensorFlow.js model, which lives until the last is disposed. */
class Handle {
  #work;
  #stop = deferred();
  #using = true;
  #holding = true;
  #listener = () => {};

  /**
   * @param {Work} work
   * @param {LoadOptions} options
   */
  constructor(work, { signal, onProgress }) {
    this.#work = work;
    work.users++;
    work.holders++;
    this.#listener = () => notify(onProgress, work.progress);
    work.listeners.add(this.#listener);
    const abort = () => this.cancel(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const end = () => {
      signal?.removeEventListener("abort", abort);
      work.listeners.delete(this.#listener);
    };
    /** The model, usable at base precision. @type {Promise<any>} */
    this.ready = quiet(Promise.race([this.#stop.promise, work.ready.promise]));
    /** The same model, once it has its final precision. @type {Promise<any>} */
    this.full = quiet(Promise.race([this.#stop.promise, work.full.promise]));
    this.full.then(end, end);
    if (signal?.aborted) abort();
  }

  /** @returns {Readonly<Progress>} */
  get progress() {
    return this.#work.progress;
  }

  /** What the outputs' numbers mean, where the bundle says so: there with `ready`. */
  get labels() {
    return this.#work.labels;
  }

  /**
   * Stops waiting; a model that is ready stays usable at the precision it has.
   *
   * @param {unknown} [cause]
   */
  cancel(cause) {
    if (!this.#using) return;
    this.#using = false;
    const { name } = this.#work.entry;
    this.#stop.reject(new ModelError("abort", `Loading of ${name} was cancelled`, { model: name, cause }));
    this.#work.leave(cause);
  }

  /** Gives the model up; its tensors go when the last handle does. */
  dispose() {
    this.cancel();
    if (!this.#holding) return;
    this.#holding = false;
    if (!--this.#work.holders) this.#work.release();
  }
}
