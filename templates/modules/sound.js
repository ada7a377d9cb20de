/** Sounds as one channel of samples: files, buffers, other rates. */

/**
 * What a page has of a sound: a file, a decoded one, or samples of -1 to 1, one channel or several.
 *
 * @typedef {Blob | ArrayBuffer | Uint8Array | AudioBuffer | { samples: Float32Array | Float32Array[], rate: number }} Sound
 */

/** @typedef {{ channels: ArrayLike<number>[], rate: number }} Decoded */

/** Whether something is a sound, as far as its kind tells. @param {any} value */
export const isSound = (value) =>
  value instanceof Blob || value instanceof ArrayBuffer || value instanceof Uint8Array || typeof value?.getChannelData === "function" || (!!value?.samples && "rate" in value);

/**
 * Gives the samples of a sound as one channel.
 *
 * @param {any} given
 * @param {number} rate of the model, at which files other than WAV are decoded
 * @param {(what: string) => Error} refuse
 * @returns {Promise<{ samples: Float32Array, rate: number }>}
 */
export async function toMono(given, rate, refuse) {
  const { channels, rate: own } = await decode(given, rate, refuse);
  if (!(own >= 1 && own <= 1e6 && Number.isInteger(own))) throw refuse(`its rate is ${own}`);
  const count = channels[0]?.length;
  if (!count) throw refuse("it is empty");
  if (channels.some(({ length }) => length !== count)) throw refuse("its channels have different lengths");
  const samples = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (const channel of channels) sum += channel[i];
    samples[i] = sum / channels.length;
    if (!Number.isFinite(sum)) throw refuse("it has samples that are no numbers");
  }
  return { samples, rate: own };
}

/**
 * Gives the samples of a sound, channel by channel.
 *
 * @param {any} given
 * @param {number} rate
 * @param {(what: string) => Error} refuse
 * @returns {Promise<Decoded>}
 */
export async function decode(given, rate, refuse) {
  if (given.samples) return { channels: Array.isArray(given.samples) ? given.samples : [given.samples], rate: given.rate };
  let buffer = given;
  if (!given.getChannelData) {
    const bytes = given instanceof Blob ? new Uint8Array(await given.arrayBuffer()) : given instanceof ArrayBuffer ? new Uint8Array(given) : given;
    const found = readWav(bytes, refuse);
    if (found) return found;
    if (!globalThis.OfflineAudioContext) throw refuse("it is no WAV file, and only browsers decode others");
    try {
      buffer = await new OfflineAudioContext(1, 1, Math.min(Math.max(rate, 8000), 96000)).decodeAudioData(bytes.slice().buffer);
    } catch {
      throw refuse("the browser cannot decode it");
    }
  }
  return { channels: Array.from({ length: buffer.numberOfChannels }, (_, i) => buffer.getChannelData(i)), rate: buffer.sampleRate };
}

/**
 * Reads a WAV file, also one that was cut off; gives nothing where it is none.
 *
 * @param {Uint8Array} bytes
 * @param {(what: string) => Error} refuse
 * @returns {Decoded | undefined}
 */
export function readWav(bytes, refuse) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = (/** @type {number} */ at) => (at + 4 <= bytes.length ? String.fromCharCode(...bytes.subarray(at, at + 4)) : "");
  if (name(0) !== "RIFF" || name(8) !== "WAVE") return undefined;
  let [kind, count, rate, bits] = [0, 0, 0, 0];
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    const [start, end] = [at + 8, Math.min(at + 8 + length, bytes.length)];
    if (name(at) === "fmt " && end - start >= 16) {
      [kind, count, rate, bits] = [view.getUint16(start, true), view.getUint16(start + 2, true), view.getUint32(start + 4, true), view.getUint16(start + 14, true)];
      if (kind === 0xfffe && end - start >= 26) kind = view.getUint16(start + 24, true);
    } else if (name(at) === "data" && count) {
      if (!rate) throw refuse("its rate is 0");
      const width = bits / 8;
      const read = readers[`${kind},${bits}`];
      if (!read) throw refuse(`it is compressed or of an unknown kind (${kind}, ${bits} bits)`);
      const channels = Array.from({ length: count }, () => new Float64Array(Math.floor((end - start) / (width * count))));
      for (let i = 0, place = start; i < channels[0].length; i++) for (const channel of channels) [channel[i], place] = [read(view, place), place + width];
      return { channels, rate };
    }
    at += 8 + length + (length % 2);
  }
  throw refuse("it has no samples");
}

