import { ModelError, asModelError, cancelled } from "./errors.js";
import { index } from "./form.js";
import { Job, rankOfPriority } from "./job.js";
import { lazy } from "./lazy.js";
import { takeOver } from "./prefetch.js";
import { alive, recovered } from "./recovery.js";
import { Reports } from "./reports.js";
import { found, settings } from "./settings.js";
import { fillSlots } from "./slots.js";
import { go, loadStates } from "./states.js";
import { works } from "./underway.js";
import { deferred, quiet } from "./wait.js";
import { takeWeights } from "./weights.js";

/** @import { Entry } from "./entry.js" */
/** @import { Head } from "./head.js" */
/** @import { Priority } from "./settings.js" */
/** @import { LoadState } from "./states.js" */

/** The work that all handles of one model share: it ends when the last handle has been cancelled or disposed. */
export class Work {
  /** @type {LoadState} */
  state = "waiting";
  /** @type {Map<string, ReturnType<typeof deferred>>} */
  #stages = new Map();
  /** Handles that wait. */
  #waiting = 0;
  /** Handles that hold the model, or will. */
  #holding = 0;
  ready = deferred();
  full = deferred();
  /** @type {ReturnType<typeof deferred<string>>} */
  contract = deferred();
  /** @type {any} */
  tf;
  /** @type {any} */
  model;
  /** What the head says of the model, once it is there. @type {Partial<Head>} */
  head = {};
  /** @type {Promise<unknown> | undefined} */
  recovery;
  /** The work that answers: of a ladder that of its rung. @type {Work} */
  now = this;
  /** Number of the rung that answers, from 1. @type {number | undefined} */
  rung;

  /** @param {Entry} entry */
  constructor(entry) {
    this.entry = entry;
    this.reports = new Reports(entry);
    this.job = new Job(entry, true, (...file) => this.came(...file));
    works.set(entry, this);
  }

  /**
   * A file has come: its bytes, those that the network sent, and from where.
   *
   * @param {[number, number, string]} file
   */
  came(...file) {
    this.reports.file(...file);
  }

  /** A handle joins. */
  join() {
    this.#waiting++;
    this.#holding++;
  }

  /**
   * Starts the work; if it is under way already, it can only become more urgent.
   *
   * @param {Priority | undefined} priority
   * @param {boolean} background
   */
  begin(priority, background) {
    const { job } = this;
    const first = go(this, loadStates, "head");
    const rank = priority ? rankOfPriority(priority) : job.rank;
    job.background &&= background;
    job.rank = first ? rank : Math.min(rank, job.rank);
    if (!first) return fillSlots();
    this.reports.begin();
    this.#run().catch((error) => this.#fail(error));
  }

  async #run() {
    const { entry, job, reports } = this;
    reports.tell({ phase: "head" });
    if (entry.apart) {
      await (await job.race(lazy(entry.apart))).climb(this, reports, lazy, index, settings, found, ModelError);
      takeOver(entry);
    } else {
      const head = await job.head();
      // Weights and topology are not kept here: they are large.
      const { artifacts, weights, shards, ...facts } = head;
      takeOver(entry);
      // The index does not say how large an older model is.
      const sum = (/** @type {"bytes" | "wire"} */ key) => shards.reduce((total, shard) => total + shard[key], entry.headBytes);
      if (!reports.progress.total) reports.tell({ total: sum("bytes"), wire: sum("wire") });
      this.know(facts);
      if (entry.fit.probe) quiet(entry.plan(this));
      job.ask(head, 0);
      await (head.kind === "word-vectors" ? (await job.race(lazy("vectors"))).takeVectors : takeWeights)(this, head);
    }
    go(this, loadStates, "full");
    reports.tell({ phase: "full" });
    this.full.resolve(this.model);
    this.attained("full");
    job.end();
  }

  /** @param {Partial<Head> & { contract: string }} head what it says, without what is large */
  know(head) {
    this.head = head;
    this.contract.resolve(head.contract);
    go(this, loadStates, "stages");
    for (const name of this.#stages.keys()) this.stage(name);
    this.attained("head");
  }

  /**
   * What waits for a stage; of a name that no stage has it is rejected.
   *
   * @param {string} name
   */
  stage(name) {
    const { name: model } = this.entry;
    let stage = this.#stages.get(name);
    if (!stage) {
      this.#stages.set(name, (stage = deferred()));
      this.full.promise.catch(stage.reject);
    }
    const { stages } = this.head;
    if (stages && !stages.includes(name)) stage.reject(new ModelError("manifest", `${model} has no stage ${name}: see ${stages}`, { model }));
    return stage;
  }

  /** @param {string} stage that is usable from now on */
  attained(stage) {
    this.reports.stage(stage, this.tf?.getBackend?.());
  }

  /** @param {boolean} away whether the network has just gone, or come back */
  offline(away) {
    if (this.state === "head" || this.state === "stages") this.reports.offline(away);
  }

  /** @param {unknown} error */
  #fail(error) {
    const { entry, reports } = this;
    const { name } = entry;
    const failure = /** @type {ModelError} */ (asModelError(error, "runtime", `Loading of ${name} failed`, { model: name }));
    const phase = failure.code === "abort" ? "aborted" : "failed";
    if (!go(this, loadStates, phase)) return;
    this.job.abort();
    this.#forget();
    reports.tell({ phase });
    reports.failure(failure);
    this.ready.reject(failure);
    this.full.reject(failure);
  }

  /**
   * A handle stops waiting.
   *
   * @param {unknown} [cause]
   */
  leave(cause) {
    if (!--this.#waiting) this.#fail(cancelled(this.entry.name, cause));
  }

  /**
   * Brings the weights back after their graphics context was lost.
   *
   * @param {Promise<unknown>} renewed
   */
  recover(renewed) {
    return (this.recovery = recovered(this, renewed));
  }

  /** A handle needs the model no more. */
  drop() {
    if (!--this.#holding) this.release();
  }

  release() {
    alive.delete(this);
    this.#forget();
    this.model?.dispose();
    this.model = undefined;
  }

  /** The next load of the model begins anew. */
  #forget() {
    if (works.get(this.entry) === this) works.delete(this.entry);
  }
}
