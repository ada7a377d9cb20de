/**
 * How far a load is.
 *
 * @typedef {object} Progress
 * @property {number} loaded decoded bytes that are there
 * @property {number} total decoded bytes of the whole model
 * @property {number} wire bytes of the whole model as sent
 * @property {string} phase `waiting`, `head`, the name of a stage, `full`, `failed` or `aborted`; `offline` while there is no network
 * @property {string} source of the last file: `network`, `cache` or `memory`
 */

/**
 * @typedef {object} LoadOptions
 * @property {When} [when] the moment to begin (`now`)
 * @property {Element} [target] what `visible` and `interaction` watch; else the element whose `data-model` names the model
 * @property {AbortSignal} [signal]
 * @property {(progress: Progress) => void} [onProgress]
 * @property {Priority} [priority]
 * @property {boolean} [warmup] whether to compile and run the model once on zeros, in idle time after `ready`
 * @property {string} [contract] that the page was built against: the older model where the index has it, else an error
 * @property {(given: any) => any} [fallback] what `run` asks on a device that is too weak for the model
 */

/** The work that all handles of one model share: it ends when the last handle has been cancelled or disposed. */
class Work {
  /** @param {Entry} entry */
  constructor(entry) {
    this.entry = entry;
    this.started = 0;
    this.ended = false;
    this.users = 0;
    this.holders = 0;
    this.wire = 0;
    this.named = false;
    /** @type {any} */
    this.tf = undefined;
    this.told = 0;
    this.phase = "waiting";
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    /** @type {Progress} */
    this.progress = { loaded: 0, total: entry.bytes, wire: entry.wireBytes, phase: "waiting", source: "network" };
    this.ready = deferred();
    this.full = deferred();
    /** @type {Map<string, ReturnType<typeof deferred>>} */
    this.stages = new Map();
    /** @type {any} */
    this.model = undefined;
    /** @type {string[] | undefined} */
    this.labels = undefined;
    /** @type {Glue | undefined} */
    this.glue = undefined;
    /** @type {Sample | undefined} */
    this.sample = undefined;
    /** @type {string[] | undefined} */
    this.avoid = undefined;
    /** @type {Promise<unknown> | undefined} */
    this.recovery = undefined;
    this.job = new Job(entry, true, (bytes, wire, source) => {
      this.wire += wire;
      this.tell({ loaded: this.progress.loaded + bytes, source });
    });
    /** @type {ReturnType<typeof deferred<string>>} */
    this.contract = deferred();
    works.set(entry, this);
  }

  /**
   * Starts the work; if it is under way already, it can only become more urgent.
   *
   * @param {Priority | undefined} priority
   * @param {boolean} background
   */
  begin(priority, background) {
    const { job } = this;
    const rank = priority ? rankOfPriority(priority) : job.rank;
    job.background &&= background;
    job.rank = this.started ? Math.min(rank, job.rank) : rank;
    if (this.started || this.ended) return;
    this.started = performance.now();
    this.run().catch((error) => this.fail(error));
  }

  async run() {
    const { entry, job } = this;
    this.tell({ phase: "head" });
    const head = await job.head();
    const { stages } = head;
    takeOver(entry);
    this.contract.resolve(head.contract);
    // The index does not say how large an older model is.
    const sum = (/** @type {"bytes" | "wire"} */ key) => head.shards.reduce((total, shard) => total + shard[key], entry.headBytes);
    if (!this.progress.total) this.tell({ total: sum("bytes"), wire: sum("wire") });
    this.labels = head.labels;
    this.glue = head.glue;
    this.sample = head.sample;
    this.avoid = head.avoid;
    for (const [name, stage] of this.stages) if (!stages.includes(name)) stage.reject(this.unknown(name, stages));
    for (const name of stages) this.stage(name);
    this.named = true;
    this.report("head");
    await (head.kind === "word-vectors" ? this.takeVectors(head) : this.takeWeights(head));
    this.tell({ phase: "full" });
    this.full.resolve(this.model);
    this.report("full");
    job.end();
  }

