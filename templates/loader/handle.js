import { ModelError, cancelled } from "./errors.js";
import { notify } from "./guards.js";
import { lazy } from "./lazy.js";
import { occasion } from "./occasion.js";
import { reload, watch } from "./recovery.js";
import { settings } from "./settings.js";
import { go, handleStates } from "./states.js";
import { deferred, idle, quiet } from "./wait.js";

/** @import { SelfTest } from "../modules/device.js" */
/** @import { Picture } from "../modules/pixels.js" */
/** @import { When } from "./occasion.js" */
/** @import { Progress } from "./reports.js" */
/** @import { Priority } from "./settings.js" */
/** @import { HandleState } from "./states.js" */
/** @import { Work } from "./work.js" */

/**
 * @typedef {object} LoadOptions
 * @property {When} [when] the moment to begin (`now`)
 * @property {Element} [target] what `visible` and `interaction` watch; else the element whose `data-model` names the model
 * @property {AbortSignal} [signal]
 * @property {(progress: Progress) => void} [onProgress]
 * @property {Priority} [priority]
 * @property {boolean} [warmup] whether to compile and run the model once on zeros, in idle time after `ready`
 * @property {"page" | "worker"} [thread] where it runs: on the page's thread, or in the worker of all such models, else on the page's
 * @property {string} [contract] that the page was built against: the older model where the index has it, else an error
 * @property {(given: any) => any} [fallback] what `run` asks on a device that is too weak for the model
 */

/** One caller's hold on a model. Handles of one model share one TensorFlow.js model, which lives until the last is disposed. */
export class Handle {
  #work;
  /** @type {{ state: HandleState } & ReturnType<typeof deferred>} it rejects when it stops waiting */
  #own = { state: "waiting", ...deferred() };
  /** @type {LoadOptions["fallback"]} */
  #fallback;
  /** @type {Promise<unknown> | undefined} */
  #able;

  /**
   * @param {Work} work
   * @param {LoadOptions} options
   */
  constructor(work, options) {
    const { signal, onProgress, priority, when, warmup, fallback, contract } = options;
    this.#fallback = fallback;
    this.#work = work;
    work.join();
    const waiting = new AbortController();
    const { listeners } = work.reports;
    const listener = () => notify(onProgress, this.progress);
    listeners.add(listener);
    const abort = () => this.cancel(signal?.reason);
    // As options of a listener it stands for its signal.
    signal?.addEventListener("abort", abort, waiting);
    const end = () => {
      waiting.abort();
      listeners.delete(listener);
    };
    /** The model, usable at base precision. @type {Promise<any>} */
    this.ready = this.#unlessStopped(work.ready);
    /** The same model, once it has its final precision. @type {Promise<any>} */
    this.full = this.#unlessStopped(work.full);
    this.full.then(end, end);
    work.contract.promise.then((found) => {
      if (!contract || found === contract) return;
      const { name: model } = work.entry;
      this.#own.reject(new ModelError("contract", `${model} has the contract ${found}, not ${contract}: build the page again`, { model }));
      this.cancel();
    });
    if (warmup) quiet(this.#device("warm"));
    const begin = async () => {
      if (signal?.aborted) return abort();
      const { entry } = work;
      if (fallback) {
        // How fast the device is takes a module to tell: a load goes on where that is not to be had.
        if (entry.fit.probe) await entry.plan().catch(() => {});
        if (!entry.canRun()) return this.#own.reject(tooWeak(entry.name));
      }
      await occasion(entry.name, options, waiting.signal);
      this.#begin(priority, when === "idle");
    };
    begin().catch((error) => {
      this.#own.reject(error);
      this.cancel();
    });
  }

  /**
   * @param {ReturnType<typeof deferred>} step
   * @returns {Promise<any>}
   */
  #unlessStopped({ promise }) {
    return quiet(Promise.race([this.#own.promise, promise]));
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
    this.#begin(priority, false);
  }

  /**
   * @param {Priority | undefined} priority
   * @param {boolean} background
   */
  #begin(priority, background) {
    if (this.#own.state === "waiting") this.#work.begin(priority, background);
  }

  /** @returns {Readonly<Progress>} */
  get progress() {
    return this.#work.reports.progress;
  }

  /** Of a ladder, the number of the rung that answers, from 1: there with `ready`. */
  get rung() {
    return this.#work.rung;
  }

  /** What the outputs' numbers mean, where the bundle says so: there with `ready`. */
  get labels() {
    return this.#work.now.head.labels;
  }

  /** The words of inputs that take their ids, by input: there with `ready`. */
  get vocabulary() {
    return this.#work.now.head.vocabulary;
  }

  /**
   * Runs the whole way from what the page has to the answer, as the bundle says. What it says nothing of comes as tensors.
   *
   * @param {Picture | Record<string, any>} given a picture or text, or pictures, texts and tensors by name
   * @param {Record<string, any>} [options] as what a picture comes out (`as`), and what the kind of answer takes
   * @returns {Promise<any>} the answer; else the output, or all by name where there are several
   */
  async run(given, options = {}) {
    // The backend as it is comes first, then any other that answers as it should.
    const able = async () => (await (this.#able ??= this.#device("pick", true).catch(unlessWeak))) && this.#work.entry.canRun();
    if (this.#fallback && !(await able())) return this.#fallback(given);
    await this.ready;
    const work = this.#work.now;
    await work.recovery;
    return (await lazy(work.head.modules?.[0] ?? "glue")).run(work, given, options, lazy, ModelError);
  }

  /**
   * Runs on the newest frame of what moves, again and again.
   *
   * @param {import("../modules/frames.js").Moving} given
   * @param {import("../modules/frames.js").FrameOptions} [options]
   * @returns {AsyncGenerator<import("../modules/frames.js").Looked, void>}
   */
  async *frames(given, options) {
    yield* (await lazy("frames")).run(this, given, options, this.#own);
  }

  /** Runs the model's sample and tells how far its answer is from the right one, on the backend as it is. @returns {Promise<SelfTest>} */
  selfTest() {
    return this.#device("test");
  }

  /** Takes the first of webgpu, webgl, wasm and cpu that the page has and on which the model answers as it should. @returns {Promise<SelfTest>} */
  pickBackend() {
    return this.#device("pick");
  }

  /**
   * Has the module of tests and warm-up do something, once the model is there.
   *
   * @param {"test" | "pick" | "warm"} what
   * @param {boolean} [stay] whether the backend as it is will do
   */
  async #device(what, stay) {
    await this.ready;
    const work = this.#work;
    const { recovery, entry } = work.now;
    await recovery;
    const result = await (await lazy(entry.apart ?? "device"))[what](work, { stay, reload, watch, idle, ModelError, settings });
    if (!result) throw tooWeak(entry.name);
    return result;
  }

  /**
   * Stops waiting; a model that is ready stays usable at the precision it has.
   *
   * @param {unknown} [cause]
   */
  cancel(cause) {
    if (!go(this.#own, handleStates, "cancelled")) return;
    this.#own.reject(cancelled(this.#work.entry.name, cause));
    this.#work.leave(cause);
  }

  /** Releases the model; its tensors are freed with the last handle. */
  dispose() {
    this.cancel();
    if (go(this.#own, handleStates, "disposed")) this.#work.drop();
  }
}

/** @param {any} error */
function unlessWeak(error) {
  if (error.code !== "runtime") throw error;
}

/** @param {string} model */
const tooWeak = (model) => new ModelError("runtime", `This device is too weak for ${model} or answers wrong: give a fallback`, { model });
