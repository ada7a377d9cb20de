/** Looks at frames with whatever models are there already. */
import { findFaces, isCertain, readEmotion, showsExpression } from "./emotion.js";
import { canvasOf } from "./pictures.js";
import { fromView, meshView, viewInput } from "./vision.js";

/** @typedef {import("./vision.js").Face} Face */
/** @typedef {import("./vision.js").Picture} Picture */
/** @typedef {{ x: number, y: number, score: number }} Joint */
/** @typedef {{ faces: Face[], mesh?: number[][], emotion?: Float32Array, pose?: Joint[] }} Seen in pixels of the frame */

export const partNames = /** @type {const} */ (["face", "mesh", "emotion", "pose"]);
/** @typedef {typeof partNames[number]} Part */

const meshSize = 192;
const meshNumbers = 1404;
const poseSize = 192;
const joints = 17;

/**
 * Gives 468 points of a face.
 *
 * @param {any} tf
 * @param {any} model
 * @param {Picture} picture
 * @param {Face} face
 */
export async function readMesh(tf, model, picture, face) {
  const view = meshView(face);
  const input = viewInput(tf, picture, view, meshSize);
  const outputs = model.execute(input);
  try {
    const found = outputs.find((/** @type {any} */ { shape }) => shape[1] === meshNumbers);
    return fromView(await found.data(), view, meshSize);
  } finally {
    tf.dispose([input, outputs]);
  }
}

/**
 * Gives 17 points of the one body that fills most of the picture.
 *
 * @param {any} tf
 * @param {any} model
 * @param {Picture} picture
 * @returns {Promise<Joint[]>}
 */
export async function readPose(tf, model, picture) {
  const side = Math.max(picture.width, picture.height);
  const [left, top] = [(side - picture.width) / 2, (side - picture.height) / 2];
  const { canvas, context } = canvasOf(poseSize, poseSize);
  const scale = poseSize / side;
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, left * scale, top * scale, picture.width * scale, picture.height * scale);
  const input = tf.tidy(() => tf.browser.fromPixels(canvas).expandDims(0));
  const output = model.execute(input);
  try {
    const values = await output.data();
    return Array.from({ length: joints }, (_, i) => ({
      y: values[3 * i] * side - top,
      x: values[3 * i + 1] * side - left,
      score: values[3 * i + 2],
    }));
  } finally {
    tf.dispose([input, output]);
  }
}

/** A share of the last scores stays, so that the shown mood does not flicker. */
const inertia = 0.6;
const emotionEvery = 3;
const poseEvery = 2;

/** Keeps what lasts from frame to frame. */
export class Tracker {
  /** @type {Partial<Record<Part, any>>} the models that have arrived */
  models = {};
  /** @type {Set<Part>} what is wanted */
  wanted = new Set(partNames);
  #turn = 0;
  /** @type {Float32Array | undefined} */
  #emotion;
  /** @type {Joint[] | undefined} */
  #pose;

  /** @param {Part} part */
  #model(part) {
    return this.wanted.has(part) ? this.models[part] : undefined;
  }

  /**
   * Looks at one frame.
   *
   * @param {any} tf
   * @param {Picture} frame
   * @returns {Promise<Seen>}
   */
  async look(tf, frame) {
    const turn = this.#turn++;
    const [detector, mesh, emotion, pose] = partNames.map((part) => this.#model(part));
    /** @type {Seen} */
    const seen = { faces: detector ? await findFaces(tf, detector, frame) : [] };
    const [face] = seen.faces;
    if (face && mesh) seen.mesh = await readMesh(tf, mesh, frame, face);
    if (!face || !emotion || !showsExpression(face)) this.#emotion = undefined;
    // A face that was certain stays so from frame to frame.
    else if (!this.#emotion && !(await isCertain(tf, detector, frame, face))) this.#emotion = undefined;
    else if (!this.#emotion || turn % emotionEvery === 0) {
      const last = this.#emotion;
      const scores = await readEmotion(tf, emotion, frame, face);
      this.#emotion = last ? scores.map((score, i) => inertia * last[i] + (1 - inertia) * score) : scores;
    }
    seen.emotion = this.#emotion;
    if (!pose) this.#pose = undefined;
    else if (!this.#pose || turn % poseEvery === 0) this.#pose = await readPose(tf, pose, frame);
    seen.pose = this.#pose;
    return seen;
  }
}
