/*! Shardpress boxes */
import { anchors, checkWidths, decode } from "./anchors.js";
import { read, sigmoid, softmax, unreadable } from "./outputs.js";

/** @import { Activation, Frame, Given, Output } from "./outputs.js" */

/** @typedef {{ stride: number, shapes?: [number, number][] }} AnchorLevel */
/** @typedef {{ count: number, values?: 2 | 3, start?: number, output?: string | string[], names?: string[] }} KeyPoints */
/** @typedef {{ boxes?: string | string[], scores?: string | string[], classes?: string, number?: string, layout?: "rows" | "columns" | "planes",
 *   form?: "xyxy" | "yxyx" | "xywh" | "cxcywh" | "cycxhw", unit?: "pixels" | "normalised", objectness?: boolean, activation?: Activation,
 *   background?: "first" | "last" | "none", columns?: [number, number, number], categories?: number, first?: number,
 *   decode?: "none" | "deltas" | "linear" | "distances" | "yolo", anchors?: AnchorLevel[], offset?: number,
 *   variances?: [number, number, number, number], bins?: number, points?: KeyPoints, score?: number, iou?: number, most?: number,
 *   agnostic?: boolean, blend?: boolean, suppressed?: boolean }} BoxesSpec what docs/answers.md says of them */

/** @typedef {{ x: number, y: number, score?: number, label?: string }} KeyPoint in pixels of the source picture */

/**
 * A box in pixels of the source picture, clipped to it; `label` is undefined where there are too few.
 *
 * @typedef {{ label: string | undefined, index: number, score: number, x: number, y: number, width: number, height: number, points?: KeyPoint[] }} Box
 */

/**
 * An output as rows: number `column` of a row is data[base(row) + column * step].
 *
 * @typedef {{ output: Output, data: ArrayLike<number>, count: number, width: number, step: number, base: (row: number) => number }} Rows
 */

/** @typedef {{ corners: number[], points: number[][], index: number, score: number }} Found in pixels of the model's picture */

/**
 * Reads the boxes of one picture, best first; overlapping ones of a class are dropped.
 *
 * @param {Given<BoxesSpec>} given
 * @param {{ score?: number, threshold?: number, iou?: number, most?: number, clip?: boolean }} [options] without `clip` boxes
 *   may reach beyond the picture
 * @returns {Promise<Box[]>}
 */
export async function answer(given, options = {}) {
  const { spec, labels = [], frame } = given;
  const least = options.score ?? options.threshold ?? spec.score ?? 0.25;
  const [boxes, scores, kinds, numbers, points] = await Promise.all(
    [spec.boxes ?? [""], spec.scores ?? [], spec.classes ?? [], spec.number ?? [], spec.points?.output ?? []].map((names) =>
      Promise.all([names].flat().map((name) => read(given, name))),
    ),
  );
  const levels = boxes.map((output, i) => rowsOf(given, output, spec.anchors?.[i]?.shapes?.length || 1));
  const count = levels.reduce((sum, level) => sum + level.count, 0);
  const anchorOf = spec.anchors && spec.decode && spec.decode !== "none" ? anchors(given, boxes[0], count) : undefined;
  const classes = kinds[0] && beside(given, kinds[0], count, "rows");
  const told = numbers[0]?.data[0];
  let left = !numbers[0] ? count : Number.isFinite(told) ? Math.round(/** @type {number} */ (told)) : 0;
  /** @type {Found[]} */
  const found = [];
  let start = 0;
  for (const [i, level] of levels.entries()) {
    const judge = judging(given, level, scores[i] && beside(given, scores[i], level.count, spec.layout), classes, start);
    const spots = points[i] ? beside(given, points[i], level.count, spec.layout) : level;
    if (level.count) checkWidths(given, level, spots);
    for (let row = 0; row < level.count && left > 0; row++, left--) {
      const { score, index } = judge(row);
      // What is no number is not enough either.
      if (score >= least) {
        const box = decode(given, level, spots, row, anchorOf?.(start + row));
        if (box.corners.every(Number.isFinite)) found.push({ ...box, index, score });
      }
    }
    start += level.count;
  }
  found.sort((a, b) => b.score - a.score);
  const kept = spec.suppressed ? found : suppress(found, options.iou ?? spec.iou ?? 0.45, spec);
  /** @type {Box[]} */
  const placed = [];
  const most = options.most ?? spec.most ?? 100;
  for (const box of kept) {
    if (placed.length >= most) break;
    const whole = box.corners.map((value, side) =>
      !frame ? value : side % 2 ? (value - frame.top) / frame.scaleY : (value - frame.left) / frame.scaleX,
    );
    const seen = whole.map((value, side) => (!frame ? value : Math.min(Math.max(value, 0), side % 2 ? frame.height : frame.width)));
    if (!(seen[2] > seen[0] && seen[3] > seen[1])) continue;
    const [x, y, right, bottom] = options.clip === false ? whole : seen;
    const { index, score } = box;
    const name = spec.points?.names;
    placed.push({
      ...{ label: labels[index], index, score, x, y, width: right - x, height: bottom - y },
      ...(spec.points && {
        points: box.points.map(([px, py, sure], i) => ({
          x: frame ? (px - frame.left) / frame.scaleX : px,
          y: frame ? (py - frame.top) / frame.scaleY : py,
          ...(sure !== undefined && { score: sure }),
          ...(name?.[i] !== undefined && { label: name[i] }),
        })),
      }),
    });
  }
  return placed;
}

