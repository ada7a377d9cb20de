/** Where boxes and their points are: decoded, from anchors or by themselves. */

import { sigmoid, softmax, unreadable } from "./outputs.js";

/** @import { BoxesSpec, Rows } from "./boxes.js" */
/** @import { Given, Output } from "./outputs.js" */

/**
 * Gives what tells the anchor of a row: centre, width, height and stride.
 *
 * @param {Given<BoxesSpec>} given
 * @param {Output} output
 * @param {number} count of rows
 * @returns {(row: number) => number[]}
 */
export function anchors(given, output, count) {
  const { anchors: levels = [], decode, layout, offset = 0.5 } = given.spec;
  const { inputWidth = 0, inputHeight = 0 } = given.frame ?? {};
  // The heads of YOLOv5 have all cells of one shape before those of the next.
  const byShape = decode === "yolo" && layout !== "planes";
  const grids = levels.map(({ stride, shapes }) => {
    const wide = Math.ceil(inputWidth / stride);
    const cells = wide * Math.ceil(inputHeight / stride);
    const forms = shapes?.length ? shapes : [[stride, stride]];
    return { stride, wide, cells, forms, rows: cells * forms.length };
  });
  const all = grids.reduce((sum, { rows }) => sum + rows, 0);
  if (all !== count) throw unreadable(given, output, `${all} rows, one an anchor`);
  return (row) => {
    let level = 0;
    while (row >= grids[level].rows) row -= grids[level++].rows;
    const { stride, wide, cells, forms } = grids[level];
    const cell = byShape ? row % cells : Math.floor(row / forms.length);
    const [width, height] = forms[byShape ? Math.floor(row / cells) : row % forms.length];
    return [((cell % wide) + offset) * stride, (Math.floor(cell / wide) + offset) * stride, width, height, stride];
  };
}

/**
 * Refuses rows that are too short for their boxes or points.
 *
 * @param {Given<BoxesSpec>} given
 * @param {Rows} level
 * @param {Rows} spots
 */
export function checkWidths(given, level, spots) {
  const { bins = 1, columns, points } = given.spec;
  if (level.width - (columns?.[0] ?? 0) < 4 * bins) throw unreadable(given, level.output, `${4 * bins} numbers a box`);
  const { count = 0, values = 2, start = 4 } = points ?? {};
  if (spots.width < (spots === level ? start : 0) + count * values) {
    throw unreadable(given, spots.output, `${count * values} numbers for the points of a box`);
  }
}

/**
 * Makes the box and the points of a row, in pixels of the model's picture.
 *
 * @param {Given<BoxesSpec>} given
 * @param {Rows} level
 * @param {Rows} spots
 * @param {number} row
 * @param {number[]} [anchor]
 * @returns {{ corners: number[], points: number[][] }}
 */
export function decode({ spec, frame }, level, spots, row, anchor) {
  const { bins, columns, form = "xyxy", points, unit, variances = [1, 1, 1, 1] } = spec;
  const { data, step } = level;
  const place = level.base(row) + (columns?.[0] ?? 0) * step;
  let four = [0, 1, 2, 3].map((i) =>
    bins ? softmax(data, place + i * bins * step, bins, step).reduce((sum, part, bin) => sum + part * bin, 0) : data[place + i * step],
  );
  if (form === "yxyx" || form === "cycxhw") four = [four[1], four[0], four[3], four[2]];
  const scaled = !anchor && frame && unit === "normalised";
  const units = scaled ? [frame.inputWidth, frame.inputHeight] : [1, 1];
  // A point, as the centre of a box, is away from the anchor's centre by parts of its size.
  const along = (/** @type {number} */ value, /** @type {number} */ axis) =>
    anchor ? value * variances[axis] * anchor[2 + axis] + anchor[axis] : value * units[axis];
  const { count = 0, values = 2, start = 4 } = points ?? {};
  const begin = spots === level ? start : 0;
  const placed = Array.from({ length: count }, (_, i) => {
    const [x, y, score] = Array.from({ length: values }, (_, j) => spots.data[spots.base(row) + (begin + i * values + j) * spots.step]);
    return [along(x, 0), along(y, 1), ...(values > 2 ? [score] : [])];
  });
  return { corners: anchor ? fromAnchor(spec, four, anchor, along) : whole(form, four, units), points: placed };
}

/**
 * @param {string} form
 * @param {number[]} four
 * @param {number[]} units
 */
function whole(form, four, units) {
  const [x, y, width, height] = four;
  const half = form === "xywh" ? 0 : 0.5;
  const corners = form === "xyxy" || form === "yxyx" ? four : [x - width * half, y - height * half, x + width * (1 - half), y + height * (1 - half)];
  return corners.map((value, side) => value * units[side % 2]);
}

/**
 * @param {BoxesSpec} spec
 * @param {number[]} four
 * @param {number[]} anchor
 * @param {(value: number, axis: number) => number} along
 */
function fromAnchor({ decode: way, variances = [1, 1, 1, 1] }, four, anchor, along) {
  const [x, y, width, height, stride] = anchor;
  if (way === "distances") {
    const [left, top, right, bottom] = four.map((value, side) => value * variances[side] * anchor[2 + (side % 2)]);
    return [x - left, y - top, x + right, y + bottom];
  }
  const yolo = way === "yolo";
  const centre = [0, 1].map((axis) => (yolo ? [x, y][axis] + (2 * sigmoid(four[axis]) - 1) * stride : along(four[axis], axis)));
  const half = [2, 3].map((side) => {
    const value = four[side] * variances[side];
    return ((yolo ? (2 * sigmoid(four[side])) ** 2 : way === "deltas" ? Math.exp(value) : value) * [width, height][side - 2]) / 2;
  });
  return [centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1]];
}
