// Loading real TensorFlow.js models: precision, refinement in one instant, tensors, the runtime.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { base, baseFloats, baseWord, bytesOf, floats, makeGate, makeModel, openLoader, serve, until, wordsOf } from "./bundle.mjs";

const tf = createRequire(import.meta.url)("@tensorflow/tfjs");
tf.env().set("IS_TEST", true);
await tf.setBackend("cpu");

async function open(built, { answer, ...options } = {}) {
  const loader = await openLoader(...[].concat(built));
  const server = serve(built, answer);
  loader.configure({ baseUrl: base, fetch: server.fetch, tf, ...options });
  return { ...loader, server };
}

// Graphs as TensorFlow.js' model.json has them.
const float = { dtype: { type: "DT_FLOAT" } };
const node = (name, op, input = [], attr = {}) => ({ name, op, input, attr: { T: { type: "DT_FLOAT" }, ...attr } });
const constant = (name, dtype = "DT_FLOAT") => ({ name, op: "Const", attr: { dtype: { type: dtype } } });
const shapeOf = (...dims) => ({ shape: { shape: { dim: dims.map((size) => ({ size: String(size) })) } } });
const input = (...dims) => ({ name: "x", op: "Placeholder", attr: { ...float, ...shapeOf(...dims) } });
const graph = (nodes, library = {}) => ({ modelTopology: { node: nodes, library, versions: { producer: 1, minConsumer: 1 } } });
const matMul = (name, a, b) => node(name, "MatMul", [a, b], { transpose_a: { b: false }, transpose_b: { b: false } });

const kernel = floats(12);
const bias = Float32Array.of(0.5, -1, 2);
const exact = (name, shape, values) => ({ name, shape, dtype: "float32", codec: "exact", bytes: bytesOf(values) });
const raw = (name, shape, values, dtype = "float32") => ({ name, shape, dtype, bytes: bytesOf(values) });

const denseGraph = graph([input(-1, 4), constant("w"), constant("b"), matMul("m", "x", "w"), node("s", "AddV2", ["m", "b"]), node("y", "Identity", ["s"])]);
const dense = (name = "faces", options = {}) =>
  makeModel(name, { artifacts: denseGraph, weights: [exact("w", [4, 3], kernel), raw("b", [3], bias)], shardBytes: 16, ...options });
const x = tf.tensor2d([1, 2, 3, 4, 0.1, 0.2, 0.3, 0.4], [2, 4]);

function answerOf(weights) {
  return tf.tidy(() => x.matMul(tf.tensor2d(weights, [4, 3])).add(tf.tensor1d(bias)).dataSync());
}

function run(model) {
  const y = model.predict(x);
  const values = y.dataSync();
  y.dispose();
  return values;
}

const isRefine = (path) => path.includes("-refine-");

test("a graph model answers at base precision, then exactly, as one object", async () => {
  const gate = makeGate();
  const { models } = await open(dense("faces", { labels: ["a", "b"] }), { answer: (path) => (isRefine(path) ? gate.pass() : undefined) });
  const phases = [];
  const handle = models.faces.load({ onProgress: ({ phase, loaded }) => phases.push([phase, loaded]) });
  assert.equal(handle.then, undefined);
  const { total, wire } = handle.progress;
  assert.deepEqual([total, wire], [models.faces.bytes, models.faces.wireBytes]);
  const model = await handle.ready;
  assert.ok(model instanceof tf.GraphModel);
  assert.deepEqual(handle.labels, ["a", "b"]);
  assert.deepEqual(run(model), answerOf(baseFloats(kernel)));
  assert.equal(model.artifacts.weightData, undefined, "nothing holds the bytes that it was made of");
  assert.notDeepEqual(answerOf(baseFloats(kernel)), answerOf(kernel));
  assert.equal(handle.progress.phase, "refine");
  gate.open();
  assert.equal(await handle.full, model);
  assert.deepEqual(run(model), answerOf(kernel));
  assert.deepEqual({ ...handle.progress }, { loaded: total, total, wire, phase: "full", source: "network" });
  assert.deepEqual([...new Set(phases.map(([phase]) => phase))], ["head", "base", "refine", "full"]);
  assert.deepEqual(phases.map(([, loaded]) => loaded), phases.map(([, loaded]) => loaded).sort((a, b) => a - b));
  assert.ok(!Object.hasOwn(model, "executeAsync"));
  let saved;
  await model.save(tf.io.withSaveHandler(async (artifacts) => ((saved = artifacts), {})));
  assert.deepEqual(new Float32Array(new tf.io.CompositeArrayBuffer(saved.weightData).slice(0, 48)), kernel);
  handle.dispose();
});

