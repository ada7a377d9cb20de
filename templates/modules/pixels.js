/** Pixels of whatever shows a picture. */

/**
 * A picture: encoded bytes, an element, pixels, or a bitmap.
 *
 * @typedef {ArrayBuffer | Uint8Array | Blob | CanvasImageSource | ImageData} Picture
 */

/** @typedef {new (code: "contract", message: string) => Error} Failure */
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
 * Does what needs the pixels of a picture, and says in words why a browser does not give them.
 *
 * @template T
 * @param {Failure} ModelError
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function opening(ModelError, work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    const { name, message } = error;
    const why = name === "SecurityError" ? "it is of another site, which does not let pages read it" : message;
    throw new ModelError("contract", `The picture cannot be opened: ${why}`);
  }
}

/** @param {string} why */
const unreadable = (why) => new DOMException(why, "InvalidStateError");

/**
 * Decodes what is encoded; gives what a canvas draws, its size, and what frees it.
 *
 * @param {any} picture
 * @param {ImageBitmapOptions} [options] of the decoder
 */
export async function toDrawable(picture, options) {
  const bytes = picture instanceof ArrayBuffer || ArrayBuffer.isView(picture);
  if ((bytes ? picture.byteLength : picture.size) === 0) throw unreadable("it has no bytes");
  const encoded = bytes ? new Blob([/** @type {any} */ (picture)]) : picture;
  const drawn = encoded instanceof Blob ? await createImageBitmap(encoded, options) : encoded;
  await drawn.decode?.();
  const width = drawn.naturalWidth ?? drawn.videoWidth ?? drawn.displayWidth ?? drawn.width;
  const height = drawn.naturalHeight ?? drawn.videoHeight ?? drawn.displayHeight ?? drawn.height;
  if (!(width && height)) throw unreadable("it has no pixels, or none yet");
  if (drawn.readyState < 2) throw unreadable("the video has no frame yet");
  return { drawn, width, height, close: () => void (drawn !== encoded && drawn.close()) };
}

/** Gives pixels with black behind what is transparent. @param {Pixels} pixels */
export function overBlack({ data, width, height }) {
  const made = Uint8ClampedArray.from(data);
  for (let i = 0; i < made.length; i += 4) {
    if (made[i + 3] < 255) for (let c = 0; c < 3; c++) made[i + c] = (made[i + c] * made[i + 3]) / 255;
  }
  return { data: made, width, height };
}

/** Whether something shows a picture, as far as its kind tells. @param {any} value */
export const isPicture = (value) =>
  value instanceof ArrayBuffer || ArrayBuffer.isView(value) || value instanceof Blob || (typeof value === "object" && value && ("width" in value || "videoWidth" in value || "displayWidth" in value));
