/** @import { Spec, Step } from "./spec.js" */
/** @import { Vocabulary } from "./vocabulary.js" */

/**
 * A piece of a text.
 *
 * @typedef {object} Piece
 * @property {string} text
 * @property {boolean} first whether it begins where the text begins
 */

/** @typedef {(piece: Piece) => Piece[]} Cut */

const white = /\p{White_Space}/u;
const letter = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

/**
 * What cuts texts into pieces that the model encodes, and ids of added words.
 *
 * @param {Spec} spec
 * @param {Vocabulary} vocabulary
 * @returns {(text: string) => (string | number)[]}
 */
export function makeCutter(spec, vocabulary) {
  const normalize = spec.normalizer.map((step) => compile(step, spec, vocabulary));
  const splits = spec.splits.map((step) => compile(step, spec, vocabulary));
  /** @param {Cut[]} cuts @param {Piece} piece */
  const run = (cuts, piece) => cuts.reduce((pieces, cut) => pieces.flatMap(cut).filter(({ text }) => text), [piece]);
  /** @param {string} text */
  const normal = (text) => run(normalize, { text, first: true })[0]?.text ?? "";
  const [plain, normalized] = [0, 1].map((flag) => {
    /** @type {Map<string, [id: number, flags: number]>} */
    const added = new Map();
    for (const [first, count, flags] of spec.added) {
      if ((flags & 1) !== flag) continue;
      for (let id = first; id < first + count; id++) added.set(flag ? normal(vocabulary.words[id]) : vocabulary.words[id], [id, flags]);
    }
    return finder(added);
  });
  return (given) => {
    const text = given.replace(/\p{Cs}/gu, "\ufffd");
    /** @type {(string | number)[]} */
    const found = [];
    for (const piece of plain({ text, first: true })) {
      for (const part of typeof piece === "number" ? [piece] : run(normalize, piece).flatMap(normalized)) {
        if (typeof part === "number") found.push(part);
        else for (const { text } of run(splits, part)) found.push(text);
      }
    }
    return found;
  };
}

/**
 * What finds added words in a piece, the longest of those that begin first.
 *
 * @param {Map<string, [id: number, flags: number]>} added
 * @returns {(piece: Piece) => (Piece | number)[]}
 */
function finder(added) {
  /** @type {Map<string, number[]>} lengths by first unit, the longest first */
  const lengths = new Map();
  for (const word of added.keys()) {
    const { length } = word;
    const unit = word.charAt(0);
    if (length) lengths.set(unit, [...new Set([...(lengths.get(unit) ?? []), length])].sort((a, b) => b - a));
  }
  return (piece) => {
    if (!lengths.size) return [piece];
    const { text, first } = piece;
    /** @type {(Piece | number)[]} */
    const found = [];
    let done = 0;
    /** @param {number} end */
    const rest = (end) => {
      if (done < end) found.push({ text: text.slice(done, end), first: first && !done });
    };
    for (let at = 0; at < text.length; at++) {
      const length = lengths.get(text[at])?.find((length) => added.has(text.slice(at, at + length)));
      if (!length) continue;
      const [id, flags] = /** @type {[number, number]} */ (added.get(text.slice(at, at + length)));
      let [start, stop] = [at, at + length];
      at = stop - 1;
      if (flags & 8 && (letter.test(before(text, start)) || letter.test(String.fromCodePoint(text.codePointAt(stop) ?? 32)))) continue;
      if (flags & 2) while (start > done && white.test(text[start - 1])) start--;
      if (flags & 4) while (stop < text.length && white.test(text[stop])) stop++;
      rest(start);
      found.push(id);
      done = stop;
    }
    rest(text.length);
    return found;
  };
}

/** The character before a place. @param {string} text @param {number} at */
const before = (text, at) => [...text.slice(Math.max(0, at - 2), at)].pop() ?? "";

/**
 * @param {Step} step
 * @param {Spec} spec
 * @param {Vocabulary} vocabulary
 * @returns {Cut}
 */
