import { emit } from "./settings.js";
import { attempted } from "./guards.js";

/** @import { Entry } from "./entry.js" */

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

/** What a load tells: its progress to the handles, its events to the page. */
export class Reports {
  #start = 0;
  #told = 0;
  #wire = 0;
  #phase = "waiting";

  /** @param {Entry} entry */
  constructor(entry) {
    this.model = entry.name;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    /** @type {Progress} */
    this.progress = { loaded: 0, total: entry.bytes, wire: entry.wireBytes, phase: "waiting", source: "network" };
  }

  /** The clock of all events starts now. */
  begin() {
    this.#start = performance.now();
  }

  /** @param {Partial<Progress>} news */
  tell(news) {
    if (news.phase) this.#phase = news.phase;
    Object.assign(this.progress, news);
    const now = performance.now();
    if (!news.phase && now - this.#told < 50) return;
    this.#told = now;
    this.#notify();
  }

  /**
   * A file has come.
   *
   * @param {number} bytes
   * @param {number} wire bytes that the network sent
   * @param {string} source
   */
  file(bytes, wire, source) {
    this.#wire += wire;
    this.tell({ loaded: this.progress.loaded + bytes, source });
  }

  /** @param {boolean} away */
  offline(away) {
    this.#emit({ type: away ? "offline" : "online" });
    this.progress.phase = away ? "offline" : this.#phase;
    this.#notify();
  }

  /**
   * @param {string} stage that is usable from now on
   * @param {string | undefined} backend
   */
  stage(stage, backend) {
    const { loaded: bytes, source } = this.progress;
    attempted(() => performance.measure(`shardpress ${this.model} ${stage}`, { start: this.#start, end: performance.now() }));
    this.#emit({ type: "stage", stage, bytes, wire: this.#wire, source, backend });
  }

  /** @param {any} error */
  failure({ code = "runtime", message, url }) {
    this.#emit({ type: "failure", code, message, url });
  }

  #notify() {
    for (const listener of this.listeners) listener();
  }

  /** @param {any} record */
  #emit(record) {
    emit(this.model, { ms: this.#start && Math.round(performance.now() - this.#start), ...record });
  }
}
