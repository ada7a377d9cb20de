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

/** Gives the inputs that run makes of each text. */
export async function runTold(handle, model, { told }) {
  const { execute } = model;
  const found = [];
  try {
    for (const text of told) {
      alive("run");
      model.execute = (fed, ...more) => {
        found.push(Object.fromEntries(Object.entries(fed).map(([name, tensor]) => [name, Array.from(tensor.dataSync())])));
        return execute.call(model, fed, ...more);
      };
      const answer = await handle.run(text);
      for (const one of [answer, ...Object.values(answer)]) one?.dispose?.();
    }
  } finally {
    delete model.execute;
  }
  return found;
}