test("a loaded model holds its weights once", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  const [rows, columns, shardBytes] = [4, 250_000, 1 << 20];
  const weights = [exact("w", [rows, columns], floats(rows * columns)), raw("b", [3], bias)];
  const built = makeModel("large", { artifacts: denseGraph, weights, shardBytes });
  const { models } = await open(built);
  collect();
  const before = process.memoryUsage().arrayBuffers;
  const handle = models.large.load();
  await handle.full;
  // Promises let go after they were told, and buffers are freed on another thread after the collection: asked until it is so.
  let held = Infinity;
  for (const deadline = Date.now() + 20_000; held >= 1.1 && Date.now() < deadline; ) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    held = (process.memoryUsage().arrayBuffers - before) / (4 * rows * columns);
  }
  assert.ok(held < 1.1, `${held} times`);
  handle.dispose();
});

test("golden bits: base and full", async () => {
  const golden = [
    [0x3f800000, 0x3f808000], // 1
    [0xbf812345, 0xbf818000],
    [0x00000000, 0x00000000],
    [0x80000000, 0x80000000], // -0
    [0x7f800000, 0x7f800000], // Inf
    [0xff800000, 0xff800000],
    [0x7fc00001, 0x7fc00000], // NaN
    [0x00000001, 0x00000000], // the smallest denormal
    [0x80000001, 0x80000000],
    [0x0000ffff, 0x00000000],
    [0x00010000, 0x00018000], // denormal
    [0x807fffff, 0x807f8000],
    [0x00800000, 0x00808000], // the smallest normal
    [0x7f7fffff, 0x7f7f8000], // the largest
  ];
  const words = Uint32Array.from(golden, ([word]) => word);
  for (const [word, expected] of golden) assert.equal(baseWord(word), expected);
  const weights = [{ ...exact("g", [golden.length], words) }];
  for (const shardBytes of [3, 5, 4096]) {
    const gate = makeGate();
    const built = makeModel("faces", { artifacts: graph([constant("g"), node("y", "Identity", ["g"])]), weights, shardBytes });
    const { models } = await open(built, { answer: (path) => (isRefine(path) ? gate.pass() : undefined) });
    const handle = models.faces.load();
    const bits = async (model) => wordsOf(await model.weights.g[0].data());
    assert.deepEqual(await bits(await handle.ready), Uint32Array.from(golden, ([, expected]) => expected));
    gate.open();
    assert.deepEqual(await bits(await handle.full), words);
    handle.dispose();
  }
});

