/*! Shardpress pictures in and out */
import { makeCanvas, opening, toDrawable } from "./pixels.js";

/** @import { Failure, Picture, Pixels } from "./pixels.js" */

/** @typedef {{ name: string, input: string, channels: number, dtype: "int32" | "float32", unit?: boolean, batch?: boolean,
 *   crop?: [number, number, number, number], resize?: { method: "bicubic" | "area", size: [number, number], halfPixel?: boolean } }} PictureInput */
/** @typedef {{ name: string, output: string, type: string, quality?: number }} PictureOutput */
/** @typedef {{ inputs?: PictureInput[], outputs?: PictureOutput[] }} Glue */
/** @typedef {"canvas" | "imagedata" | "bitmap" | "blob"} PictureForm */

/**
 * What the loader lends: TensorFlow.js, the model, and what its head says.
 *
 * @typedef {{ tf: any, model: any, head: { glue?: Glue } }} Lent
 */

/**
 * Does what was cut off a model around running it.
 *
 * @param {Lent} lent
 * @param {Picture | Record<string, any>} given a picture, or pictures and tensors by name
 * @param {{ as?: PictureForm }} options
 * @param {unknown} _
 * @param {new (code: "contract", message: string) => Error} ModelError
 */
export async function run({ tf, model, head }, given, { as = "canvas" }, _, ModelError) {
  const { inputs = [], outputs = [] } = head.glue ?? {};
  const plain = Object.getPrototypeOf(given) === Object.prototype;
  if (!plain && inputs.length !== 1) {
    throw new ModelError("contract", `The model takes ${inputs.length} pictures: give run an object of its inputs by name`);
  }
  /** @type {Record<string, any>} */
  const fed = {};
  /** @type {any[]} */
  const own = [];
  try {
    for (const [key, value] of Object.entries(plain ? given : { [inputs[0].name]: given })) {
      const spec = inputs.find(({ name }) => name === key);
      const made = spec && !(value instanceof tf.Tensor);
      const tensor = made ? toTensor(ModelError, tf, await toPixels(value, ModelError), spec) : value;
      if (made) own.push(tensor);
      fed[spec ? spec.input : key] = tensor;
    }
    const names = Object.keys(model.modelSignature.outputs);
    let found;
    try {
      found = model.execute({ ...fed }, names);
    } catch {
      // Only loops and branches of the graph need the slower way.
      found = await model.executeAsync({ ...fed }, names);
    }
    const answers = [found].flat();
    /** @type {Record<string, any>} */
    const result = {};
    for (const [i, name] of names.entries()) {
      const spec = outputs.find(({ output }) => output === name);
      if (spec) own.push(answers[i]);
      result[spec ? spec.name : name] = spec ? await fromTensor(answers[i], spec, as) : answers[i];
    }
    return names.length > 1 ? result : Object.values(result)[0];
  } finally {
    tf.dispose(own);
  }
}

/**
 * @param {any} picture
 * @param {Failure} ModelError
 * @returns {Promise<Pixels>}
 */
export async function toPixels(picture, ModelError) {
  if (picture.data && picture.width) return picture;
  return opening(ModelError, async () => {
    const { drawn, width, height, close } = await toDrawable(picture, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
    const { context } = makeCanvas(width, height);
    context.drawImage(drawn, 0, 0, width, height);
    close();
    return context.getImageData(0, 0, width, height);
  });
}

/**
 * @param {new (code: "contract", message: string) => Error} ModelError
 * @param {any} tf
 * @param {Pixels} pixels
 * @param {PictureInput} spec
 */
export function toTensor(ModelError, tf, pixels, { channels, dtype, unit, batch, crop, resize }) {
  const { data } = pixels;
  const [top, left, height, width] = crop ?? [0, 0, pixels.height, pixels.width];
  if (top + height > pixels.height || left + width > pixels.width) {
    const needed = `${left + width} x ${top + height}`;
    throw new ModelError("contract", `The picture is ${pixels.width} x ${pixels.height}: the model needs at least ${needed}`);
  }
  const values = new Float32Array(width * height * channels);
  const scale = unit ? 255 : 1;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0, j = 4 * ((top + y) * pixels.width + left); x < width; x++, j += 4) {
      if (channels === 1) values[i++] = Math.round(0.299 * data[j] + 0.587 * data[j + 1] + 0.114 * data[j + 2]) / scale;
      else for (let c = 0; c < channels; c++) values[i++] = data[j + c] / scale;
    }
  }
  return tf.tidy(() => {
    let tensor = tf.tensor(values, [height, width, channels], resize ? "float32" : dtype);
    if (resize) {
      const [rows, columns] = resize.size;
      const { method, halfPixel } = resize;
      tensor = tf.matMul(resizing(tf, method, height, rows, halfPixel), tensor.reshape([height, width * channels]));
      tensor = tf.matMul(resizing(tf, method, width, columns, halfPixel).expandDims(0), tensor.reshape([rows, width, channels]));
    }
    return batch ? tensor.expandDims(0) : tensor;
  });
}

/**
 * Gives the matrix that resizes along one axis as TensorFlow's ResizeBicubic and ResizeArea do.
 *
 * @param {any} tf
 * @param {string} method
 * @param {number} from
 * @param {number} to
 * @param {boolean} [halfPixel]
 */
function resizing(tf, method, from, to, halfPixel) {
  const matrix = tf.buffer([to, from]);
  const scale = from / to;
  for (let row = 0; row < to; row++) {
    /** @type {[number, number][]} */
    const taps = [];
    if (method === "area") {
      const begin = row * scale;
      const end = begin + scale;
      for (let i = Math.floor(begin); i < end; i++) taps.push([i, (Math.min(i + 1, end) - Math.max(i, begin)) / scale]);
    } else {
      const at = halfPixel ? (row + 0.5) * scale - 0.5 : row * scale;
      const a = halfPixel ? -0.5 : -0.75;
      const base = Math.floor(at);
      // TensorFlow looks its weights up in a table of 1024 steps.
      const part = Math.round((at - base) * 1024) / 1024;
      for (let i = -1; i < 3; i++) {
        const x = Math.abs(i - part);
        taps.push([base + i, x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a]);
      }
    }
    const inside = halfPixel ? taps.filter(([i]) => i >= 0 && i < from) : taps;
    const sum = halfPixel ? inside.reduce((total, [, weight]) => total + weight, 0) : 1;
    for (const [i, weight] of inside) {
      const column = Math.min(Math.max(i, 0), from - 1);
      matrix.set(matrix.get(row, column) + weight / sum, row, column);
    }
  }
  return matrix.toTensor();
}

/**
 * @param {any} tensor
 * @param {PictureOutput} spec
 * @param {PictureForm} as
 */
async function fromTensor(tensor, { type, quality }, as) {
  const [height, width, channels] = tensor.shape.slice(-3);
  const values = await tensor.data();
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = values[i * channels + (channels < 3 ? 0 : c)];
    image.data[4 * i + 3] = channels % 2 ? 255 : values[i * channels + channels - 1];
  }
  if (as === "imagedata") return image;
  if (as === "bitmap") return createImageBitmap(image);
  const { canvas, context } = makeCanvas(width, height);
  context.putImageData(image, 0, 0);
  if (as !== "blob") return canvas;
  return canvas.convertToBlob ? canvas.convertToBlob({ type, quality }) : new Promise((done) => canvas.toBlob(done, type, quality));
}
