/*! Shardpress classes */
import { read, sigmoid, softmax, unreadable } from "./outputs.js";

/** @import { Activation, Given } from "./outputs.js" */

/** @typedef {{ output?: string, activation?: Activation, top?: number, threshold?: number }} ClassesSpec */
/** @typedef {{ label: string | undefined, index: number, score: number }} Scored the label is undefined where there are too few */

/**
 * The best class and those after it: `label` is undefined where the score is below the threshold.
 *
 * @typedef {{ label: string | undefined, index: number, score: number, unsure: boolean, top: Scored[] }} Classes
 */

/**
 * Ranks the classes of one row of scores. Scores that are no numbers are left out; without any the index is -1.
 *
 * @param {Given<ClassesSpec>} given
 * @param {{ top?: number, threshold?: number, score?: number }} [options]
 * @returns {Promise<Classes>}
 */
export async function answer(given, options = {}) {
  const { spec, labels = [] } = given;
  const output = await read(given, spec.output);
  const { data, shape } = output;
  if (data.length && data.length !== Math.max(1, ...shape)) throw unreadable(given, output, "one row of scores");
  /** @type {ArrayLike<number>} */
  let shares = data;
  if (spec.activation === "softmax") shares = softmax(data, 0, data.length, 1);
  else if (spec.activation === "sigmoid") shares = Float64Array.from(data, sigmoid);
  // One score for two labels is that of the second.
  if (shares.length === 1 && labels.length === 2) shares = [1 - shares[0], shares[0]];
  const ranked = Array.from(shares, (score, index) => ({ label: labels[index], index, score })).filter(({ score }) => score === score);
  ranked.sort((a, b) => b.score - a.score || a.index - b.index);
  const { label, index, score } = ranked[0] ?? { index: -1, score: 0 };
  const unsure = !(ranked.length && score >= (options.threshold ?? options.score ?? spec.threshold ?? 0));
  const top = ranked.slice(0, Math.max(0, options.top ?? spec.top ?? 5));
  return { label: unsure ? undefined : label, index, score, unsure, top };
}
