import { readFront, readNumbers } from "../vectors/front.js";

/** @import { Spec } from "./spec.js" */

/**
 * @typedef {object} Vocabulary
 * @property {string[]} words by id, empty where there is none
 * @property {Map<string, number>} ids of the model's own words
 * @property {Map<string, string>} charsmap
 * @property {Uint32Array[]} merges left, right and result of each
 * @property {Float64Array} scores
 */

/**
 * Reads what docs/format.md says of a tokenizer's vocabulary: sections, each after its length.
 *
 * @param {Spec} spec
 * @param {Uint8Array} bytes
 * @returns {Vocabulary}
 */
export function readVocabulary({ words: count, known, merges: many = 0, charsmap: keys, scores: unit, prefix = "" }, bytes) {
  let at = 0;
  const section = () => {
    const [[length], start] = readNumbers(bytes, 1, at);
    return bytes.slice(start, (at = start + length));
  };
  const words = list(section(), count);
  const charsmap = new Map();
  if (keys !== undefined) {
    const [from, to] = [list(section(), keys), list(section(), keys)];
    from.forEach((key, i) => charsmap.set(key, to[i]));
  }
  /** @type {Uint32Array[]} */
  const merges = [];
  if (many) {
    const numbers = section();
    for (let start = 0; merges.length < 3; ) {
      const [column, end] = readNumbers(numbers, many, start);
      merges.push(column);
      start = end;
    }
    const [left, right, result] = merges;
    for (let i = 0; i < many; i++) words[result[i]] ||= words[left[i]] + words[right[i]].slice(prefix.length);
  }
  const scores = unit === 8 ? new Float64Array(section().buffer) : Float64Array.from(unit ? new Float32Array(section().buffer) : []);
  const ids = new Map();
  for (let id = 0; id < known; id++) if (words[id]) ids.set(words[id], id);
  return { words, ids, charsmap, merges, scores };
}

/**
 * @param {Uint8Array} bytes
 * @param {number} count
 */
function list(bytes, count) {
  const { letters, starts } = readFront(bytes, count);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return Array.from({ length: count }, (_, i) => decoder.decode(letters.subarray(starts[i], starts[i + 1])));
}