test("weights of all kinds come as TensorFlow.js would read them", async () => {
  const text = Uint8Array.of(2, 0, 0, 0, 0xc3, 0xa9, 0, 0, 0, 0, 1, 0, 0, 0, 97);
  const weights = [
    { name: "s", shape: [3], dtype: "string", bytes: text },
    { name: "t", shape: [3], dtype: "string", same: 0 },
    exact("e", [5], floats(5)),
    { name: "e2", shape: [5, 1], dtype: "float32", same: 2 },
    raw("i", [2], Int32Array.of(-7, 7), "int32"),
    raw("o", [3], Uint8Array.of(1, 0, 1), "bool"),
    raw("c", [1], Float32Array.of(1.5, -2), "complex64"),
    raw("z", [0, 4], new Float32Array(0)),
    raw("k", [], Float32Array.of(3)),
    { ...raw("q", [3], Uint8Array.of(0, 1, 255)), quantization: { dtype: "uint8", scale: 0.5, min: -1, original_dtype: "float32" } },
    { ...raw("h", [2], Uint16Array.of(0x3c00, 0xc000)), quantization: { dtype: "float16", original_dtype: "float32" } },
  ];
  const names = weights.map(({ name }) => name);
  const nodes = weights.map(({ name, dtype }) => constant(name, { int32: "DT_INT32", bool: "DT_BOOL", string: "DT_STRING", complex64: "DT_COMPLEX64" }[dtype]));
  const { models } = await open(makeModel("faces", { artifacts: graph([...nodes, node("y", "Identity", ["k"])]), weights, shardBytes: 7 }));
  const handle = models.faces.load();
  const model = await handle.full;
  const stock = await tf.loadGraphModel(models.faces.ioHandler());
  for (const read of [model, stock]) {
    const value = (name) => read.weights[name][0].arraySync();
    assert.deepEqual(value("s"), ["é", "", "a"]);
    assert.deepEqual(value("t"), ["é", "", "a"]);
    assert.deepEqual(value("e"), [...floats(5)]);
    assert.deepEqual(value("e2"), [...floats(5)].map((v) => [v]));
    assert.deepEqual(value("i"), [-7, 7]);
    assert.deepEqual(value("o"), [1, 0, 1]);
    assert.deepEqual([...read.weights.c[0].dataSync()], [1.5, -2]);
    assert.deepEqual(read.weights.z[0].shape, [0, 4]);
    assert.equal(value("k"), 3);
    assert.deepEqual(value("q"), [-1, -0.5, 126.5]);
    assert.deepEqual(value("h"), [1, -2]);
    assert.deepEqual(Object.keys(read.weights), names);
  }
  handle.dispose();
  stock.dispose();
});

test("a last weight of strings that is longer than all others is read whole", async () => {
  const text = Uint8Array.from([[5, 0, 0, 0], [104, 101, 108, 108, 111], [2, 0, 0, 0], [104, 105]].flat());
  const weights = [raw("a", [], Float32Array.of(1)), raw("b", [], Float32Array.of(2)), { name: "s", shape: [2], dtype: "string", bytes: text }];
  const nodes = [constant("a"), constant("b"), constant("s", "DT_STRING"), node("y", "Identity", ["a"])];
  const { models } = await open(makeModel("faces", { artifacts: graph(nodes), weights }));
  const model = await tf.loadGraphModel(models.faces.ioHandler());
  assert.deepEqual(model.weights.s[0].arraySync(), ["hello", "hi"]);
  model.dispose();
});

test("an initializer that runs after the refinement finds the refined weights", async () => {
  const before = tf.memory().numTensors;
  const types = { Tin: { type: "DT_INT32" }, Tout: { type: "DT_FLOAT" }, key_dtype: { type: "DT_INT32" }, value_dtype: { type: "DT_FLOAT" } };
  const table = { name: "table", op: "HashTableV2", attr: { ...types, container: { s: "" }, shared_name: { s: "dA==" }, use_node_name_sharing: { b: true } } };
  const initializer = [table, constant("k", "DT_INT32"), constant("v"), { name: "import", op: "LookupTableImportV2", input: ["table", "k", "v"], attr: types }];
  const main = [
    { name: "x", op: "Placeholder", attr: { dtype: { type: "DT_INT32" }, ...shapeOf(-1) } },
    table,
    constant("d"),
    { name: "find", op: "LookupTableFindV2", input: ["table", "x", "d"], attr: types },
    node("y", "Identity", ["find"]),
  ];
  const values = floats(4);
  const built = makeModel("faces", {
    artifacts: { ...graph(main), modelInitializer: graph(initializer).modelTopology },
    weights: [raw("k", [4], Int32Array.of(1, 2, 3, 4), "int32"), exact("v", [4], values), raw("d", [], Float32Array.of(-9))],
  });
  const { models } = await open(built);
  const handle = models.faces.load();
  const model = await handle.full;
  const keys = tf.tensor1d([4, 7, 1], "int32");
  const found = await model.executeAsync({ x: keys }, "y");
  assert.deepEqual(found.dataSync(), Float32Array.of(values[3], -9, values[0]));
  found.dispose();
  keys.dispose();
  handle.dispose();
  assert.equal(tf.memory().numTensors, before);
});

