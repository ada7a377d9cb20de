/**
 * One thing done to pieces of text, see docs/format.md: `["form", "NFC"]`, `["lower"]`, `["replace", pattern, text]`,
 * `["around", pattern]`, `["strip", left, right]`, `["prepend", text]`, `["prefix", text, first]`, `["bytes"]`,
 * `["charsmap"]`, `["split", pattern, behaviour, invert, aged]`.
 *
 * @typedef {[string, ...any[]]} Step
 */

/**
 * The head's `tokenizer`, see docs/format.md.
 *
 * @typedef {object} Spec
 * @property {"bpe" | "unigram" | "wordpiece" | "wordlevel"} model
 * @property {number} words ids that have one, or had
 * @property {number} known of them, those that the model itself has
 * @property {number} [merges]
 * @property {number} [unknown] id of what is no word
 * @property {string} [prefix] of words that continue one
 * @property {string} [suffix] of the last letter of a piece
 * @property {number} [longest] letters of a piece that is looked at
 * @property {boolean} [fuse] whether unknown letters in a row are one
 * @property {boolean} [bytes] whether unknown letters become bytes
 * @property {boolean} [whole] whether a piece that is a word is not merged
 * @property {4 | 8} [scores] bytes of one
 * @property {number} [charsmap] how many texts are replaced
 * @property {[first: number, count: number, flags: number][]} added
 * @property {Step[]} normalizer
 * @property {Step[]} splits
 * @property {string} [kept] what normal forms pass over
 * @property {string} [newer] what patterns do not know
 * @property {[id: number | "a" | "b", type: number][]} [single]
 * @property {[id: number | "a" | "b", type: number][]} [pair]
 * @property {{ length: number, side: string, from: string }} [truncate]
 * @property {{ id: number, type: number, side: string, length?: number, multiple?: number }} pad
 * @property {{ ids: string, mask?: string, types?: string, length?: number, floats?: string[] }} [inputs] names of the model's inputs, and their length if it is fixed
 */

export {};