  /**
   * Takes the blocks of a table of word vectors, which answers from its first stage on.
   *
   * @param {Head} head
   */
  async takeVectors(head) {
    const { job } = this;
    job.ask(head, 0);
    const { model, add } = (await job.race(lazy("vectors"))).openVectors(head);
    this.model = model;
    for (const [number, name] of head.stages.entries()) {
      this.tell({ phase: name });
      await job.stage(head, number, add);
      this.stage(name).resolve(model);
      this.ready.resolve(model);
      if (head.stages[number + 1]) this.report(name);
    }
  }

  /**
   * Makes a TensorFlow.js model of weights, and refines it.
   *
   * @param {Head} head
   */
  async takeWeights(head) {
    const { entry, job } = this;
    const { weights, refine, stages } = head;
    const early = (settings.tf || CONFIG.modules?.tf) && quiet(runtime());
    // Modules travel beside the weights; what fails here fails again below.
    if (early) quiet(registerOps(head));
    if (head.glue) quiet(lazy("glue"));
    const decoder = await openDecoder(head);
    /** @type {ReturnType<typeof swapper> | undefined} */
    let swap;
    /** @type {Record<string, any>} */
    let fresh = {};
    try {
      for (let number = 0; number < stages.length; number++) {
        this.tell({ phase: stages[number] });
        await job.stage(head, number, decoder.add);
        const last = number >= refine - 1;
        if (head.kind === "layers-model" && !last) continue;
        const usable = weights.filter(({ stage }) => (swap ? stage === number : stage <= number));
        const tf = (this.tf = await job.race(early ?? runtime()));
        job.ask(head, number + 1);
        if (number === refine) {
          await makeTensors(tf, weights, decoder, job, fresh);
        } else {
          const buffers = await job.race(decoder.take(ownersOf(usable), refine < stages.length));
          if (swap) fresh = await tf.io.decodeWeights(dataOf(usable, buffers), specsOf(usable));
          else {
            this.model = await buildModel(tf, head, usable, buffers, entry);
            if (job.stopped) this.release();
            job.check();
            swap = swapper(tf, this.model, head.kind);
            alive.add(this);
            this.watch();
          }
        }
        if (Object.keys(fresh).length) await swap?.run(fresh, job);
        tf.dispose(fresh);
        fresh = {};
        for (const name of stages.slice(0, number + 1)) this.stage(name).resolve(this.model);
        if (last) this.ready.resolve(this.model);
        if (number < stages.length - 1) this.report(stages[number]);
      }
    } finally {
      this.tf?.dispose(fresh);
      swap?.end();
      decoder.close();
    }
  }

  /** @param {string} name */
  stage(name) {
    let stage = this.stages.get(name);
    if (!stage) {
      this.stages.set(name, (stage = deferred()));
      if (this.named) stage.reject(this.unknown(name, [...this.stages.keys()]));
    }
    return stage;
  }

  /**
   * @param {string} name
   * @param {string[]} known
   */
  unknown(name, known) {
    const { name: model } = this.entry;
    return new ModelError("manifest", `${model} has no stage ${name}: see ${known}`, { model });
  }

  /** @param {string} stage that is usable from now on */
  report(stage) {
    const { loaded: bytes, source } = this.progress;
    const { name: model } = this.entry;
    const backend = this.tf?.getBackend?.();
    attempted(() => performance.measure(`shardpress ${model} ${stage}`, { start: this.started, end: performance.now() }));
    emit(model, { type: "stage", stage, ms: this.elapsed(), bytes, wire: this.wire, source, backend });
  }

  /** @param {Partial<Progress>} news */
  tell(news) {
    if (news.phase) this.phase = news.phase;
    Object.assign(this.progress, news);
    const now = performance.now();
    if (!news.phase && now - this.told < 50) return;
    this.told = now;
    for (const listener of this.listeners) listener();
  }

