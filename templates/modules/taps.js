/** Resizing along an axis: what each pixel is made of. */

/** @typedef {"antialiased" | "bicubic" | "bilinear" | "nearest"} Method */
/** @typedef {{ start: number, weights: number[] }[]} Taps the places and weights that each pixel along an axis is made of */

/**
 * The places and weights that a pixel is made of, for each one along an axis: as Pillow resizes ("antialiased" is its
 * bilinear filter), or as OpenCV's INTER_LINEAR ("bilinear").
 *
 * @param {Method} method
 * @param {number} from first place of what is resized
 * @param {number} length of it
 * @param {number} to
 * @param {number} limit of places
 * @returns {Taps}
 */
export function tapsOf(method, from, length, to, limit) {
  const scale = length / to;
  const smooth = method === "antialiased" || method === "bicubic";
  const stretch = smooth ? Math.max(scale, 1) : 1;
  const reach = (method === "bicubic" ? 2 : 1) * stretch;
  const cubic = (/** @type {number} */ x) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0);
  return Array.from({ length: to }, (_, i) => {
    const middle = from + (i + 0.5) * scale;
    if (method === "nearest") return { start: Math.min(Math.floor(middle), limit - 1), weights: [1] };
    if (!smooth) {
      const at = Math.min(Math.max(middle - 0.5, 0), limit - 1);
      const start = Math.min(Math.floor(at), Math.max(limit - 2, 0));
      return { start, weights: limit > 1 ? [1 - (at - start), at - start] : [1] };
    }
    const start = Math.max(Math.trunc(middle - reach + 0.5), 0);
    const end = Math.min(Math.trunc(middle + reach + 0.5), limit);
    const weights = [];
    for (let place = start; place < end; place++) {
      const x = Math.abs((place - middle + 0.5) / stretch);
      weights.push(method === "bicubic" ? cubic(x) : Math.max(0, 1 - x));
    }
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { start, weights: weights.map((weight) => weight / sum) };
  });
}

/** @param {Taps} taps @returns {[number, number]} the first place that is needed, and the one behind the last */
export const spanOf = (taps) => [Math.min(...taps.map(({ start }) => start)), Math.max(...taps.map(({ start, weights }) => start + weights.length))];

/** @param {any} tf @param {Taps} taps @param {number} length */
export function matrixOf(tf, taps, length) {
  const values = new Float32Array(taps.length * length);
  taps.forEach(({ start, weights }, row) => values.set(weights, row * length + start));
  return tf.tensor(values, [taps.length, length]);
}
