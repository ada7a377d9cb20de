// Runs one graph in TensorFlow.js again and again, with other weights each time, for whoever chooses its precision.
//
//   node measure.mjs ORDER.json
//
// The order: { nodeModules: "dir", inputs: "file", out: "dir" }; tensors lie in files as {name, dtype, shape, offset,
// bytes} says, see verify/harness/tensors.mjs. Then each line of the standard input is a question:
//   { ask: "load", model: "dir/model.json" }            takes a graph in place of the last one
//   { ask: "feed", data: "file", tensors: [tensor, …] } replaces the values of nodes, from now on
//   { ask: "run", inputs: { "node:0": [tensor, …] }, outputs: ["node:0", …] }    runs a batch
// The tensors of an input lie in the file `inputs` and are joined along the first axis. An answer is out/answer.json,
// { answer: [tensor, …] } or { error: "…" }, with its numbers in out/answer.bin, and the line "answer" on the standard
// output. The process ends with its standard input.

import { closeSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";

import { wholeMessage } from "../../verify/harness/failures.mjs";
import { loadStock } from "../../verify/harness/files.mjs";
import { Output, readTensor } from "../../verify/harness/tensors.mjs";
import { runtime } from "../../verify/harness/tfjs.mjs";
import { alive, collect } from "../../verify/harness/watch.mjs";
import { lendKernels } from "./lent_kernels.mjs";
import { registerStatistics } from "./statistics.mjs";

const backend = "wasm";
const mostBuffers = 1 << 28; // bytes
const order = JSON.parse(readFileSync(process.argv[2], "utf8"));
let tf;
let model = null;
let fed = {};

async function load({ model: file }) {
  if (!tf) {
    tf = (await runtime({ nodeModules: order.nodeModules, backends: [backend] })).tf;
    if (!(await tf.setBackend(backend))) throw new Error(`the ${backend} backend does not start`);
    await tf.ready();
    lendKernels(tf, "cpu", backend);
    registerStatistics(tf);
  }
  model?.dispose();
  model = await loadStock(tf, file);
  return [];
}

function feed({ data, tensors }) {
  tf.dispose(fed);
  const content = readFileSync(data);
  fed = Object.fromEntries(tensors.map((item) => [item.name, readTensor(tf, content, item)]));
  return [];
}

/** Reads the pieces of one input and joins them. */
function input(file, name, pieces) {
  const parts = pieces.map((piece) => {
    const content = Buffer.alloc(piece.bytes);
    for (let at = 0; at < content.length; ) {
      const count = readSync(file, content, at, content.length - at, piece.offset + at);
      if (!count) throw new Error(`the file of inputs ends within ${name}`);
      at += count;
    }
    return readTensor(tf, content, { ...piece, offset: 0 });
  });
  if (parts.length === 1) return parts[0];
  const joined = tf.concat(parts, 0);
  tf.dispose(parts);
  return joined;
}

async function run({ inputs, outputs }) {
  const file = openSync(order.inputs, "r");
  const given = {};
  try {
    for (const [name, pieces] of Object.entries(inputs)) given[name] = input(file, name, pieces);
  } finally {
    closeSync(file);
  }
  let found = [];
  try {
    const feeds = { ...given, ...fed };
    try {
      found = model.execute(feeds, outputs);
    } catch (error) {
      // TensorFlow.js has no public question for this; its error is the answer.
      if (!String(error?.message).includes("executeAsync")) throw error;
      found = await model.executeAsync(feeds, outputs);
    }
    found = Array.isArray(found) ? found : [found];
    const output = new Output();
    const answer = [];
    for (const [place, tensor] of found.entries()) answer.push(await output.add(outputs[place], tensor));
    return [answer, output.parts];
  } finally {
    // An output may be what was fed, which stays.
    const kept = new Set(Object.values(fed));
    tf.dispose([Object.values(given), found].flat().filter((tensor) => !kept.has(tensor)));
  }
}

const questions = { load, feed, run };

for await (const line of createInterface({ input: process.stdin })) {
  let content;
  let parts = [];
  try {
    const question = JSON.parse(line);
    const [answer = [], numbers = []] = await questions[question.ask](question);
    content = { answer };
    parts = numbers;
  } catch (error) {
    content = { error: wholeMessage(error) };
  }
  writeFileSync(path.join(order.out, "answer.bin"), Buffer.concat(parts));
  writeFileSync(path.join(order.out, "answer.json"), JSON.stringify(content));
  // Node lets the memory of large arrays pile up, and to collect it each time takes as long as a small model.
  if (process.memoryUsage().arrayBuffers > mostBuffers) collect();
  alive("answer");
}
process.exit(0);
