/** The rungs of a ladder: which of them a device is given, and how one is loaded and let go. */

/** @import { Entry } from "../loader/entry.js" */
/** @import { Handle } from "../loader/handle.js" */
/** @import { Settings } from "../loader/settings.js" */
/** @import { Work } from "../loader/work.js" */
/** @import { Budget } from "./fit.js" */

/**
 * What becomes of a rung on this device, and why: `fits` unless it is known to take too much of the device, `ms` that a run
 * takes, where that is known.
 *
 * @typedef {{ rung: number, model: string, bytes: number, wire: number, take: boolean, fits: boolean, ms: number | undefined, why: string }} Step
 */

/** @typedef {{ release: string, models: Record<string, any[]> }} Index */

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
  const lower = entry.ladder.rungs.filter((name) => name !== entry.name && index.models[name]).map((name) => new Kind(name, index.models[name]));
  // Its files have the ladder's name; what it tells must not be taken for the ladder's own, nor what is asked of the ladder.
  const name = `${entry.name}-rung${lower.length + 1}`;
  const fit = { ...entry.fit, probe: undefined, slow: false };
  return [
    ...lower,
    Object.create(entry, { ladder: { value: undefined }, apart: { value: undefined }, fit: { value: fit }, name: { value: name }, file: { value: () => entry.file() } }),
  ];
}

/**
 * Says what a device lacks for a rung, however fast it is; "" where nothing is known to be.
 *
 * @param {Entry} rung
 * @param {any} [tf] where it is there
 */
export function lack(rung, tf) {
  const { deviceMemory } = /** @type {any} */ (globalThis.navigator ?? {});
  const backend = tf?.getBackend?.();
  if (rung.fit.avoid?.includes(backend)) return `gives wrong answers on ${backend}, as the build found`;
  if (rung.canRun()) return "";
  return `takes more memory than ${rung.fit.memory ? "memory_share of " : ""}the ${deviceMemory} GB that the device reports`;
}

/**
 * Tells what of a ladder a device is given now: its first rung, or a higher one that is kept from an earlier visit, and
 * then all that fit into its memory and its time, unless the visitor saves data.
 *
 * @param {Entry} entry
 * @param {Entry[]} entries its rungs
 * @param {Settings} settings
 * @param {Budget} [budget]
 * @param {any} [tf] where it is there
 * @returns {Promise<(Step & { later: boolean })[]>} `later`: what is too slow about it has yet to be seen on the page's backend
 */
export async function stepsOf(entry, entries, settings, budget, tf) {
  const { connection } = /** @type {any} */ (globalThis.navigator ?? {});
  const frugal = settings.respectSaveData !== false && (connection?.saveData || /2g/.test(connection?.effectiveType));
  const kept = await Promise.all(entries.map(async (one) => (await one.status()) === "cached"));
  entry.fit.slow = false;
  const against = (/** @type {number} */ i, wire = 0) => lack(entries[i], tf) || (budget?.judge(i, tf, wire).fault ?? "");
  const start = Math.max(0, kept.map((here, i) => here && !against(i)).lastIndexOf(true));
  let before = 0;
  const steps = entries.map(({ name: model, bytes, wireBytes: wire }, i) => {
    const sent = kept[i] ? 0 : before + wire;
    const fault = against(i, sent);
    const { ms, pace = "" } = budget?.judge(i, tf) ?? {};
    /** @type {[boolean, string]} */
    const [take, why] =
      i < start
        ? [false, `rung ${start + 1} is kept from an earlier visit`]
        : i === start
          ? [true, (kept[i] ? "is kept from an earlier visit" : "answers first") + (fault ? `, though it ${fault}` : pace)]
          : fault
            ? [false, fault]
            : frugal
              ? [false, "the visitor saves data, or the network is slow"]
              : [true, `takes the place of the rung below when it is there${pace}`];
    if (take) before = sent;
    return { rung: i + 1, model, bytes, wire, take, fits: !fault, ms, why, later: i > start && !frugal && !!fault && !lack(entries[i], tf) };
  });
  // Of a ladder, `canRun` is that of its first rung.
  entry.fit.slow = !steps[0].fits && !lack(entries[0]);
  return steps;
}

/** A rung that is loaded: alone it is a model like any other. */
export class Rung {
  /** Calls under way. */
  calls = 0;
  #retired = false;
  /** Opened when no higher rung will come: only then what refines this one is fetched. */
  #open = () => {};

  /**
   * @param {Entry} entry
   * @param {number} number
   * @param {Work} ladder
   * @param {number} behind rungs that answer before it
   * @param {boolean} last
   * @param {(bytes: number, wire: number, source: string) => void} onFile
   */
  constructor(entry, number, ladder, behind, last, onFile) {
    this.number = number;
    // Whoever loads the entry from now on joins this work.
    this.work = new /** @type {typeof Work} */ (ladder.constructor)(entry);
    const { came } = this.work;
    this.work.came = (...file) => {
      came.apply(this.work, file);
      onFile(...file);
    };
    /** @type {Handle} */
    this.hold = entry.load({ thread: "page" });
    const { job } = this.work;
    // As urgent as the ladder is at any time; but whatever answers first, here or elsewhere on the page, goes before it.
    Object.defineProperties(job, {
      rank: { get: () => ladder.job.rank + 3 * behind, set() {} },
      background: { get: () => behind > 0 || ladder.job.background, set() {} },
    });
    if (last) return;
    const gate = new Promise((resolve) => (this.#open = () => resolve(undefined)));
    const { ask, stage } = job;
    job.ask = (head, stageNumber) => stageNumber < head.refine && ask.call(job, head, stageNumber);
    job.stage = async (head, stageNumber, use) => {
      if (stageNumber >= head.refine) await job.race(gate);
      await stage.call(job, head, stageNumber, use);
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
