/** Answers on their way from the worker to the page: what has functions gets them back there. */
import { makeCanvas } from "../modules/pixels.js";
import { Sent } from "./channel.js";
import { isPlainObject } from "./plain.js";

const mark = "shardpress";

/**
 * Makes an answer one that can be sent; its buffers go with it.
 *
 * @param {any} answer
 */
export function pack(answer) {
  /** @type {Set<any>} */
  const transfer = new Set();
  return new Sent(packed(answer, transfer), [...transfer]);
}

/** @param {any} name */
const isA = (name) => (/** @type {any} */ value) => name in globalThis && value instanceof /** @type {any} */ (globalThis)[name];
const [isCanvas, isBitmap, isPixels] = ["OffscreenCanvas", "ImageBitmap", "ImageData"].map(isA);

/** @param {any} value @param {Set<any>} transfer @returns {any} */
function packed(value, transfer) {
  if (isCanvas(value)) {
    const bitmap = value.transferToImageBitmap();
    transfer.add(bitmap);
    return { [mark]: "canvas", bitmap };
  }
  if (isBitmap(value)) transfer.add(value);
  else if (isPixels(value)) transfer.add(value.data.buffer);
  else if (ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer) {
    if (value.byteLength === value.buffer.byteLength && value.byteLength) transfer.add(value.buffer);
  } else if (Array.isArray(value)) return value.map((one) => packed(one, transfer));
  else if (isPlainObject(value)) {
    const kept = Object.entries(value).filter(([, one]) => typeof one !== "function");
    const kind = "toImageData" in value ? "mask" : "similarity" in value ? "vector" : undefined;
    return { ...Object.fromEntries(kept.map(([name, one]) => [name, packed(one, transfer)])), ...(kind && { [mark]: kind }) };
  }
  return value;
}

/**
 * Makes of what came the answer that the page's own thread would have given.
 *
 * @param {any} value
 * @param {any} head what the model's head says
 * @param {(name: string) => Promise<any>} lazy
 * @param {new (code: "contract", message: string) => Error} ModelError
 * @returns {Promise<any>}
 */
export async function unpack(value, head, lazy, ModelError) {
  const kinds = new Set();
  look(value, kinds);
  /** @type {Record<string, any>} */
  const modules = {};
  for (const kind of kinds) if (kind !== "canvas") modules[kind] = await lazy(kind);
  return kinds.size ? unpacked(value, modules, head, ModelError) : value;
}

/** @param {any} value @param {Set<string>} kinds */
function look(value, kinds) {
  if (Array.isArray(value)) for (const one of value) look(one, kinds);
  else if (isPlainObject(value)) {
    if (typeof value[mark] === "string") kinds.add(value[mark]);
    for (const one of Object.values(value)) look(one, kinds);
  }
}

/** @param {any} value @param {Record<string, any>} modules @param {any} head @param {any} ModelError @returns {any} */
function unpacked(value, modules, head, ModelError) {
  if (Array.isArray(value)) return value.map((one) => unpacked(one, modules, head, ModelError));
  if (!isPlainObject(value)) return value;
  const { [mark]: kind, ...rest } = value;
  if (kind === "canvas") {
    const { bitmap } = rest;
    const { canvas, context } = makeCanvas(bitmap.width, bitmap.height);
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    return canvas;
  }
  if (modules[kind]) return modules[kind].revive(rest, head, ModelError);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, unpacked(one, modules, head, ModelError)]));
}
