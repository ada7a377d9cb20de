/** Development only: new weights for models that are live. */

/**
 * Counts the asynchronous calls of a graph model, where they use its weights.
 *
 * @type {WeakMap<object, { calls: number, closed: Promise<void> | undefined, wake: () => void }>}
 */
const gates = new WeakMap();

/** @param {any} model */
export function guard(model) {
  const { executor } = model;
  if (!executor?.executeAsync || gates.has(executor)) return;
  const gate = { calls: 0, /** @type {Promise<void> | undefined} */ closed: undefined, wake: () => {} };
  gates.set(executor, gate);
  const call = executor.executeAsync;
  executor.executeAsync = async (/** @type {any[]} */ ...args) => {
    while (gate.closed) await gate.closed;
    gate.calls++;
    try {
      return await call.apply(executor, args);
    } finally {
      gate.calls--;
      gate.wake();
    }
  };
}

/**
 * Gives a live model the weights of another one, in one instant between its calls.
 *
 * @param {any} model
 * @param {any} next of the same topology; a graph model has given its weights away afterwards
 */
export async function transplant(model, next) {
  if (!model.executor) {
    model.setWeights(next.getWeights());
    return;
  }
  const { executor } = model;
  const gate = gates.get(executor);
  if (!gate) throw new Error("this model was not followed");
  let open = () => {};
  gate.closed = new Promise((resolve) => (open = resolve));
  try {
    while (gate.calls) await new Promise((resolve) => (gate.wake = () => resolve(undefined)));
    const stale = new Set(Object.values(executor.weightMap).flat());
    executor.weightMap = next.executor.weightMap;
    for (const tensor of stale) tensor.dispose();
  } finally {
    gate.closed = undefined;
    open();
  }
}

/** @param {any} model */
export function isAlive(model) {
  /** @type {any[]} */
  const tensors = model.executor ? Object.values(model.executor.weightMap).flat() : model.weights.map((/** @type {any} */ { val }) => val);
  return tensors.every(({ isDisposed }) => !isDisposed);
}
