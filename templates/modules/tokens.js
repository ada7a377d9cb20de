/*! Shardpress tokenizers, equal to Hugging Face's tokenizers, bundle format 1 */
import { frame } from "../tokens/frame.js";
import { openModel } from "../tokens/models.js";
import { readVocabulary } from "../tokens/vocabulary.js";
import { makeCutter } from "../tokens/pieces.js";

/** @import { Spec } from "../tokens/spec.js" */

/** @typedef {string | { text: string, pair?: string }} Text one text, or two that belong together */

/**
 * What a text becomes: as many numbers in each.
 *
 * @typedef {{ ids: number[], mask: number[], types: number[] }} Encoded
 */

/**
 * Makes a tokenizer.
 *
 * @param {Spec} spec `tokenizer` of the head
 * @param {Uint8Array} bytes its vocabulary
 * @returns {(texts: Text[], length?: number) => Encoded[]} what encodes texts, to the length of a model's input where there is one
 */
export function openTokenizer(spec, bytes) {
  const vocabulary = readVocabulary(spec, bytes);
  const cut = makeCutter(spec, vocabulary);
  const encodePiece = openModel(spec, vocabulary);
  /** @param {string} text */
  const idsOf = (text) => {
    /** @type {number[]} */
    const ids = [];
    for (const piece of cut(text)) {
      if (typeof piece === "number") ids.push(piece);
      else for (const id of encodePiece(piece)) ids.push(id);
    }
    return ids;
  };
  return (texts, length) =>
    frame(
      spec,
      texts.map((given) => {
        const { text, pair } = typeof given === "string" ? { text: given } : given;
        if (typeof text !== "string" || !["string", "undefined"].includes(typeof pair)) throw new TypeError("A text is a string, or { text, pair } of two");
        return pair === undefined ? [idsOf(text)] : [idsOf(text), idsOf(pair)];
      }),
      length,
    );
}

/** By the tensor that holds their vocabulary: other weights may have another one. @type {WeakMap<object, ReturnType<typeof openTokenizer>>} */
const opened = new WeakMap();

/**
 * Turns texts into the tensors that a model takes.
 *
 * @param {any} tf
 * @param {any} model that has the vocabulary among its weights
 * @param {Spec} spec `tokenizer` of the head
 * @param {Text | Text[]} given
 * @returns {Promise<Record<string, any>>} of shape [texts, length], by the names of the model's inputs
 */
export async function encode(tf, model, spec, given) {
  const [tensor] = model.weights.tokenizer;
  let tokenizer = opened.get(tensor);
  if (!tokenizer) opened.set(tensor, (tokenizer = openTokenizer(spec, (await tensor.bytes())[0])));
  const { ids, mask, types, length, floats = [] } = /** @type {NonNullable<Spec["inputs"]>} */ (spec.inputs);
  const texts = Array.isArray(given) ? given : [given];
  if (!texts.length) throw new TypeError("There is no text");
  const found = tokenizer(texts, length);
  /** @type {Record<string, any>} */
  const tensors = {};
  for (const [name, key] of /** @type {[string | undefined, keyof Encoded][]} */ ([[ids, "ids"], [mask, "mask"], [types, "types"]])) {
    if (name) tensors[name] = tf.tensor2d(found.flatMap((one) => one[key]), [found.length, found[0].ids.length], floats.includes(name) ? "float32" : "int32");
  }
  return tensors;
}
