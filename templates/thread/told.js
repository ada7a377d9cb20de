/** What the page's work learns of a model that is elsewhere. */
import { notify } from "../loader/guards.js";
import { realError } from "./channel.js";

/** @import { Progress } from "../loader/reports.js" */
/** @import { Settings } from "../loader/settings.js" */
/** @import { Work } from "../loader/work.js" */
/** @import { Failure } from "./channel.js" */
/** @import { Index } from "./host.js" */

/** @typedef {{ tell: (news: Partial<Progress>) => void, file: (bytes: number, wire: number, source: string) => void, stage: (stage: string, backend?: string) => void, failure: (error: any) => void }} Telling */
/** @typedef {{ work: Work, telling: Telling, index: Index, settings: Settings, lazy: (name: string) => Promise<any>, ModelError: Failure }} Means */

/** Tells a page's work of a load, as if it were its own. */
export class Told {
  #means;
  #backend = "";
  /** Whether the page's work knows its head. */
  #known = false;
  /** Stages that the page has heard of, or hears of from its own work. */
  #told = new Set(["head", "full"]);
  /** @type {(error?: unknown) => void} */
  #end = () => {};
  /** What the head says of the model as it is now. @type {any} */
  head = {};
  /** What the page holds. @type {any} */
  model;
  complete = false;
  /** Fulfilled when the model is complete. @type {Promise<void>} */
  over;
  /** There while the model is loaded once more. @type {{ resolve: () => void, since: number } | undefined} */
  back;

  /** @param {Means} means */
  constructor(means) {
    this.#means = means;
    this.over = new Promise((resolve, reject) => (this.#end = (error) => (error ? reject(error) : resolve(undefined))));
    this.over.catch(() => {});
    const { work } = means;
    // What comes is counted where it is used.
    work.came = () => {};
    work.tf = { getBackend: () => this.#backend };
  }

  /**
   * Gives what the page holds.
   *
   * @param {string[]} methods
   * @returns {any}
   */
  proxy(methods) {
    throw new Error(`nobody answers ${methods}`);
  }

  /**
   * Tells the page's listener.
   *
   * @param {any} record
   */
  emit(record) {
    const { work, index, settings } = this.#means;
    notify(settings.onEvent, /** @type {any} */ ({ model: work.entry.name, release: index.release, ...record }));
  }

  /** @param {Parameters<Telling["file"]>} args */
  file(...args) {
    if (!this.complete) this.#means.telling.file(...args);
  }

  /** @param {Partial<Progress>} news */
  tell(news) {
    if (!this.complete && news.phase !== "full" && news.phase !== "failed" && news.phase !== "aborted") this.#means.telling.tell(news);
  }

  /** @param {string} stage @param {string | undefined} backend */
  reached(stage, backend) {
    this.#backend = backend ?? this.#backend;
    if (this.#told.has(stage)) return;
    this.#told.add(stage);
    this.#means.telling.stage(stage, backend);
  }

  /** @param {any} head */
  know(head) {
    const { work } = this.#means;
    this.head = head;
    if (this.#known) return;
    this.#known = true;
    work.know({ ...head, modules: ["thread"] });
  }

  /** @param {string | undefined} name @param {number | undefined} rung @param {string | undefined} backend @param {{ methods: string[], facts: any }} described @param {any} head */
  stage(name, rung, backend, described, head) {
    const { work } = this.#means;
    this.#backend = backend ?? this.#backend;
    this.head = head;
    work.rung = rung;
    work.head = { ...work.head, labels: head.labels, vocabulary: head.vocabulary };
    work.model = this.model ??= this.proxy(described.methods);
    Object.assign(this.model, described.facts);
    if (name) work.stage(name).resolve(this.model);
    else work.ready.resolve(this.model);
    // What was complete is to be complete again.
    if (!name && !this.complete) this.#returned();
  }

  /** The model is there once more, if it was gone. */
  #returned() {
    if (!this.back) return;
    const { since, resolve } = this.back;
    this.back = undefined;
    this.emit({ type: "recovery", ms: Math.round(performance.now() - since), backend: this.#backend });
    resolve();
  }

  /** @param {string} backend */
  full(backend) {
    this.#backend = backend ?? this.#backend;
    if (this.complete) this.#returned();
    this.complete = true;
    this.#end();
  }

  /** @param {any} error */
  failed(error) {
    const { ModelError, telling } = this.#means;
    const real = error instanceof Error ? error : realError(error, ModelError);
    this.back?.resolve();
    if (this.complete) telling.failure(real);
    this.#end(real);
  }

  /** @param {any} error */
  later(error) {
    const { ModelError, telling } = this.#means;
    telling.failure(error instanceof Error ? error : realError(error, ModelError));
  }
}
