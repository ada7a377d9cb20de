// The whole way from pictures to answers, as a page goes it.

import { readFile } from "node:fs/promises";

import { alive } from "./watch.mjs";

// What browsers have, and Node has not.
globalThis.ImageData ??= class {
  constructor(width, height) {
    Object.assign(this, { width, height, data: new Uint8ClampedArray(4 * width * height) });
  }
};

const bytesAsText = (_, value) => (ArrayBuffer.isView(value) ? { base64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64") } : value);

/** Gives the answers as values that JSON can hold. */
export async function runShown(handle, { shown }) {
  const answers = [];
  for (const { file, width, height } of shown) {
    alive("run");
    const data = new Uint8ClampedArray(await readFile(file));
    const answer = await handle.run({ data, width, height }, { as: "imagedata" });
    answers.push(JSON.parse(JSON.stringify(answer, bytesAsText)));
  }
  return answers;
}
