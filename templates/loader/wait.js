/**
 * A promise and what settles it. Nobody has to listen to its rejection.
 *
 * @template T
 */
export function deferred() {
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
export function quiet(promise) {
  promise.catch(() => {});
  return promise;
}

/**
 * Waits for a time, or until the signal is aborted or the network is back.
 *
 * @param {number} ms
 * @param {AbortSignal} [signal]
 */
export function sleep(ms, signal) {
  // As options of a listener it stands for its signal.
  const over = new AbortController();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, signal?.aborted ? 0 : ms);
    const wake = () => resolve(clearTimeout(timer));
    signal?.addEventListener("abort", wake, over);
    globalThis.addEventListener?.("online", wake, over);
  }).then(() => over.abort());
}

/**
 * Waits for the first of some events.
 *
 * @param {EventTarget} target
 * @param {string[]} types
 * @param {AbortSignal} signal ends the listening; the promise then stays as it is
 */
export function happens(target, types, signal) {
  return new Promise((resolve) => {
    for (const type of types) target.addEventListener(type, resolve, { passive: true, once: true, signal });
  });
}

/** Gives a function that, awaited between steps of long work, hands the thread back every 8 ms. */
export function breather() {
  let start = performance.now();
  return async () => {
    if (performance.now() - start < 8) return;
    const { scheduler } = /** @type {any} */ (globalThis);
    await (scheduler?.yield ? scheduler.yield() : new Promise((resolve) => setTimeout(resolve)));
    start = performance.now();
  };
}

/** Waits until the thread has nothing else to do; some browsers cannot tell. */
export function idle() {
  return new Promise((done) => ("requestIdleCallback" in globalThis ? requestIdleCallback(done, { timeout: 3000 }) : setTimeout(done, 300)));
}
