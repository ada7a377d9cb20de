/** Runs a model over a picture of any size, tile by tile, so that the page stays alive and memory small. */
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
export const breathe = () => new Promise((done) => setTimeout(done));
/** Pixels of a picture that are drawn at once: a few milliseconds of work. */
const atOnce = 1 << 19;

/**
 * Draws a picture over all of a canvas, a strip at a time, so that a large one does not keep the page from answering.
 *
 * @param {CanvasRenderingContext2D} target
 * @param {ImageBitmap} picture
 * @param {AbortSignal} [signal]
 */
export async function drawInStrips(target, picture, signal) {
  const { width, height } = target.canvas;
  const rows = Math.max(1, Math.floor((atOnce / (picture.width * picture.height)) * height));
  for (let top = 0; top < height; top += rows) {
    signal?.throwIfAborted();
    const bottom = Math.min(height, top + rows);
    const [from, to] = [top, bottom].map((row) => Math.round((row / height) * picture.height));
    // Resized alone: a canvas would make smaller copies of all of the picture first.
    const size = { resizeWidth: width, resizeHeight: bottom - top, resizeQuality: /** @type {const} */ ("high") };
    const strip = await createImageBitmap(picture, 0, from, picture.width, Math.max(1, to - from), width === picture.width && height === picture.height ? {} : size);
    target.drawImage(strip, 0, top);
    strip.close();
    await breathe();
  }
}

/**
 * Draws what a model makes of a picture, tile by tile.
 *
 * @param {ImageBitmap | HTMLCanvasElement} picture
 * @param {CanvasRenderingContext2D} target of a canvas `scale` times as large
 * @param {(tile: ImageBitmap) => Promise<ImageData>} run
 * @param {{ tile: number, margin: number, scale?: number, signal?: AbortSignal, onShare?: (share: number) => void, view?: CanvasRenderingContext2D }} options
 *   `margin`: how far the network sees, in pixels of `picture`; `view`: of a smaller canvas that is drawn on as well
 */
export async function runTiles(picture, target, run, { tile, margin, scale = 1, signal, onShare, view }) {
  const [columns, rows] = [spans(picture.width, tile, margin), spans(picture.height, tile, margin)];
  let done = 0;
  for (const row of rows) {
    for (const column of columns) {
      signal?.throwIfAborted();
      const width = Math.min(tile, picture.width);
      const height = Math.min(tile, picture.height);
      const answer = await run(await createImageBitmap(picture, column.start, row.start, width, height));
      signal?.throwIfAborted();
      const [left, top, wide, high] = [column.from - column.start, row.from - row.start, column.to - column.from, row.to - row.from].map((n) => n * scale);
      target.putImageData(answer, column.start * scale, row.start * scale, left, top, wide, high);
      if (view) {
        const share = view.canvas.width / target.canvas.width;
        const [x, y] = [column.from * scale * share, row.from * scale * share];
        // Not from the large canvas: it would copy itself for each look at it.
        const part = await createImageBitmap(answer, left, top, wide, high);
        view.drawImage(part, x, y, wide * share, high * share);
        part.close();
      }
      onShare?.(++done / (rows.length * columns.length));
      await breathe();
    }
  }
}
