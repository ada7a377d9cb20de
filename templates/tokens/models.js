import { makeHeap } from "./heap.js";

/** @import { Spec } from "./spec.js" */
/** @import { Vocabulary } from "./vocabulary.js" */

const encoder = new TextEncoder();
const most = 20_000;

/**
 * What turns pieces into ids.
 *
 * @param {Spec} spec
 * @param {Vocabulary} vocabulary
 * @returns {(piece: string) => ArrayLike<number> & Iterable<number>}
 */
export function openModel(spec, vocabulary) {
  const make = { bpe, unigram, wordpiece, wordlevel }[spec.model];
  if (!make) throw new Error(`the tokenizer has the model ${spec.model}, which is not known`);
  const encode = make(spec, vocabulary);
  /** @type {Map<string, number[]>} */
  const known = new Map();
  return (piece) => {
    let ids = known.get(piece);
    if (!ids) {
      ids = encode(piece);
      if (piece.length < 256 && known.size < most) known.set(piece, ids);
    }
    return ids;
  };
}

/** @param {Spec} spec @param {string} piece */
function unknownOf({ unknown }, piece) {
  if (unknown === undefined) throw new RangeError(`${JSON.stringify(piece.slice(0, 40))} is not in the vocabulary, which has no id for unknown words`);
  return unknown;
}

/**
 * @param {Spec} spec
 * @param {Vocabulary} vocabulary
 * @returns {(piece: string) => number[]}
 */
function wordlevel(spec, { ids }) {
  return (piece) => [ids.get(piece) ?? unknownOf(spec, piece)];
}

/**
 * The longest word first, again and again.
 *
 * @param {Spec} spec
 * @param {Vocabulary} vocabulary
 * @returns {(piece: string) => number[]}
 */
function wordpiece(spec, { ids }) {
  const { prefix = "", longest = 100 } = spec;
  let widest = 0;
  for (const { length } of ids.keys()) widest = Math.max(widest, length);
  return (piece) => {
    const unknown = () => [unknownOf(spec, piece)];
    if (piece.length > longest && [...piece].length > longest) return unknown();
    /** @type {number[]} */
    const found = [];
    for (let start = 0; start < piece.length; ) {
      let end = Math.min(piece.length, start + widest);
      let id;
      for (; end > start && id === undefined; end--) id = ids.get((start ? prefix : "") + piece.slice(start, end));
      if (id === undefined) return unknown();
      found.push(id);
      start = end + 1;
    }
    return found;
  };
}

