/** What a face expresses: the detector finds the face, a small classifier looks at it. */
import { texts } from "./page.js";
import { greyFaceInput, readFaces, squareInput } from "./vision.js";

/** @typedef {import("./vision.js").Face} Face */
/** @typedef {import("./vision.js").Picture} Picture */

const detectorSize = 256;
const emotionSize = 64;

const words = texts({
  en: { angry: "angry", disgust: "disgusted", fear: "afraid", happy: "happy", sad: "sad", surprise: "surprised", neutral: "neutral" },
  zh: { angry: "生气", disgust: "厌恶", fear: "害怕", happy: "开心", sad: "难过", surprise: "惊讶", neutral: "平静" },
});

/**
 * Gives a label of the emotion model in the page's language.
 *
 * @param {string} label
 */
export const emotionName = (label) => words.text(label);

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