  /** @param {boolean} offline */
  tellOffline(offline) {
    if (!this.started || this.ended || this.phase === "full") return;
    emit(this.entry.name, { type: offline ? "offline" : "online", ms: this.elapsed() });
    this.progress.phase = offline ? "offline" : this.phase;
    for (const listener of this.listeners) listener();
  }

  elapsed() {
    return this.started && Math.round(performance.now() - this.started);
  }

  /** @param {unknown} error */
  fail(error) {
    if (this.ended) return;
    this.ended = true;
    const { name } = this.entry;
    error = asModelError(error, "runtime", `Loading of ${name} failed`, { model: name });
    this.job.abort();
    if (works.get(this.entry) === this) works.delete(this.entry);
    this.tell({ phase: /** @type {ModelError} */ (error).code === "abort" ? "aborted" : "failed" });
    this.tellFailure(error);
    for (const { reject } of [this.ready, this.full, ...this.stages.values()]) reject(error);
  }

  /** @param {any} error */
  tellFailure({ code = "runtime", message, url }) {
    emit(this.entry.name, { type: "failure", code, message, url, ms: this.elapsed() });
  }

  /** @param {unknown} [cause] */
  leave(cause) {
    if (--this.users || this.progress.phase === "full") return;
    this.fail(cancelled(this.entry.name, cause));
  }

  /** Has the graphics context watched that holds the weights. */
  watch() {
    if (this.tf.getBackend?.() === "webgl") quiet(idle().then(() => lazy("device")).then(({ watchContext }) => watchContext(alive)));
  }

  /**
   * Brings the weights back after their graphics context was lost.
   *
   * @param {Promise<unknown>} renewed
   */
  recover(renewed) {
    const start = performance.now();
    const done = async () => {
      await renewed;
      await this.reload();
      emit(this.entry.name, { type: "recovery", ms: Math.round(performance.now() - start), backend: this.tf.getBackend() });
    };
    return (this.recovery = done().catch((error) => this.tellFailure(error)));
  }

  /** Makes all weights anew, at full precision, on the backend as it is. */
  async reload() {
    await this.full.promise.catch(() => {});
    const { tf, model, entry } = this;
    const job = new Job(entry);
    const { head, buffers } = await entry.whole(job);
    const fresh = await tf.io.decodeWeights(dataOf(head.weights, buffers), specsOf(head.weights));
    const swap = swapper(tf, model, head.kind);
    try {
      if (this.model) await swap.run(fresh, job);
    } finally {
      swap.end();
      tf.dispose(fresh);
    }
  }

  release() {
    alive.delete(this);
    if (works.get(this.entry) === this) works.delete(this.entry);
    this.model?.dispose();
    this.model = undefined;
  }
}

/** @type {Map<Entry, Work>} */
const works = new Map();

/** @type {Set<Work>} those whose models have weights */
const alive = new Set();

/** One caller's hold on a model. Handles of one model share one TensorFlow.js model, which lives until the last is disposed. */
class Handle {
  #work;
  #stop = deferred();
  #using = true;
  #holding = true;
  #listener = () => {};
  #waiting = new AbortController();
  /** @type {LoadOptions["fallback"]} */
  #fallback;
  /** @type {Promise<boolean> | undefined} */
  #able;

