/**
 * A promise and what settles it. Nobody has to listen to its rejection.
 *
 * @template T
 */
function deferred() {
  /** @type {(value: T) => void} */
  let resolve = () => {};
  /** @type {(error: unknown) => void} */
  let reject = () => {};
  /** @type {Promise<T>} */
  const promise = quiet(new Promise((yes, no) => ([resolve, reject] = [yes, no])));
  return { promise, resolve, reject };
}

/**
 * Keeps a rejection that nobody awaits from being reported as unhandled.
 *
 * @template {Promise<any>} P
 * @param {P} promise
 */
function quiet(promise) {
  promise.catch(() => {});
  return promise;
}

/**
 * Waits for a time, or until the signal is aborted or the network is back.
 *
 * @param {number} ms
 * @param {AbortSignal} signal
 */
function sleep(ms, signal) {
  const over = new AbortController();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, signal.aborted ? 0 : ms);
    const wake = () => resolve(clearTimeout(timer));
    signal.addEventListener("abort", wake, { signal: over.signal });
    globalThis.addEventListener?.("online", wake, { signal: over.signal });
  }).then(() => over.abort());
}

/** Loads that wait for the network to come back. */
let stranded = 0;

/**
 * Waits while the browser says that there is no network, or until the signal is aborted; tells all loads under way of it.
 *
 * @param {AbortSignal} signal
 * @returns whether it had to
 */
async function whileOffline(signal) {
  const away = () => globalThis.navigator?.onLine === false && !signal.aborted;
  if (!away()) return false;
  if (!stranded++) for (const work of works.values()) work.tellOffline(true);
  // The event may be missed while the page sleeps.
  while (away()) await sleep(30_000, signal);
  if (!--stranded) for (const work of works.values()) work.tellOffline(false);
  return true;
}

/**
 * Waits for the first of some events.
 *
 * @param {EventTarget} target
 * @param {string[]} types
 * @param {AbortSignal} signal ends the listening; the promise then stays as it is
 */
function happens(target, types, signal) {
  return new Promise((resolve) => {
    for (const type of types) target.addEventListener(type, resolve, { passive: true, once: true, signal });
  });
}

/** Gives a function that, awaited between steps of long work, hands the thread back every 8 ms. */
function breather() {
  let start = performance.now();
  return async () => {
    if (performance.now() - start < 8) return;
    const { scheduler } = /** @type {any} */ (globalThis);
    await (scheduler?.yield ? scheduler.yield() : new Promise((resolve) => setTimeout(resolve)));
    start = performance.now();
  };
}

/** Waits until the thread has nothing else to do; some browsers cannot tell. */
function idle() {
  return new Promise((done) => ("requestIdleCallback" in globalThis ? requestIdleCallback(done, { timeout: 3000 }) : setTimeout(done, 300)));
}
