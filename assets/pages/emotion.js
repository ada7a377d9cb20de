/** What a face expresses: the detector finds the face, a small classifier looks at it. */
import { language } from "./texts.js";
import { aroundFace, lookAt } from "./vision.js";

/** @typedef {import("./vision.js").Face} Face */
/** @typedef {import("./vision.js").Picture} Picture */
/** @typedef {import("./bars.js").Row} Row */

const closeSize = 256;
/** A detector's lower scores are cups, and cats reach this one. */
const leastScore = 0.75;
/** How much of its surroundings is seen with a face at a closer look, in its own size: a cat is no face any more at one of them. */
const looks = [2, 3];
/** Pixels of a face's shorter side, below which it shows no expression: the classifier looks at 64. */
const leastSide = 32;

/** @type {Record<import("./texts.js").Language, Record<string, string>>} */
const names = {
  en: { angry: "angry", disgust: "disgusted", fear: "afraid", happy: "happy", sad: "sad", surprise: "surprised", neutral: "neutral" },
  zh: { angry: "生气", disgust: "厌恶", fear: "害怕", happy: "开心", sad: "难过", surprise: "惊讶", neutral: "平静" },
};

/** Below these a reading of a face is told as a guess: the best score, and how far the next one is. */
const sureScore = 0.5;
const sureLead = 0.15;

/**
 * Tells whether a reading is clear enough to be told as what it says.
 *
 * @param {Row[]} rows best first
 */
export const isClear = ([best, next]) => best.score >= sureScore && best.score - next.score >= sureLead;

/**
 * Gives a label of the emotion model in a language, the page's if none is named.
 *
 * @param {string} label
 */
export const emotionName = (label, as = language()) => names[as][label] ?? label;

/** At an edge of the picture faces reach beyond it: their middle is that of the face. */
export const wholeFaces = { clip: false };

/**
 * Gives all faces of a picture, the surest first.
 *
 * @param {any} detector a handle
 * @param {Picture} picture
 * @param {{ transfer?: boolean }} [options] whether nobody else needs the picture
 * @returns {Promise<Face[]>}
 */
export const findFaces = (detector, picture, options) => detector.run(picture, { ...wholeFaces, ...options });

/**
 * Tells whether a face may be one that shows an expression: probable and large enough.
 *
 * @param {Face} face
 */
export const showsExpression = ({ score, width, height }) => score >= leastScore && Math.min(width, height) >= leastSide;

/**
 * Looks at a face again, from closer by, and tells whether it is one each time.
 *
 * @param {any} detector a handle
 * @param {Picture} picture
 * @param {Face} face
 */
export async function isCertain(detector, picture, { x, y, width, height }) {
  for (const look of looks) {
    const view = { x: x + width / 2, y: y + height / 2, side: look * Math.max(width, height) };
    const [again] = await findFaces(detector, lookAt(picture, view, closeSize), { transfer: true });
    if (!again || again.score < leastScore) return false;
  }
  return true;
}

/**
 * Gives how sure the model is of each emotion, the likeliest first.
 *
 * @param {any} classifier a handle
 * @param {Picture} picture
 * @param {Face} face
 * @returns {Promise<Row[]>}
 */
export async function readEmotion(classifier, picture, face) {
  const { x, y, width, height } = aroundFace(picture, face);
  const close = await createImageBitmap(picture, x, y, Math.max(1, width), Math.max(1, height));
  return (await classifier.run(close, { transfer: true })).top;
}