function compile([kind, what, more, invert, aged], { kept, newer }, { charsmap }) {
  /** @param {(text: string) => string} change of a text that begins where it did @returns {Cut} */
  const change = (change) => ({ text, first }) => [{ text: change(text), first }];
  switch (kind) {
    case "form": {
      const pattern = new RegExp(kept ?? "($^)", "u");
      return change((text) => text.split(pattern).map((part, i) => (i % 2 ? part : part.normalize(what))).join(""));
    }
    case "lower":
      // A sigma at the end of a word is one like any other.
      return change((text) => text.replaceAll("Σ", "σ").toLowerCase());
    case "around": {
      const pattern = new RegExp(what, "gu");
      return change((text) => text.replace(pattern, " $& "));
    }
    case "prepend":
      return change((text) => text && what + text);
    case "prefix":
      return (piece) => (piece.text.startsWith(what) || (more && !piece.first) ? [piece] : [{ ...piece, text: what + piece.text }]);
    case "strip":
      return ({ text, first }) => {
        let [start, end] = [0, text.length];
        if (what) while (start < end && white.test(text[start])) start++;
        if (more) while (end > start && white.test(text[end - 1])) end--;
        return [{ text: text.slice(start, end), first: first && !start }];
      };
    case "bytes":
      return change(toBytes);
    case "charsmap":
      return change((text) => mapped(text, charsmap));
    case "replace": {
      const pattern = new RegExp(what, "gu");
      return ({ text, first }) => {
        let found = "";
        let done = 0;
        for (const [start, end] of text ? matchesOf(pattern, text) : []) {
          // Where the first letter goes, the reference no longer takes the text to begin where it did.
          if (!start && end && (!more || end > (/** @type {number} */ (text.codePointAt(0)) > 0xffff ? 2 : 1))) first = false;
          found += text.slice(done, start) + more;
          done = end;
        }
        return [{ text: found + text.slice(done), first }];
      };
    }
    case "split":
      return splitter(new RegExp(what, "gu"), more, invert, aged && newer);
  }
  throw new Error(`the tokenizer has the step ${kind}, which is not known`);
}

/**
 * Where a pattern matches; an empty match right behind another one is none.
 *
 * @param {RegExp} pattern
 * @param {string} text
 */
function* matchesOf(pattern, text) {
  let last = -1;
  for (const { index, 0: match } of text.matchAll(pattern)) {
    if (match || index !== last) yield [index, (last = index + match.length)];
  }
}

/**
 * @param {RegExp} pattern
 * @param {string} behaviour what becomes of matches
 * @param {boolean | undefined} invert whether what lies between matches is taken for these
 * @param {string | undefined} newer
 * @returns {Cut}
 */
function splitter(pattern, behaviour, invert, newer) {
  const unknown = newer && new RegExp(newer, "gu");
  return ({ text, first }) => {
    // What the reference's tables do not know yet is to match nothing here either; U+0295 is a small letter there.
    const seen = unknown ? text.replace(unknown, (one) => (one === "\u0295" ? "\u0250" : one.length > 1 ? "\u{1fffe}" : "\ufdd0")) : text;
    /** @type {[start: number, end: number, match: boolean][]} */
    const parts = [];
    let done = 0;
    for (const [start, end] of matchesOf(pattern, seen)) {
      if (done < start) parts.push([done, start, !!invert]);
      parts.push([start, (done = end), !invert]);
    }
    if (done < text.length) parts.push([done, text.length, !!invert]);
    if (behaviour === "next") parts.reverse();
    /** @type {typeof parts} */
    const merged = [];
    let previous = false;
    for (const [start, end, match] of parts) {
      const joins = behaviour === "contiguous" ? match === previous : (behaviour === "previous" || behaviour === "next") && match && !previous;
      previous = match;
      const last = merged[merged.length - 1];
      if (joins && last) {
        last[0] = Math.min(last[0], start);
        last[1] = Math.max(last[1], end);
      } else if (!match || behaviour !== "removed") merged.push([start, end, match]);
    }
    if (behaviour === "next") merged.reverse();
    return merged.map(([start, end]) => ({ text: text.slice(start, end), first: first && !start }));
  };
}

const encoder = new TextEncoder();
/** @type {string[]} letters that stand for bytes: those that can be seen for themselves, the others from U+0100 on */
const letters = [];
for (let byte = 0, next = 0x100; byte < 0x100; byte++) {
  const seen = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  letters.push(String.fromCharCode(seen ? byte : next++));
}

/** @param {string} text */
function toBytes(text) {
  let found = "";
  for (const byte of encoder.encode(text)) found += letters[byte];
  return found;
}

/** @type {Intl.Segmenter | undefined} */
let segmenter;

/**
 * Replaces what a charsmap of SentencePiece has: of short graphemes all by what stands for their beginning, as the
 * reference does, of others each character.
 *
 * @param {string} text
 * @param {Map<string, string>} charsmap
 */
function mapped(text, charsmap) {
  segmenter ??= new Intl.Segmenter("und", { granularity: "grapheme" });
  let found = "";
  for (const { segment } of segmenter.segment(text)) {
    const characters = [...segment];
    if (encoder.encode(segment).length < 6) {
      let start = "";
      const whole = characters.map((one) => charsmap.get((start += one))).find((one) => one !== undefined);
      if (whole !== undefined) {
        found += whole;
        continue;
      }
    }
    for (const one of characters) found += charsmap.get(one) ?? one;
  }
  return found;
}
