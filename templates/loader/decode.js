import { ModelError } from "./errors.js";
import { attempted } from "./guards.js";
import { settings } from "./settings.js";
import { breather, deferred } from "./wait.js";

/** @import { Head, Segment, Shard, Weight } from "./head.js" */

/**
 * Puts weights together from their planes. It refers to nothing outside itself: a worker is made from its source.
 *
 * @param {Pick<Weight, "exact" | "steps" | "planes" | "bytes">[]} weights
 */
function makeDecoder(weights) {
  /** @type {ArrayBuffer[]} */
  const buffers = [];
  /** @param {number} i index of a weight that has bytes of its own */
  const give = (i) => (buffers[i] ??= new ArrayBuffer(weights[i].bytes));
  /** @type {ArrayBuffer[][]} planes as they are, of weights that are multiples of steps */
  const kept = [];
  /** @param {number} i */
  const planesOf = (i) => (kept[i] ??= weights[i].planes.map((length) => new ArrayBuffer(length)));
  /**
   * @param {Segment[]} segments of a shard
   * @param {Uint8Array} bytes all of it
   */
  const add = (segments, bytes) => {
    let offset = 0;
    for (const { weight, plane, from, to } of segments) {
      const part = bytes.subarray(offset, (offset += to - from));
      const { exact, steps } = weights[weight];
      const buffer = steps ? planesOf(weight)[plane] : give(weight);
      if (!exact) {
        new Uint8Array(buffer).set(part, from);
        continue;
      }
      const words = new Uint32Array(buffer, 4 * from);
      const { length } = part;
      if (plane === 0) for (let i = 0; i < length; i++) words[i] |= part[i] << 23;
      else if (plane === 1) for (let i = 0; i < length; i++) words[i] |= ((part[i] & 0x80) << 24) | ((part[i] & 0x7f) << 16);
      else if (plane === 2) for (let i = 0; i < length; i++) words[i] = (words[i] & 0xffff00ff) | (part[i] << 8);
      else for (let i = 0; i < length; i++) words[i] |= part[i];
    }
  };
  /**
   * Multiplies steps out for a stretch, or sets its 16 missing bits to the middle of their range; zeros, infinities and
   * NaN stay.
   *
   * @param {number} i
   * @param {number} start
   * @param {boolean} partial whether planes are missing
   * @returns where the next stretch begins, 0 after the last one
   */
  const fill = (i, start, partial) => {
    const { exact, steps } = weights[i];
    if (!steps && !(exact && partial)) return 0;
    const words = new Uint32Array(give(i));
    const end = Math.min(words.length, start + 0x40000);
    if (steps) {
      const [ratio, channels, inner] = steps;
      const [codes, sizes, rest] = planesOf(i);
      const [base, fine] = [new Int8Array(codes), new Int8Array(rest)];
      const step = new Float32Array(sizes);
      const values = new Float32Array(words.buffer);
      // One product of two exact numbers, rounded once: the same bits everywhere.
      for (let at = start; at < end; at++) values[at] = step[Math.floor(at / inner) % channels] * (ratio * base[at] + (rest ? fine[at] : 0));
    } else for (let at = start; at < end; at++) {
      const bits = words[at];
      if (bits & 0x7fff0000 && ~bits & 0x7f800000) words[at] |= 0x8000;
    }
    return end < words.length ? end : 0;
  };
  return { add, fill, give };
}

/**
 * Puts weights together as their shards come.
 *
 * @typedef {object} Decoder
 * @property {(shard: Shard, bytes: Uint8Array<ArrayBuffer>, sole: boolean) => void} add takes the bytes away if they are
 *   the caller's own
 * @property {(owners: number[], fill: boolean) => Promise<Map<number, ArrayBuffer>>} take gives what weights have so far,
 *   missing bits filled in on request
 * @property {() => void} close
 */

/**
 * @param {Head} head
 * @returns {Promise<Decoder>}
 */
