/** How long a work will take on this device, from what the same work has taken here: never a guess about devices. */
import { texts } from "./texts.js";

/** @typedef {{ rate?: number, start?: number }} Known `rate` in ms a pixel, `start` in ms more for the first run of a size */

const journal = "shardpress-pace";
const words = texts({
  en: { instant: "less than a second", seconds: "about {count} s", minutes: "about {count} min" },
  zh: { instant: "不到 1 秒", seconds: "约 {count} 秒", minutes: "约 {count} 分钟" },
});

/** @returns {Record<string, Known>} */
function read() {
  try {
    return JSON.parse(localStorage.getItem(journal) ?? "{}") ?? {};
  } catch {
    return {};
  }
}

/** What the runs of one model have taken. A size that runs for the first time in a visit takes longer: its shaders are compiled. */
export class Pace {
  /** @type {Set<string>} sizes that have run in this visit */
  #seen = new Set();
  /** @type {Known} */
  #known;

  /** @param {string} task */
  constructor(task) {
    this.task = task;
    this.#known = read()[task] ?? {};
  }

  /** Whether there is anything to tell from. */
  get known() {
    return Number.isFinite(this.#known.rate);
  }

  /**
   * Runs a piece of work, and notes how long it took if it ended well.
   *
   * @template Result
   * @param {{ width: number, height: number }} size
   * @param {() => Promise<Result>} work
   * @returns {Promise<Result>}
   */
  async time({ width, height }, work) {
    const size = `${width}x${height}`;
    const first = !this.#seen.has(size);
    const begun = performance.now();
    const result = await work();
    const ms = performance.now() - begun;
    this.#seen.add(size);
    const pixels = width * height;
    if (first) this.#known.start = Math.max(0, ms - (this.#known.rate ?? 0) * pixels);
    else {
      // Without a rate all of the first run counted as its start.
      if (!this.known) this.#known.start = Math.max(0, (this.#known.start ?? 0) - ms);
      this.#known.rate = ms / pixels;
    }
    this.#keep();
    return result;
  }

  /**
   * Gives the milliseconds that some runs of one size will take, or undefined before anything was measured.
   *
   * @param {{ width: number, height: number }} size
   * @param {number} [runs]
   */
  expect({ width, height }, runs = 1) {
    const { rate, start = 0 } = this.#known;
    if (rate === undefined || !this.known) return undefined;
    return runs * rate * width * height + (this.#seen.has(`${width}x${height}`) ? 0 : start);
  }

  #keep() {
    try {
      localStorage.setItem(journal, JSON.stringify({ ...read(), [this.task]: this.#known }));
    } catch {
      // Then it is measured again at the next visit.
    }
  }
}

/**
 * Says a time no more exactly than it is known.
 *
 * @param {number} ms
 */
export function roughly(ms) {
  const seconds = ms / 1000;
  if (seconds < 1) return words.text("instant");
  if (seconds < 10) return words.text("seconds", { count: Math.round(seconds) });
  if (seconds < 90) return words.text("seconds", { count: 5 * Math.round(seconds / 5) });
  return words.text("minutes", { count: Math.round(seconds / 60) });
}
