/** Looks at frames with whatever models are there already. */
import { isCertain, readEmotion, showsExpression } from "./emotion.js";
import { readMesh } from "./vision.js";

/** @typedef {import("./bars.js").Row} Row */
/** @typedef {import("./vision.js").Face} Face */
/** @typedef {import("./vision.js").Picture} Picture */
/** @typedef {import("./vision.js").Point} Point */
/** @typedef {Point & { score: number, unsure: boolean }} Joint */
/** @typedef {{ faces: Face[], mesh?: Point[], emotion?: Row[], pose?: Joint[] }} Seen in pixels of the frame */

export const partNames = /** @type {const} */ (["face", "mesh", "emotion", "pose"]);
/** @typedef {typeof partNames[number]} Part */

/** A share of the last scores stays, so that the shown mood does not flicker. */
const inertia = 0.6;
const emotionEvery = 3;
const poseEvery = 2;

/**
 * @param {Row[]} rows
 * @param {Row[]} last
 */
function steadied(rows, last) {
  const before = Object.fromEntries(last.map(({ label, score }) => [label, score]));
  const mixed = rows.map(({ label, score }) => ({ label, score: inertia * before[label] + (1 - inertia) * score }));
  return mixed.sort((a, b) => b.score - a.score);
}

/** Keeps what lasts from frame to frame. */
export class Tracker {
  /** @type {Partial<Record<Part, any>>} handles of the models that have arrived */
  models = {};
  /** @type {Set<Part>} what is wanted */
  wanted = new Set(partNames);
  #turn = 0;
  /** @type {Row[] | undefined} */
  #emotion;
  /** @type {Joint[] | undefined} */
  #pose;

  /** @param {Part} part */
  #model(part) {
    return this.wanted.has(part) ? this.models[part] : undefined;
  }

  /**
   * Looks at the faces of one frame.
   *
   * @param {{ answer: Face[], frame: Picture }} found
   * @returns {Promise<Seen>}
   */
  async look({ answer: faces, frame }) {
    const turn = this.#turn++;
    const [detector, mesh, emotion, pose] = partNames.map((part) => this.#model(part));
    /** @type {Seen} */
    const seen = { faces };
    const [face] = faces;
    if (face && mesh) seen.mesh = await readMesh(mesh, frame, face);
    if (!face || !emotion || !showsExpression(face)) this.#emotion = undefined;
    // A face that was certain stays so from frame to frame.
    else if (!this.#emotion && !(await isCertain(detector, frame, face))) this.#emotion = undefined;
    else if (!this.#emotion || turn % emotionEvery === 0) {
      const last = this.#emotion;
      const rows = await readEmotion(emotion, frame, face);
      this.#emotion = last ? steadied(rows, last) : rows;
    }
    seen.emotion = this.#emotion;
    if (!pose) this.#pose = undefined;
    else if (!this.#pose || turn % poseEvery === 0) this.#pose = await pose.run(frame);
    seen.pose = this.#pose;
    return seen;
  }
}