export async function openDecoder({ weights, shards }) {
  // A worker takes longer to start than so little takes to decode.
  const worker = shards.reduce((sum, { bytes }) => sum + bytes, 0) > 0x40000 && (await startWorker());
  const specs = weights.map(({ exact, steps, planes, bytes }) => ({ exact, steps, planes, bytes }));
  if (!worker) {
    const decoder = makeDecoder(specs);
    return {
      add: ({ segments }, bytes) => decoder.add(segments, bytes),
      async take(owners, fill) {
        const breathe = breather();
        for (const i of owners) {
          let at = 0;
          while ((at = decoder.fill(i, at, fill))) await breathe();
          await breathe();
        }
        return new Map(owners.map((i) => [i, decoder.give(i)]));
      },
      close() {},
    };
  }
  worker.postMessage([specs]);
  const broken = deferred();
  worker.onerror = ({ message }) => broken.reject(new ModelError("runtime", `Decoding failed: ${message}`));
  return {
    add({ segments }, bytes, sole) {
      const own = sole ? bytes : bytes.slice();
      worker.postMessage([, segments, own], [own.buffer]);
    },
    take(owners, fill) {
      const answer = new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
      worker.postMessage([, , owners, fill]);
      return /** @type {Promise<any>} */ (Promise.race([broken.promise, answer]));
    },
    close: () => worker.terminate(),
  };
}

/** Starts a decoding worker from source, whatever origin the loader is from; gives nothing where the page forbids it. */
async function startWorker() {
  if (settings.worker === false) return;
  const begin = (/** @type {typeof makeDecoder} */ make) => {
    /** @type {ReturnType<typeof makeDecoder>} */
    let decoder;
    onmessage = ({ data: [specs, segments, more, fill] }) => {
      if (specs) decoder = make(specs);
      else if (segments) decoder.add(segments, more);
      else {
        const result = new Map();
        for (const i of more) {
          let at = 0;
          while ((at = decoder.fill(i, at, fill)));
          // What is filled in will be refined, so it stays here as well.
          result.set(i, fill ? decoder.give(i).slice(0) : decoder.give(i));
        }
        postMessage(result, { transfer: [...result.values()] });
      }
    };
    // What a page's own tools did to this source may need things that are not here.
    make([]);
    postMessage(0);
  };
  /** @type {string | undefined} */
  let url;
  /** @type {Worker | undefined} */
  let worker;
  try {
    url = URL.createObjectURL(new Blob([`(${begin})(${makeDecoder})`]));
    const { trustedTypes } = /** @type {any} */ (globalThis);
    // Another copy of this loader may have taken the name.
    const create = (/** @type {string} */ name) => trustedTypes?.createPolicy(name, { createScriptURL: String });
    const policy = (workerPolicy ??= attempted(() => create("shardpress")) ?? create("shardpress-2"));
    const started = (worker = new Worker(policy ? policy.createScriptURL(url) : url));
    await new Promise((resolve, reject) => {
      started.onmessage = resolve;
      started.onerror = reject;
    });
    return started;
  } catch {
    worker?.terminate();
  } finally {
    if (url) URL.revokeObjectURL(url);
  }
}

/** @type {any} */
let workerPolicy;

/** What TensorFlow.js calls weight specs. @param {Weight[]} weights */
export const specsOf = (weights) => weights.map(({ name, shape, dtype, quantization }) => ({ name, shape, dtype, ...(quantization && { quantization }) }));

/**
 * One buffer for each weight that has bytes, in order.
 *
 * @param {Weight[]} weights
 * @param {Map<number, ArrayBuffer>} buffers by owner
 */
export function dataOf(weights, buffers) {
  const list = weights.flatMap(({ owner, bytes }) => (bytes ? [/** @type {ArrayBuffer} */ (buffers.get(owner))] : []));
  // TensorFlow.js 4.22 takes [8, 100] for buffers of 8 bytes each: an empty one at the end makes it look.
  return [...list, new ArrayBuffer(0)];
}

/** @param {Weight[]} weights */
export const ownersOf = (weights) => [...new Set(weights.map(({ owner }) => owner))];
