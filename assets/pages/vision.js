/** What the pages do with pictures themselves: which part of one a model looks at, and where that lies. */

import { PageError } from "./page.js";

/** @typedef {HTMLCanvasElement | OffscreenCanvas | ImageBitmap | VideoFrame} Picture */
/** @typedef {{ x: number, y: number }} Point */
/** @typedef {Point & { width: number, height: number }} Rectangle */
/** @typedef {Rectangle & { score: number, points: Point[] }} Face its points are eyes, nose, mouth, ears */
/** @typedef {Point & { side: number, angle?: number }} View a square, by its middle, turned */

const meshSize = 192;

/** @param {string} url */
export async function loadPicture(url) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    throw new PageError("nosample");
  }
  return cut(image, { x: 0, y: 0, width: image.naturalWidth, height: image.naturalHeight });
}

/**
 * Gives a canvas with a part of a picture, pixel by pixel.
 *
 * @param {CanvasImageSource} picture
 * @param {Rectangle} part
 */
export function cut(picture, { x, y, width, height }) {
  const { canvas, context } = blank(width, height);
  context.drawImage(picture, -x, -y);
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

/** @param {Picture} picture @returns {{ width: number, height: number }} */
export const sizeOf = (picture) => ("displayWidth" in picture ? { width: picture.displayWidth, height: picture.displayHeight } : picture);

/**
 * Gives what lies in a view, for a model; there is nothing beyond the picture.
 *
 * @param {Picture} picture
 * @param {View} view
 * @param {number} size in pixels
 */
export function lookAt(picture, { x, y, side, angle = 0 }, size) {
  const canvas = new OffscreenCanvas(size, size);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.imageSmoothingQuality = "high";
  context.translate(size / 2, size / 2);
  context.rotate(-angle);
  context.scale(size / side, size / side);
  context.drawImage(picture, -x, -y);
  return canvas.transferToImageBitmap();
}

/**
 * Where FaceMesh looks: a square half as large again as the face, turned so that the eyes are level.
 *
 * @param {Face} face
 * @returns {View}
 */
export function meshView({ x, y, width, height, points: [rightEye, leftEye] }) {
  const angle = Math.atan2(leftEye.y - rightEye.y, leftEye.x - rightEye.x);
  return { x: x + width / 2, y: y + height / 2, side: 1.5 * Math.max(width, height), angle };
}

/**
 * Gives 468 points of a face, in the picture.
 *
 * @param {any} handle of the model
 * @param {Picture} picture
 * @param {Face} face
 * @returns {Promise<Point[]>}
 */
export async function readMesh(handle, picture, face) {
  const { x, y, side, angle = 0 } = meshView(face);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  /** @type {Point[]} */
  const points = await handle.run(lookAt(picture, { x, y, side, angle }, meshSize), { transfer: true });
  return points.map((point) => {
    const [right, down] = [point.x, point.y].map((place) => (place / meshSize - 0.5) * side);
    return { x: x + right * cos - down * sin, y: y + right * sin + down * cos };
  });
}

/**
 * Gives where the emotion model looks: a square with ten pixels around the face, as far as the picture goes.
 *
 * @param {Picture} picture
 * @param {Rectangle} face
 * @returns {Rectangle}
 */
export function aroundFace(picture, { x, y, width, height }) {
  const whole = sizeOf(picture);
  const half = Math.max(width, height) / 2 + 10;
  const [left, top] = [Math.max(0, Math.round(x + width / 2 - half)), Math.max(0, Math.round(y + height / 2 - half))];
  const right = Math.min(whole.width, Math.round(x + width / 2 + half));
  return { x: left, y: top, width: right - left, height: Math.min(whole.height, Math.round(y + height / 2 + half)) - top };
}

/**
 * Gives a canvas with those parts of a picture that a mask has, all else transparent.
 *
 * @param {Picture} picture
 * @param {{ toImageData: () => ImageData }} mask
 */
export function cutOut(picture, mask) {
  const { width, height } = sizeOf(picture);
  const { canvas, context } = blank(width, height);
  context.putImageData(mask.toImageData(), 0, 0);
  context.globalCompositeOperation = "source-in";
  context.drawImage(picture, 0, 0);
  return canvas;
}

/**
 * Gives a copy of a picture with the same noise every time; `strength` is its deviation, 1 being white.
 *
 * @param {Picture} picture
 * @param {number} strength
 */
export function withNoise(picture, strength) {
  const { width, height } = sizeOf(picture);
  const copy = cut(picture, { x: 0, y: 0, width, height });
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