test("a model that nobody wants any more when it is made is disposed", async () => {
  const before = tf.memory().numTensors;
  const gate = makeGate();
  const loadGraphModel = async (handler) => {
    const model = await tf.loadGraphModel(handler);
    await gate.pass();
    return model;
  };
  const { models } = await open(dense(), { tf: { ...tf, loadGraphModel, tensor: tf.tensor } });
  const handle = models.faces.load();
  await gate.arrived;
  assert.ok(tf.memory().numTensors > before);
  handle.cancel();
  gate.open();
  await assert.rejects(handle.ready, { code: "abort" });
  await new Promise(setImmediate);
  assert.equal(tf.memory().numTensors, before);
});

test("a call in flight ends with the weights it began with; calls made meanwhile wait for the new ones", async () => {
  const hold = makeGate();
  let held = true;
  tf.registerOp("HoldHere", async ({ inputs }) => {
    if (held) await hold.pass();
    return [inputs[0].clone()];
  });
  const nodes = [input(-1, 4), constant("w"), constant("v"), matMul("m", "x", "w"), node("h", "HoldHere", ["m"]), matMul("y", "h", "v")];
  const second = floats(9, 7);
  const built = makeModel("faces", { artifacts: graph(nodes), weights: [exact("w", [4, 3], kernel), exact("v", [3, 3], second)] });
  const refining = makeGate();
  const { models } = await open(built, { answer: (path) => (isRefine(path) ? refining.pass() : undefined) });
  const expect = (w, v) => tf.tidy(() => x.matMul(tf.tensor2d(w, [4, 3])).matMul(tf.tensor2d(v, [3, 3])).dataSync());
  const handle = models.faces.load();
  const model = await handle.ready;
  const first = model.executeAsync(x, "y");
  await hold.arrived;
  refining.open();
  const swap = guessSwap(model);
  const idle = await Promise.race([handle.full.then(() => "swapped"), swap.then(() => "waiting")]);
  assert.equal(idle, "waiting");
  const late = model.predictAsync(x);
  held = false;
  hold.open();
  assert.deepEqual((await first).dataSync(), expect(baseFloats(kernel), baseFloats(second)));
  await handle.full;
  assert.deepEqual((await late).dataSync(), expect(kernel, second));
  handle.dispose();
});

// Fulfilled when so many tensors were made that the refined ones must be there, and the loader had its turn after it.
async function guessSwap(model) {
  const wanted = tf.memory().numTensors + Object.keys(model.weights).length;
  await until("there are new tensors", () => tf.memory().numTensors >= wanted);
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
}

test("loops that run all the time give old or new answers, never a mixture", async () => {
  // h = x; three times: h = h w v
  const arg = (name, type = "DT_FLOAT") => ({ name, type });
  const body = {
    signature: { name: "body", inputArg: [arg("i"), arg("h"), arg("w"), arg("v")], outputArg: [arg("oi"), arg("oh"), arg("ow"), arg("ov")] },
    nodeDef: [
      constant("one"),
      node("next", "AddV2", ["i", "one"]),
      matMul("a", "h", "w"),
      matMul("b", "a", "v"),
    ],
    ret: { oi: "next:z:0", oh: "b:product:0", ow: "w", ov: "v" },
  };
  const cond = {
    signature: { name: "cond", inputArg: [arg("i"), arg("h"), arg("w"), arg("v")], outputArg: [arg("go", "DT_BOOL")] },
    nodeDef: [
      constant("three"),
      node("less", "Less", ["i", "three"]),
    ],
    ret: { go: "less:z:0" },
  };
  const loop = node("loop", "StatelessWhile", ["i0", "x", "w", "v"], { cond: { func: { name: "cond" } }, body: { func: { name: "body" } } });
  const nodes = [input(-1, 3), constant("i0"), constant("w"), constant("v"), loop, node("y", "Identity", ["loop:1"])];
  const [w, v] = [floats(9, 3), floats(9, 4)];
  const built = makeModel("faces", {
    artifacts: graph(nodes, { function: [body, cond] }),
    weights: [...["i0", "one", "three"].map((name, i) => raw(name, [], Float32Array.of([0, 1, 3][i]))), exact("w", [3, 3], w), exact("v", [3, 3], v)],
  });
  const before = tf.memory().numTensors;
  const three = tf.tensor2d([1, 2, 3], [1, 3]);
  const expect = (a, b) =>
    tf.tidy(() => {
      let h = three;
      for (let i = 0; i < 3; i++) h = h.matMul(tf.tensor2d(a, [3, 3])).matMul(tf.tensor2d(b, [3, 3]));
      return h.dataSync().join();
    });
  const { models } = await open(built);
  const handle = models.faces.load();
  const model = await handle.ready;
  let done = false;
  const full = handle.full.finally(() => (done = true));
  const seen = [];
  const camera = async () => {
    for (let rest = 3; rest; rest -= done ? 1 : 0) {
      const y = await model.executeAsync({ x: three }, "y");
      seen.push(y.dataSync().join());
      y.dispose();
      await new Promise(setImmediate);
    }
  };
  await Promise.all([camera(), camera(), full]);
  const [old, fresh] = [expect(baseFloats(w), baseFloats(v)), expect(w, v)];
  assert.notEqual(old, fresh);
  const turn = seen.indexOf(fresh);
  assert.ok(turn > 0, `${turn} of ${seen.length}`);
  assert.deepEqual(seen, seen.map((_, i) => (i < turn ? old : fresh)));
  handle.dispose();
  three.dispose();
  assert.equal(tf.memory().numTensors, before);
});

