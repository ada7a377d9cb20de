/**
 * Pictures in, numbers out: what the example models expect of a photo and how their outputs are read.
 *
 * A picture is a canvas. A box is `{ left, top, right, bottom }` in its pixels.
 */

import { PageError } from "./page.js";

/** @typedef {HTMLCanvasElement | OffscreenCanvas} Picture */
/** @typedef {{ left: number, top: number, right: number, bottom: number }} Box */
/** @typedef {{ score: number, box: Box, points: number[][] }} Face its points are eyes, nose, mouth, ears */
/** @typedef {{ x: number, y: number, side: number, angle: number }} View a square, by its middle, turned */

/** @param {string} url */
export async function loadPicture(url) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    throw new PageError("nosample");
  }
  return cut(image, { left: 0, top: 0, right: image.naturalWidth, bottom: image.naturalHeight });
}

/**
 * Gives a canvas with a part of a picture, pixel by pixel.
 *
 * @param {CanvasImageSource} picture
 * @param {Box} box
 */
export function cut(picture, { left, top, right, bottom }) {
  const { canvas, context } = blank(right - left, bottom - top);
  context.drawImage(picture, -left, -top);
  return canvas;
}

/**
 * @param {number} width
 * @param {number} height
 */
export function blank(width, height) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  return { canvas, context };
}

/**
 * Gives a picture's colours as a float32 tensor [height, width, 3] in 0..1.
 *
 * @param {any} tf
 * @param {Picture} picture
 */
export function colours(tf, picture) {
  return tf.tidy(() => tf.browser.fromPixels(picture).toFloat().div(255));
}

/**
 * Gives the picture, padded to a square, as [1, size, size, 3] in -1..1.
 *
 * @param {any} tf
 * @param {Picture} picture
 * @param {number} size
 */
export function squareInput(tf, picture, size) {
  return tf.tidy(() => {
    const { width, height } = picture;
    const side = Math.max(width, height);
    const [x, y] = squareOffset(picture);
    const padded = tf.pad(tf.browser.fromPixels(picture).toFloat(), [
      [y, side - height - y],
      [x, side - width - x],
      [0, 0],
    ]);
    return tf.image.resizeBilinear(padded, [size, size], false, true).div(127.5).sub(1).expandDims(0);
  });
}

/** @param {Picture} picture */
function squareOffset({ width, height }) {
  const side = Math.max(width, height);
  return [Math.floor((side - width) / 2), Math.floor((side - height) / 2)];
}

/**
 * BlazeFace looks from the centres of two grids: 16 x 16 with two guesses a cell, then 8 x 8 with six.
 *
 * @param {number} size
 */
function anchors(size) {
  const grids = [
    { cells: 16, guesses: 2 },
    { cells: 8, guesses: 6 },
  ];
  return grids.flatMap(({ cells, guesses }) =>
    Array.from({ length: cells * cells * guesses }, (_, i) => {
      const cell = Math.floor(i / guesses);
      const step = size / cells;
      return [((cell % cells) + 0.5) * step, (Math.floor(cell / cells) + 0.5) * step];
    }),
  );
}

/**
 * Reads BlazeFace's four outputs: scores [1, n, 1] and geometry [1, n, 16] for n = 512 and n = 384 guesses.
 *
 * @param {any[]} outputs
 * @param {Picture} picture
 * @param {number} size
 * @returns {Promise<Face[]>} best first
 */
export async function readFaces(outputs, picture, size) {
  /**
   * @param {number} guesses
   * @param {number} numbers
   * @returns {Promise<Float32Array>}
   */
  const read = (guesses, numbers) => {
    const found = outputs.find(({ shape }) => shape[1] === guesses && shape[2] === numbers);
    if (!found) throw new Error(`The face model has no output [1, ${guesses}, ${numbers}].`);
    return found.data();
  };
  const groups = await Promise.all([512, 384].map(async (n) => [await read(n, 1), await read(n, 16)]));
  const centres = anchors(size);
  const scale = Math.max(picture.width, picture.height) / size;
  const [offsetX, offsetY] = squareOffset(picture);
  /** @type {Face[]} */
  const faces = [];
  let guess = 0;
  for (const [scores, geometry] of groups) {
    for (let i = 0; i < scores.length; i++, guess++) {
      const score = 1 / (1 + Math.exp(-scores[i]));
      if (score < 0.5) continue;
      const [anchorX, anchorY] = centres[guess];
      const at = (/** @type {number} */ k) => [
        (geometry[i * 16 + k] + anchorX) * scale - offsetX,
        (geometry[i * 16 + k + 1] + anchorY) * scale - offsetY,
      ];
      const [x, y] = at(0);
      const halfWidth = (geometry[i * 16 + 2] * scale) / 2;
      const halfHeight = (geometry[i * 16 + 3] * scale) / 2;
      const box = { left: x - halfWidth, top: y - halfHeight, right: x + halfWidth, bottom: y + halfHeight };
      faces.push({ score, box, points: [4, 6, 8, 10, 12, 14].map(at) });
    }
  }
  return withoutOverlaps(faces.sort((a, b) => b.score - a.score));
}

