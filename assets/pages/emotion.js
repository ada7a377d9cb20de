/** What a face expresses: the detector finds the face, a small classifier looks at it. */
import { language } from "./texts.js";
import { closeUp, greyFaceInput, readFaces, squareInput } from "./vision.js";

/** @typedef {import("./vision.js").Face} Face */
/** @typedef {import("./vision.js").Picture} Picture */

const detectorSize = 256;
const emotionSize = 64;
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
 * Tells whether scores are clear enough to be told as what they say.
 *
 * @param {ArrayLike<number>} scores between 0 and 1
 */
export function isClear(scores) {
  const [best, next = 0] = Array.from(scores).sort((a, b) => b - a);
  return best >= sureScore && best - next >= sureLead;
}

/**
 * Gives a label of the emotion model in a language, the page's if none is named.
 *
 * @param {string} label
 */
export const emotionName = (label, as = language()) => names[as][label] ?? label;

/**
 * Gives all faces of a picture, the surest first.
 *
 * @param {any} tf
 * @param {any} model
 * @param {Picture} picture
 * @returns {Promise<Face[]>}
 */
export async function findFaces(tf, model, picture) {
  const input = squareInput(tf, picture, detectorSize);
  const outputs = model.execute(input);
  try {
    return await readFaces(outputs, picture, detectorSize);
  } finally {
    tf.dispose([input, outputs]);
  }
}

/**
 * Tells whether a face may be one that shows an expression: probable and large enough.
 *
 * @param {Face} face
 */
export const showsExpression = ({ score, box: { left, top, right, bottom } }) =>
  score >= leastScore && Math.min(right - left, bottom - top) >= leastSide;

/**
 * Looks at a face again, from closer by, and tells whether it is one each time.
 *
 * @param {any} tf
 * @param {any} model
 * @param {Picture} picture
 * @param {Face} face
 */
export async function isCertain(tf, model, picture, face) {
  for (const look of looks) {
    const [again] = await findFaces(tf, model, closeUp(picture, face.box, look, detectorSize));
    if (!again || again.score < leastScore) return false;
  }
  return true;
}

/**
 * Gives how sure the model is of each emotion.
 *
 * @param {any} tf
 * @param {any} model
 * @param {Picture} picture
 * @param {Face} face
 * @returns {Promise<Float32Array>}
 */
export async function readEmotion(tf, model, picture, face) {
  const input = greyFaceInput(tf, picture, face.box, emotionSize);
  const output = model.predict(input);
  try {
    return await output.data();
  } finally {
    tf.dispose([input, output]);
  }
}