test("an output can be executed as soon as its own stage is there, exactly at the end, and no tensor stays", async () => {
  const before = tf.memory().numTensors;
  const second = floats(9, 7);
  const nodes = [input(-1, 4), constant("w"), constant("v"), constant("b"), matMul("m", "x", "w"), matMul("n", "m", "v"), node("y", "AddV2", ["n", "b"])];
  const weights = [exact("w", [4, 3], kernel), { ...exact("v", [3, 3], second), stage: 1 }, { ...raw("b", [3], bias), stage: 1 }];
  const built = makeModel("faces", { artifacts: graph(nodes), weights, stages: ["detect", "mesh"] });
  const gates = { mesh: makeGate(), refine: makeGate() };
  const { models } = await open(built, { answer: (path) => gates[/-(mesh|refine)-/.exec(path)?.[1]]?.pass() });
  const handle = models.faces.load();
  const values = (model, name) => tf.tidy(() => model.execute(x, name).dataSync());
  const expect = (w, v) => tf.tidy(() => x.matMul(tf.tensor2d(w, [4, 3])).matMul(tf.tensor2d(v, [3, 3])).add(tf.tensor1d(bias)).dataSync());
  const detect = (w) => tf.tidy(() => x.matMul(tf.tensor2d(w, [4, 3])).dataSync());
  const model = await handle.until("detect");
  assert.deepEqual(values(model, "m"), detect(baseFloats(kernel)));
  assert.throws(() => values(model, "y"));
  gates.mesh.open();
  assert.equal(await handle.ready, model);
  assert.equal(await handle.until("mesh"), model);
  assert.deepEqual(values(model, "y"), expect(baseFloats(kernel), baseFloats(second)));
  gates.refine.open();
  assert.equal(await handle.full, model);
  assert.equal(await handle.until("refine"), model);
  assert.deepEqual(values(model, "y"), expect(kernel, second));
  handle.dispose();
  assert.equal(tf.memory().numTensors, before);
});

test("warming up runs the model once after ready and leaves nothing", async (t) => {
  const before = tf.memory().numTensors;
  const { built } = await layersBundle();
  const { models } = await open([built, dense()]);
  for (const name of ["layers", "faces"]) {
    // Seen from before the load on: it may warm up as soon as it is ready.
    const [kind, method] = name === "layers" ? [tf.LayersModel, "predict"] : [tf.GraphModel, "execute"];
    const { [method]: call } = kind.prototype;
    const shapes = [];
    t.mock.method(kind.prototype, method, function (...args) {
      shapes.push([args[0]].flat()[0].shape);
      return call.apply(this, args);
    });
    const handle = models[name].load({ warmup: true });
    await handle.full;
    await until("it has warmed up", () => shapes.length);
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    assert.deepEqual(shapes, [[1, 4]]);
    handle.dispose();
    assert.equal(tf.memory().numTensors, before, name);
    t.mock.reset();
  }
});