/** @param {Face[]} faces */
function withoutOverlaps(faces) {
  /** @type {Face[]} */
  const kept = [];
  for (const face of faces) if (kept.every((other) => overlap(face.box, other.box) < 0.3)) kept.push(face);
  return kept;
}

/**
 * @param {Box} a
 * @param {Box} b
 */
function overlap(a, b) {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  return (width * height) / (area(a) + area(b) - width * height);
}

/** @param {Box} box */
function area({ left, top, right, bottom }) {
  return (right - left) * (bottom - top);
}

/**
 * Where FaceMesh looks: a square half as large again as the face, turned so that the eyes are level.
 *
 * @param {Face} face
 * @returns {View}
 */
export function meshView({ box, points: [rightEye, leftEye] }) {
  return {
    x: (box.left + box.right) / 2,
    y: (box.top + box.bottom) / 2,
    side: 1.5 * Math.max(box.right - box.left, box.bottom - box.top),
    angle: Math.atan2(leftEye[1] - rightEye[1], leftEye[0] - rightEye[0]),
  };
}

/**
 * Gives the largest square in the middle as [1, size, size, 3] in 0..1.
 *
 * @param {any} tf
 * @param {Picture} picture
 * @param {number} size
 */
export function middleInput(tf, picture, size) {
  const side = Math.min(picture.width, picture.height);
  const { canvas, context } = blank(size, size);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (picture.width - side) / 2, (picture.height - side) / 2, side, side, 0, 0, size, size);
  return tf.tidy(() => colours(tf, canvas).expandDims(0));
}

/**
 * Gives the whole picture, stretched to a square, as [1, size, size, 3] in 0..1.
 *
 * @param {any} tf
 * @param {Picture} picture
 * @param {number} size
 */
export function stretchedInput(tf, picture, size) {
  return tf.tidy(() => tf.image.resizeBilinear(colours(tf, picture), [size, size], false, true).expandDims(0));
}

/**
 * Gives a canvas with those parts of a picture that a mask has, all else transparent.
 *
 * @param {Picture} picture
 * @param {ArrayLike<number>} mask 0..1 for each of `size` x `size` cells that the picture is stretched to
 * @param {number} size
 */
