// Models that run in a worker: real TensorFlow.js models in a real thread, whose files the page fetches.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { base, bytesOf, floats, makeGate, makeModel, openLoader, serve, until } from "./bundle.mjs";
import { install, workers, Worker } from "./workers.mjs";

const require = createRequire(import.meta.url);
const tf = require("@tensorflow/tfjs");
tf.env().set("IS_TEST", true);
await tf.setBackend("cpu");
install();
const workerTf = pathToFileURL(require.resolve("@tensorflow/tfjs")).href;

const node = (name, op, input = [], attr = {}) => ({ name, op, input, attr: { T: { type: "DT_FLOAT" }, ...attr } });
const graph = {
  modelTopology: {
    node: [
      { name: "x", op: "Placeholder", attr: { dtype: { type: "DT_FLOAT" }, shape: { shape: { dim: [{ size: "-1" }, { size: "4" }] } } } },
      { name: "w", op: "Const", attr: { dtype: { type: "DT_FLOAT" } } },
      node("y", "MatMul", ["x", "w"], { transpose_a: { b: false }, transpose_b: { b: false } }),
    ],
    library: {},
    versions: { producer: 1, minConsumer: 1 },
  },
  signature: { inputs: { x: { name: "x:0" } }, outputs: { y: { name: "y:0" } } },
};
/** A model that answers with the sums of what it is fed, times a number. */
function summing(name, factor, extra = 0) {
  const weights = [{ name: "w", shape: [4, 2], dtype: "float32", codec: "exact", bytes: bytesOf(new Float32Array(8).fill(factor)) }];
  if (extra) weights.push({ name: "more", shape: [extra], dtype: "float32", codec: "exact", bytes: bytesOf(floats(extra)) });
  return makeModel(name, { artifacts: graph, weights, labels: ["left", "right"] });
}
const ones = () => ({ data: new Float32Array([1, 1, 1, 1]), shape: [1, 4], dtype: "float32" });

async function open(built, { answer, ...options } = {}) {
  const loader = await openLoader(...[built].flat());
  const server = serve(built, answer);
  const events = [];
  loader.configure({ baseUrl: base, fetch: server.fetch, tf, workerTf, cache: "none", onEvent: (event) => events.push(event), ...options });
  return { ...loader, server, events };
}

test("a model in the worker answers as on the page's thread, and leaves nothing behind", async () => {
  const before = tf.memory().numTensors;
  const { models, server, events } = await open(summing("faces", 3, 40));
  const phases = [];
  const handle = models.faces.load({ thread: "worker", onProgress: ({ phase }) => phases.push(phase) });
  const model = await handle.ready;
  assert.equal(await handle.full, model);
  assert.deepEqual(model.inputs, [{ name: "x", shape: [-1, 4], dtype: "float32" }]);
  const found = await model.predict(ones());
  assert.deepEqual({ ...found, data: [...found.data] }, { data: [12, 12], shape: [1, 2], dtype: "float32" });
  assert.deepEqual([...(await model.execute({ x: ones() }, "y")).data], [12, 12]);
  assert.deepEqual([...(await model.executeAsync([ones()], ["y"])).data], [12, 12]);
  const { y } = await handle.run({ x: ones() }).then((one) => ({ y: one }));
  assert.deepEqual([...y.data], [12, 12]);
  assert.deepEqual(handle.labels, ["left", "right"]);
  const { loaded, total, phase, source } = handle.progress;
  assert.deepEqual([loaded, phase, source], [total, "full", "network"]);
  assert.ok(["head", "base", "refine"].every((one) => phases.includes(one)));
  assert.deepEqual(events.map(({ type, stage }) => [type, stage]), ["head", "base", "full"].map((stage) => ["stage", stage]));
  assert.equal(events.at(-1).wire, total);
  assert.equal(events.at(-1).backend, "cpu");
  assert.equal(new Set(server.paths()).size, server.paths().length, "each file once");
  const test = await handle.selfTest();
  assert.deepEqual([test.passed, test.backend], [true, "cpu"]);
  assert.equal((await handle.pickBackend()).backend, "cpu");
  assert.equal(tf.memory().numTensors, before, "nothing on the page's thread");
  const worker = workers.at(-1);
  const held = await worker.tensors();
  assert.ok(held >= 2);
  handle.dispose();
  await assert.rejects(model.predict(ones()), { code: "abort" });
  assert.equal(await worker.tensors(), held - 2);
});