/** The sample of the dense model: x is what docs/format.md says, worked out here once more. */
function denseSample(values = kernel) {
  const hashed = Array.from({ length: 4 }, (_, i) => {
    let h = (BigInt(i + 1) * 0x9e3779b1n) & 0xffffffffn;
    h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & 0xffffffffn;
    return Number(h ^ (h >> 13n)) / 2 ** 32;
  });
  const y = Array.from(bias, (b, j) => hashed.reduce((sum, value, i) => sum + Math.fround(value) * values[3 * i + j], b));
  return { inputs: [["x", "float32", [1, 4], 0]], outputs: [["y", 3, [0, 2], [y[0], y[2]]]], tolerance: 1e-4, base: 0.02 };
}

test("a model tests itself against the sample in its head", async () => {
  const before = tf.memory().numTensors;
  const sample = denseSample();
  const gate = makeGate();
  const built = dense("faces", { edit: (head) => (head.sample = sample) });
  const { models } = await open(built, { answer: (path) => (path.includes("-refine-") ? gate.pass() : undefined) });
  const handle = models.faces.load();
  await handle.ready;
  const early = await handle.selfTest();
  assert.ok(early.passed && early.error > 1e-5 && Math.abs(early.tolerance - 0.0201) < 1e-12, JSON.stringify(early));
  gate.open();
  await handle.full;
  const late = await handle.selfTest();
  assert.ok(late.passed && late.error < 1e-6 && late.tolerance === 1e-4 && late.backend === "cpu", JSON.stringify(late));
  handle.dispose();
  assert.equal(tf.memory().numTensors, before);
});

test("another answer, another number of elements and no number fail the test; without a sample numbers are enough", async () => {
  const wrong = { ...denseSample(), outputs: [["y", 3, [0], [77]]] };
  const longer = { ...denseSample(), outputs: [["y", 4, [], []]] };
  const bad = floats(12);
  bad[0] = NaN;
  const cases = [
    ["wrong", wrong, kernel, false],
    ["longer", longer, kernel, false],
    ["missing", { ...denseSample(), outputs: [["nothing", 3, [0], [1]]] }, kernel, false],
    ["nan", denseSample(), bad, false],
    ["finite", undefined, kernel, true],
    ["infinite", undefined, bad, false],
  ];
  const before = tf.memory().numTensors;
  for (const [name, sample, values, passes] of cases) {
    const weights = [exact("w", [4, 3], values), raw("b", [3], bias)];
    const { models } = await open(makeModel(name, { artifacts: denseGraph, weights, edit: (head) => (head.sample = sample) }));
    const handle = models[name].load();
    await handle.full;
    assert.equal((await handle.selfTest()).passed, passes, name);
    handle.dispose();
    assert.equal(tf.memory().numTensors, before, name);
  }
});

test("layers models are tested by the number of their outputs", async () => {
  const { built } = await layersBundle({
    edit: (head, atZero) => {
      const outputs = [[0, 3, [0, 1, 2], atZero]];
      head.sample = { inputs: [["x", "float32", [1, 4], 1]], outputs, tolerance: 1e-5, base: 1 };
    },
  });
  const { models } = await open(built);
  const handle = models.layers.load();
  await handle.full;
  const result = await handle.selfTest();
  assert.ok(result.passed && result.error < 1e-5, JSON.stringify(result));
  handle.dispose();
});

async function layersBundle({ kernelConstraint, edit } = {}) {
  const source = tf.sequential({
    layers: [
      tf.layers.dense({ units: 5, inputShape: [4], activation: "relu", kernelConstraint, name: "one" }),
      tf.layers.batchNormalization({ name: "norm" }),
      tf.layers.dense({ units: 3, name: "two" }),
    ],
  });
  source.compile({ loss: "meanSquaredError", optimizer: "adam" });
  let saved;
  await source.save(tf.io.withSaveHandler(async (artifacts) => ((saved = artifacts), {})));
  source.dispose();
  // A constraint changes what is read, so the measure is what TensorFlow.js itself reads.
  const stock = await tf.loadLayersModel(tf.io.fromMemory(saved));
  const answer = run(stock);
  const atZero = tf.tidy(() => Array.from(stock.predict(tf.zeros([1, 4])).dataSync()));
  stock.dispose();
  const { weightData, weightSpecs, ...artifacts } = saved;
  let offset = 0;
  const weights = weightSpecs.map((spec) => {
    const length = 4 * spec.shape.reduce((a, b) => a * b, 1);
    const bytes = new Uint8Array(weightData, offset, length).slice();
    offset += length;
    return { name: spec.name, shape: spec.shape, dtype: spec.dtype, bytes, ...(spec.shape.length === 2 && { codec: "exact" }) };
  });
  return { built: makeModel("layers", { kind: "layers-model", artifacts, weights, shardBytes: 24, edit: (head) => edit?.(head, atZero) }), answer };
}

