/** A model that is loaded for a page which holds only its name: in the worker, or on the page's own thread. */
import { idle } from "../loader/wait.js";
import { feed, give } from "./plain.js";

/** @import { Entry } from "../loader/entry.js" */
/** @import { Handle } from "../loader/handle.js" */
/** @import { Work } from "../loader/work.js" */

/**
 * What tells the page of a load: `file` and `tell` of its progress, `reached` of its events, `know` what its head says, `stage`
 * that one can be used, `full` that it is complete, `failed` why it will never be, `later` of a failure after that.
 *
 * @typedef {(what: "file" | "tell" | "reached" | "know" | "stage" | "full" | "failed" | "later", ...args: any[]) => void} Say
 */

const callable = ["predict", "predictAsync", "execute", "executeAsync", "has", "vector", "complete", "similarity", "nearest", "analogy"];

/** Whoever serves a model keeps it loaded, tells of it, and runs it. */
export class Served {
  /** @type {Work} */
  work;
  /** @type {Handle} */
  hold;
  #lazy;

  /**
   * @param {Entry} entry that nobody else loads
   * @param {new (entry: Entry) => Work} Kind
   * @param {(name: string) => Promise<any>} lazy
   * @param {Say} say
   */
  constructor(entry, Kind, lazy, say) {
    this.#lazy = lazy;
    const work = (this.work = new Kind(entry));
    const { know, reports } = work;
    const { tell } = reports;
    let over = false;
    // The page's own work tells of the load; what comes after it comes from here.
    reports.file = (bytes, wire, source) => say("file", bytes, wire, source);
    reports.tell = (news) => {
      tell.call(reports, news);
      say("tell", news);
    };
    reports.stage = (stage, backend) => say("reached", stage, backend);
    reports.failure = (error) => over && say("later", error);
    work.know = (head) => {
      say("know", this.#facts(head));
      know.call(work, head);
      for (const name of head.stages ?? []) work.stage(name).promise.then(() => this.#usable(name, say), () => {});
    };
    work.ready.promise.then(() => this.#usable(undefined, say), () => {});
    work.full.promise.then(() => say("full", work.tf?.getBackend?.()), (error) => say("failed", error)).finally(() => (over = true));
    this.hold = entry.load({ thread: "page" });
  }

  /** @param {string | undefined} name @param {Say} say */
  #usable(name, say) {
    const { work } = this;
    const { inputs, outputs, rows, dim, size } = work.model ?? {};
    const specs = (/** @type {any[] | undefined} */ list) => list?.map(({ name: own, shape, dtype }) => ({ name: own, shape, dtype }));
    const methods = callable.filter((method) => typeof work.model?.[method] === "function");
    const described = { methods, facts: { inputs: specs(inputs), outputs: specs(outputs), rows, dim, size } };
    say("stage", name, work.rung, work.tf?.getBackend?.(), described, this.#facts(work.now.head));
  }

  /** What a page may ask for; samples and tokenizers are for those who run the model. @param {any} head */
  #facts({ sample, tokenizer, ...facts }) {
    return facts;
  }

  /**
   * @param {any} given
   * @param {Record<string, any>} options
   */
  async run(given, options) {
    await this.hold.ready;
    const { tf } = this.work.now;
    /** @type {any[]} */
    const own = [];
    try {
      const answer = await this.hold.run(tf ? feed(tf, given, own) : given, options);
      return tf ? await give(tf, answer) : answer;
    } finally {
      tf?.dispose(own);
    }
  }

  /**
   * Calls a method of the model.
   *
   * @param {string} method
   * @param {any[]} args
   */
  async call(method, args) {
    await this.hold.ready;
    await this.work.now.recovery;
    const { tf, model } = this.work;
    if (!tf) return model[method](...args);
    /** @type {any[]} */
    const own = [];
    try {
      return await give(tf, await model[method](...feed(tf, args, own)));
    } finally {
      tf.dispose(own);
    }
  }

  selfTest() {
    return this.hold.selfTest();
  }

  /** @param {boolean} stay whether the backend as it is will do */
  async pickBackend(stay) {
    if (stay) {
      const test = await this.hold.selfTest();
      if (test.passed) return test;
    }
    return this.hold.pickBackend();
  }

  async warmUp() {
    await this.hold.ready;
    const { tf, model, head } = this.work.now;
    if (tf) await (await this.#lazy("device")).warmUp(tf, model, idle, head.avoid);
  }

  cancel() {
    this.hold.cancel();
  }

  dispose() {
    this.hold.dispose();
  }
}
