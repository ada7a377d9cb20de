/** Tensors as plain values, `{ data, shape, dtype }`, and back. */

/** @typedef {{ data: any, shape: number[], dtype?: string }} Plain */

/** @param {any} value */
export const isPlainObject = (value) => !!value && typeof value === "object" && [Object.prototype, null].includes(Object.getPrototypeOf(value));

/** Whether something is a tensor's values: a picture has a width as well. @param {any} value */
export const isPlain = (value) => isPlainObject(value) && Array.isArray(value.shape) && (ArrayBuffer.isView(value.data) || Array.isArray(value.data));

/** Whether something is a tensor of whatever TensorFlow.js. @param {any} value */
export const isTensor = (value) => typeof value?.dataSync === "function" && Array.isArray(value.shape);

/**
 * Closes the bitmaps and frames that were given to be used once.
 *
 * @param {any} given
 */
export function closeAll(given) {
  for (const one of [given, ...(isPlainObject(given) ? Object.values(given) : [])]) if (typeof one?.close === "function") one.close();
}

/**
 * Makes tensors of plain values, wherever they are in what is given.
 *
 * @param {any} tf
 * @param {any} value
 * @param {any[]} own gets the tensors, which the caller disposes of
 * @returns {any}
 */
export function feed(tf, value, own) {
  if (isPlain(value)) {
    const { data, shape, dtype } = value;
    const tensor = tf.tensor(data, shape, dtype ?? (data instanceof Int32Array ? "int32" : data instanceof Uint8Array ? "bool" : "float32"));
    own.push(tensor);
    return tensor;
  }
  if (Array.isArray(value)) return value.map((one) => feed(tf, one, own));
  if (isPlainObject(value)) return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, feed(tf, one, own)]));
  return value;
}

/**
 * Makes plain values of tensors, wherever they are in an answer, and disposes of these.
 *
 * @param {any} tf
 * @param {any} answer
 * @returns {Promise<any>}
 */
export async function give(tf, answer) {
  /** @type {Map<any, Plain>} */
  const made = new Map();
  find(answer, made);
  if (!made.size) return answer;
  for (const [tensor, plain] of made) {
    const { dataId } = tensor;
    const found = await tensor.data();
    // A backend may keep what it gives, for another tensor that is made of the same.
    const alone = tf.backend().refCount?.(dataId) === 1;
    plain.data = alone ? found : found.slice();
  }
  tf.dispose([...made.keys()]);
  return replaced(answer, made);
}

/** @param {any} value @param {Map<any, Plain>} made */
function find(value, made) {
  if (isTensor(value)) made.set(value, { data: undefined, shape: value.shape, dtype: value.dtype });
  else if (Array.isArray(value)) for (const one of value) find(one, made);
  else if (isPlainObject(value)) for (const one of Object.values(value)) find(one, made);
}

/** @param {any} value @param {Map<any, Plain>} made @returns {any} */
function replaced(value, made) {
  if (made.has(value)) return made.get(value);
  if (Array.isArray(value)) return value.map((one) => replaced(one, made));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, replaced(one, made)]));
}
