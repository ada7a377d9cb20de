/*! Shardpress answers */
import { toInput } from "./framing.js";
import { isPicture, opening } from "./pixels.js";

/** @import { Frame, PictureSpec } from "./framing.js" */
/** @import { Glue, Lent } from "./glue.js" */
/** @import { Picture } from "./pixels.js" */
/** @import { Spec } from "../tokens/spec.js" */
/** @import { Text } from "./tokens.js" */
/** @import { Spec as Layers, Vocabulary } from "./vectorization.js" */

/** @typedef {{ kind: string } & Record<string, any>} AnswerSpec */
/** @typedef {{ tf: any, outputs: Record<string, any>, spec: AnswerSpec, labels: string[] | undefined, frame: Frame | null, inputs: Record<string, any> }} Answering */
/** @typedef {Lent & { head: { picture?: PictureSpec, answer?: AnswerSpec, labels?: string[], tokenizer?: Spec & Partial<Layers>, vocabulary?: Vocabulary } }} Whole */

/**
 * Makes inputs of what a page gives, runs the model, and makes an answer of its outputs.
 *
 * @param {Whole} lent
 * @param {Picture | Text | Text[] | Record<string, any>} given
 * @param {Record<string, any>} options
 * @param {(name: string) => Promise<any>} lazy gives other modules
 * @param {new (code: "contract", message: string) => Error} ModelError
 * @returns {Promise<any>} the answer, or those to each of several texts
 */
export async function run(lent, given, options, lazy, ModelError) {
  const { tf, model, head } = lent;
  const { picture, glue, answer: spec, labels, tokenizer } = head;
  const { texts, rest } = tokenizer ? split(given, Object.keys(tokenizer.texts ?? {})) : { texts: undefined, rest: given };
  if (spec && Array.isArray(texts)) {
    // One by one: an answer is that of one text.
    const answers = [];
    for (const text of texts) answers.push(await run(lent, text, options, lazy, ModelError));
    return answers;
  }
  /** @type {Record<string, any>} */
  const fed = {};
  /** @type {any[]} */
  const own = [];
  /** @type {Frame | null} */
  let frame = null;
  try {
    if (texts !== undefined) {
      const { encode } = await lazy(tokenizer?.texts ? "vectorization" : "tokens");
      Object.assign(fed, await encode(tf, model, tokenizer, texts, head.vocabulary));
      own.push(...Object.values(fed));
    }
    for (const [key, value] of Object.entries(texts === undefined || rest ? byName(rest, head, ModelError) : {})) {
      if (value instanceof tf.Tensor) {
        fed[key] = value;
        continue;
      }
      if (!isPicture(value)) throw new ModelError("contract", `The input ${key} takes a picture or a tensor`);
      const cut = glue?.inputs?.find(({ name }) => name === key);
      if (cut) {
        const { toPixels, toTensor } = await lazy("glue");
        const pixels = await toPixels(value, ModelError);
        own.push((fed[cut.input] = toTensor(ModelError, tf, pixels, cut)));
        const [height, width] = cut.crop ? cut.crop.slice(2) : [pixels.height, pixels.width];
        const [rows, columns] = cut.resize?.size ?? [height, width];
        const [top, left] = cut.crop ?? [0, 0];
        const [scaleX, scaleY] = [columns / width, rows / height];
        frame = { width: pixels.width, height: pixels.height, scaleX, scaleY, left: -left * scaleX, top: -top * scaleY, inputWidth: columns, inputHeight: rows };
        continue;
      }
      if (picture?.input !== key) throw new ModelError("contract", `The input ${key} takes a tensor`);
      const made = await opening(ModelError, () => toInput(tf, value, picture));
      own.push((fed[key] = made.tensor));
      frame = made.frame;
    }
    const outputs = await execute(model, fed);
    if (!spec) return Object.keys(outputs).length > 1 ? outputs : Object.values(outputs)[0];
    own.push(...Object.values(outputs));
    const { answer } = await lazy(spec.kind);
    return await answer({ tf, outputs, spec, labels, frame, inputs: fed, ModelError }, options);
  } finally {
    tf.dispose(own);
  }
}

/**
 * Takes what is text out of what a page gives.
 *
 * @param {any} given
 * @param {string[]} names of inputs that take ids of the model's own words
 * @returns {{ texts?: any, rest?: any }}
 */
function split(given, names) {
  if (typeof given === "string" || Array.isArray(given)) return { texts: given };
  if (names.length) {
    const [told, rest] = [true, false].map((is) => Object.entries(given ?? {}).filter(([name, value]) => (names.includes(name) && typeof value === "string") === is));
    return { texts: told.length ? Object.fromEntries(told) : undefined, rest: told.length ? Object.fromEntries(rest) : given };
  }
  if (typeof given?.text !== "string") return { rest: given };
  const { text, pair, ...rest } = given;
  return { texts: { text, pair }, rest };
}

/**
 * @param {any} given
 * @param {Whole["head"]} head
 * @param {new (code: "contract", message: string) => Error} ModelError
 * @returns {Record<string, any>}
 */
function byName(given, { picture, glue }, ModelError) {
  if (given && Object.getPrototypeOf(given) === Object.prototype && !isPicture(given)) return given;
  const names = [...(picture ? [picture.input] : []), ...(glue?.inputs ?? []).map(({ name }) => name)];
  if (names.length !== 1) throw new ModelError("contract", `The model takes ${names.length} pictures: give run an object of its inputs by name`);
  return { [names[0]]: given };
}

/**
 * Runs a graph model or a layers model; gives its outputs by name.
 *
 * @param {any} model
 * @param {Record<string, any>} fed
 * @returns {Promise<Record<string, any>>}
 */
export async function execute(model, fed) {
  if (!model.executor) {
    const order = model.inputNames.length === 1 ? Object.values(fed) : model.inputNames.map((/** @type {string} */ name) => fed[name]);
    const found = [model.predict(order.length > 1 ? order : order[0])].flat();
    return Object.fromEntries(found.map((tensor, i) => [model.outputNames[i] ?? `${i}`, tensor]));
  }
  const signed = Object.keys(model.modelSignature?.outputs ?? {});
  const names = signed.length ? signed : model.outputNodes;
  let found;
  try {
    found = model.execute({ ...fed }, names);
  } catch {
    // Only loops and branches of the graph need the slower way.
    found = await model.executeAsync({ ...fed }, names);
  }
  return Object.fromEntries([found].flat().map((tensor, i) => [names[i], tensor]));
}
