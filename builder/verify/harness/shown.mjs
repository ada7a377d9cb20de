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

/** Calls `note` with the inputs of each run of a model, a graph's or one of layers, by name; gives what ends that. */
function noteInputs(model, note) {
  const method = model.executor ? "execute" : "predict";
  const real = model[method];
  model[method] = (fed, ...more) => {
    const byName = model.executor ? fed : Object.fromEntries([fed].flat().map((tensor, i) => [model.inputNames[i], tensor]));
    note(byName);
    return real.call(model, fed, ...more);
  };
  return () => delete model[method];
}

const disposed = (answer) => {
  const tensors = [answer, ...Object.values(answer ?? {})].filter((one) => typeof one?.dispose === "function");
  for (const tensor of tensors) tensor.dispose();
  return tensors.length > 0;
};

const most = 8; // windows of a sound whose inputs are told

/** Gives what run makes of each window of each sound: the model's input, and the answer. */
export async function runPlayed(handle, model, { played, heard }) {
  const found = [];
  let inputs = [];
  const end = noteInputs(model, (fed) => {
    alive("run");
    const values = inputs.length < most ? fed[heard].dataSync() : undefined;
    inputs.push(values ? Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64") : null);
  });
  try {
    for (const file of played) {
      alive("run");
      inputs = [];
      const windows = await handle.run(await readFile(file));
      const answers = windows.map(({ start, end, answer }) => ({ start, end, answer: disposed(answer) ? null : JSON.parse(JSON.stringify(answer, bytesAsText)) }));
      found.push(answers.map((one, i) => ({ ...one, input: inputs[i] })));
    }
  } finally {
    end();
  }
  return found;
}

/** Gives the inputs that run makes of each text, and its answer, where it is none of tensors. */
export async function runTold(handle, model, { told }) {
  const found = [];
  let inputs = {};
  const end = noteInputs(model, (fed) => {
    inputs = Object.fromEntries(Object.entries(fed).map(([name, tensor]) => [name, Array.from(tensor.dataSync())]));
  });
  try {
    for (const text of told) {
      alive("run");
      inputs = {};
      const answer = await handle.run(text);
      found.push({ inputs, answer: disposed(answer) ? null : JSON.parse(JSON.stringify(answer, bytesAsText)) });
    }
  } finally {
    end();
  }
  return found;
}
