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
 * @property {string} [contract] that the page was built against: the older model where the index has it, else an error
 * @property {(given: any) => any} [fallback] what `run` asks on a device that is too weak for the model
 */

/** One caller's hold on a model. Handles of one model share one TensorFlow.js model, which lives until the last is disposed. */
export class Handle {
  #work;
  #stop = deferred();
  /** @type {{ state: HandleState }} */
  #own = { state: "waiting" };
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
    work.join();
    const waiting = new AbortController();
    const { listeners } = work.reports;
    const listener = () => notify(onProgress, this.progress);
    listeners.add(listener);
    const abort = () => this.cancel(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const end = () => {
      signal?.removeEventListener("abort", abort);
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
      this.#stop.reject(new ModelError("contract", `${model} has the contract ${found}, not ${contract}: build the page again`, { model }));
      this.cancel();
    });
    if (warmup) quiet(this.#device().then(({ warmUp }) => warmUp(work.now.tf, work.now.model, idle, work.now.head.avoid)));
    const begin = async () => {
      if (signal?.aborted) return abort();
      const { entry } = work;
      if (fallback) {
        // How fast the device is takes a module to tell: a load goes on where that is not to be had.
        if (entry.fit.probe) await entry.plan().catch(() => {});
        if (!entry.canRun()) return this.#stop.reject(tooWeak(entry.name));
      }
      await occasion(entry.name, options, waiting.signal);
      this.#begin(priority, when === "idle");
    };
    begin().catch((error) => {
      this.#stop.reject(error);
      this.cancel();
    });
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
    if (this.#fallback && !((await (this.#able ??= this.#isAble())) && this.#work.entry.canRun())) return this.#fallback(given);
    await this.ready;
    const work = this.#work.now;
    await work.recovery;
    return (await lazy(work.head.modules?.[0] ?? "glue")).run(work, given, options, lazy, ModelError);
  }

  /** Runs the model's sample and tells how far its answer is from the right one, on the backend as it is. @returns {Promise<SelfTest>} */
  async selfTest() {
    const { selfTest } = await this.#device();
    const { tf, model, head, state } = this.#work.now;
    return selfTest(tf, model, head.sample, state === "full", head.avoid);
  }

  /** Takes the first of webgpu, webgl, wasm and cpu that the page has and on which the model answers as it should. @returns {Promise<SelfTest>} */
  pickBackend() {
    return this.#pick(false);
  }

  /** @param {boolean} stay whether the backend as it is will do */
  async #pick(stay) {
    const { pickBackend } = await this.#device();
    const work = this.#work.now;
    const result = await pickBackend(work, () => this.selfTest(), () => reload(this.#work.now), stay, settings);
    if (!result) throw tooWeak(work.entry.name);
    watch(work);
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
    const { recovery, tf, entry } = this.#work.now;
    await recovery;
    if (!tf) throw new ModelError("contract", `${entry.name} is no TensorFlow.js model`, { model: entry.name });
    return lazy("device");
  }

  /**
   * Stops waiting; a model that is ready stays usable at the precision it has.
   *
   * @param {unknown} [cause]
   */
  cancel(cause) {
    if (!go(this.#own, handleStates, "cancelled")) return;
    this.#stop.reject(cancelled(this.#work.entry.name, cause));
    this.#work.leave(cause);
  }

  /** Releases the model; its tensors are freed with the last handle. */
  dispose() {
    this.cancel();
    if (go(this.#own, handleStates, "disposed")) this.#work.drop();
  }
}

/** @param {string} model */
const tooWeak = (model) => new ModelError("runtime", `This device is too weak for ${model} or answers wrong: give a fallback`, { model });
