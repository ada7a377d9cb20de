// The codecs beside `exact`: golden vectors that the builder's own decoder is held to as well.
import assert from "node:assert/strict";
import { resolveObjectURL } from "node:buffer";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { base, bytesOf, makeModel, openLoader, serve } from "./bundle.mjs";

const read = (name) => JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url), "utf8"));
const golden = read("steps");
const multiples = read("codes");

/** A stand-in for TensorFlow.js that keeps what it is given. */
function recorder() {
  const seen = { base: [], full: {}, disposed: 0 };
  class Tensor {
    constructor(values) {
      this.values = values;
      this.isDisposed = false;
    }
    dispose() {
      this.isDisposed = true;
      seen.disposed++;
    }
  }
  const tf = {
    version_core: "4.22.0",
    ready: async () => {},
    keep: (tensor) => tensor,
    tensor: (values) => new Tensor(values),
    dispose: () => {},
    async loadGraphModel(handler) {
      const { weightSpecs, weightData } = await handler.load();
      seen.base = weightData.map((buffer) => buffer.slice(0));
      const weightMap = Object.fromEntries(weightSpecs.map(({ name }, i) => [name, [new Tensor(weightData[i])]]));
      return { artifacts: {}, executor: { weightMap }, executeAsync: async () => {}, dispose: () => {} };
    },
  };
  return { tf, seen };
}

async function load(weights, shardBytes) {
  const built = makeModel("faces", { weights, shardBytes });
  const { models, configure } = await openLoader(built);
  const { tf, seen } = recorder();
  configure({ baseUrl: base, fetch: serve(built).fetch, tf });
  const handle = models.faces.load();
  const model = await handle.full;
  const full = Object.fromEntries(Object.entries(model.executor.weightMap).map(([name, [{ values }]]) => [name, values]));
  const { weightData } = await models.faces.ioHandler().load();
  return { seen, full, weightData };
}

const words = (values) => [...new Uint32Array(values.buffer ?? values, values.byteOffset ?? 0)];
const stepsWeight = ({ steps, sizes, codes, rest }, i) => ({
  name: `w${i}`,
  shape: [codes.length],
  dtype: "float32",
  codec: "steps",
  steps,
  planes: [bytesOf(Int8Array.from(codes)), bytesOf(Uint32Array.from(sizes)), bytesOf(Int8Array.from(rest))],
});

for (const shardBytes of [5, 1000]) {
  test(`steps and staged values, in shards of ${shardBytes} bytes`, async () => {
    const bias = [Float32Array.of(1, 2, 3), Float32Array.of(1.5, 2.5, -3.5)];
    const staged = { name: "b", shape: [3], dtype: "float32", codec: "staged", planes: [bytesOf(bias[0]), new Uint8Array(0), bytesOf(bias[1])] };
    const twin = { name: "twin", shape: [golden[0].codes.length], dtype: "float32", same: 0 };
    const { seen, full, weightData } = await load([...golden.map(stepsWeight), staged, twin], shardBytes);
    golden.forEach((expected, i) => {
      assert.deepEqual(words(seen.base[i]), expected.base);
      assert.deepEqual(words(full[`w${i}`]), expected.full);
      assert.deepEqual(words(weightData[i]), expected.full);
    });
    assert.deepEqual(new Float32Array(seen.base[golden.length]), bias[0]);
    assert.deepEqual(full.b, bias[1]);
    assert.deepEqual(words(full.twin), golden[0].full);
    assert.equal(seen.disposed, golden.length + 2);
  });
}

const codesWeight = ({ steps, sizes, codes }, i) => ({
  name: `c${i}`,
  shape: [codes.length],
  dtype: "float32",
  codec: "codes",
  steps,
  planes: [bytesOf(Int8Array.from(codes)), bytesOf(Uint32Array.from(sizes))],
});

for (const refined of [false, true]) {
  test(`codes of a source${refined ? ", beside what is refined" : ""}`, async () => {
    const { seen, full, weightData } = await load([...multiples.map(codesWeight), ...(refined ? golden.map(stepsWeight) : [])], 7);
    multiples.forEach((expected, i) => {
      assert.deepEqual(words(seen.base[i]), expected.full);
      assert.deepEqual(words(full[`c${i}`]), expected.full);
      assert.deepEqual(words(weightData[i]), expected.full);
    });
    assert.equal(seen.disposed, refined ? golden.length : 0);
  });
}

const broken = {
  "no steps": (head) => delete head.weights[0].steps,
  "no ratio": (head) => (head.weights[0].steps = [0, 3, 1]),
  "no channels": (head) => (head.weights[0].steps = [256, 0, 1]),
  "half an element": (head) => (head.weights[0].steps = [256, 3, 0.5]),
  "more channels than there are": (head) => (head.weights[0].steps = [256, 4, 1]),
  "steps of codes": (head) => (head.weights[0].quantization = { dtype: "uint8", scale: 1, min: 0 }),
  "a plane too many": (head) => (head.weights[0].codec = "codes"),
  "a codec of the language": (head) => (head.weights[0].codec = "constructor"),
};

for (const [what, edit] of Object.entries(broken)) {
  test(what, async () => {
    const built = makeModel("faces", { weights: golden.map(stepsWeight), edit });
    const { models, configure } = await openLoader(built);
    configure({ baseUrl: base, fetch: serve(built).fetch });
    await assert.rejects(models.faces.ioHandler().load(), { code: "manifest" });
  });
}

/** A worker in this thread, of the source it is given: what is transferred is taken away, as in a browser. */
class SameThread {
  constructor(url) {
    const passed = (data, options) => structuredClone(data, options);
    const answer = (data, options) => this.onmessage?.({ data: passed(data, options) });
    this.begun = resolveObjectURL(url).text().then((source) => new Function("postMessage", `let onmessage; ${source}; return (data) => onmessage({ data });`)(answer));
  }
  postMessage(data, transfer) {
    const copy = structuredClone(data, { transfer });
    this.begun.then((take) => take(copy));
  }
  terminate() {}
}

test("shards of the same bytes each get there, where a worker decodes them", async () => {
  globalThis.Worker = SameThread;
  try {
    const zeros = new Float32Array(0x20000);
    zeros[5] = 7;
    const built = makeModel("faces", { weights: [{ name: "w", shape: [zeros.length], dtype: "float32", bytes: bytesOf(zeros) }], shardBytes: 0x10000 });
    const server = serve(built);
    const { models, configure } = await openLoader(built);
    configure({ baseUrl: base, fetch: server.fetch, cache: "none" });
    const { weightData } = await models.faces.ioHandler().load();
    assert.deepEqual(new Float32Array(weightData[0]), zeros);
    assert.equal(new Set([...built.files.keys()].map((path) => path.split(".")[1])).size, 3, "all but the first are alike");
  } finally {
    delete globalThis.Worker;
  }
});
