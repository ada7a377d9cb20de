import { works } from "./underway.js";
import { sleep } from "./wait.js";

/** Loads that wait for the network to come back. */
let stranded = 0;

/**
 * Waits while the browser says that there is no network, or until the signal is aborted; tells all loads under way of it.
 *
 * @param {AbortSignal} [signal]
 * @returns whether it had to
 */
export async function whileOffline(signal) {
  const away = () => globalThis.navigator?.onLine === false && !signal?.aborted;
  if (!away()) return false;
  if (!stranded++) for (const work of works.values()) work.offline(true);
  // The event may be missed while the page sleeps.
  while (away()) await sleep(30_000, signal);
  if (!--stranded) for (const work of works.values()) work.offline(false);
  return true;
}
