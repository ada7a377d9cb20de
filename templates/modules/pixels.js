/** Pixels of whatever shows a picture. */

/**
 * A picture: encoded bytes, an element, pixels, or a bitmap.
 *
 * @typedef {ArrayBuffer | Uint8Array | Blob | CanvasImageSource | ImageData} Picture
 */

/** @typedef {{ data: ArrayLike<number>, width: number, height: number }} Pixels RGBA, row by row */
/** @typedef {CanvasRenderingContext2D} Context2D */

/**
 * @param {number} width
 * @param {number} height
 * @param {boolean} [alpha] whether what is transparent stays so; else it is black
 */
export function makeCanvas(width, height, alpha = true) {
  const canvas = globalThis.document ? document.createElement("canvas") : new OffscreenCanvas(width, height);
  Object.assign(canvas, { width, height });
  const context = /** @type {Context2D} */ (canvas.getContext("2d", { willReadFrequently: true, alpha }));
  return { canvas: /** @type {any} */ (canvas), context };
}

/**
 * Decodes what is encoded; gives what a canvas draws, its size, and what frees it.
 *
 * @param {any} picture
 * @param {ImageBitmapOptions} [options] of the decoder
 */
export async function toDrawable(picture, options) {
  const encoded = picture instanceof ArrayBuffer || ArrayBuffer.isView(picture) ? new Blob([/** @type {any} */ (picture)]) : picture;
  const drawn = encoded instanceof Blob ? await createImageBitmap(encoded, options) : encoded;
  await drawn.decode?.();
  const width = drawn.naturalWidth ?? drawn.videoWidth ?? drawn.displayWidth ?? drawn.width;
  const height = drawn.naturalHeight ?? drawn.videoHeight ?? drawn.displayHeight ?? drawn.height;
  return { drawn, width, height, close: () => void (drawn !== encoded && drawn.close()) };
}

/** Whether something shows a picture, as far as its kind tells. @param {any} value */
export const isPicture = (value) =>
  value instanceof ArrayBuffer || ArrayBuffer.isView(value) || value instanceof Blob || (typeof value === "object" && value && ("width" in value || "videoWidth" in value || "displayWidth" in value));
