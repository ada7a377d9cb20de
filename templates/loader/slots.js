import { settings } from "./settings.js";

/** @type {{ rank: () => number, run: () => Promise<void> }[]} */
const queue = [];
let running = 0;

/**
 * Runs work in one of the few slots that all models share; what has the lowest rank takes the next free one.
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

function fillSlots() {
  const slots = Math.max(1, settings.concurrency ?? 4);
  while (running < slots && queue.length) {
    const ranks = queue.map(({ rank }) => rank());
    const [next] = queue.splice(ranks.indexOf(Math.min(...ranks)), 1);
    running++;
    next.run().finally(() => {
      running--;
      fillSlots();
    });
  }
}
