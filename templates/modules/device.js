/*! Shardpress device tests, warm-up and recovery */
import { answer, runAnyway, zeros } from "./running.js";
import { warmUp } from "./warmup.js";

export { watchContext } from "./context.js";
export { warmUp };

/**
 * A run whose answer is known: `inputs` are `[name, dtype, shape, below]`, filled as docs/format.md says; `outputs` are
 * `[name or number, elements, places, values]`.
 *
 * @typedef {{ inputs: [string, string, number[], number][], outputs: [string | number, number, number[], number[]][],
 *   tolerance: number, base: number }} Sample
 */

/**
 * How a device answers: the error is `|got - expected| / max(1, |expected|)` at its largest, undefined for a model
 * without a sample, of which only finite numbers are asked.
 *
 * @typedef {{ passed: boolean, backend: string, error: number | undefined, tolerance: number | undefined, ms: number }} SelfTest
 */

/**
 * Gives numbers that are the same everywhere: whole ones below `below`, or from 0 to 1 where that is 0.
 *
 * @param {number} size
 * @param {number} below
 * @param {number} salt
 */
function numbers(size, below, salt) {
  return Float32Array.from({ length: size }, (_, i) => {
    let x = Math.imul(i + 1 + 0x10000 * salt, 0x9e3779b1);
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    const unit = ((x ^ (x >>> 13)) >>> 0) / 0x100000000;
    return below ? Math.floor(unit * below) : unit;
  });
}

/**
 * Runs a model's sample on the backend as it is.
 *
 * @param {any} tf
 * @param {any} model
 * @param {Sample | undefined} sample
 * @param {boolean} refined whether the model has its final precision
 * @param {string[]} [avoid] backends on which the model is known to be wrong: it may never end there, so it is not run
 * @returns {Promise<SelfTest>}
 */
export async function selfTest(tf, model, sample, refined, avoid) {
  const start = performance.now();
  const backend = tf.getBackend();
  if (avoid?.includes(backend)) return { passed: false, backend, error: Infinity, tolerance: sample?.tolerance, ms: 0 };
  /** @type {any[]} */
  let made = [];
  /** @type {any[]} */
  let answers = [];
  let error = 0;
  try {
    if (sample) {
      const { inputs, outputs } = sample;
      made = inputs.map(([, dtype, shape, below], salt) => {
        const size = shape.reduce((product, length) => product * length, 1);
        return tf.tensor(numbers(size, below, salt), shape, dtype);
      });
      answers = answer(model, made, inputs.map(([name]) => name), outputs.map(([output]) => output));
      for (const [i, [output, size, places, values]] of outputs.entries()) {
        const data = await answers[typeof output === "number" ? output : i].data();
        const scale = Math.max(1, ...values.map(Math.abs));
        if (data.length !== size) error = Infinity;
        for (const [j, place] of places.entries()) {
          const distance = Math.abs(data[place] - values[j]) / scale;
          // NaN is no number to go on with.
          error = distance <= error ? error : distance >= 0 ? distance : Infinity;
        }
      }
    } else {
      made = zeros(tf, model);
      answers = await runAnyway(model, made);
      for (const tensor of answers) {
        if (tensor.dtype === "float32" && !(await tensor.data()).every(Number.isFinite)) error = Infinity;
      }
    }
  } catch {
    error = Infinity;
  } finally {
    tf.dispose([made, answers]);
  }
  const tolerance = sample && sample.tolerance + (refined ? 0 : sample.base);
  const ms = Math.round(performance.now() - start);
  return { passed: error <= (tolerance ?? 0), backend, error: sample && error, tolerance, ms };
}

/**
 * Takes the first backend on which a model passes its test.
 *
 * @param {any} tf
 * @param {() => Promise<SelfTest>} test
 * @param {() => Promise<unknown>} reload brings the weights onto another backend
 * @param {boolean} [stay] whether the backend as it is comes first
 * @param {string[]} [avoid] backends that are not to be tried
 * @returns {Promise<SelfTest | undefined>}
 */
export async function pickBackend(tf, test, reload, stay, avoid) {
  const names = new Set([...(stay ? [tf.getBackend()] : []), "webgpu", "webgl", "wasm", "cpu"]);
  for (const name of names) {
    if (avoid?.includes(name) || !tf.findBackendFactory(name)) continue;
    try {
      if (name !== tf.getBackend()) {
        if (!(await tf.setBackend(name))) continue;
        // What one backend has rounded, another one must not take over.
        await reload();
      }
      const result = await test();
      if (result.passed) return result;
    } catch {
      // What does not even start is not the one.
    }
  }
}

/**
 * What the loader lends: its work, of a ladder that of the rung which answers now, and what belongs to it.
 *
 * @typedef {{ tf: any, model: any, state: string, entry: { name: string }, head: { sample?: Sample, avoid?: string[] } }} Work
 * @typedef {new (code: "contract", message: string, where?: object) => Error} Failure
 */

/**
 * Tests the model on the backend as it is.
 *
 * @param {{ now: Work }} whole
 * @param {unknown} _
 * @param {unknown} __
 * @param {unknown} ___
 * @param {unknown} ____
 * @param {Failure} ModelError
 */
export const test = ({ now }, _, __, ___, ____, ModelError) => testOf(now, ModelError);

/** @param {Work} work @param {Failure} ModelError */
async function testOf({ tf, model, head, state, entry }, ModelError) {
  if (!tf) throw new ModelError("contract", `${entry.name} is no model of TensorFlow.js`, { model: entry.name });
  return selfTest(tf, model, head.sample, state === "full", head.avoid);
}

/**
 * Takes the first backend on which the model passes; gives nothing where there is none.
 *
 * @param {{ now: Work }} whole
 * @param {boolean | undefined} stay whether the backend as it is comes first
 * @param {(work: any) => Promise<unknown>} reload brings the weights onto another backend
 * @param {(work: any) => void} watch
 * @param {unknown} _
 * @param {Failure} ModelError
 */
export async function pick(whole, stay, reload, watch, _, ModelError) {
  const { now } = whole;
  if (!now.tf) return testOf(now, ModelError);
  const result = await pickBackend(now.tf, () => testOf(whole.now, ModelError), () => reload(whole.now), stay, now.head.avoid);
  if (result) watch(now);
  return result;
}

/**
 * Runs the model once, in idle time.
 *
 * @param {{ now: Work }} whole
 * @param {unknown} _
 * @param {unknown} __
 * @param {unknown} ___
 * @param {() => Promise<unknown>} idle
 */
export async function warm({ now }, _, __, ___, idle) {
  if (now.tf) await warmUp(now.tf, now.model, idle, now.head.avoid);
  return true;
}