/** By kind and bits. @type {Record<string, (view: DataView, at: number) => number>} */
const readers = {
  "1,8": (view, at) => (view.getUint8(at) - 128) / 128,
  "1,16": (view, at) => view.getInt16(at, true) / 32768,
  "1,24": (view, at) => ((view.getUint16(at, true) << 8) | (view.getUint8(at + 2) << 24)) / 2147483648,
  "1,32": (view, at) => view.getInt32(at, true) / 2147483648,
  "3,32": (view, at) => view.getFloat32(at, true),
  "3,64": (view, at) => view.getFloat64(at, true),
};

const side = 16; // zeros of the sinc to each side
const rolloff = 0.95;
const mostKept = 1 << 22; // weights

/** @param {number} a @param {number} b @returns {number} */
const divisor = (a, b) => (b ? divisor(b, a % b) : a);

/** Gives samples at another rate, piece by piece: a windowed sinc, as builder/answers/audio.py has it. */
export class Resampler {
  #kept = new Float32Array(0);
  #first = 0; // place of the first sample that is kept
  #made = 0;
  /** By phase. @type {Float64Array[]} */
  #taps = [];

  /**
   * @param {number} from Hz, whole
   * @param {number} to
   */
  constructor(from, to) {
    const common = divisor(from, to);
    this.step = from / common;
    this.phases = to / common;
    this.cutoff = rolloff * Math.min(1, to / from);
    this.reach = Math.ceil(side / this.cutoff);
  }

  /**
   * Takes samples; gives those that can be made of what came until now.
   *
   * @param {Float32Array} samples
   * @param {boolean} [last] whether none follows
   */
  push(samples, last = false) {
    if (this.step === this.phases) return samples;
    const { step, phases, reach } = this;
    const kept = new Float32Array(this.#kept.length + samples.length);
    kept.set(this.#kept);
    kept.set(samples, this.#kept.length);
    const total = this.#first + kept.length;
    const end = last ? Math.ceil((total * phases) / step) : Math.max(this.#made, Math.ceil(((total - reach) * phases) / step));
    const made = new Float32Array(end - this.#made);
    for (let i = 0; i < made.length; i++) {
      const place = (this.#made + i) * step;
      const phase = place % phases;
      const taps = this.#tapsOf(phase);
      const base = (place - phase) / phases - reach - this.#first;
      let sum = 0;
      for (let j = Math.max(0, -base), stop = Math.min(taps.length, kept.length - base); j < stop; j++) sum += taps[j] * kept[base + j];
      made[i] = sum;
    }
    this.#made = end;
    const needed = Math.max(this.#first, Math.floor((end * step) / phases) - reach);
    this.#kept = kept.slice(Math.min(needed - this.#first, kept.length));
    this.#first += kept.length - this.#kept.length;
    return made;
  }

  /** @param {number} phase */
  #tapsOf(phase) {
    const { cutoff, reach, phases } = this;
    if (this.#taps[phase]) return this.#taps[phase];
    const taps = Float64Array.from({ length: 2 * reach + 1 }, (_, j) => {
      const t = cutoff * (j - reach - phase / phases);
      const x = Math.PI * t;
      return Math.abs(t) < side ? cutoff * (t ? Math.sin(x) / x : 1) * Math.cos(x / (2 * side)) ** 2 : 0;
    });
    if (phases * taps.length <= mostKept) this.#taps[phase] = taps;
    return taps;
  }
}
