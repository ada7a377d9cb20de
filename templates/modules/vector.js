/*! Shardpress vectors of meaning */
import { read, unreadable } from "./outputs.js";

/** @import { Given } from "./outputs.js" */

/** @typedef {{ output?: string, pooling?: "none" | "mean" | "first", mask?: string, normalise?: boolean }} VectorSpec */

/**
 * A vector, and the cosine of its angle with another one: 0 where one of them has no length.
 *
 * @typedef {{ values: Float32Array, similarity(other: Vector | ArrayLike<number>): number }} Vector
 */

/**
 * Reads the vector of one picture or text, pooled over its tokens if need be.
 *
 * @param {Given<VectorSpec>} given
 * @returns {Promise<Vector>}
 */
export async function answer(given) {
  const { ModelError, spec, inputs } = given;
  const output = await read(given, spec.output);
  const { data, shape } = output;
  const pooled = spec.pooling === "mean" || spec.pooling === "first";
  const width = pooled ? shape[shape.length - 1] : data.length;
  const tokens = data.length / width;
  const fits = pooled ? shape.length === 2 || (shape.length === 3 && shape[0] === 1) : width === Math.max(1, ...shape);
  if (!fits || !data.length) throw unreadable(given, output, pooled ? "[1, tokens, numbers]" : "one vector");
  const masked = spec.pooling === "mean" && spec.mask;
  const mask = masked ? (await read({ ...given, outputs: inputs ?? {} }, spec.mask)).data : undefined;
  if (mask && mask.length !== tokens) throw unreadable(given, output, `${mask.length} tokens, as the mask has`);
  const sums = new Float64Array(width);
  let total = 0;
  for (let token = 0; token < (spec.pooling === "first" ? 1 : tokens); token++) {
    const weight = mask ? Number(mask[token]) : 1;
    total += weight;
    if (weight) for (let i = 0; i < width; i++) sums[i] += weight * data[token * width + i];
  }
  const scale = (total || 1) * ((spec.normalise && Math.hypot(...sums.map((sum) => sum / (total || 1)))) || 1);
  return revive({ values: Float32Array.from(sums, (sum) => sum / scale) }, undefined, ModelError);
}

/**
 * Gives a vector what it can do: that is how it comes from a worker.
 *
 * @param {{ values: Float32Array }} known
 * @param {unknown} _
 * @param {new (code: "contract", message: string) => Error} ModelError
 * @returns {Vector}
 */
export function revive({ values }, _, ModelError) {
  return {
    values,
    similarity(other) {
      const others = "values" in other && typeof other.values === "object" ? other.values : /** @type {ArrayLike<number>} */ (other);
      if (others.length !== values.length) {
        throw new ModelError("contract", `A vector of ${others.length} numbers cannot be compared with one of ${values.length}`);
      }
      let product = 0;
      let own = 0;
      let their = 0;
      for (let i = 0; i < values.length; i++) {
        product += values[i] * others[i];
        own += values[i] ** 2;
        their += others[i] ** 2;
      }
      return product / (Math.sqrt(own * their) || Infinity);
    },
  };
}
