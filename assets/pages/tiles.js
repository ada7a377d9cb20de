/** Runs a model over a picture of any size, tile by tile, so that the page stays alive and memory small. */
import { PageError } from "./page.js";

/** @typedef {{ start: number, from: number, to: number }} Span where a tile begins, and what of the whole is taken from it */

/**
 * Cuts a length into tiles of one size, which overlap. What lies within `margin` of a cut is taken from the neighbour;
 * if the network sees no further than `margin`, the seams are exact.
 *
 * @param {number} length
 * @param {number} tile longer than two margins
 * @param {number} margin
 * @returns {Span[]}
 */
export function spans(length, tile, margin) {
  if (length <= tile) return [{ start: 0, from: 0, to: length }];
  const count = Math.ceil((length - 2 * margin) / (tile - 2 * margin));
  // Spread evenly: all tiles of one size, so that shaders are compiled once.
  const starts = Array.from({ length: count }, (_, i) => Math.round((i * (length - tile)) / (count - 1)));
  return starts.map((start, i) => {
    const middle = (/** @type {number} */ left) => Math.round((starts[left] + tile + starts[left + 1]) / 2);
    return { start, from: i ? middle(i - 1) : 0, to: i < count - 1 ? middle(i) : length };
  });
}

/** Lets the page answer its visitor. */
const breathe = () => new Promise((done) => setTimeout(done));

/**
 * Draws what a model makes of a picture, tile by tile.
 *
 * @param {HTMLCanvasElement} picture
 * @param {CanvasRenderingContext2D} target of a canvas `scale` times as large
 * @param {(tile: ImageData) => Promise<ImageData>} run
 * @param {{ tile: number, margin: number, scale?: number, signal?: AbortSignal, onShare?: (share: number) => void }} options
 *   `margin`: how far the network sees, in pixels of `picture`
 */
export async function runTiles(picture, target, run, { tile, margin, scale = 1, signal, onShare }) {
  const source = picture.getContext("2d", { willReadFrequently: true });
  if (!source) throw new PageError("nopicture");
  const [columns, rows] = [spans(picture.width, tile, margin), spans(picture.height, tile, margin)];
  let done = 0;
  for (const row of rows) {
    for (const column of columns) {
      signal?.throwIfAborted();
      const width = Math.min(tile, picture.width);
      const height = Math.min(tile, picture.height);
      const answer = await run(source.getImageData(column.start, row.start, width, height));
      signal?.throwIfAborted();
      target.putImageData(
        answer,
        column.start * scale,
        row.start * scale,
        (column.from - column.start) * scale,
        (row.from - row.start) * scale,
        (column.to - column.from) * scale,
        (row.to - row.from) * scale,
      );
      onShare?.(++done / (rows.length * columns.length));
      await breathe();
    }
  }
}