  /**
   * @param {Work} work
   * @param {LoadOptions} options
   */
  constructor(work, options) {
    const { signal, onProgress, priority, when, warmup, fallback, contract } = options;
    this.#fallback = fallback;
    this.#work = work;
    work.users++;
    work.holders++;
    this.#listener = () => notify(onProgress, work.progress);
    work.listeners.add(this.#listener);
    const abort = () => this.cancel(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const end = () => {
      signal?.removeEventListener("abort", abort);
      this.#waiting.abort();
      work.listeners.delete(this.#listener);
    };
    /** The model, usable at base precision. @type {Promise<any>} */
    this.ready = this.#unlessStopped(work.ready);
    /** The same model, once it has its final precision. @type {Promise<any>} */
    this.full = this.#unlessStopped(work.full);
    this.full.then(end, end);
    work.contract.promise.then((found) => {
      if (!contract || found === contract) return;
      const { name: model } = work.entry;
      this.#stop.reject(new ModelError("contract", `${model} has the contract ${found}, not ${contract}: build the page anew`, { model }));
      this.cancel();
    });
    if (warmup) quiet(this.#device().then(({ warmUp }) => warmUp(work.tf, work.model, idle, work.avoid)));
    if (signal?.aborted) abort();
    else if (fallback && !work.entry.canRun()) this.#stop.reject(tooWeak(work.entry.name));
    else {
      occasion(work.entry.name, options, this.#waiting.signal).then(
        () => this.#using && work.begin(priority, when === "idle"),
        (error) => {
          this.#stop.reject(error);
          this.cancel();
        },
      );
    }
  }

  /**
   * @param {ReturnType<typeof deferred>} step
   * @returns {Promise<any>}
   */
  #unlessStopped({ promise }) {
    return quiet(Promise.race([this.#stop.promise, promise]));
  }

  /**
   * The model, as soon as the outputs of a stage can be executed: those of later stages cannot yet.
   *
   * @param {string} stage
   * @returns {Promise<any>}
   */
  until(stage) {
    return this.#unlessStopped(this.#work.stage(stage));
  }

  /**
   * Makes the load begin, if it waits for its moment, and its files take their places among the more urgent ones.
   *
   * @param {Priority} [priority]
   */
  promote(priority = "high") {
    if (this.#using) this.#work.begin(priority, false);
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
   * Runs the whole way from picture to picture, with what was cut off the model. Other outputs come as tensors.
   *
   * @param {Picture | Record<string, any>} given a picture, or pictures and tensors by name
   * @param {{ as?: PictureForm }} [options] what a picture comes out as (`canvas`); a Blob is encoded as the model says
   * @returns {Promise<any>} the output, or all by name where there are several
   */
  async run(given, { as = "canvas" } = {}) {
    if (this.#fallback && !(await (this.#able ??= this.#isAble()))) return this.#fallback(given);
    const [model, { runPictures }] = await Promise.all([this.ready, lazy("glue")]);
    await this.#work.recovery;
    return runPictures(ModelError, this.#work.tf, model, this.#work.glue ?? {}, given, as);
  }

  /** Runs the model's sample and tells how far its answer is from the right one, on the backend as it is. @returns {Promise<SelfTest>} */
  async selfTest() {
    const { selfTest } = await this.#device();
    const { tf, model, sample, avoid, progress } = this.#work;
    return selfTest(tf, model, sample, progress.phase === "full", avoid);
  }

  /** Takes the first of webgpu, webgl, wasm and cpu that the page has and on which the model answers as it should. @returns {Promise<SelfTest>} */
  pickBackend() {
    return this.#pick(false);
  }

  /** @param {boolean} stay whether the backend as it is will do */
  async #pick(stay) {
    const { pickBackend } = await this.#device();
    const work = this.#work;
    const result = await pickBackend(work.tf, () => this.selfTest(), () => work.reload(), stay, work.avoid);
    if (!result) throw tooWeak(work.entry.name);
    work.watch();
    return result;
  }

  async #isAble() {
    try {
      return !!(await this.#pick(true));
    } catch (error) {
      if (/** @type {any} */ (error).code !== "runtime") throw error;
      return false;
    }
  }

  /** The module of tests and warm-up, once the model is there. */
  async #device() {
    await this.ready;
    const { recovery, tf, entry } = this.#work;
    await recovery;
    if (!tf) throw new ModelError("contract", `${entry.name} is no model of TensorFlow.js`, { model: entry.name });
    return lazy("device");
  }

  /**
   * Stops waiting; a model that is ready stays usable at the precision it has.
   *
   * @param {unknown} [cause]
   */
  cancel(cause) {
    if (!this.#using) return;
    this.#using = false;
    this.#stop.reject(cancelled(this.#work.entry.name, cause));
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

/** @param {string} model */
const tooWeak = (model) => new ModelError("runtime", `This device is too weak for ${model}, or answers otherwise: give load a fallback`, { model });
