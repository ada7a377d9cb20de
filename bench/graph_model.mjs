// Runs a TensorFlow.js graph model as it is: node graph_model.mjs model.json OUTPUT. A line in is { shape, values } of its only
// input, a line out likewise of that output; values are float32 in base64.

import { readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import * as tf from "@tensorflow/tfjs";

const [file, output] = process.argv.slice(2);
const { modelTopology, weightsManifest, signature } = JSON.parse(readFileSync(file, "utf8"));
const paths = weightsManifest.flatMap((group) => group.paths).map((name) => path.join(path.dirname(file), name));
const weightData = new Uint8Array(Buffer.concat(paths.map((one) => readFileSync(one)))).buffer;
const weightSpecs = weightsManifest.flatMap((group) => group.weights);
await tf.setBackend("cpu");
const model = await tf.loadGraphModel({ load: async () => ({ modelTopology, weightSpecs, weightData, signature }) });
for await (const line of createInterface({ input: process.stdin })) {
  const { shape, values } = JSON.parse(line);
  const bytes = new Uint8Array(Buffer.from(values, "base64"));
  const given = tf.tensor(new Float32Array(bytes.buffer), shape);
  const found = model.execute(given, output);
  const answer = new Uint8Array((await found.data()).buffer);
  tf.dispose([given, found]);
  console.log(JSON.stringify({ shape: found.shape, values: Buffer.from(answer).toString("base64") }));
}