test("a layers model answers at base precision, then exactly; two copies of it do not disturb each other", async () => {
  const { built, answer } = await layersBundle({ kernelConstraint: "nonNeg" });
  const gates = [makeGate(), makeGate()];
  const opened = [];
  for (const gate of gates) opened.push(await open(built, { answer: (path) => (isRefine(path) ? gate.pass() : undefined) }));
  const handles = opened.map(({ models }) => models.layers.load());
  const [one, two] = await Promise.all(handles.map(({ ready }) => ready));
  assert.ok(one instanceof tf.LayersModel && one !== two);
  const rough = run(two);
  assert.notDeepEqual(rough, answer);
  gates[0].open();
  assert.equal(await handles[0].full, one);
  assert.deepEqual(run(one), answer);
  assert.deepEqual(run(two), rough);
  gates[1].open();
  assert.deepEqual(run(await handles[1].full), answer);
  const stock = await tf.loadLayersModel(opened[0].models.layers.ioHandler());
  assert.deepEqual(run(stock), answer);
  stock.dispose();
  for (const handle of handles) handle.dispose();
});

test("no tensor stays over 50 rounds of load and dispose", async () => {
  const { built } = await layersBundle();
  const { models } = await open([built, dense()]);
  for (const name of ["faces", "layers"]) {
    const before = tf.memory().numTensors;
    for (let round = 0; round < 50; round++) {
      const handle = models[name].load();
      // Some are given up at base precision, or earlier.
      if (round % 5 === 1) await handle.ready;
      else if (round % 5 > 1) run(await handle.full);
      handle.dispose();
      await handle.full.catch(() => {});
    }
    assert.equal(tf.memory().numTensors, before, name);
  }
});

test("handles share one model, which goes with the last of them", async () => {
  const before = tf.memory().numTensors;
  const { models, server } = await open(dense());
  const [one, two] = [models.faces.load(), models.faces.load()];
  const model = await one.full;
  assert.equal(await two.full, model);
  one.dispose();
  one.dispose();
  assert.deepEqual(run(model), answerOf(kernel));
  const three = models.faces.load();
  assert.equal(await three.ready, model);
  two.dispose();
  three.dispose();
  assert.equal(tf.memory().numTensors, before);
  const paths = server.paths();
  assert.equal(new Set(paths).size, paths.length);
  const four = models.faces.load();
  assert.notEqual(await four.ready, model);
  four.dispose();
  await four.full.catch(() => {});
  assert.equal(tf.memory().numTensors, before);
});

test("a prefetch serves the load: no file twice, whether it is done or under way", async () => {
  for (const wait of [true, false]) {
    const { models, server } = await open(dense());
    const prefetched = models.faces.prefetch();
    if (wait) await prefetched;
    const handle = models.faces.load();
    await handle.full;
    await prefetched;
    await models.faces.prefetch();
    const paths = server.paths();
    assert.equal(new Set(paths).size, paths.length);
    if (wait) assert.equal(handle.progress.source, "memory");
    handle.dispose();
  }
});

test("a failed refinement leaves the base usable and says so; a model disposed by hand gets no new tensors", async () => {
  const before = tf.memory().numTensors;
  const { models } = await open(dense(), { answer: (path) => (isRefine(path) ? new Response("", { status: 404 }) : undefined) });
  const handle = models.faces.load();
  const model = await handle.ready;
  await assert.rejects(handle.full, { code: "network" });
  assert.equal(handle.progress.phase, "failed");
  assert.deepEqual(run(model), answerOf(baseFloats(kernel)));
  const late = await model.executeAsync(x, "y");
  late.dispose();
  handle.dispose();
  assert.equal(tf.memory().numTensors, before);

  const { built } = await layersBundle();
  for (const source of [dense("layers"), built]) {
    const start = tf.memory().numTensors;
    const gate = makeGate();
    const other = await open(source, { answer: (path) => (isRefine(path) ? gate.pass() : undefined) });
    const second = other.models.layers.load();
    (await second.ready).dispose();
    gate.open();
    await assert.rejects(second.full, { code: "abort", message: /disposed/ });
    assert.equal(tf.memory().numTensors, start);
  }
});

