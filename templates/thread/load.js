/** One load on the page: it tells the page's work what happens where the model is, and goes on after that place is gone. */
import { attempted } from "../loader/guards.js";
import { keyOf, notesOf } from "../modules/memory.js";
import { unpack } from "./answer.js";
import { lend } from "./given.js";
import { basesOf, hostOf, nextNumber, obstacle } from "./host.js";
import { closeAll } from "./plain.js";
import { Served } from "./served.js";
import { Serving, follow } from "./serving.js";
import { Told } from "./told.js";

/** @import { Work } from "../loader/work.js" */
/** @import { Host } from "./host.js" */
/** @import { Means } from "./told.js" */

/** A model that runs in the worker, or on the page's thread where there is none. */
export class Load extends Told {
  #means;
  #number = 0;
  /** @type {Host | undefined} */
  #host;
  /** @type {Served | undefined} */
  #here;
  /** @type {Serving | undefined} */
  #serving;
  #stopped = false;

  /** @param {Means} means */
  constructor(means) {
    super(means);
    this.#means = means;
  }

  /** Begins the load in the worker, or here. */
  async begin() {
    const { work, index, settings, ModelError, lazy } = this.#means;
    const { entry } = work;
    let why = obstacle(index, settings, entry.format !== "word-vectors");
    /** @type {Host | undefined} */
    let host;
    if (!why) host = await hostOf(index, settings, ModelError).catch((error) => void (why = error.message));
    if (this.#stopped) return host?.rest();
    if (!host) {
      this.emit({ type: "thread", thread: "page", why });
      // Another work than that of those who load it on the page's thread anyway: its reports go to this one.
      const own = Object.create(Object.getPrototypeOf(entry));
      const Kind = /** @type {typeof Work} */ (work.constructor);
      this.#here = new Served(own, Kind, lazy, (what, ...args) => /** @type {any} */ (this)[what](...args));
      follow(this.#here.work.job, work.job);
      return;
    }
    const number = (this.#number = nextNumber());
    this.#host = host;
    this.#serving = new Serving(work);
    host.guests.set(number, this);
    const { name, sha256, policy, priority, format, bytes, wireBytes, ladder, fit } = entry;
    const item = [sha256, entry.file().bytes, policy, priority, format, bytes, wireBytes, { ladder, fit }];
    const [base, ...fallbackUrls] = basesOf(settings);
    const runtime = [settings.workerTf ?? []].flat().map((address) => new URL(address, globalThis.document?.baseURI).href);
    const { respectSaveData, resolveUrl } = settings;
    // Nothing where nothing may be kept.
    const notes = attempted(() => notesOf(settings)?.getItem(keyOf(settings)));
    host.channel.say("open", number, name, item, { index, base, fallbackUrls, runtime, respectSaveData, resolves: !!resolveUrl, notes });
  }

  /** The worker is gone: whatever is there of the model is loaded once more. */
  lost() {
    const { work, telling } = this.#means;
    this.#leave();
    if (this.#stopped) return;
    if (!this.complete) telling.tell({ loaded: 0 });
    if (this.model) work.recovery = new Promise((/** @type {(value: void) => void} */ resolve) => (this.back = { resolve, since: performance.now() }));
    this.begin().catch((error) => this.failed(error));
  }

  /** Lets go of the worker. */
  #leave() {
    this.#serving?.close();
    this.#host?.guests.delete(this.#number);
    this.#host?.rest();
    this.#host = undefined;
  }

  /**
   * The page lets go of the load, or of the model.
   *
   * @param {boolean} keep whether the model stays, as far as it is there
   */
  stop(keep) {
    if (this.#stopped) return;
    const what = keep && this.model ? "cancel" : "dispose";
    this.#here?.[what]();
    this.#host?.channel.say(what, this.#number);
    this.#serving?.close();
    if (what === "cancel") return;
    this.#stopped = true;
    this.back?.resolve();
    this.#leave();
  }

  /**
   * Asks for something of the model, wherever it is.
   *
   * @param {"run" | "call" | "selfTest" | "pickBackend" | "warmUp"} what
   * @param {any[]} args
   * @param {{ transfer?: any[], signal?: AbortSignal }} [options]
   */
  async ask(what, args, options) {
    const { ModelError, work } = this.#means;
    await work.recovery;
    if (this.#here) return /** @type {any} */ (this.#here)[what](...args);
    if (!this.#host) throw new ModelError("abort", `${work.entry.name} was disposed`, { model: work.entry.name });
    return this.#host.channel.ask(what, [this.#number, ...args], options);
  }

  /**
   * @param {any} given
   * @param {Record<string, any>} options
   */
  async run(given, { signal, transfer, ...options }) {
    const { lazy, ModelError } = this.#means;
    const lent = await this.#lend(given, transfer === true, this.head.audio?.rate);
    if (this.#here) {
      try {
        return await this.ask("run", [lent.value, { ...options, signal }]);
      } finally {
        if (transfer === true) closeAll(given);
      }
    }
    return unpack(await this.#sent(() => this.ask("run", [lent.value, options], { transfer: lent.transfer, signal })), this.head, lazy, ModelError);
  }

  /**
   * @param {string} method
   * @param {any[]} args
   */
  async #call(method, args) {
    const found = args.find((one) => one?.signal instanceof AbortSignal);
    const { value, transfer } = await this.#lend(found && !this.#here ? args.map((one) => (one === found ? { ...one, signal: undefined } : one)) : args, false);
    return this.#sent(() => this.ask("call", [method, value], { transfer, signal: found?.signal }));
  }

  /** @param {any} given @param {boolean} away @param {number} [rate] */
  #lend(given, away, rate) {
    // On the page's own thread nothing has to travel; but what is refused there is refused here.
    return lend(given, away, rate, this.#means.ModelError, this.#here ? undefined : this.#means.lazy);
  }

  /**
   * @template T
   * @param {() => Promise<T>} send
   * @returns {Promise<T>}
   */
  async #sent(send) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "DataCloneError") throw error;
      const { message } = error;
      // In Chromium's words, and in those of the standard.
      const foreign = /origin|taint/i.test(message);
      const what = foreign ? "The picture cannot be opened: it is of another site, which does not let pages read it" : `What is given cannot be sent to the worker: ${message}`;
      throw new this.#means.ModelError("contract", what);
    }
  }

  // What the worker asks for, or has found out.

  /** @param {boolean} slow whether the device is too slow for the model */
  slow(slow) {
    this.#means.work.entry.fit.slow = slow;
  }

  /** @param {any[]} args */
  claim(...args) {
    this.#serving?.claim(.../** @type {Parameters<Serving["claim"]>} */ (args));
  }

  /** @param {number} job @param {any} spec */
  prepare(job, spec) {
    this.#serving?.prepare(job, spec);
  }

  /** @param {number} job */
  end(job) {
    this.#serving?.end(job);
  }

  /** @param {number} job @param {any} spec */
  read(job, spec) {
    return this.#serving?.read(job, spec);
  }

  /** @param {any} spec */
  status(spec) {
    const { entry } = this.#means.work;
    return entry.status.call(/** @type {any} */ ({ file: () => spec }));
  }

  /**
   * The one object that a page holds: its calls go to where the model is.
   *
   * @param {string[]} methods
   */
  proxy(methods) {
    const calls = Object.fromEntries(methods.map((method) => [method, (/** @type {any[]} */ ...args) => this.#call(method, args)]));
    return { ...calls, dispose: () => this.stop(false) };
  }
}
