/**
 * Does what a load can do without: gives `otherwise` where the browser lacks it, or forbids it.
 *
 * @template T
 * @param {() => T} action
 * @param {T} [otherwise]
 * @returns {T}
 */
export function attempted(action, otherwise) {
  try {
    return action();
  } catch {
    return /** @type {T} */ (otherwise);
  }
}

/**
 * Calls a page's function; what it throws must not end a load.
 *
 * @template T
 * @param {((value: T) => void) | undefined} listener
 * @param {T} value
 */
export function notify(listener, value) {
  try {
    listener?.(value);
  } catch (error) {
    console.error(error);
  }
}
