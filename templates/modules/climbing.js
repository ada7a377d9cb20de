/** A climb from rung to rung: what is on its way, and what becomes of it. */
import { idle } from "../loader/wait.js";
import { Rung, lack } from "./rungs.js";
import { adopt, furnish, stable } from "./standing.js";

/** @import { Entry } from "../loader/entry.js" */
/** @import { Progress } from "../loader/reports.js" */
/** @import { Settings } from "../loader/settings.js" */
/** @import { Work } from "../loader/work.js" */
/** @import { Budget } from "./fit.js" */
/** @import { Index, Step } from "./rungs.js" */
/** @import { Failure, Lazy } from "./standing.js" */

/**
 * What tells a page of the ladder: its progress, and the files that come.
 *
 * @typedef {{ progress: Progress, tell: (news: Partial<Progress>) => void, file: (bytes: number, wire: number, source: string) => void }} Telling
 */
/**
 * What a climb is lent.
 *
 * @typedef {{ entries: Entry[], telling: Telling, index: Index, settings: Settings, lazy: Lazy, ModelError: Failure, found: { runtime?: Promise<any> }, budget?: Budget }} Means
 */

const shading = ["webgl", "webgpu"];

/**
 * Tells the page what becomes of a rung.
 *
 * @param {Entry} entry
 * @param {Index} index
 * @param {Settings} settings
 * @param {{ rung: number, take: boolean, why: string }} step
 * @param {number} start when the load began, or 0
 */
export function announce({ name: model }, { release }, settings, { rung, take, why }, start) {
  try {
    settings.onEvent?.({ type: "plan", model, release, rung, take, why, ms: start && Math.round(performance.now() - start) });
  } catch (error) {
    console.error(error);
  }
}

/** The rungs of a ladder, one after the other. */
export class Climb {
  #start = performance.now();
  /** @type {Rung[]} */
  #rungs = [];
  /** Fetches for the next rung behind this one, so that its files follow without a pause. @type {Work["job"] | undefined} */
  #early;
  /** @type {any} */
  state = { now: undefined, modules: new Map() };

  /**
   * @param {Work} work of the ladder
   * @param {Means} means
   * @param {(Step & { later: boolean })[]} steps
   */
  constructor(work, means, steps) {
    this.work = work;
    this.means = means;
    this.steps = steps;
    /** What may come. */
    this.taken = steps.filter(({ take, later }) => take || later);
    this.model = stable(work.entry, this.state, this.#rungs, () => work.job.abort(), means.ModelError);
    const sum = (/** @type {"bytes" | "wire"} */ key) => steps.reduce((total, step) => total + (step.take ? step[key] : 0), 0);
    means.telling.tell({ total: sum("bytes"), wire: sum("wire") });
    const [first] = this.taken;
    for (const step of steps) if (step.rung > first.rung && !this.taken.includes(step)) this.#announce(step);
  }

  /** @param {Step} step */
  #announce(step) {
    announce(this.work.entry, this.means.index, this.means.settings, step, this.#start);
  }

  /** @param {[number, number, string]} file */
  #file(...file) {
    this.means.budget?.file(file[1], file[2]);
    this.means.telling.file(...file);
  }

