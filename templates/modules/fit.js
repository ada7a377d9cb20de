/*! Shardpress budgets of a device's time */
import { idle } from "../loader/wait.js";
import { Arrivals, downloadTime, forecast, guess, learn, pace, slowness } from "./pace.js";
import { runAnyway, zeros } from "./running.js";

/** @import { Entry } from "../loader/entry.js" */
/** @import { Settings } from "../loader/settings.js" */
/** @import { Work } from "../loader/work.js" */
/** @import { Rung } from "./rungs.js" */

/** Runs of a rung on zeros may take so long, all together. */
const longest = 1500;

/** Gives TensorFlow.js where the page has it already: what tells of a model fetches nothing. @param {{ runtime?: Promise<any> }} found @param {Settings} settings */
export async function runtimeAtHand(found, settings) {
  try {
    const given = found.runtime ? await found.runtime : typeof settings.tf === "function" ? undefined : ((await settings.tf) ?? /** @type {any} */ (globalThis).tf);
    const tf = given?.default?.tensor ? given.default : given;
    await tf?.ready?.();
    return tf?.getBackend ? tf : undefined;
  } catch {
    // The load itself says what is wrong with it.
  }
}

/** What the rungs of a ladder, or a model that is alone, may take of this device's time. */
export class Budget {
  #entry;
  #entries;
  #settings;
  #arrivals;
  /** Called when the device is better known. */
  #news = () => {};
  /** Rungs whose runs are timed. @type {WeakMap<Rung, ReturnType<typeof learn>>} */
  #timers = new WeakMap();

  /**
   * @param {Entry} entry that has the budget
   * @param {Entry[]} entries its rungs
   * @param {Settings} settings
   */
  constructor(entry, entries, settings) {
    this.#entry = entry;
    this.#entries = entries;
    this.#settings = settings;
    this.#arrivals = new Arrivals(settings);
  }

  /** A file has come. @param {number} wire @param {string} source */
  file(wire, source) {
    this.#arrivals.file(wire, source);
  }

  /**
   * Foretells the time of a rung, and says in words what is too slow about it.
   *
   * @param {number} place of the rung
   * @param {any} tf where it is there
   * @param {number} [wire] bytes that have to come before; without them only its runs count
   */
  judge(place, tf, wire) {
    const known = forecast(this.#entries[place], this.#settings, tf);
    const wait = wire === undefined ? 0 : this.#arrivals.ms + downloadTime(wire, this.#settings);
    return { ...known, pace: pace(known), fault: slowness(this.#entry.fit, known, wait) };
  }

  /**
   * Times the kernels that stand for the model, where nothing tells yet how fast the device is.
   *
   * @param {any} tf
   */
  async guess(tf) {
    if (!this.judge(0, tf).ms) await guess(this.#entry, tf, this.#settings);
  }

  /**
   * Finds out how fast the device is, where nothing tells: by the kernels that stand for the model, and, where these say that
   * a rung is near its limit, by the rung that answers.
   *
   * @param {Rung} rung that answers
   * @param {number[]} places of rungs that may come
   */
  async sound(rung, places) {
    const { fit } = this.#entry;
    const { tf, head } = rung.work;
    const known = places.map((place) => this.judge(place, tf));
    if (!fit.probe?.length || known.every(({ sure }) => sure) || head.avoid?.includes(tf.getBackend())) return;
    await guess(this.#entry, tf, this.#settings);
    const near = Math.min(fit.frame ?? Infinity, fit.answer ?? Infinity) / 2;
    if (places.map((place) => this.judge(place, tf)).every(({ ms }) => ms && ms < near)) return;
    await idle();
    if (!this.#timers.get(rung)?.known) await this.#tryOut(rung);
  }

  /**
   * Runs a rung on zeros, so that its times tell how fast the device is.
   *
   * @param {Rung} rung
   */
  async #tryOut(rung) {
    const { tf, model } = rung.work;
    /** @type {any[]} */
    const made = [];
    const start = performance.now();
    try {
      await rung.during(async () => {
        const inputs = zeros(tf, model);
        made.push(...inputs);
        for (let i = 0; i < 4 && performance.now() - start < longest; i++) {
          const answers = await runAnyway(model, inputs);
          made.push(...answers);
          await Promise.all(answers.map((one) => one.data()));
        }
      });
      this.#timers.get(rung)?.settle();
    } catch {
      // What zeros cannot go through says nothing of the device.
    } finally {
      tf.dispose(made);
    }
  }

  /**
   * Times the runs of a rung that answers.
   *
   * @param {Rung} rung
   */
  time(rung) {
    const { tf, model } = rung.work;
    const { fit } = this.#entry;
    const place = rung.number - 1;
    const news = () => {
      if (!place) fit.slow = !!this.judge(place, tf).fault;
      this.#news();
    };
    this.#timers.set(rung, learn(this.#entries[place], tf, model, this.#settings, news));
  }

  /**
   * Tells why a rung that is on its way is not wanted any more, as soon as runs of the one that answers show it.
   *
   * @param {number} place
   * @param {any} tf
   * @returns {Promise<string>}
   */
  unwanted(place, tf) {
    return new Promise((resolve) => {
      this.#news = () => {
        const { fault } = this.judge(place, tf);
        if (fault) resolve(fault);
      };
    });
  }
}

/**
 * Has a model that is alone timed, and says when it turns out to be too slow.
 *
 * @param {Work} work
 * @param {Settings} settings
 * @param {(why: string) => void} tell
 */
export async function attend({ entry, ready, now }, settings, tell) {
  await ready.promise;
  const { tf, model } = now;
  if (!model) return;
  let told = false;
  learn(entry, tf, model, settings, () => {
    const why = slowness(entry.fit, forecast(entry, settings, tf), 0);
    entry.fit.slow = !!why;
    if (why && !told) tell(why);
    told ||= !!why;
  });
}
