/*! Shardpress points */
import { read, sigmoid, unreadable } from "./outputs.js";

/** @import { Activation, Given, Output } from "./outputs.js" */

/** @typedef {{ form?: "coordinates" | "heatmap", output?: string, scores?: string, order?: string, unit?: "pixels" | "normalised",
 *   layout?: "last" | "first", quarter?: boolean, activation?: Activation, threshold?: number }} PointsSpec */

/**
 * A point in pixels of the source picture, of the model's where there is none. Points keep their numbers, so a doubtful
 * one is there too: `unsure` where its score is below the threshold.
 *
 * @typedef {{ x: number, y: number, z?: number, score: number, unsure: boolean, label: string | undefined }} Point
 */

/** @typedef {{ spots: number[][], scores: (number | undefined)[] }} Found x, y, z in pixels of the model's picture */

/**
 * Reads all points of one picture, in the model's order.
 *
 * @param {Given<PointsSpec>} given
 * @param {{ threshold?: number, score?: number }} [options]
 * @returns {Promise<Point[]>}
 */
export async function answer(given, options = {}) {
  const { spec, labels = [], frame } = given;
  const [output, told] = await Promise.all([read(given, spec.output), spec.scores ? read(given, spec.scores) : undefined]);
  const { spots, scores } = (spec.form === "heatmap" ? heatmaps : coordinates)(given, output);
  if (told && told.data.length !== 1 && told.data.length !== spots.length) {
    throw unreadable(given, told, `one score, or ${spots.length}`);
  }
  const least = options.threshold ?? options.score ?? spec.threshold ?? 0;
  return spots.map(([x, y, z], i) => {
    const raw = told ? told.data[told.data.length > 1 ? i : 0] : scores[i];
    const share = raw !== undefined && spec.activation === "sigmoid" ? sigmoid(raw) : (raw ?? 1);
    const right = Number.isFinite(share) && Number.isFinite(x) && Number.isFinite(y);
    return {
      x: frame ? (x - frame.left) / frame.scaleX : x,
      y: frame ? (y - frame.top) / frame.scaleY : y,
      ...(z === undefined ? {} : { z: frame ? z / frame.scaleX : z }),
      score: right ? share : 0,
      unsure: !(right && share >= least),
      label: labels[i],
    };
  });
}

/**
 * @param {Given<PointsSpec>} given
 * @param {Output} output
 * @returns {Found}
 */
function coordinates(given, output) {
  const { spec, frame } = given;
  const { data, shape } = output;
  const order = spec.order ?? "xy";
  const width = order.length;
  const plain = shape.length < 2 || (shape.length === 2 && shape[1] === width);
  if (data.length % width || !(plain || shape[0] === 1)) throw unreadable(given, output, `${width} numbers a point, of one picture`);
  const [across, down, far, score] = [..."xyzs"].map((letter) => order.indexOf(letter));
  const scaled = frame && spec.unit === "normalised";
  const [wide, high] = scaled ? [frame.inputWidth, frame.inputHeight] : [1, 1];
  /** @type {Found} */
  const found = { spots: [], scores: [] };
  for (let i = 0; i < data.length; i += width) {
    const spot = [across < 0 ? 0 : data[i + across] * wide, down < 0 ? 0 : data[i + down] * high];
    if (far >= 0) spot.push(data[i + far] * wide);
    found.spots.push(spot);
    found.scores.push(score < 0 ? undefined : data[i + score]);
  }
  return found;
}

/**
 * Finds the best cell of each heatmap, which stands for the place cell * stride; `quarter` moves it towards its better neighbour.
 *
 * @param {Given<PointsSpec>} given
 * @param {Output} output
 * @returns {Found}
 */
function heatmaps(given, output) {
  const { spec, frame } = given;
  const { data } = output;
  const shape = output.shape.length === 4 && output.shape[0] === 1 ? output.shape.slice(1) : output.shape;
  if (shape.length !== 3 || !data.length) throw unreadable(given, output, "a heatmap a point");
  const first = spec.layout === "first";
  const [count, height, width] = first ? shape : [shape[2], shape[0], shape[1]];
  const size = height * width;
  /** @type {Found} */
  const found = { spots: [], scores: [] };
  for (let map = 0; map < count; map++) {
    const value = (/** @type {number} */ cell) => data[first ? map * size + cell : cell * count + map];
    let best = -1;
    for (let cell = 0; cell < size; cell++) if (value(cell) > (best < 0 ? -Infinity : value(best))) best = cell;
    const cell = Math.max(0, best);
    const [x, y] = [cell % width, Math.floor(cell / width)];
    const towards = (/** @type {number} */ at, /** @type {number} */ length, /** @type {number} */ step) =>
      spec.quarter && at > 0 && at < length - 1 ? at + 0.25 * sign(value(cell + step), value(cell - step)) : at;
    const spot = [towards(x, width, 1), towards(y, height, width)];
    found.spots.push(frame ? [(spot[0] * frame.inputWidth) / width, (spot[1] * frame.inputHeight) / height] : spot);
    found.scores.push(best < 0 ? NaN : value(best));
  }
  return found;
}

/**
 * What is no number is less than all that is one.
 *
 * @param {number} after
 * @param {number} before
 */
function sign(after, before) {
  const [a, b] = [after, before].map((value) => (value === value ? value : -Infinity));
  return Number(a > b) - Number(a < b);
}
