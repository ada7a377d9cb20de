/** Scores and classes between the cells of a small picture, at the pixels of a large one. */

/** @typedef {{ low: Int32Array, high: Int32Array, part: Float64Array, seen: Uint8Array }} Axis neighbours of each pixel, and how near the second is */

/**
 * Gives where each pixel of the source is among the cells of the output, along one axis; without a frame it is a cell.
 *
 * @param {number} cells
 * @param {number} [length] of the source
 * @param {number} [scale]
 * @param {number} [start]
 * @param {number} [input] length of the model's picture
 * @returns {Axis}
 */
export function axis(cells, length = cells, scale = 1, start = 0, input = cells) {
  const made = { low: new Int32Array(length), high: new Int32Array(length), part: new Float64Array(length), seen: new Uint8Array(length) };
  for (let i = 0; i < length; i++) {
    const place = (i + 0.5) * scale + start;
    const at = Math.min(Math.max((place * cells) / input - 0.5, 0), cells - 1);
    made.low[i] = Math.floor(at);
    made.high[i] = Math.min(made.low[i] + 1, cells - 1);
    made.part[i] = at - made.low[i];
    // Frames are rounded: a pixel more at an edge is seen as well.
    made.seen[i] = Number(place >= -1 && place <= input + 1);
  }
  return made;
}

/**
 * Gives the shares at a row of the source, cell by cell: interpolated between the rows of the output only.
 *
 * @param {ArrayLike<number>} plane
 * @param {number} columns
 * @param {Axis} down
 * @param {number} y
 */
export function between(plane, columns, { low, high, part }, y) {
  const line = new Float64Array(columns);
  for (let x = 0; x < columns; x++) line[x] = plane[low[y] * columns + x] * (1 - part[y]) + plane[high[y] * columns + x] * part[y];
  return line;
}

/**
 * Gives the class of the highest share of each pixel. Where it is one and the same in all four cells around, no mixture of these
 * has another one, so only edges are computed.
 *
 * @param {ArrayLike<number>} planes
 * @param {number} count
 * @param {number} columns
 * @param {Axis} down
 * @param {Axis} across
 * @param {number} background
 */
export function best(planes, count, columns, down, across, background) {
  const { low, high, part, seen } = across;
  const width = low.length;
  const data = new Uint8Array(width * down.low.length).fill(background);
  const winners = winnersOf(planes, count);
  for (let y = 0, at = 0; y < down.low.length; y++) {
    const upper = down.low[y] * columns;
    const lower = down.high[y] * columns;
    const below = down.part[y];
    for (let x = 0; x < width; x++, at++) {
      if (!(seen[x] & down.seen[y])) continue;
      const a = upper + low[x];
      const b = upper + high[x];
      const c = lower + low[x];
      const d = lower + high[x];
      const winner = winners[a];
      if (winner >= 0 && winner === winners[b] && winner === winners[c] && winner === winners[d]) {
        data[at] = winner;
        continue;
      }
      const right = part[x];
      let most = -Infinity;
      for (let i = 0; i < count; i++) {
        const over = planes[a * count + i] * (1 - right) + planes[b * count + i] * right;
        const under = planes[c * count + i] * (1 - right) + planes[d * count + i] * right;
        const value = over * (1 - below) + under * below;
        if (value > most) {
          most = value;
          data[at] = i;
        }
      }
    }
  }
  return data;
}

/**
 * Gives the class of the highest share of each cell; -1 where a share is no number, or endless: such a cell decides nothing by itself.
 *
 * @param {ArrayLike<number>} planes
 * @param {number} count
 */
function winnersOf(planes, count) {
  const winners = new Int16Array(planes.length / count);
  for (let cell = 0, at = 0; cell < winners.length; cell++) {
    let high = -Infinity;
    let winner = -1;
    let sum = 0;
    for (let i = 0; i < count; i++, at++) {
      const value = planes[at];
      sum += value;
      if (value > high) {
        high = value;
        winner = i;
      }
    }
    winners[cell] = sum < Infinity && high < Infinity ? winner : -1;
  }
  return winners;
}

/**
 * Gives the class that the nearest cell tells.
 *
 * @param {ArrayLike<number>} numbers
 * @param {number} columns
 * @param {Axis} down
 * @param {Axis} across
 * @param {number} background
 */
export function nearest(numbers, columns, down, across, background) {
  const [width, height] = [across.low.length, down.low.length];
  const data = new Uint8Array(width * height).fill(background);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const row = down.part[y] < 0.5 ? down.low[y] : down.high[y];
      const number = numbers[row * columns + (across.part[x] < 0.5 ? across.low[x] : across.high[x])];
      if (down.seen[y] && across.seen[x] && number >= 0 && number <= 255) data[y * width + x] = Math.round(number);
    }
  }
  return data;
}
