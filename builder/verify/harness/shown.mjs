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

const told = 8; // windows of a sound whose inputs are told

/** Gives what run makes of each window of each sound: the model's input, and the answer. */
export async function runPlayed(handle, model, { played, heard }) {
  const { execute } = model;
  const found = [];
  try {
    for (const file of played) {
      alive("run");
      const inputs = [];
      model.execute = (fed, ...more) => {
        alive("run");
        const values = inputs.length < told ? fed[heard].dataSync() : undefined;
        inputs.push(values ? Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64") : null);
        return execute.call(model, fed, ...more);
      };
      const answers = await handle.run(await readFile(file));
      found.push(
        answers.map(({ answer }, i) => {
          const tensors = [answer, ...Object.values(answer ?? {})].filter((one) => typeof one?.dispose === "function");
          for (const tensor of tensors) tensor.dispose();
          return { input: inputs[i], answer: tensors.length ? null : JSON.parse(JSON.stringify(answer, bytesAsText)) };
        }),
      );
    }
  } finally {
    delete model.execute;
  }
  return found;
}

/** Gives the inputs that run makes of each text, and its answer, where it is none of tensors. */
export async function runTold(handle, model, { told }) {
  const { execute } = model;
  const found = [];
  try {
    for (const text of told) {
      alive("run");
      let inputs = {};
      model.execute = (fed, ...more) => {
        inputs = Object.fromEntries(Object.entries(fed).map(([name, tensor]) => [name, Array.from(tensor.dataSync())]));
        return execute.call(model, fed, ...more);
      };
      const answer = await handle.run(text);
      const tensors = [answer, ...Object.values(answer)].filter((one) => one?.dispose);
      for (const tensor of tensors) tensor.dispose();
      found.push({ inputs, answer: tensors.length ? null : JSON.parse(JSON.stringify(answer, bytesAsText)) });
    }
  } finally {
    delete model.execute;
  }
  return found;
}