export function cutOut(picture, mask, size) {
  const { canvas: alpha, context: drawing } = blank(size, size);
  const pixels = drawing.createImageData(size, size);
  for (let i = 0; i < mask.length; i++) pixels.data[4 * i + 3] = Math.round(255 * mask[i]);
  drawing.putImageData(pixels, 0, 0);
  const { canvas, context } = blank(picture.width, picture.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(alpha, 0, 0, picture.width, picture.height);
  context.globalCompositeOperation = "source-in";
  context.drawImage(picture, 0, 0);
  return canvas;
}

/**
 * Gives what lies in a view as [1, size, size, 3] in 0..1.
 *
 * @param {any} tf
 * @param {Picture} picture
 * @param {View} view
 * @param {number} size
 */
export function viewInput(tf, picture, view, size) {
  const { canvas, context } = blank(size, size);
  context.imageSmoothingQuality = "high";
  context.translate(size / 2, size / 2);
  context.rotate(-view.angle);
  context.scale(size / view.side, size / view.side);
  context.drawImage(picture, -view.x, -view.y);
  return tf.tidy(() => colours(tf, canvas).expandDims(0));
}

/**
 * Brings points x, y, z of a view back to the picture.
 *
 * @param {ArrayLike<number>} values
 * @param {View} view
 * @param {number} size
 * @returns {number[][]}
 */
export function fromView(values, view, size) {
  const [cos, sin, scale] = [Math.cos(view.angle), Math.sin(view.angle), view.side / size];
  const points = [];
  for (let i = 0; i < values.length; i += 3) {
    const [x, y] = [values[i] - size / 2, values[i + 1] - size / 2];
    points.push([view.x + (x * cos - y * sin) * scale, view.y + (x * sin + y * cos) * scale]);
  }
  return points;
}

/**
 * Gives where the emotion model looks: a square with ten pixels around the face, as far as the picture goes.
 *
 * @param {Picture} picture
 * @param {Box} box
 * @returns {Box}
 */
export function aroundFace(picture, { left, top, right, bottom }) {
  const half = Math.max(right - left, bottom - top) / 2 + 10;
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return {
    left: Math.max(0, Math.round(x - half)),
    top: Math.max(0, Math.round(y - half)),
    right: Math.min(picture.width, Math.round(x + half)),
    bottom: Math.min(picture.height, Math.round(y + half)),
  };
}

/**
 * Gives a square around a box as a canvas; what lies outside of the picture is black.
 *
 * @param {Picture} picture
 * @param {Box} box
 * @param {number} scale sides of the square in those of the box
 * @param {number} size of the canvas in pixels
 */
export function closeUp(picture, { left, top, right, bottom }, scale, size) {
  const side = scale * Math.max(right - left, bottom - top);
  const { canvas, context } = blank(size, size);
  context.fillRect(0, 0, size, size);
  context.imageSmoothingQuality = "high";
  const [x, y] = [(left + right - side) / 2, (top + bottom - side) / 2];
  context.drawImage(picture, x, y, side, side, 0, 0, size, size);
  return canvas;
}

/**
 * Gives the face and a little around it in grey as [1, size, size, 1] in -1..1.
 *
 * @param {any} tf
 * @param {Picture} picture
 * @param {Box} box
 * @param {number} size
 */
export function greyFaceInput(tf, picture, box, size) {
  const face = cut(picture, aroundFace(picture, box));
  return tf.tidy(() => {
    const grey = colours(tf, face).mul([0.299, 0.587, 0.114]).sum(2, true);
    return tf.image.resizeBilinear(grey, [size, size], false, true).sub(0.5).mul(2).expandDims(0);
  });
}

/**
 * Gives a copy of a picture with the same noise every time; `strength` is its deviation, 1 being white.
 *
 * @param {Picture} picture
 * @param {number} strength
 */
export function withNoise(picture, strength) {
  const copy = cut(picture, { left: 0, top: 0, right: picture.width, bottom: picture.height });
  const context = /** @type {CanvasRenderingContext2D} */ (copy.getContext("2d"));
  const pixels = context.getImageData(0, 0, copy.width, copy.height);
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / 2 ** 32;
  };
  for (let i = 0; i < pixels.data.length; i++) {
    if (i % 4 === 3) continue;
    pixels.data[i] += 255 * strength * Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
  }
  context.putImageData(pixels, 0, 0);
  return copy;
}

/**
 * Gives the peak signal-to-noise ratio of two pictures of one size in dB.
 *
 * @param {HTMLCanvasElement} one
 * @param {HTMLCanvasElement} other
 */
export function psnr(one, other) {
  const [a, b] = [one, other].map((picture) => {
    const context = /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d"));
    return context.getImageData(0, 0, one.width, one.height).data;
  });
  let sum = 0;
  for (let i = 0; i < a.length; i++) if (i % 4 !== 3) sum += (a[i] - b[i]) ** 2;
  return 10 * Math.log10(255 ** 2 / (sum / (a.length * 0.75)));
}

/**
 * Gives the canvas of a tensor [1, height, width, 3] in 0..1.
 *
 * @param {any} tf
 * @param {any} tensor
 */
export async function toPicture(tf, tensor) {
  const { canvas } = blank(tensor.shape[2], tensor.shape[1]);
  const clipped = tf.tidy(() => tensor.squeeze([0]).clipByValue(0, 1));
  await tf.browser.toPixels(clipped, canvas);
  clipped.dispose();
  return canvas;
}
