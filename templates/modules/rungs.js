/** The rungs of a ladder: which of them a device is given, and how one is loaded and let go. */

/** @import { Entry } from "../loader/entry.js" */
/** @import { Handle } from "../loader/handle.js" */
/** @import { Settings } from "../loader/settings.js" */
/** @import { Work } from "../loader/work.js" */

/**
 * What becomes of a rung on this device, and why.
 *
 * @typedef {{ rung: number, model: string, bytes: number, wire: number, take: boolean, why: string }} Step
 */

/** @typedef {{ models: Record<string, any[]> }} Index */

/**
 * Gives the models of a ladder, the first one first; the last one is the model that has the ladder's name.
 *
 * @param {Entry} entry
 * @param {Index} index
 * @returns {Entry[]}
 */
export function entriesOf(entry, index) {
  if (!entry.ladder) return [entry];
  const Kind = /** @type {typeof Entry} */ (entry.constructor);
  // Another release, put beside this one, may have left a rung out.
  const lower = entry.ladder.rungs.filter((name) => index.models[name]).map((name) => new Kind(name, index.models[name]));
  // Its files have the ladder's name; what it tells must not be taken for the ladder's own.
  const name = `${entry.name}-rung${lower.length + 1}`;
  return [...lower, Object.create(entry, { ladder: { value: undefined }, name: { value: name }, file: { value: () => entry.file() } })];
}

/**
 * Tells what of a ladder a device is given now: its first rung, or a higher one that is kept from an earlier visit, and
 * then all that fit into its memory, unless the visitor saves data.
 *
 * @param {Entry[]} entries
 * @param {Settings} settings
 * @returns {Promise<Step[]>}
 */
export async function stepsOf(entries, settings) {
  const { connection, deviceMemory } = /** @type {any} */ (globalThis.navigator ?? {});
  const frugal = settings.respectSaveData !== false && (connection?.saveData || /2g/.test(connection?.effectiveType));
  const kept = await Promise.all(entries.map(async (entry, i) => (!i || entry.canRun()) && (await entry.status()) === "cached"));
  const start = Math.max(0, kept.lastIndexOf(true));
  return entries.map((entry, i) => {
    const { name: model, bytes, wireBytes: wire } = entry;
    const [take, why] =
      i < start
        ? [false, `rung ${start + 1} is kept from an earlier visit`]
        : i === start
          ? [true, kept[i] ? "is kept from an earlier visit" : "answers first"]
          : !entry.canRun()
            ? [false, `takes more memory than the ${deviceMemory} GB that the device reports`]
            : frugal
              ? [false, "the visitor saves data, or the network is slow"]
              : [true, "takes the place of the rung below when it is there"];
    return { rung: i + 1, model, bytes, wire, take, why };
  });
}

/** A rung that is loaded: alone it is a model like any other. */
export class Rung {
  /** Calls under way. */
  calls = 0;
  #retired = false;
  #here = () => {};
  /** All that it needs to answer has come, though it does not answer yet: the network is free. @type {Promise<void>} */
  here = new Promise((resolve) => (this.#here = resolve));
  /** Opened when no higher rung will come: only then what refines this one is fetched. */
  #open = () => {};

  /**
   * @param {Entry} entry
   * @param {number} number
   * @param {Work} ladder
   * @param {boolean} first
   * @param {boolean} last
   * @param {(bytes: number, wire: number, source: string) => void} onFile
   */
  constructor(entry, number, ladder, first, last, onFile) {
    this.number = number;
    // Whoever loads the entry from now on joins this work.
    this.work = new /** @type {typeof Work} */ (ladder.constructor)(entry);
    const { came } = this.work;
    this.work.came = (...file) => {
      came.apply(this.work, file);
      onFile(...file);
    };
    /** @type {Handle} */
    this.hold = entry.load();
    const { job } = this.work;
    // As urgent as the ladder is at any time; but whatever else answers first on the page goes before a higher rung.
    Object.defineProperties(job, {
      rank: { get: () => ladder.job.rank + (first ? 0 : 3), set() {} },
      background: { get: () => !first || ladder.job.background, set() {} },
    });
    if (last) return;
    const gate = new Promise((resolve) => (this.#open = () => resolve(undefined)));
    const { stage } = job;
    job.ask = () => {};
    job.stage = async (head, stageNumber, use) => {
      if (stageNumber >= head.refine) await job.race(gate);
      await stage.call(job, head, stageNumber, use);
      if (stageNumber + 1 >= head.refine) this.#here();
    };
  }

  /** The rung is in use: its calls are counted, wherever they come from. */
  use() {
    const { full, model } = this.work;
    const { executor } = model;
    const { promise } = full;
    // Whoever waits for the final precision all the same, as weights that are to be brought back do, gets it.
    Object.defineProperty(full, "promise", { get: () => (this.#open(), promise) });
    const call = executor?.executeAsync;
    if (call) executor.executeAsync = (/** @type {any[]} */ ...args) => this.during(() => call.apply(executor, args));
  }

  /**
   * @template T
   * @param {() => Promise<T>} call
   * @returns {Promise<T>}
   */
  async during(call) {
    this.calls++;
    try {
      return await call();
    } finally {
      this.calls--;
      this.#settle();
    }
  }

  /** No higher rung will come: this one gets its final precision. */
  stay() {
    this.#open();
  }

  /** A higher rung answers: this one goes when its last call has ended. */
  retire() {
    this.#retired = true;
    this.#settle();
  }

  #settle() {
    // Whoever has just looked for the model calls it before the next task.
    if (this.#retired && !this.calls) setTimeout(() => this.calls || this.dispose());
  }

  /** Lets go of the model; what has not come of it is not an aborted load that anybody has to hear of. */
  dispose() {
    const { job, full } = this.work;
    this.work.state = "full";
    job.abort();
    full.reject(job.stopped);
    this.hold.dispose();
  }
}
