/*! Shardpress text vectorization, as Keras' layer does it */

/** @typedef {{ lower: boolean, strip: boolean, split: "whitespace" | "character" | "none", ngrams?: number[], length?: number }} Steps */
/** @typedef {{ texts: Record<string, Steps> }} Spec by the inputs that take ids */
/** @typedef {Record<string, { words: string[], unknown?: number }>} Vocabulary */

/** Ids by word, of each list of words. @type {WeakMap<string[], Map<string, number>>} */
const known = new WeakMap();

/**
 * Takes a text apart into what is looked up.
 *
 * @param {string} text
 * @param {Steps} steps
 * @returns {string[]}
 */
function wordsOf(text, { lower, strip, split, ngrams }) {
  // Halves of characters: no model has seen one.
  text = text.replace(/\p{Cs}/gu, "\ufffd");
  if (lower) text = text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  if (strip) text = text.replace(/[!-/:-@[-`{-~]+/g, "");
  if (split === "none") return [text];
  const words = split === "character" ? [...text] : text.split(/[ \t\n\v\f\r]+/).filter(Boolean);
  return ngrams ? ngrams.flatMap((width) => words.slice(width - 1).map((_, at) => words.slice(at, at + width).join(" "))) : words;
}

/**
 * Gives the ids of texts, in rows of one length.
 *
 * @param {string[]} texts
 * @param {Steps} steps
 * @param {Vocabulary[string]} vocabulary
 * @returns {number[][]}
 */
export function idsOf(texts, steps, { words, unknown = 0 }) {
  let ids = known.get(words);
  if (!ids) {
    known.set(words, (ids = new Map()));
    for (const [id, word] of words.entries()) if (!ids.has(word)) ids.set(word, id);
  }
  const table = ids;
  const rows = texts.map((text) => wordsOf(text, steps).map((word) => table.get(word) ?? unknown));
  const length = steps.length ?? rows.reduce((most, row) => Math.max(most, row.length), 0);
  return rows.map((row) => Array.from({ length }, (_, at) => row[at] ?? 0));
}

/**
 * Turns texts into the tensors that a model takes.
 *
 * @param {any} tf
 * @param {any} model
 * @param {Spec} spec `tokenizer` of the head
 * @param {any} given a text, texts by input, or a list of either
 * @param {Vocabulary} vocabulary of the head
 * @returns {Promise<Record<string, any>>} of shape [texts, length], by the names of the model's inputs
 */
export async function encode(tf, model, { texts }, given, vocabulary) {
  const list = Array.isArray(given) ? given : [given];
  if (!list.length) throw new TypeError("There is no text");
  const names = Object.keys(texts);
  const asked = typeof list[0] === "string" ? names : Object.keys(list[0] ?? {});
  if (asked.length > 1 && typeof list[0] === "string") throw new TypeError(`The model takes ${names.length} texts: give run an object of them by name`);
  /** @type {Record<string, any>} */
  const tensors = {};
  for (const name of asked) {
    const own = list.map((one) => (typeof one === "string" ? one : one?.[name]));
    if (!texts[name] || own.some((text) => typeof text !== "string")) throw new TypeError(`A text is a string, or an object of texts for ${names.join(", ")}`);
    const rows = idsOf(own, texts[name], vocabulary[name]);
    tensors[name] = tf.tensor2d(rows.flat(), [rows.length, rows[0].length], "int32");
  }
  return tensors;
}
