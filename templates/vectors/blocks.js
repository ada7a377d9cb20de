import { readFront } from "./front.js";

/**
 * Rows that came together, in the order of their words' bytes within each run.
 *
 * @typedef {object} Block
 * @property {number} first row
 * @property {number} rows
 * @property {Uint8Array} letters of all words, UTF-8
 * @property {Uint32Array} starts of the words among them, and the end
 * @property {number[]} runs first rows of the ascending runs, counted in the block, and the end
 * @property {Int8Array} codes
 * @property {Float32Array} scales value of a code, for each row
 * @property {Float32Array} lengths Euclidean, of the codes of each row
 */

/**
 * Puts front-coded words together.
 *
 * @param {Uint8Array} bytes lengths in common, lengths of the rest, the rests
 * @param {number} count
 * @returns {Pick<Block, "letters" | "starts" | "runs">}
 */
export function readWords(bytes, count) {
  const { letters, starts } = readFront(bytes, count);
  const runs = [0];
  for (let row = 1; row < count; row++) {
    if (order({ letters, starts }, row - 1, letters.subarray(starts[row], starts[row + 1])) > 0) runs.push(row);
  }
  return { letters, starts, runs: [...runs, count] };
}

/** @param {Uint8Array} bytes upper halves of float32 */
export function readScales(bytes) {
  const halves = new Uint16Array(bytes.buffer);
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}

/**
 * @param {Int8Array} codes
 * @param {number} dim
 * @param {number} count
 */
export function lengthsOf(codes, dim, count) {
  return Float32Array.from({ length: count }, (_, row) => {
    let sum = 0;
    for (let at = row * dim, end = at + dim; at < end; at++) sum += codes[at] * codes[at];
    return Math.sqrt(sum);
  });
}

/**
 * Compares a word with some letters, by their bytes: below 0 where the word comes first.
 *
 * @param {Pick<Block, "letters" | "starts">} block
 * @param {number} row
 * @param {Uint8Array} wanted
 * @param {number} [limit] how many letters of the word count
 */
export function order({ letters, starts }, row, wanted, limit = Infinity) {
  const start = starts[row];
  const length = Math.min(starts[row + 1] - start, limit);
  const end = Math.min(length, wanted.length);
  for (let i = 0; i < end; i++) {
    const difference = letters[start + i] - wanted[i];
    if (difference) return difference;
  }
  return length - wanted.length;
}

/**
 * The first row of a run whose word does not come before some letters.
 *
 * @param {Block} block
 * @param {number} run
 * @param {Uint8Array} wanted
 */
export function lowest(block, run, wanted) {
  let [low, high] = [block.runs[run], block.runs[run + 1]];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (order(block, middle, wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