test("cancelling after ready keeps the model", async () => {
  const gate = makeGate();
  const { models } = await open(dense(), { answer: (path) => (isRefine(path) ? gate.pass() : undefined) });
  const handle = models.faces.load();
  const model = await handle.ready;
  handle.cancel();
  await assert.rejects(handle.full, { code: "abort" });
  assert.equal(await handle.ready, model);
  assert.deepEqual(run(model), answerOf(baseFloats(kernel)));
  handle.dispose();
  gate.open();
});

test("TensorFlow.js is asked for at first need, once, and not by a prefetch", async () => {
  let calls = 0;
  const { models } = await open([dense("one"), dense("two")], { tf: async () => (calls++, { default: tf }) });
  await models.one.prefetch();
  await models.one.ioHandler().load();
  assert.equal(calls, 0);
  const handles = [models.one.load(), models.two.load()];
  await Promise.all(handles.map(({ full }) => full));
  assert.equal(calls, 1);
  for (const handle of handles) handle.dispose();
});

test("without one it is the page's; without any, of another version, or one that does not load, a runtime error", async () => {
  const { models, configure } = await open(dense(), { tf: undefined });
  const fails = (message) => assert.rejects(models.faces.load().ready, { name: "ModelError", code: "runtime", message });
  await fails(/configure\(\{ tf/);
  for (const version of ["4.21.0", "3.22.0", "5.0.0", "nonsense"]) {
    configure({ tf: { ...tf, version_core: version, tensor: tf.tensor } });
    await fails(new RegExp(`${version}.*4\\.22`));
  }
  configure({ tf: () => Promise.reject(new Error("blocked")) });
  await fails(/blocked/);
  configure({ tf: undefined });
  globalThis.tf = tf;
  try {
    const handle = models.faces.load();
    assert.deepEqual(run(await handle.full), answerOf(kernel));
    handle.dispose();
  } finally {
    delete globalThis.tf;
  }
});

test("a topology that TensorFlow.js refuses is a runtime error with its reason", async () => {
  const { models } = await open(makeModel("faces", { artifacts: { modelTopology: { node: [] } }, weights: [raw("b", [3], bias)] }));
  await assert.rejects(models.faces.load().full, { code: "runtime", message: /faces.*versions|faces.*producer/ });
  const odd = makeModel("layers", { kind: "layers-model", artifacts: { modelTopology: { class_name: "Nothing", config: {} } }, weights: [raw("b", [3], bias)] });
  const other = await open(odd);
  await assert.rejects(other.models.layers.load().ready, { code: "runtime", message: /Nothing/ });
});

test("events tell every stage and failure, and what a listener throws ends nothing", async (context) => {
  const events = [];
  const { models } = await open([dense("good"), dense("bad")], {
    answer: (path) => (path.includes("bad-base") ? new Response("", { status: 404 }) : undefined),
    onEvent: (event) => {
      events.push(event);
      throw new Error("of the page");
    },
  });
  const errors = context.mock.method(console, "error", () => {});
  const handle = models.good.load({
    onProgress: () => {
      throw new Error("of the page");
    },
  });
  await handle.full;
  assert.deepEqual(events.map(({ type, model, stage }) => [type, model, stage]), [
    ["stage", "good", "head"],
    ["stage", "good", "base"],
    ["stage", "good", "full"],
  ]);
  assert.equal(events[2].bytes, models.good.bytes);
  assert.ok(errors.mock.callCount() > 3);
  await assert.rejects(models.bad.load().full, { code: "network" });
  const { type, code, url } = events.at(-1);
  assert.deepEqual([type, code], ["failure", "network"]);
  assert.match(url, /bad-base/);
  handle.dispose();
});
