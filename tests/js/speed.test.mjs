// How fast a device is: what times say, whose they are, and that timing leaves no trace.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { afterEach, test } from "node:test";
import { until } from "./bundle.mjs";
import { probe, timeRuns, typical } from "../../templates/modules/speed.js";

const tf = createRequire(import.meta.url)("@tensorflow/tfjs");
tf.env().set("IS_TEST", true);
await tf.setBackend("cpu");

const real = performance.now;
afterEach(() => void (performance.now = real));

test("of real times the middle one counts, of those of a coarse clock the sum, and of nonsense nothing", () => {
  assert.equal(typical([5, 900, 7]), 7);
  assert.equal(typical([5, 7]), undefined);
  assert.equal(typical([5, 7], 1), 7);
  // 60 ms by a clock of 100 ms.
  assert.equal(typical([100, 0, 100, 0, 100]), 60);
  for (const nothing of [[], [0, 0, 0, 0], [NaN, NaN, NaN], [-1, -5, -2], [Infinity, Infinity, Infinity], [NaN, 3, Infinity]]) assert.equal(typical(nothing), undefined);
  assert.equal(typical([NaN, 3, 4, 5, -9]), 4);
});

/** A graph model as far as timing knows one. */
function fake({ backend = "wasm", cost = 10, ...more } = {}) {
  let now = 100;
  performance.now = () => now;
  const answer = (size) => ({ size, dtype: "float32", dispose() {} });
  const executor = {
    execute: () => ((now += cost), [answer(4)]),
    executeAsync: async () => ((now += cost), [answer(4)]),
    ...more,
  };
  const read = [];
  const one = { data: async () => (read.push(now), (now += 5)), dispose: () => read.push("gone") };
  const runtime = { getBackend: () => backend, tidy: (action) => action(), keep: (tensor) => tensor, slice: () => one, reshape: (tensor) => tensor, env: () => ({ flags: runtime.flags }), flags: {} };
  return { runtime, executor, model: { executor }, read, pass: (ms) => (now += ms) };
}

test("the first run is left out, three say something, seven all, and then the model is as it was", async () => {
  const { runtime, executor, model } = fake();
  const before = { ...executor };
  const told = [];
  const timer = timeRuns(runtime, model, 4, (ms) => told.push(ms));
  const input = { x: { size: 4 } };
  for (let i = 0; i < 3; i++) executor.execute(input);
  await until("they are counted", () => true);
  assert.deepEqual([told, timer.known], [[], false]);
  for (let i = 0; i < 20; i++) await executor.executeAsync(input);
  assert.deepEqual([told, timer.known], [[10, 10, 10, 10, 10], true]);
  assert.deepEqual(executor, before);
});

test("a run of twice the elements counts for half of its time", async () => {
  const { runtime, executor, model } = fake();
  const told = [];
  timeRuns(runtime, model, 4, (ms) => told.push(ms));
  for (let i = 0; i < 4; i++) executor.execute({ x: { size: 8 } });
  assert.deepEqual(told, [5]);
});

test("two runs at a time, failed ones, and shaders that are compiled beside the page do not count", async () => {
  const { runtime, executor, model, pass } = fake({ executeAsync: async (wait) => (await wait, []) });
  const told = [];
  timeRuns(runtime, model, 0, (ms) => told.push(ms));
  executor.execute();
  let end;
  const first = executor.executeAsync(new Promise((done) => (end = done)));
  pass(1000);
  for (let i = 0; i < 5; i++) executor.execute();
  end();
  await first;
  await assert.rejects(executor.executeAsync(Promise.reject(new Error("no"))), /no/);
  runtime.flags.ENGINE_COMPILE_ONLY = true;
  for (let i = 0; i < 5; i++) executor.execute();
  assert.deepEqual(told, []);
});

test("a run of another backend begins anew", () => {
  let backend = "wasm";
  const { runtime, executor, model } = fake();
  runtime.getBackend = () => backend;
  const told = [];
  timeRuns(runtime, model, 0, (ms) => told.push(ms));
  for (let i = 0; i < 3; i++) executor.execute();
  backend = "cpu";
  for (let i = 0; i < 3; i++) executor.execute();
  assert.deepEqual(told, []);
  executor.execute();
  assert.deepEqual(told, [10]);
});

test("the work of a graphics processor is waited for, and what is read for that goes", async () => {
  const { runtime, executor, model, read } = fake({ backend: "webgl" });
  const told = [];
  timeRuns(runtime, model, 0, (ms) => told.push(ms));
  for (let i = 0; i < 4; i++) {
    executor.execute();
    await until("it is read", () => read.length === 2 * i + 2);
  }
  assert.deepEqual(told, [15]);
});

test("what others put around a call in the meantime stays", () => {
  const { runtime, executor, model } = fake();
  timeRuns(runtime, model, 0, () => {});
  const timed = executor.execute;
  const other = (...args) => timed(...args);
  executor.execute = other;
  for (let i = 0; i < 20; i++) executor.execute();
  assert.equal(executor.execute, other);
  assert.equal(executor.execute().length, 1);
});

test("layers models are timed too, and get back what their class has", async () => {
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [4] })] });
  const input = tf.ones([1, 4]);
  const told = [];
  timeRuns(tf, model, 4, (ms) => told.push(ms));
  for (let i = 0; i < 10; i++) model.predict(input).dispose();
  await until("it is told", () => told.length >= 5);
  assert.ok(told.every((ms) => ms > 0));
  assert.equal(Object.hasOwn(model, "predict"), false);
  tf.dispose([model, input]);
});

const kernels = [
  ["Conv2D", 0.5, 8, 8, 4, 8, 3, 3],
  ["FusedConv2D", 0.5, 8, 8, 4, 8, 1, 1],
  ["DepthwiseConv2dNative", 0.2, 8, 8, 4, 2, 3, 3],
  ["FusedDepthwiseConv2D", 0.2, 8, 8, 4, 1, 5, 5],
  ["_FusedMatMul", 1, 1, 64, 32],
  ["BatchMatMul", 1, 3, 16, 32],
];

test("every kind of kernel can be timed on zeros, and nothing is left of it", async () => {
  const before = tf.memory().numTensors;
  for (const kernel of kernels) {
    const rate = await probe(tf, [kernel]);
    assert.ok(rate > 0 && rate < 1e-3, `${kernel[0]}: ${rate}`);
  }
  assert.ok((await probe(tf, kernels.slice(0, 2))) > 0);
  assert.equal(tf.memory().numTensors, before);
});

test("what cannot be timed is not known", async () => {
  const before = tf.memory().numTensors;
  assert.equal(await probe(tf, []), undefined);
  assert.equal(await probe(tf, [["NoSuchKernel", 1, 2, 2, 2]]), undefined);
  assert.equal(await probe(tf, [["Conv2D", 1, 0, -1, NaN, 1, 1, 1]]), undefined);
  performance.now = () => 5;
  assert.equal(await probe(tf, kernels.slice(0, 1)), undefined, "a clock that stands still");
  assert.equal(tf.memory().numTensors, before);
});
