/*! Shardpress masks */
import { axis, best, between, nearest } from "./interpolation.js";
import { read, sigmoid, softmax, unreadable } from "./outputs.js";

/** @import { Activation, Frame, Given, Output } from "./outputs.js" */

/** @typedef {{ output?: string, layout?: "last" | "first", activation?: Activation, values?: "scores" | "classes", channel?: number,
 *   threshold?: number, background?: number }} MaskSpec */
/** @typedef {[number, number, number] | [number, number, number, number]} Colour red, green, blue, and alpha, 0 to 255 */
/** @typedef {{ label: string | undefined, index: number, share: number }} Shown a class, and its share of the pixels */

/**
 * A mask of the size of the source picture. `data` has the number of the class of each pixel or, if it is `soft`, 0 to 255:
 * how much of the object is there. `classes` are those that it shows, the largest first, without the background.
 *
 * `toImageData` paints it: a soft one in one colour, transparent where nothing is; classes each in a colour of its own.
 * `alpha` gives 255 where a class is, and a soft mask as it is.
 *
 * @typedef {{ width: number, height: number, data: Uint8Array, soft: boolean, classes: Shown[],
 *   toImageData(colour?: Colour | ((index: number) => Colour)): ImageData, alpha(index?: number): Uint8Array }} Mask
 */

/**
 * Reads the mask of one picture: scores become shares, are interpolated, and then decide.
 *
 * @param {Given<MaskSpec>} given
 * @param {{ threshold?: number, score?: number }} [options]
 * @returns {Promise<Mask>}
 */
export async function answer(given, options = {}) {
  const { spec, labels = [], frame } = given;
  const { background = 0 } = spec;
  const output = await read(given, spec.output);
  const shape = output.shape.length === 4 && output.shape[0] === 1 ? output.shape.slice(1) : output.shape;
  const first = spec.layout === "first" || shape.length < 3;
  if (shape.length < 2 || shape.length > 3 || !output.data.length) throw unreadable(given, output, "scores of one picture");
  const [channels, rows, columns] = shape.length < 3 ? [1, ...shape] : first ? shape : [shape[2], shape[0], shape[1]];
  const { channel } = spec;
  if (channel !== undefined && channel >= channels) throw unreadable(given, output, `a channel ${channel}`);
  const down = axis(rows, frame?.height, frame?.scaleY, frame?.top, frame?.inputHeight);
  const across = axis(columns, frame?.width, frame?.scaleX, frame?.left, frame?.inputWidth);
  const size = rows * columns;
  const [width, height] = [across.low.length, down.low.length];
  if (spec.values === "classes") {
    const at = first ? 1 : channels;
    const data = nearest(Array.from({ length: size }, (_, i) => output.data[i * at]), columns, down, across, background);
    return masked(given, data, width, height, labels);
  }
  const [planes, count] = shares(spec, output.data, size, channels, first);
  if (count > 256) throw unreadable(given, output, "at most 256 classes");
  if (count > 1) return masked(given, best(planes, count, columns, down, across, background), width, height, labels);
  const threshold = options.threshold ?? options.score ?? spec.threshold;
  const data = new Uint8Array(width * height);
  const { low, high, part, seen } = across;
  for (let y = 0, i = 0; y < height; y++) {
    const line = between(planes, columns, down, y);
    for (let x = 0; x < width; x++, i++) {
      if (!(seen[x] & down.seen[y])) continue;
      const share = line[low[x]] * (1 - part[x]) + line[high[x]] * part[x];
      // The array cuts off what is behind the point.
      if (threshold === undefined) data[i] = Math.min(Math.max(share, 0), 1) * 255 + 0.5;
      else if (share >= threshold) data[i] = 255;
    }
  }
  return masked(given, data, width, height);
}

/**
 * Gives the shares of the channels that count, cell by cell, and how many these channels are.
 *
 * @param {MaskSpec} spec
 * @param {ArrayLike<number>} data
 * @param {number} size
 * @param {number} channels
 * @param {boolean} first
 * @returns {[ArrayLike<number>, number]}
 */
function shares({ activation = "none", channel }, data, size, channels, first) {
  const count = channel === undefined ? channels : 1;
  const [step, apart] = first ? [size, 1] : [1, channels];
  if (count === channels && (!first || channels === 1) && (activation === "none" || (activation === "softmax" && count === 1))) return [data, count];
  const found = new Float64Array(size * count);
  for (let cell = 0; cell < size; cell++) {
    const spread = activation === "softmax" && channels > 1 ? softmax(data, cell * apart, channels, step) : undefined;
    for (let i = 0; i < count; i++) {
      const value = data[cell * apart + (channel ?? i) * step];
      found[cell * count + i] = spread ? spread[channel ?? i] : activation === "sigmoid" ? sigmoid(value) : value;
    }
  }
  return [found, count];
}

/**
 * @param {Given<MaskSpec>} given
 * @param {Uint8Array} data
 * @param {number} width
 * @param {number} height
 * @param {readonly string[]} [labels] of a mask of classes
 * @returns {Mask}
 */
function masked({ spec }, data, width, height, labels) {
  const { background = 0 } = spec;
  const counts = new Uint32Array(256);
  if (labels) for (const index of data) counts[index]++;
  const shown = Array.from(counts, (count, index) => ({ label: labels?.[index], index, share: count / data.length }));
  const classes = shown.filter(({ index, share }) => share && index !== background).sort((a, b) => b.share - a.share);
  return revive({ width, height, data, soft: !labels, classes }, { answer: spec });
}

/**
 * Gives a mask what it can do, of what is known of it: that is how it comes from a worker.
 *
 * @param {Omit<Mask, "toImageData" | "alpha">} known
 * @param {{ answer?: MaskSpec }} head of the model
 * @returns {Mask}
 */
export function revive({ width, height, data, soft, classes }, { answer: { background = 0 } = {} }) {
  return {
    ...{ width, height, data, soft, classes },
    toImageData(colour = soft ? [255, 255, 255] : hue) {
      const colours = Array.from({ length: 256 }, (_, index) => {
        const [red, green, blue, alpha = 255] = typeof colour === "function" ? colour(index) : colour;
        if (!soft) return index === background ? [0, 0, 0, 0] : [red, green, blue, alpha];
        return [red, green, blue, Math.round((alpha * index) / 255)];
      });
      const whole = new Uint32Array(Uint8Array.from(colours.flat()).buffer);
      const pixels = new Uint8ClampedArray(Uint32Array.from(data, (index) => whole[index]).buffer);
      return new ImageData(pixels, width, height);
    },
    alpha(index) {
      return soft ? data : data.map((found) => (index === undefined ? found !== background : found === index) ? 255 : 0);
    },
  };
}

/**
 * Colours that are far apart for classes that are next to each other: steps of the golden angle around the colour wheel.
 *
 * @param {number} index
 * @returns {Colour}
 */
function hue(index) {
  const [red, green, blue] = [0, 8, 4].map((n) => {
    const k = (n + (index * 137.508) / 30) % 12;
    return Math.round(255 * (0.5 - 0.5 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  });
  return [red, green, blue];
}
