/*! Shardpress sounds */
import { Resampler, isSound, toMono } from "./sound.js";
import { listen } from "./stream.js";

export { decode } from "./sound.js";

/** @import { Mel } from "./mel.js" */
/** @import { Whole } from "./answers.js" */
/** @import { Sound } from "./sound.js" */
/** @import { Followed, Listening } from "./stream.js" */

/**
 * How a sound becomes an input; docs/format.md says what each entry means.
 *
 * @typedef {{ input: string, rate: number, samples?: number, hop?: number, lead?: number, scale: number, offset: number,
 *   dtype: "float32" | "int32", shape: (number | null)[], mel?: Mel, state?: Record<string, State> }} AudioSpec
 */
/** @typedef {{ output: string, shape: number[], dtype: string }} State an input that is an output of the window before */
/** @typedef {new (code: "contract", message: string) => Error} ErrorKind */

/**
 * What a window gives: `answer`, to what is heard from `start` to `end` in seconds.
 *
 * @typedef {{ start: number, end: number, answer: any }} Heard
 */

/** A model that hears: of a ladder one that may be followed by another. @typedef {Whole & { head: { audio: AudioSpec } } & Followed} Lent */

const longest = 1 << 28; // samples
const patience = 50; // milliseconds without a breath for the page

/** @param {any} value */
const isStream = (value) => typeof value?.getAudioTracks === "function";

/**
 * Gives the answers to a sound, window by window.
 *
 * @param {Lent} lent
 * @param {any} given a sound, a stream of a microphone, or inputs by name with one among them
 * @param {Record<string, any>} options `signal` ends the work
 * @param {(name: string) => Promise<any>} lazy gives other modules
 * @param {ErrorKind} ModelError
 * @returns {Promise<Heard[] | Listening>}
 */
export async function run(lent, given, options, lazy, ModelError) {
  const { audio } = lent.head;
  const plain = given && !isSound(given) && !isStream(given) && Object.getPrototypeOf(given) === Object.prototype;
  const { [audio.input]: sound, ...rest } = plain ? given : { [audio.input]: given };
  const { Tensor } = /** @type {any} */ (lent.tf);
  if (sound instanceof Tensor && plain) return (await lazy("answers")).run(lent, given, options, lazy, ModelError);
  const refuse = (/** @type {string} */ what) => new ModelError("contract", `The sound cannot be used: ${what}`);
  if (!isStream(sound) && !isSound(sound)) {
    throw new ModelError("contract", `The input ${audio.input} takes a sound: a file, an AudioBuffer, { samples, rate } or the stream of a microphone`);
  }
  const openFor = (/** @type {Lent} */ one) => open(one, rest, options, lazy, ModelError);
  if (isStream(sound)) return listen(/** @type {any} */ (sound), lent, openFor, options, lazy, ModelError);
  const ear = await openFor(lent);
  try {
    const { samples, rate } = await toMono(sound, audio.rate, refuse);
    if (samples.length * Math.max(1, audio.rate / rate) > longest) throw refuse("it is too long");
    const whole = new Resampler(rate, audio.rate).push(samples, true);
    const { samples: length = whole.length, hop = length, lead = 0 } = audio;
    const count = Math.max(1, Math.ceil((whole.length + lead - length) / hop) + 1);
    const found = [];
    let since = performance.now();
    for (let i = 0; i < count; i++) {
      options.signal?.throwIfAborted();
      if (performance.now() - since > patience) {
        await new Promise((go) => setTimeout(go));
        since = performance.now();
      }
      const window = new Float32Array(length);
      const start = i * hop - lead;
      window.set(whole.subarray(Math.max(0, start), Math.max(0, start + length)), Math.max(0, -start));
      const end = Math.min(start + length, whole.length) / audio.rate;
      found.push({ start: (i * hop) / audio.rate, end, answer: await ear.answer(window) });
    }
    return found;
  } finally {
    ear.close();
  }
}

/**
 * Makes what answers windows one after the other, with the state that one leaves for the next.
 *
 * @param {Lent} lent
 * @param {Record<string, any>} rest other inputs
 * @param {Record<string, any>} options
 * @param {(name: string) => Promise<any>} lazy
 * @param {ErrorKind} ModelError
 */
async function open({ tf, model, head }, rest, options, lazy, ModelError) {
  const { audio, answer: spec, labels } = head;
  const { execute } = await lazy("answers");
  const kind = spec && (await lazy(spec.kind));
  const spectrogram = audio.mel && (await lazy("mel")).openMel(audio.mel, audio.rate);
  const carried = Object.entries(audio.state ?? {});
  /** @type {Record<string, any>} */
  const state = Object.fromEntries(carried.map(([name, { shape, dtype }]) => [name, silence(tf, shape, dtype)]));
  return {
    /** @param {Float32Array} window */
    async answer(window) {
      const own = [toTensor(tf, window, audio, spectrogram)];
      try {
        const fed = { ...rest, ...state, [audio.input]: own[0] };
        const outputs = await execute(model, fed);
        for (const [name, { output, shape, dtype }] of carried) {
          if (!outputs[output]) throw new ModelError("contract", `There is no output ${output} to be the state ${name}`);
          own.push(state[name]);
          state[name] = tf.tidy(() => outputs[output].reshape(shape).cast(dtype));
        }
        if (spec) {
          own.push(...Object.values(outputs));
          return await kind.answer({ tf, outputs, spec, labels, frame: null, inputs: fed, ModelError }, options);
        }
        for (const [, { output }] of carried) {
          own.push(outputs[output]);
          delete outputs[output];
        }
        return Object.keys(outputs).length > 1 ? outputs : Object.values(outputs)[0];
      } finally {
        tf.dispose(own);
      }
    },
    close: () => tf.dispose(state),
  };
}

/** @param {any} tf @param {number[]} shape @param {string} dtype */
const silence = (tf, shape, dtype) => tf.tensor(new Float32Array(shape.reduce((product, length) => product * length, 1)), shape, dtype);

/**
 * @param {any} tf
 * @param {Float32Array} window
 * @param {AudioSpec} audio
 * @param {((samples: Float64Array) => Float64Array) | undefined} spectrogram
 */
function toTensor(tf, window, { scale, offset, dtype, shape, mel }, spectrogram) {
  let values = Float64Array.from(window, (sample) => sample * scale + offset);
  let sized = shape.map((length) => length ?? values.length);
  if (mel && spectrogram) {
    const { centre, padding, frame, mels, layout } = mel;
    const least = centre ? (padding === "reflect" ? (frame >> 1) + 1 : 0) : frame;
    if (values.length < least) values = Float64Array.from({ length: least }, (_, i) => values[i] ?? 0);
    const made = spectrogram(values);
    const known = sized.reduce((product, _, axis) => product * (shape[axis] ?? 1), 1);
    const frames = shape.includes(null) ? made.length / mels : known / mels;
    sized = shape.map((length) => length ?? frames);
    values = Float64Array.from({ length: frames * mels }, (_, i) => made[layout === "mels" ? (i % frames) * mels + Math.floor(i / frames) : i]);
  }
  if (dtype === "int32") {
    const [low, high] = mel ? [-Infinity, Infinity] : [offset - scale, offset + scale - 1];
    values = values.map((value) => Math.min(Math.max(Math.floor(value + 0.5), low), high));
  }
  return tf.tensor(dtype === "int32" ? Int32Array.from(values) : Float32Array.from(values), sized, dtype);
}
