/** What the answers of all kinds share: a model's outputs as numbers, and what cannot be read. */

/**
 * Where the source picture lies in the model's: inputX = sourceX * scaleX + left, and likewise for y.
 *
 * @typedef {{ width: number, height: number, scaleX: number, scaleY: number, left: number, top: number, inputWidth: number, inputHeight: number }} Frame
 */

/**
 * What a model gave: its tensors by name, and the labels and the frame that belong to them; `inputs` is what it was given.
 *
 * @template Spec
 * @typedef {{ ModelError: new (code: "contract", message: string) => Error, tf?: any, outputs: Record<string, any>, spec: Spec,
 *   labels?: readonly string[], frame?: Frame | null, inputs?: Record<string, any> }} Given
 */

/** @typedef {"none" | "sigmoid" | "softmax"} Activation */
/** @typedef {{ name: string, shape: number[], data: ArrayLike<number> & { length: number } }} Output */

/**
 * Reads an output by its name, or the only one.
 *
 * @param {Given<any>} given
 * @param {string} [name]
 * @returns {Promise<Output>}
 */
export async function read({ ModelError, outputs }, name) {
  const names = Object.keys(outputs);
  const found = name || (names.length > 1 ? "" : names[0]);
  if (!Object.hasOwn(outputs, found)) {
    throw new ModelError("contract", `There is no tensor '${found}' to read an answer from, but ${names.join(", ") || "none"}`);
  }
  return { name: found, shape: outputs[found].shape, data: await outputs[found].data() };
}

/**
 * @param {Given<any>} given
 * @param {Output} output
 * @param {string} wanted
 * @returns {Error}
 */
export function unreadable({ ModelError }, { name, shape }, wanted) {
  return new ModelError("contract", `The output '${name}' has the shape [${shape.join(", ")}], its answer needs ${wanted}`);
}

/** @param {number} value */
export const sigmoid = (value) => 1 / (1 + Math.exp(-value));

/**
 * Gives the share of each of some values that are `step` apart: what is no number has none and takes none.
 *
 * @param {ArrayLike<number>} data
 * @param {number} base
 * @param {number} count
 * @param {number} step
 */
export function softmax(data, base, count, step) {
  const shares = new Float64Array(count);
  let high = -Infinity;
  for (let i = 0; i < count; i++) if (data[base + i * step] > high) high = data[base + i * step];
  let sum = 0;
  for (let i = 0; i < count; i++) {
    shares[i] = Math.exp(data[base + i * step] - high);
    if (shares[i] > 0) sum += shares[i];
  }
  return shares.map((share) => share / sum);
}
