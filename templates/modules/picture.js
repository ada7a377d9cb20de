/*! Shardpress answers: pictures */
import { makeCanvas } from "./pixels.js";

/** @import { Answering } from "./answers.js" */

/**
 * Makes a picture of an output: numbers of a range, with 1, 3 or 4 channels.
 *
 * @param {Answering} answering
 * @param {{ as?: "canvas" | "imagedata" | "bitmap" | "blob", type?: string, quality?: number }} options
 */
export async function answer({ tf, outputs, spec }, { as = "canvas", type = "image/png", quality } = {}) {
  const tensor = spec.output ? outputs[spec.output] : Object.values(outputs)[0];
  const last = tf.tidy(() => {
    const one = tensor.shape.length > 3 ? tensor.squeeze([0]) : tensor;
    return spec.first ? one.transpose([1, 2, 0]) : one.clone();
  });
  const [height, width, channels] = last.shape;
  const values = await last.data();
  last.dispose();
  const [low, high] = spec.range;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    // ImageData rounds and clamps.
    const at = (/** @type {number} */ c) => ((values[i * channels + c] - low) / (high - low)) * 255;
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = at(channels < 3 ? 0 : spec.channels === "bgr" ? 2 - c : c);
    image.data[4 * i + 3] = channels % 2 ? 255 : at(channels - 1);
  }
  if (as === "imagedata") return image;
  if (as === "bitmap") return createImageBitmap(image);
  const { canvas, context } = makeCanvas(width, height);
  context.putImageData(image, 0, 0);
  if (as !== "blob") return canvas;
  return canvas.convertToBlob ? canvas.convertToBlob({ type, quality }) : new Promise((done) => canvas.toBlob(done, type, quality));
}