  /**
   * A rung is to come, or not to come, other than was said.
   *
   * @param {number} bytes that the load has more, or less
   * @param {number} wire
   */
  #count(bytes, wire) {
    const { telling } = this.means;
    const { progress } = telling;
    telling.tell({ total: progress.total + bytes, wire: progress.wire + wire });
  }

  /**
   * A rung is not to come: tells the page.
   *
   * @param {Step} step
   * @param {string} why
   */
  #refuse(step, why) {
    this.#early?.abort();
    if (step.take) this.#count(-step.bytes, -step.wire);
    this.#announce({ ...step, take: false, why });
  }

  /**
   * Says what is against a rung, now that another one answers.
   *
   * @param {number} i among those that may be taken
   */
  async #objection(i) {
    const { budget, entries } = this.means;
    const { now } = this.state;
    const { rung, wire } = this.taken[i];
    const { tf } = now.work;
    await budget?.sound(now, this.taken.slice(i).map((step) => step.rung - 1));
    return lack(entries[rung - 1], tf) || (budget?.judge(rung - 1, tf, wire).fault ?? "");
  }

  /**
   * Begins with a rung, where nothing can be against it any more.
   *
   * @param {number} i among those that may be taken
   */
  #ahead(i) {
    const { budget, entries, found } = this.means;
    const step = this.taken[i];
    this.#early?.abort();
    if (!step || entries[step.rung - 1].fit.avoid?.length || (budget && !(step.take && step.ms))) return;
    const { job } = this.work;
    const Kind = /** @type {typeof import("../loader/job.js").Job} */ (job.constructor);
    // Its head, which is small and comes first, waits for nothing.
    let behind = 2;
    const early = (this.#early = new Kind(entries[step.rung - 1], true, (_, wire, source) => {
      behind = 3 * i;
      this.#file(0, wire, source);
    }));
    Object.defineProperty(early, "rank", { get: () => job.rank + behind });
    // TensorFlow.js is in no queue, and the first answer needs it, too.
    Promise.all([early.head(), found.runtime]).then(([head]) => early.ask(head, 0)).catch(() => {});
  }

  /** @param {string} contract of the rung that is on its way */
  #check(contract) {
    const { work, steps, taken } = this;
    const { name: model } = work.entry;
    if (!work.head.contract) {
      // What the rungs say of themselves is theirs; until one answers, the ladder knows its stages and its contract.
      work.know({ contract, stages: steps.slice(0, taken.at(-1)?.rung).map((one) => `rung:${one.rung}`) });
      for (const one of steps) work.stage(`rung:${one.rung}`);
    } else if (contract !== work.head.contract) {
      throw new this.means.ModelError("contract", `A rung of ${model} has the contract ${contract}, not ${work.head.contract}: publish all of them again`, { model });
    }
  }

  /**
   * Brings a rung to its place, unless something is against it.
   *
   * @param {number} i among those that may be taken
   */
  async step(i) {
    const { work, taken, state } = this;
    const { job } = work;
    const { entries, telling, budget, lazy } = this.means;
    const step = taken[i];
    const before = state.now;
    const why = before && (await job.race(this.#objection(i)));
    if (why) return this.#refuse(step, why);
    if (!step.take) this.#count(step.bytes, step.wire);
    step.take = true;
    telling.tell({ phase: `rung:${step.rung}` });
    const rung = new Rung(entries[step.rung - 1], step.rung, work, before ? i : 0, i === taken.length - 1, (...file) => this.#file(...file));
    this.#rungs.push(rung);
    const { ready } = rung.hold;
    const contract = await job.race(Promise.race([rung.work.contract.promise, ready.then(() => rung.work.contract.promise)]));
    this.#ahead(i + 1);
    this.#check(contract);
    const tooSlow = before && budget ? [budget.unwanted(step.rung - 1, before.work.tf)] : [];
    const late = await job.race(Promise.race([ready.then(() => ""), ...tooSlow]));
    if (late) {
      // What has come of it has come.
      this.#count(rung.hold.progress.loaded, 0);
      rung.dispose();
      return this.#refuse(step, late);
    }
    if (before) await job.race(Promise.all([furnish(rung.work, state, lazy), warm(rung.work, lazy)]));
    const { total = 0, loaded = 0 } = before?.hold.progress ?? {};
    adopt(work, rung, state, this.model);
    budget?.time(rung);
    // What would have refined the rung below will not come.
    telling.tell({ total: telling.progress.total - total + loaded });
  }

  /**
   * A rung has failed before anything answers: the next one may be there, as after a release that has left this one out.
   *
   * @param {number} i
   * @param {any} error
   * @returns {boolean} whether there is a next one, and a network to get it by
   */
  passOver(i, { code, status }) {
    const { state, taken, work } = this;
    if (state.now || work.job.stopped || !taken[i + 1] || (code === "network" && !status)) return false;
    const rung = this.#rungs.pop();
    this.#count((rung?.hold.progress.loaded ?? 0) - taken[i].bytes, -taken[i].wire);
    rung?.dispose();
    return true;
  }

  /** No higher rung comes: the one that answers gets its final precision. */
  async stay() {
    const { work, state, steps } = this;
    const { name: model } = work.entry;
    state.now.stay();
    for (const { rung } of steps) {
      if (rung <= state.now.number) continue;
      work.stage(`rung:${rung}`).reject(new this.means.ModelError("runtime", `Rung ${rung} of ${model} is too much for this device: see plan()`, { model }));
    }
    await work.job.race(state.now.hold.full);
  }

  /** What answers stays whole, and what was on its way to take its place goes. */
  fail() {
    const { state, work } = this;
    for (const rung of this.#rungs) if (rung !== state.now) rung.dispose();
    if (work.job.stopped) state.now?.hold.cancel();
    else state.now?.stay();
  }

  end() {
    this.#early?.abort();
  }
}

/**
 * Compiles what a rung needs before the page waits for it, where there is anything to compile.
 *
 * @param {Work} work of the rung
 * @param {Lazy} lazy
 */
async function warm({ tf, model, head }, lazy) {
  if (!shading.includes(tf.getBackend?.())) return;
  const device = await lazy("device").catch(() => undefined);
  await device?.warmUp(tf, model, idle, head.avoid);
}
