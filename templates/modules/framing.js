/** From a picture to the tensor that a model takes. */

import { makeCanvas, overBlack, toDrawable } from "./pixels.js";
import { matrixOf, spanOf, tapsOf } from "./taps.js";

/** @import { Picture, Pixels } from "./pixels.js" */
/** @import { Method, Taps } from "./taps.js" */

/**
 * How a picture becomes an input; docs/format.md says what each entry means.
 *
 * @typedef {{ input: string, size?: [number, number], fit: "stretch" | "cover" | "contain" | "letterbox", share: number,
 *   colour: [number, number, number], channels: "rgb" | "bgr" | "grey", resize: Method, scale: number[], offset: number[],
 *   dtype: "float32" | "int32", first?: boolean, rank: number }} PictureSpec
 */

/**
 * Where a picture lies in the model's: input = source * scale + offset.
 *
 * @typedef {{ width: number, height: number, scaleX: number, scaleY: number, left: number, top: number,
 *   inputWidth: number, inputHeight: number }} Frame
 */

/**
 * What is cut out of the source, how large that becomes, and where it is put: rows first.
 *
 * @typedef {{ box: number[], inner: [number, number], outer: [number, number], at: [number, number] }} Plan
 */

const most = 1 << 24; // pixels that are read; the browser shrinks larger pictures
const longest = 4096; // side that every device takes as a texture
const small = 1 << 20; // pixels of a picture in memory that script resizes sooner than it becomes a texture

/**
 * @param {any} tf
 * @param {Picture} picture
 * @param {PictureSpec} spec
 * @returns {Promise<{ tensor: any, frame: Frame }>}
 */
export async function toInput(tf, picture, spec) {
  const given = /** @type {any} */ (picture);
  const opened = given.data && given.width ? undefined : await toDrawable(picture);
  try {
    const { width, height } = opened ?? given;
    const kept = opened && width * height <= small && isInMemory(opened.drawn);
    const onDevice = opened && !kept && Math.max(width, height) <= longest && /^webg/.test(tf.getBackend());
    const pixels = onDevice ? undefined : opened ? read(opened.drawn, width, height) : overBlack(given);
    // Pixels may be fewer than the picture has.
    const raster = pixels ?? { width, height };
    const plan = planOf(spec, raster.width, raster.height);
    const { box, inner, outer, at } = plan;
    const [high, wide] = [inner[0] / box[2], inner[1] / box[3]];
    const frame = {
      width,
      height,
      scaleX: (wide * raster.width) / width,
      scaleY: (high * raster.height) / height,
      left: at[1] - box[1] * wide,
      top: at[0] - box[0] * high,
      inputWidth: outer[1],
      inputHeight: outer[0],
    };
    const taps = {
      rows: tapsOf(spec.resize, box[0], box[2], inner[0], raster.height),
      columns: tapsOf(spec.resize, box[1], box[3], inner[1], raster.width),
    };
    const tensor = tf.tidy(() => {
      const whole = pixels ? inScript(tf, pixels, taps, plan, spec) : inKernels(tf, opened && flat(opened.drawn, picture), raster, taps, plan, spec);
      const shaped = spec.first ? whole.transpose([2, 0, 1]) : whole;
      return (spec.rank > 3 ? shaped.expandDims(0) : shaped).cast(spec.dtype);
    });
    return { tensor, frame };
  } finally {
    opened?.close();
  }
}

/** Whether a canvas holds its pixels where script reads them: what goes to the GPU is less when it has been made smaller. @param {any} drawn */
const isInMemory = (drawn) => Boolean(drawn.getContext?.("2d")?.getContextAttributes?.().willReadFrequently);

/**
 * Gives what can become a texture as it is: without transparency, which textures of other things keep the colours of.
 *
 * @param {any} drawn
 * @param {any} given
 */
function flat(drawn, given) {
  if (drawn !== given || drawn.videoWidth) return drawn;
  const { naturalWidth, displayWidth = drawn.width, naturalHeight, displayHeight = drawn.height } = drawn;
  const { canvas, context } = makeCanvas(naturalWidth ?? displayWidth, naturalHeight ?? displayHeight, false);
  context.drawImage(drawn, 0, 0);
  return canvas;
}

/**
 * @param {PictureSpec} spec
 * @param {number} width
 * @param {number} height
 * @returns {Plan}
 */
function planOf({ size, fit, share }, width, height) {
  const [rows, columns] = size ?? [height, width];
  const all = [0, 0, height, width];
  if (!size || fit === "stretch") return { box: all, inner: [rows, columns], outer: [rows, columns], at: [0, 0] };
  if (fit === "cover") {
    const part = share * Math.min(height / rows, width / columns);
    const [high, wide] = [rows * part, columns * part];
    return { box: [(height - high) / 2, (width - wide) / 2, high, wide], inner: [rows, columns], outer: [rows, columns], at: [0, 0] };
  }
  const factor = Math.min(rows / height, columns / width);
  /** @type {[number, number]} */
  const inner = [Math.max(1, Math.round(height * factor)), Math.max(1, Math.round(width * factor))];
  if (fit === "contain") return { box: all, inner, outer: inner, at: [0, 0] };
  return { box: all, inner, outer: [rows, columns], at: [(rows - inner[0]) >> 1, (columns - inner[1]) >> 1] };
}

