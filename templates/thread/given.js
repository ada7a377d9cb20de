/** What a page gives, made such that a worker can take it. */
import { opening, toDrawable } from "../modules/pixels.js";
import { isPlain, isPlainObject, isTensor } from "./plain.js";

/** @typedef {new (code: "contract", message: string, details?: object) => Error} Failure */

/** @param {string[]} names */
const isAny = (...names) => (/** @type {any} */ value) => names.some((name) => name in globalThis && value instanceof /** @type {any} */ (globalThis)[name]);
/** What only the page's thread has: a bitmap of it travels. */
const isElement = isAny("HTMLImageElement", "HTMLVideoElement", "HTMLCanvasElement", "SVGImageElement", "OffscreenCanvas");
const isTransferable = isAny("ImageBitmap", "VideoFrame", "ArrayBuffer");
const isSounding = isAny("AudioBuffer");

/**
 * Makes what a page gives one that can be sent.
 *
 * @param {any} given
 * @param {boolean} away whether the page gives its buffers, bitmaps and frames away; else they are copied
 * @param {number | undefined} rate of the sound that the model takes: encoded ones, but for WAV, only the page's thread decodes
 * @param {Failure} ModelError
 * @param {((name: string) => Promise<any>) | undefined} lazy gives other modules; without it what is given is only looked at
 * @returns {Promise<{ value: any, transfer: any[] }>}
 */
export async function lend(given, away, rate, ModelError, lazy) {
  /** @type {Set<any>} */
  const transfer = new Set();
  /** @param {any} value @returns {Promise<any>} */
  const one = async (value) => {
    if (isTensor(value)) {
      throw new ModelError("contract", "A tensor of the page's cannot be used off its thread: give { data: await tensor.data(), shape, dtype }");
    }
    if (lazy && typeof value?.getAudioTracks === "function") {
      throw new ModelError("contract", 'A stream is only heard on the page\'s thread: load the model with { thread: "page" }');
    }
    if (isPlainObject(value) && value.samples && "rate" in value) {
      for (const { buffer } of [value.samples].flat()) if (away && buffer instanceof ArrayBuffer) transfer.add(buffer);
      return value;
    }
    if (Array.isArray(value)) return Promise.all(value.map(one));
    if (isPlainObject(value) && !isPlain(value)) return Object.fromEntries(await Promise.all(Object.entries(value).map(async ([name, part]) => [name, await one(part)])));
    if (!lazy) return value;
    if (isElement(value)) {
      const bitmap = await opening(ModelError, async () => {
        const { drawn } = await toDrawable(value);
        return createImageBitmap(drawn);
      });
      transfer.add(bitmap);
      return bitmap;
    }
    if (isSounding(value) || (rate && isEncoded(value) && !(await isWav(value)))) {
      const { decode } = await lazy("audio");
      const sound = await decode(value, rate ?? 0, (/** @type {string} */ what) => new ModelError("contract", `The sound cannot be used: ${what}`));
      const { channels } = sound;
      const samples = channels.map((/** @type {ArrayLike<number>} */ channel) => Float32Array.from(channel));
      for (const { buffer } of samples) transfer.add(buffer);
      return { samples, rate: sound.rate };
    }
    if (isTransferable(value)) {
      if (away) transfer.add(value);
    } else if (ArrayBuffer.isView(value) || isAny("ImageData")(value)) {
      const { buffer } = /** @type {any} */ (value).data ?? value;
      if (away && buffer instanceof ArrayBuffer) transfer.add(buffer);
    } else if (isPlain(value)) {
      if (away && ArrayBuffer.isView(value.data) && value.data.buffer instanceof ArrayBuffer) transfer.add(value.data.buffer);
    }
    return value;
  };
  return { value: await one(given), transfer: [...transfer] };
}

/** @param {any} value */
const isEncoded = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value) || value instanceof Blob;

/** @param {any} value */
async function isWav(value) {
  const start = value instanceof Blob ? await value.slice(0, 4).arrayBuffer() : ArrayBuffer.isView(value) ? value.buffer.slice(value.byteOffset, value.byteOffset + 4) : value.slice(0, 4);
  return new TextDecoder().decode(start) === "RIFF";
}