/** Ids of a text's bytes, where the vocabulary has them all. @param {string} text @param {Map<string, number>} ids */
function bytesOf(text, ids) {
  const found = Array.from(encoder.encode(text), (byte) => ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`));
  return found.includes(undefined) ? undefined : /** @type {number[]} */ (found);
}

/**
 * The most likely words, by Viterbi's algorithm.
 *
 * @param {Spec} spec
 * @param {Vocabulary} vocabulary
 * @returns {(piece: string) => number[]}
 */
function unigram(spec, { words, ids, scores }) {
  const { unknown } = spec;
  const worst = scores.reduce((least, score) => Math.min(least, score), Infinity) - 10;
  // Bits say which beginnings of words, and which words, there may be: of wrong ones, which are few, the map knows better.
  const bits = 1 << (32 - Math.clz32(16 * words.length + 1024));
  const [begins, ends] = [new Uint8Array(bits >> 3), new Uint8Array(bits >> 3)];
  /** @param {number} hash @param {number} unit */
  const next = (hash, unit) => Math.imul((hash ^ unit) + 0x9e3779b9, 0x85ebca6b) ^ (hash >>> 15);
  /** @param {number} hash */
  const bit = (hash) => (hash >>> 7) & (bits - 1);
  for (const word of ids.keys()) {
    let hash = 0;
    for (let i = 0; i < word.length; i++) {
      hash = next(hash, word.charCodeAt(i));
      begins[bit(hash) >> 3] |= 1 << (bit(hash) & 7);
    }
    ends[bit(hash) >> 3] |= 1 << (bit(hash) & 7);
  }
  return (piece) => {
    const { length } = piece;
    const best = new Float64Array(length + 1);
    const from = new Int32Array(length + 1).fill(-1);
    const which = new Int32Array(length + 1);
    for (let start = 0; start < length; ) {
      const one = /** @type {number} */ (piece.codePointAt(start)) > 0xffff ? 2 : 1;
      const here = best[start];
      let single = false;
      /** @param {number} end @param {number} score @param {number} id */
      const reach = (end, score, id) => {
        if (from[end] < 0 || score > best[end]) {
          best[end] = score;
          from[end] = start;
          which[end] = id;
        }
      };
      for (let end = start, hash = 0; end < length; ) {
        hash = next(hash, piece.charCodeAt(end++));
        const place = bit(hash);
        if (!((begins[place >> 3] >> (place & 7)) & 1)) break;
        if (!((ends[place >> 3] >> (place & 7)) & 1)) continue;
        const id = ids.get(piece.slice(start, end));
        if (id === undefined) continue;
        reach(end, scores[id] + here, id);
        single ||= end - start === one;
      }
      if (!single) reach(start + one, worst + here, unknownOf(spec, piece));
      start += one;
    }
    /** @type {number[][]} */
    const found = [];
    for (let end = length; end; ) {
      let start = from[end];
      if (which[end] !== unknown) found.push([which[end]]);
      else {
        // Unknown letters in a row are one, which may even be a word.
        while (start && which[start] === unknown) start = from[start];
        const text = piece.slice(start, end);
        const id = ids.get(text);
        found.push(id === undefined ? ((spec.bytes && bytesOf(text, ids)) || [unknown]) : [id]);
      }
      end = start;
    }
    return found.reverse().flat();
  };
}

/**
 * Pairs merged in order of their ranks.
 *
 * @param {Spec} spec
 * @param {Vocabulary} vocabulary
 * @returns {(piece: string) => number[]}
 */
function bpe(spec, { ids, merges: [lefts, rights, results] }) {
  const { unknown, prefix = "", suffix = "", fuse, bytes, whole, merges: many = 0 } = spec;
  const size = 1 << (33 - Math.clz32(many + 1));
  const table = new Int32Array(size);
  /** Where a pair is in the table, or would be. @param {number} left @param {number} right */
  const place = (left, right) => {
    let at = Math.imul(Math.imul(left, 0x9e3779b1) ^ right, 0x85ebca6b);
    for (at = (at ^ (at >>> 15)) & (size - 1); ; at = (at + 1) & (size - 1)) {
      const rank = table[at] - 1;
      if (rank < 0 || (lefts[rank] === left && rights[rank] === right)) return at;
    }
  };
  for (let rank = 0; rank < many; rank++) table[place(lefts[rank], rights[rank])] = rank + 1;

  /** @param {string} piece */
  const start = (piece) => {
    /** @type {number[]} */
    const found = [];
    let pending = false;
    const letters = Array.from(piece);
    letters.forEach((letter, i) => {
      const text = (i ? prefix : "") + letter + (i === letters.length - 1 ? suffix : "");
      const id = ids.get(text);
      if (id !== undefined) {
        if (pending) found.push(/** @type {number} */ (unknown));
        pending = false;
        found.push(id);
        return;
      }
      const several = bytes && bytesOf(text, ids);
      // The reference leaves a letter out that it has no id for.
      if (several) found.push(...several);
      else if (unknown !== undefined) {
        if (pending && !fuse) found.push(unknown);
        pending = true;
      }
    });
    if (pending) found.push(/** @type {number} */ (unknown));
    return found;
  };

  return (piece) => {
    const id = whole ? ids.get(piece) : undefined;
    if (id !== undefined) return [id];
    const symbols = start(piece);
    const { length } = symbols;
    const next = Int32Array.from(symbols, (_, i) => i + 1);
    const before = Int32Array.from(symbols, (_, i) => i - 1);
    const heap = makeHeap(length);
    /** @param {number} at */
    const ask = (at) => {
      const rank = table[place(symbols[at], symbols[next[at]])] - 1;
      // Both are whole numbers below 2^53 together: the lowest rank first, then the first place.
      if (rank >= 0) heap.push(rank * 0x10000000 + at);
    };
    for (let at = 0; at + 1 < length; at++) ask(at);
    for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
      const at = top % 0x10000000;
      const result = results[(top - at) / 0x10000000];
      const right = next[at];
      if (symbols[at] < 0 || right >= length) continue;
      const rank = table[place(symbols[at], symbols[right])] - 1;
      if (rank < 0 || results[rank] !== result) continue;
      symbols[at] = result;
      symbols[right] = -1;
      next[at] = next[right];
      if (next[at] < length) before[next[at]] = at;
      if (before[at] >= 0) ask(before[at]);
      if (next[at] < length) ask(at);
    }
    return symbols.filter((symbol) => symbol >= 0);
  };
}
