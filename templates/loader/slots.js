import { settings } from "./settings.js";

/** @typedef {{ rank: () => number, run: () => Promise<void> }} Turn */

/** @type {Turn[]} */
const queue = [];
/** @type {Set<Turn>} */
const running = new Set();

/**
 * Runs work in one of the few slots that all models share; what has the lowest rank takes the next free one, and shares the
 * network with nothing that goes three ranks before it.
 *
 * @template T
 * @param {() => number} rank its place in the queue as it is now
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export function inTurn(rank, work) {
  return new Promise((resolve, reject) => {
    queue.push({ rank, run: () => work().then(resolve, reject) });
    fillSlots();
  });
}

/** Gives free slots to those whose turn it is: to be called when ranks have changed. */
export function fillSlots() {
  const slots = Math.max(1, settings.concurrency ?? 4);
  while (running.size < slots && queue.length) {
    const ranks = queue.map(({ rank }) => rank());
    const lowest = Math.min(...ranks);
    if ([...running].some(({ rank }) => rank() < lowest - 2)) return;
    const [next] = queue.splice(ranks.indexOf(lowest), 1);
    running.add(next);
    next.run().finally(() => {
      running.delete(next);
      fillSlots();
    });
  }
}
