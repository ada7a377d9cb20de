/** Running a model, whatever it takes. */

/**
 * Runs a model as far as it runs at once; gives the tensors of some outputs, or of all.
 *
 * @param {any} model
 * @param {any[]} inputs
 * @param {string[]} [names] of the inputs, where they are not in the model's order
 * @param {(string | number)[]} [outputs]
 * @returns {any[]}
 */
export function answer(model, inputs, names, outputs) {
  if (model.executor) {
    const feeds = names ? Object.fromEntries(inputs.map((tensor, i) => [names[i], tensor])) : inputs;
    return [model.execute(feeds, outputs ?? model.outputNodes)].flat();
  }
  const known = names && model.inputNames?.length === inputs.length && model.inputNames.every((/** @type {string} */ name) => names.includes(name));
  const order = known ? model.inputNames.map((/** @type {string} */ name) => inputs[names.indexOf(name)]) : inputs;
  return [model.predict(order.length > 1 ? order : order[0])].flat();
}

/**
 * Runs a model on zeros, whatever it takes.
 *
 * @param {any} model
 * @param {any[]} made
 * @returns {Promise<any[]>}
 */
export async function runAnyway(model, made) {
  try {
    return answer(model, made);
  } catch (error) {
    if (!model.executor) throw error;
    // Loops and branches of the graph need the slower way.
    return [await model.executeAsync(made, model.outputNodes)].flat();
  }
}

/**
 * Zeros for all inputs of a model: an unknown first length is a batch, another one a side of a picture.
 *
 * @param {any} tf
 * @param {any} model
 * @returns {any[]}
 */
export const zeros = (tf, model) =>
  model.inputs.map((/** @type {any} */ { shape, dtype }) => {
    return tf.zeros(shape.map((/** @type {number} */ n, /** @type {number} */ i) => (n > 0 ? n : i ? 64 : 1)), dtype);
  });