/** @param {any} drawn @param {number} width @param {number} height */
function read(drawn, width, height) {
  const shrink = Math.min(1, Math.sqrt(most / (width * height)));
  const [wide, high] = [Math.max(1, Math.floor(width * shrink)), Math.max(1, Math.floor(height * shrink))];
  const { context } = makeCanvas(wide, high, false);
  context.imageSmoothingQuality = "high";
  context.drawImage(drawn, 0, 0, wide, high);
  return context.getImageData(0, 0, wide, high);
}

/** @param {PictureSpec} spec which of a pixel's bytes are the channels */
const orderOf = ({ channels }) => (channels === "grey" ? [0] : channels === "bgr" ? [2, 1, 0] : [0, 1, 2]);

/** Red, green and blue as one, by ITU-R 601. @param {ArrayLike<number>} p @param {number} i */
const greyOf = (p, i) => Math.round(0.299 * p[i] + 0.587 * p[i + 1] + 0.114 * p[i + 2]);

/**
 * Resizes on the processor, first along rows, as Pillow does.
 *
 * @param {any} tf
 * @param {Pixels} pixels
 * @param {{ rows: Taps, columns: Taps }} taps
 * @param {Plan} plan
 * @param {PictureSpec} spec
 */
function inScript(tf, { data, width }, { rows, columns }, { inner, outer, at }, spec) {
  const order = orderOf(spec);
  const count = order.length;
  const grey = spec.channels === "grey";
  const [first, last] = spanOf(rows);
  const wide = inner[1];
  const thin = new Float32Array((last - first) * wide * count);
  for (let y = first, i = 0; y < last; y++) {
    for (const { start, weights } of columns) {
      for (const c of order) {
        let sum = 0;
        for (let k = 0, j = 4 * (y * width + start); k < weights.length; k++, j += 4) sum += weights[k] * (grey ? greyOf(data, j) : data[j + c]);
        thin[i++] = sum;
      }
    }
  }
  const [scales, offsets] = [order.map((_, c) => pick(spec.scale, c)), order.map((_, c) => pick(spec.offset, c))];
  const values = new Float32Array(outer[0] * outer[1] * count);
  const edge = order.map((from, c) => spec.colour[from] * scales[c] + offsets[c]);
  if (outer[0] > inner[0] || outer[1] > wide) for (let i = 0; i < values.length; i++) values[i] = edge[i % count];
  rows.forEach(({ start, weights }, y) => {
    let to = ((y + at[0]) * outer[1] + at[1]) * count;
    for (let x = 0; x < wide * count; x++) {
      let sum = 0;
      for (let k = 0, j = (start - first) * wide * count + x; k < weights.length; k++, j += wide * count) sum += weights[k] * thin[j];
      const c = x % count;
      values[to++] = Math.min(Math.max(Math.round(sum), 0), 255) * scales[c] + offsets[c];
    }
  });
  return tf.tensor(values, [outer[0], outer[1], count]);
}

/** @param {number[]} list one for all channels, or one each @param {number} channel */
const pick = (list, channel) => list[list.length > 1 ? channel : 0];

/**
 * Resizes where the picture is already: by products with matrices of taps, or with the kernel that does the same. A kernel less
 * is a moment less of each frame of a video.
 *
 * @param {any} tf
 * @param {any} drawn
 * @param {{ width: number, height: number }} raster
 * @param {{ rows: Taps, columns: Taps }} taps
 * @param {Plan} plan
 * @param {PictureSpec} spec
 */
function inKernels(tf, drawn, { width, height }, { rows, columns }, { box, inner, outer, at }, spec) {
  const order = orderOf(spec);
  const count = order.length;
  let x = tf.browser.fromPixels(drawn, 3).toFloat();
  if (spec.channels === "bgr") x = tf.reverse(x, 2);
  if (spec.channels === "grey") x = tf.round(tf.sum(tf.mul(x, [0.299, 0.587, 0.114]), 2, true));
  const whole = box[2] === height && box[3] === width;
  const [sameRows, sameColumns] = [whole && inner[0] === height, whole && inner[1] === width];
  if (whole && spec.resize === "bilinear") {
    if (!(sameRows && sameColumns)) x = tf.round(tf.image.resizeBilinear(x, inner, false, true));
  } else {
    if (!sameRows) x = tf.matMul(matrixOf(tf, rows, height), x.reshape([height, width * count])).reshape([inner[0], width, count]);
    if (!sameColumns) {
      // Columns come first now, so that one product does all rows.
      x = tf.matMul(matrixOf(tf, columns, width), x.transpose([1, 0, 2]).reshape([width, inner[0] * count]));
      x = x.reshape([inner[1], inner[0], count]).transpose([1, 0, 2]);
    }
    if (!(sameRows && sameColumns)) x = tf.clipByValue(tf.round(x), 0, 255);
  }
  if (outer[0] > inner[0] || outer[1] > inner[1]) {
    const pads = [...outer.map((n, axis) => [at[axis], n - inner[axis] - at[axis]]), [0, 0]];
    const colour = order.map((from) => spec.colour[from]);
    const even = colour.every((value) => value === colour[0]);
    x = even ? tf.pad(x, pads, colour[0]) : tf.add(tf.pad(tf.sub(x, colour), pads), colour);
  }
  if (spec.scale.some((value) => value !== 1)) x = tf.mul(x, spec.scale);
  return spec.offset.some((value) => value !== 0) ? tf.add(x, spec.offset) : x;
}
