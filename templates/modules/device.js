/*! Shardpress device tests, warm-up and recovery */
import { computedBy, nameOf, note, recall, versionOf } from "./memory.js";
import { answer, runAnyway, zeros } from "./running.js";
import { warmUp } from "./warmup.js";

/** @import { Settings } from "../loader/settings.js" */

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
 * What takes part in the choice of a backend: the model's work.
 *
 * @typedef {{ tf: any, head: { avoid?: string[] }, state: string, entry: { sha256: string } }} Tested
 */

/**
 * Takes the first backend on which a model passes its test: now, or on an earlier visit since which nothing has changed.
 *
 * @param {Tested} work
 * @param {() => Promise<SelfTest>} test
 * @param {() => Promise<unknown>} reload brings the weights onto another backend
 * @param {boolean} [stay] whether the backend as it is comes first
 * @param {Settings} [settings]
 * @returns {Promise<SelfTest | undefined>}
 */
export async function pickBackend(work, test, reload, stay, settings = {}) {
  const { tf, head } = work;
  const names = new Set([...(stay ? [tf.getBackend()] : []), "webgpu", "webgl", "wasm", "cpu"]);
  for (const name of names) {
    if (head.avoid?.includes(name) || !tf.findBackendFactory(name)) continue;
    try {
      if (name !== tf.getBackend()) {
        // What has failed is not even started: the same version fails again.
        if (known(work, name, settings)?.passed === false || !(await tf.setBackend(name))) continue;
        // What one backend has rounded, another one must not take over.
        await reload();
      }
      const result = known(work, name, settings, computedBy(tf)) ?? remembered(work, name, settings, await test());
      if (result.passed) return result;
    } catch {
      // What does not even start is not the one.
    }
  }
}

/**
 * What the loader lends: its work, of a ladder that of the rung which answers now, and what belongs to it.
 *
 * @typedef {{ tf: any, model: any, state: string, entry: { name: string, sha256: string }, head: { sample?: Sample, avoid?: string[] } }} Work
 * @typedef {new (code: "contract", message: string, where?: object) => Error} Failure
 * @typedef {{ stay?: boolean, reload: (work: any) => Promise<unknown>, watch: (work: any) => void, idle: () => Promise<unknown>,
 *   ModelError: Failure, settings?: Settings }} Means `stay`: the backend as it is comes first; `reload` brings the weights onto another one
 */

/**
 * Tests the model on the backend as it is.
 *
 * @param {{ now: Work }} whole
 * @param {Means} means
 */
export const test = ({ now }, { ModelError }) => testOf(now, ModelError);

/** @param {Work} work @param {Failure} ModelError */
async function testOf({ tf, model, head, state, entry }, ModelError) {
  if (!tf) throw new ModelError("contract", `${entry.name} is no model of TensorFlow.js`, { model: entry.name });
  return selfTest(tf, model, head.sample, state === "full", head.avoid);
}

/**
 * Takes the first backend on which the model passes; gives nothing where there is none.
 *
 * @param {{ now: Work }} whole
 * @param {Means} means
 */
export async function pick(whole, { stay, reload, watch, ModelError, settings }) {
  const { now } = whole;
  if (!now.tf) return testOf(now, ModelError);
  const result = await pickBackend(now, () => testOf(whole.now, ModelError), () => reload(whole.now), stay, settings);
  if (result) watch(now);
  return result;
}

/**
 * Runs the model once, in idle time.
 *
 * @param {{ now: Work }} whole
 * @param {Means} means
 */
export async function warm({ now }, { idle }) {
  if (now.tf) await warmUp(now.tf, now.model, idle, now.head.avoid);
  return true;
}

/**
 * Gives how a model answered on a backend before: at full precision, or as it is now, and computed by the same.
 *
 * @param {Tested} work
 * @param {string} backend
 * @param {Settings} settings
 * @param {string} [on] what computes there, where it has been started
 * @returns {SelfTest | undefined}
 */
function known({ tf, state, entry }, backend, settings, on) {
  const verdict = recall(settings).verdicts[nameOf(entry)]?.[backend];
  if (!verdict || (on ? verdict.on !== on : verdict.on.split(" ")[0] !== versionOf(tf))) return;
  const { passed, error, tolerance, refined } = verdict;
  // Before its refinement a model is allowed more.
  if (refined || !passed || state !== "full") return { passed, backend, error, tolerance, ms: 0 };
}

/**
 * Notes how a model answers on the backend as it is.
 *
 * @param {Tested} work
 * @param {string} backend
 * @param {Settings} settings
 * @param {SelfTest} result
 */
function remembered({ tf, state, entry }, backend, settings, result) {
  const { passed, error, tolerance } = result;
  const name = nameOf(entry);
  // What threw, or gave no numbers, may have lacked memory for once.
  if (!passed && !Number.isFinite(error)) return result;
  note(settings, (memory) => {
    // What was seen last is forgotten last.
    const { [name]: before, ...others } = memory.verdicts;
    const verdict = { passed, error, tolerance, refined: state === "full", on: computedBy(tf) };
    memory.verdicts = { ...others, [name]: { ...before, [backend]: verdict } };
  });
  return result;
}
