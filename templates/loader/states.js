/**
 * The states of a load, and those that may follow each. It waits for its moment, reads the `head`, takes `stages`; then it is
 * `full`, or has `failed`, or was `aborted` because nobody waits any more: nothing follows these. While the network is away a
 * load stays in its state: `offline` is only a phase that pages are told.
 *
 * @typedef {"waiting" | "head" | "stages" | "full" | "failed" | "aborted"} LoadState
 * @type {Partial<Record<LoadState, readonly LoadState[]>>}
 */
export const loadStates = {
  waiting: ["head", "aborted"],
  head: ["stages", "failed", "aborted"],
  stages: ["full", "failed", "aborted"],
};

/**
 * The states of a caller's handle: one that is `cancelled` waits for nothing, but holds a model that is there.
 *
 * @typedef {"waiting" | "cancelled" | "disposed"} HandleState
 * @type {Partial<Record<HandleState, readonly HandleState[]>>}
 */
export const handleStates = { waiting: ["cancelled"], cancelled: ["disposed"] };

/**
 * Goes on to another state, where that may follow the present one.
 *
 * @template {string} S
 * @param {{ state: S }} one
 * @param {Partial<Record<S, readonly S[]>>} table
 * @param {S} next
 * @returns {boolean | undefined} whether it did
 */
export function go(one, table, next) {
  const may = table[one.state]?.includes(next);
  if (may) one.state = next;
  return may;
}