/**
 * Keeps the boxes that no better one of their class overlaps by more than `iou`; they come best first.
 *
 * @param {Found[]} found
 * @param {number} iou
 * @param {BoxesSpec} spec
 */
function* suppress(found, iou, { agnostic, blend }) {
  let left = found;
  while (left.length) {
    const [box] = left;
    const [l, t, r, b] = box.corners;
    /** @type {Found[]} */
    const hidden = [];
    /** @type {Found[]} */
    const free = [];
    for (const other of left) {
      const [x, y, right, bottom] = other.corners;
      const shared = Math.max(Math.min(right, r) - Math.max(x, l), 0) * Math.max(Math.min(bottom, b) - Math.max(y, t), 0);
      const all = (r - l) * (b - t) + (right - x) * (bottom - y) - shared;
      const same = agnostic || other.index === box.index;
      (other === box || (same && shared > 0 && shared / all > iou) ? hidden : free).push(other);
    }
    left = free;
    yield blend ? blended(box, hidden) : box;
  }
}

/**
 * Gives a box the mean place of what it hides and itself, by their scores.
 *
 * @param {Found} box
 * @param {Found[]} hidden
 * @returns {Found}
 */
function blended(box, hidden) {
  const total = hidden.reduce((sum, { score }) => sum + score, 0);
  if (!(total > 0)) return box;
  const mean = (/** @type {(other: Found) => number} */ of) => hidden.reduce((sum, other) => sum + (of(other) * other.score) / total, 0);
  return {
    ...box,
    corners: box.corners.map((_, side) => mean(({ corners }) => corners[side])),
    points: box.points.map((point, i) => point.map((_, j) => mean(({ points }) => points[i][j]))),
  };
}

/**
 * @param {Given<BoxesSpec>} given
 * @param {Output} output
 * @param {number} shapes
 * @returns {Rows}
 */
function rowsOf(given, output, shapes) {
  const { shape, data } = output;
  const rank = shape.length;
  if (rank < 2 || (rank > 2 && shape[0] !== 1)) throw unreadable(given, output, "the boxes of one picture");
  const layout = given.spec.layout;
  if (layout === "planes") {
    if (rank !== 4 || shape[1] % shapes) throw unreadable(given, output, `[1, ${shapes} · numbers, height, width]`);
    return beside(given, output, shapes * shape[2] * shape[3], layout);
  }
  const width = shape[rank - (layout === "columns" ? 2 : 1)];
  return { ...beside(given, output, data.length / (width || 1), layout), width };
}

/**
 * Reads an output of so many rows.
 *
 * @param {Given<BoxesSpec>} given
 * @param {Output} output
 * @param {number} count
 * @param {BoxesSpec["layout"]} layout
 * @returns {Rows}
 */
function beside(given, output, count, layout) {
  const { data, shape } = output;
  const width = data.length / (count || 1);
  if (count && (!width || data.length % count)) throw unreadable(given, output, `numbers for each of ${count} boxes`);
  const rows = { output, data, count, width };
  if (layout === "columns") return { ...rows, step: count, base: (row) => row };
  if (layout !== "planes") return { ...rows, step: 1, base: (row) => row * width };
  const size = shape[shape.length - 1] * shape[shape.length - 2];
  const shapes = count / size;
  return { ...rows, step: size, base: (row) => (row % shapes) * width * size + Math.floor(row / shapes) };
}

/**
 * Gives what tells score and class of a row.
 *
 * @param {Given<BoxesSpec>} given
 * @param {Rows} level
 * @param {Rows | undefined} scores
 * @param {Rows | undefined} classes
 * @param {number} start
 * @returns {(row: number) => { score: number, index: number }}
 */
function judging(given, level, scores, classes, start) {
  const { activation, background, bins = 1, categories, columns, first = 0, objectness, points } = given.spec;
  const share = activation === "sigmoid" ? sigmoid : (/** @type {number} */ value) => value;
  // Rounded, as classes that are told by codes may be 1.988.
  const whole = (/** @type {number} */ value) => (Number.isFinite(value) ? Math.round(value) : -1) - first;
  const { data, step, base, width } = scores ?? level;
  if (columns) {
    return (row) => ({ score: share(data[base(row) + columns[1] * step]), index: whole(data[base(row) + columns[2] * step]) });
  }
  const from = scores ? 0 : 4 * bins + (objectness ? 1 : 0);
  let to = scores || !categories ? width : Math.min(width, from + categories);
  if (!scores && points && !points.output) to = Math.min(to, points.start ?? 4);
  if (classes) {
    return (row) => ({ score: share(data[base(row) + from * step]), index: whole(classes.data[classes.base(start + row)]) });
  }
  const [low, high] = [from + (background === "first" ? 1 : 0), to - (background === "last" ? 1 : 0)];
  if (level.count && low >= high) throw unreadable(given, level.output, "a score at least");
  return (row) => {
    const place = base(row);
    let best = low;
    let value = -Infinity;
    for (let i = low; i < high; i++) {
      if (data[place + i * step] > value) {
        best = i;
        value = data[place + i * step];
      }
    }
    // Where no score is a number, it is none.
    let score = data[place + best * step];
    if (activation === "softmax") score = softmax(data, place + from * step, to - from, step)[best - from];
    else score = share(score);
    if (objectness && !scores) score *= share(data[place + 4 * bins * step]);
    return { score, index: best - low - (background === "first" ? 0 : first) };
  };
}
