/** The stream of a microphone, window by window; of a ladder each window goes to the rung that answers by then. */
import { Resampler } from "./sound.js";

/** @import { Whole } from "./answers.js" */
/** @import { AudioSpec, Heard } from "./audio.js" */

/** What `run` gives for a stream: an answer a window, until somebody stops it. @typedef {AsyncIterableIterator<Heard> & { stop(): void }} Listening */

/** A rung of a ladder also tells which one has taken its place, if one has. @typedef {{ next?: () => Hearing | undefined }} Followed */
/** @typedef {Whole & { head: { audio: AudioSpec } } & Followed} Hearing */
/** @typedef {{ answer: (window: Float32Array) => Promise<any>, close: () => void }} Ear */

const behind = 2; // seconds that a slow device may lag before it leaves windows out
const remembered = 1; // seconds before a window that another model may want to know of
const margin = 1 / 16; // seconds after which nothing is left of a resampler's beginning

/** The windows of a stream as a model takes them. */
class Windows {
  #audio;
  #from;
  #resampler;
  #kept;
  #skipped;
  #count = 0;

  /**
   * @param {number} rate of the stream
   * @param {AudioSpec} audio
   * @param {number} [from] seconds of the stream at which the first window begins
   * @param {number} [skipped] samples, at the model's rate, that come before the first window; else silence leads it in
   */
  constructor(rate, audio, from = 0, skipped) {
    this.#audio = { length: audio.samples ?? 0, hop: audio.hop ?? 1, lead: audio.lead ?? 0, rate: audio.rate };
    this.#from = from;
    this.#resampler = new Resampler(rate, audio.rate);
    this.#kept = new Float32Array(skipped === undefined ? this.#audio.lead : 0);
    this.#skipped = skipped ?? 0;
  }

  /** Where the next window begins, in seconds. */
  get next() {
    return this.#from + (this.#count * this.#audio.hop) / this.#audio.rate;
  }

  get isThere() {
    return this.#kept.length >= this.#audio.length;
  }

  /** @param {Float32Array} samples of the stream */
  push(samples) {
    const { length, hop, rate } = this.#audio;
    const more = this.#resampler.push(samples);
    this.#kept = joined(this.#kept, more.subarray(this.#skipped));
    this.#skipped = Math.max(0, this.#skipped - more.length);
    const late = Math.max(0, Math.ceil((this.#kept.length - length - behind * rate) / hop));
    const left = Math.min(late, Math.floor(Math.max(0, this.#kept.length - length) / hop));
    this.#count += left;
    this.#kept = this.#kept.slice(left * hop);
  }

  take() {
    const { length, hop, lead, rate } = this.#audio;
    const start = this.next;
    const samples = this.#kept.slice(0, length);
    this.#count++;
    this.#skipped = Math.max(0, hop - this.#kept.length);
    this.#kept = this.#kept.slice(hop);
    return { samples, start, end: start + (length - lead) / rate };
  }
}

/** What was heard last. */
class Past {
  /** @type {Float32Array[]} */
  #pieces = [];
  #first = 0;
  /** Samples that came until now. */
  count = 0;

  /** @param {Float32Array} samples */
  push(samples) {
    this.#pieces.push(samples);
    this.count += samples.length;
  }

  /** @param {number} first of the samples that are to be kept */
  forget(first) {
    while (this.#pieces.length && this.#first + this.#pieces[0].length <= first) this.#first += this.#pieces.splice(0, 1)[0].length;
  }

  /** Gives what came from a sample on; what is forgotten, or was never there, is silence. @param {number} first */
  since(first) {
    const found = new Float32Array(Math.max(0, this.count - first));
    let at = this.#first - first;
    for (const piece of this.#pieces) {
      found.set(piece.subarray(Math.max(0, -at)), Math.max(0, at));
      at += piece.length;
    }
    return found;
  }
}

/**
 * Answers a stream until it is stopped; another model may take over from window to window, and goes on where this one was.
 *
 * @param {MediaStream} stream
 * @param {Hearing} lent
 * @param {(lent: Hearing) => Promise<Ear>} open
 * @param {Record<string, any>} options
 * @param {(name: string) => Promise<any>} lazy
 * @param {new (code: any, message: string) => Error} ModelError
 * @returns {Promise<Listening>}
 */
export async function listen(stream, lent, open, { signal }, lazy, ModelError) {
  /** @type {{ rate: number, read: () => Promise<Float32Array | undefined>, stop: () => void }} */
  let source;
  /** @type {Ear | undefined} */
  let ear;
  try {
    if (!lent.head.audio.samples) throw new ModelError("contract", "The sound cannot be used: the model takes whole sounds only; build it with samples or seconds");
    ear = await open(lent);
    source = await (await lazy("listen")).hear(stream);
  } catch (error) {
    for (const track of stream.getAudioTracks()) track.stop();
    ear?.close();
    throw error;
  }
  let windows = new Windows(source.rate, lent.head.audio);
  const past = lent.next && new Past();
  let over = false;
  const follow = async (/** @type {Hearing} */ next, /** @type {Past} */ heard) => {
    const { audio } = next.head;
    const before = ear;
    ear = await open(next);
    before?.close();
    lent = next;
    const from = Math.min(windows.next, heard.count / source.rate);
    const skipped = Math.ceil(margin * audio.rate);
    const first = Math.round((from - (skipped + (audio.lead ?? 0)) / audio.rate) * source.rate);
    windows = new Windows(source.rate, audio, from, skipped);
    windows.push(heard.since(first));
  };
  const step = async () => {
    try {
      while (!over) {
        const next = lent.next?.();
        if (next && past) await follow(next, past);
        else if (!lent.model) throw new ModelError("abort", "The model was disposed");
        else if (windows.isThere) {
          const { samples, ...times } = windows.take();
          past?.forget(Math.min(windows.next * source.rate, past.count) - remembered * source.rate);
          // The model is called before anything else happens: a rung that goes waits for its calls.
          const answer = await /** @type {Ear} */ (ear).answer(samples);
          return { done: /** @type {const} */ (false), value: { ...times, answer } };
        } else {
          const samples = await source.read();
          if (!samples) end();
          else {
            past?.push(samples);
            windows.push(samples);
          }
        }
      }
      return { done: /** @type {const} */ (true), value: undefined };
    } catch (error) {
      end();
      throw error;
    }
  };
  /** One after the other, however they are asked for. @type {Promise<any>} */
  let last = Promise.resolve();
  const end = () => {
    if (over) return;
    over = true;
    source.stop();
    signal?.removeEventListener("abort", stop);
    void last.catch(() => {}).then(() => ear?.close());
  };
  const stop = () => end();
  signal?.addEventListener("abort", stop);
  if (signal?.aborted) stop();
  /** @type {Listening} */
  const listening = {
    stop,
    next: () => (last = last.catch(() => {}).then(step)),
    async return() {
      stop();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => listening,
  };
  return listening;
}

/** @param {Float32Array} one @param {Float32Array} other */
function joined(one, other) {
  const both = new Float32Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}
