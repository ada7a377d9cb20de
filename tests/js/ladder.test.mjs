// Ladders of real TensorFlow.js models: who answers when, what is fetched, and what is left of a rung.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { base, bytesOf, makeGate, makeModel, openLoader, serve, until } from "./bundle.mjs";
import { graph, ladderOf, rung } from "./rungs.mjs";

const tf = createRequire(import.meta.url)("@tensorflow/tfjs");
tf.env().set("IS_TEST", true);
await tf.setBackend("cpu");

const two = (options) => ladderOf([rung("faces-rung1", 1.5, options), rung("faces", 3, { ...options, extra: 40 })], options);
const three = () => ladderOf([rung("faces-rung1", 1), rung("faces-rung2", 2), rung("faces", 3)]);

const signed = {
  edit: (head) => Object.assign(head.artifacts, { signature: { inputs: { x: { name: "x:0" } }, outputs: { y: { name: "y:0" } } } }),
};

async function open(built, { answer, ...options } = {}) {
  const loader = await openLoader(...built);
  const server = serve(built, answer);
  const events = [];
  loader.configure({ baseUrl: base, fetch: server.fetch, tf, cache: "none", onEvent: (event) => events.push(event), ...options });
  return { ...loader, server, events };
}

const probe = await tf.loadGraphModel({
  load: () => ({ ...graph(4), weightSpecs: [{ name: "w", shape: [4, 2], dtype: "float32" }], weightData: new Float32Array(8).buffer }),
});
const executors = Object.getPrototypeOf(probe.executor);
const x = tf.ones([1, 4]);
const first = (tensor) => {
  const [value] = tensor.dataSync();
  tensor.dispose();
  return value;
};
const ask = (model) => first(model.predict(x));
const isTop = (path) => /assets\/faces(-base|-refine|\.)/.test(path);

test("the first rung answers, then the next takes its place in the same object, and leaves nothing behind", async () => {
  const before = tf.memory().numTensors;
  const gate = makeGate();
  const built = two();
  const { models, server, events } = await open(built, { answer: (path) => (isTop(path) && path.endsWith(".bin") ? gate.pass() : undefined) });
  const phases = new Set();
  const handle = models.faces.load({ onProgress: ({ phase }) => phases.add(phase) });
  assert.equal(handle.rung, undefined);
  const model = await handle.ready;
  assert.equal(handle.rung, 1);
  assert.equal(await handle.until("rung:1"), model);
  assert.ok(Math.abs(ask(model) - 6) < 0.1, "at base precision");
  assert.equal(model.inputs[0].name, "x");
  const second = handle.until("rung:2");
  gate.open();
  assert.equal(await second, model);
  assert.equal(await handle.full, model);
  assert.equal(handle.rung, 2);
  assert.equal(ask(model), 12);
  assert.equal(first(await model.executeAsync(x)), 12);
  const { loaded, total, phase } = handle.progress;
  assert.equal(phase, "full");
  assert.equal(loaded, total);
  assert.ok(loaded > built[1].item[5]);
  assert.equal(events.at(-1).wire, loaded, "all of it from the network");
  assert.deepEqual(["rung:1", "rung:2"].filter((one) => !phases.has(one)), []);
  assert.deepEqual(server.paths().filter((path) => path.startsWith("assets/faces-rung1-refine")), [], "nobody needs what refines it");
  const told = events.filter(({ model: name }) => name === "faces").map(({ type, stage }) => [type, stage]);
  assert.deepEqual(told, ["head", "rung:1", "rung:2", "full"].map((stage) => ["stage", stage]));
  assert.deepEqual(events.filter(({ type }) => type === "failure"), []);
  assert.ok(events.some(({ model: name, stage }) => name === "faces-rung2" && stage === "full"), "the last rung under a name of its own");
  await until("the first rung is gone", () => tf.memory().numTensors === before + 2);
  handle.dispose();
  assert.equal(tf.memory().numTensors, before);
});

test("a rung stays until the calls on it have ended", async () => {
  const before = tf.memory().numTensors;
  const gate = makeGate();
  const calling = makeGate();
  const { models } = await open(two(), { answer: (path) => (isTop(path) && path.endsWith(".bin") ? gate.pass() : undefined) });
  // A call that begins on the first rung and reads its weights only after the climb.
  const own = executors.executeAsync;
  let held = true;
  executors.executeAsync = async function (...args) {
    if (held) await calling.pass();
    held = false;
    return own.apply(this, args);
  };
  try {
    const handle = models.faces.load();
    const model = await handle.ready;
    const answer = model.executeAsync(x);
    await calling.arrived;
    gate.open();
    await handle.full;
    assert.equal(handle.rung, 2);
    await new Promise((done) => setTimeout(done, 20));
    assert.equal(ask(model), 12, "new calls go to the higher rung at once");
    assert.equal(tf.memory().numTensors, before + 3, "the lower one is still there");
    calling.open();
    assert.ok(Math.abs(first(await answer) - 6) < 0.1);
    await until("the first rung is gone", () => tf.memory().numTensors === before + 2);
    handle.dispose();
    assert.equal(tf.memory().numTensors, before);
  } finally {
    executors.executeAsync = own;
  }
});


test("the files of the next rung come after those of the first one, and while that is being made a model", async () => {
  const [below, making] = [makeGate(), makeGate()];
  const { models, server } = await open(two(), {
    answer: (path) => (!isTop(path) && path.endsWith(".bin") ? below.pass() : undefined),
    tf: { ...tf, loadGraphModel: (handler) => making.pass().then(() => tf.loadGraphModel(handler)) },
  });
  const tops = () => server.paths().filter((path) => isTop(path) && path.endsWith(".bin"));
  const handle = models.faces.load();
  await below.arrived;
  await until("the next head is there", () => server.paths().some((path) => isTop(path) && path.endsWith(".json")));
  assert.deepEqual(tops(), [], "the first answer has the network for itself");
  below.open();
  await until("the next rung is on its way", () => tops().length);
  assert.equal(handle.rung, undefined, "though nothing answers yet");
  making.open();
  await handle.full;
  assert.equal(handle.rung, 2);
  assert.equal(new Set(tops()).size, tops().length, "each file came once");
  assert.equal(handle.progress.loaded, handle.progress.total);
  handle.dispose();
});

test("a download that fails in mid-climb leaves the rung that answers whole, and it gets its final precision", async () => {
  const { models, server, events } = await open(two(), { answer: (path) => (isTop(path) && path.endsWith(".bin") ? new Response("gone", { status: 404 }) : undefined) });
  const handle = models.faces.load();
  const model = await handle.ready;
  await assert.rejects(handle.full, { code: "network" });
  await assert.rejects(handle.until("rung:2"), { code: "network" });
  assert.equal(handle.rung, 1);
  await until("what refines the first rung is fetched", () => server.paths().some((path) => path.startsWith("assets/faces-rung1-refine")));
  await until("it is exact", () => ask(model) === 6);
  assert.equal((await handle.selfTest()).passed, true);
  assert.ok(events.some(({ type, model: name }) => type === "failure" && name === "faces"));
  const again = models.faces.load();
  assert.notEqual(await again.ready.catch(() => undefined), model, "the next load climbs anew");
  again.full.catch(() => {});
  again.dispose();
  handle.dispose();
});

test("a climb that is aborted leaves the rung that answers usable; disposal in mid-climb leaves nothing", async () => {
  const before = tf.memory().numTensors;
  const gate = makeGate();
  const { models, events } = await open(two(), { answer: (path) => (isTop(path) && path.endsWith(".bin") ? gate.pass() : undefined) });
  const stop = new AbortController();
  const handle = models.faces.load({ signal: stop.signal });
  const model = await handle.ready;
  await gate.arrived;
  stop.abort();
  await assert.rejects(handle.full, { code: "abort" });
  gate.open();
  await new Promise((done) => setTimeout(done, 20));
  assert.equal(handle.rung, 1);
  assert.ok(Math.abs(ask(model) - 6) < 0.1);
  handle.dispose();
  assert.equal(tf.memory().numTensors, before);
  const again = models.faces.load();
  await again.ready;
  again.dispose();
  await assert.rejects(again.full, { code: "abort" });
  await until("all is gone", () => tf.memory().numTensors === before);
  assert.deepEqual(events.filter(({ type, model: name }) => type === "failure" && name === "faces").map(({ code }) => code), ["abort", "abort"]);
});

test("disposal before the first rung answers leaves nothing, and the next load begins anew", async () => {
  const before = tf.memory().numTensors;
  const gate = makeGate();
  const { models } = await open(two(), { answer: (path) => (path.endsWith(".bin") ? gate.pass() : undefined) });
  const handle = models.faces.load();
  await gate.arrived;
  handle.dispose();
  await assert.rejects(handle.ready, { code: "abort" });
  gate.open();
  const again = models.faces.load();
  await again.full;
  assert.equal(again.rung, 2);
  again.dispose();
  await until("all is gone", () => tf.memory().numTensors === before);
});

/** A store that is full of some models already. */
function storeOf(...built) {
  const kept = new Map(built.flatMap(({ files }) => [...files]).map(([path, bytes]) => [/([0-9a-f]{16})[.](?:json|bin)$/.exec(path)[1], new Uint8Array(bytes).buffer]));
  return { get: async (key) => kept.get(key), put: async (key, bytes) => void kept.set(key, bytes.slice().buffer), keys: async () => [...kept.keys()], delete: async (key) => kept.delete(key) };
}

test("a higher rung that is kept from an earlier visit answers at once, and the lower ones are not fetched", async () => {
  const built = three();
  const { models, server } = await open(built, { cache: "persistent", store: storeOf(built[1]) });
  const steps = await models.faces.plan();
  assert.deepEqual(steps.map(({ take }) => take), [false, true, true]);
  assert.match(steps[0].why, /rung 2 is kept/);
  const handle = models.faces.load();
  const model = await handle.until("rung:1");
  assert.equal(handle.rung, 2);
  await handle.full;
  assert.equal(handle.rung, 3);
  assert.equal(ask(model), 12);
  assert.deepEqual(server.paths().filter((path) => path.includes("rung1") || path.includes("rung2")), []);
  handle.dispose();
  const all = await open(built, { cache: "persistent", store: storeOf(...built) });
  const last = all.models.faces.load();
  await last.full;
  assert.equal(last.rung, 3);
  assert.deepEqual(all.server.paths(), []);
  last.dispose();
});

/** Changes what the device says of itself for a while. */
async function onDevice(facts, action) {
  const own = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: facts, configurable: true });
  try {
    return await action();
  } finally {
    if (own) Object.defineProperty(globalThis, "navigator", own);
    else delete globalThis.navigator;
  }
}

test("a weak device is not given what it cannot hold, and a visitor who saves data not more than the first answer", async () => {
  const built = two();
  built[1].item[5] = 2 ** 27;
  for (const [facts, why] of [[{ deviceMemory: 1 }, /takes more memory than the 1 GB/], [{ connection: { saveData: true } }, /saves data/], [{ connection: { effectiveType: "2g" } }, /slow/]]) {
    await onDevice(facts, async () => {
      const { models, server } = await open(built);
      const steps = await models.faces.plan();
      assert.deepEqual(steps.map(({ rung, model, take }) => [rung, model, take]), [[1, "faces-rung1", true], [2, "faces-rung2", false]]);
      assert.match(steps[1].why, why);
      assert.equal(models.faces.canRun(), true, "its first rung");
      const handle = models.faces.load();
      const model = await handle.full;
      assert.equal(handle.rung, 1);
      assert.equal(ask(model), 6, "at its final precision");
      await assert.rejects(handle.until("rung:2"), { code: "manifest", message: /no stage rung:2: see rung:1$/ });
      assert.deepEqual(server.paths().filter(isTop), []);
      assert.equal(handle.progress.loaded, handle.progress.total);
      handle.dispose();
    });
  }
  await onDevice({ connection: { saveData: true } }, async () => {
    const { models } = await open(two(), { respectSaveData: false });
    assert.deepEqual((await models.faces.plan()).map(({ take }) => take), [true, true]);
  });
});

test("two handles share one climb; the rungs go with the last of them", async () => {
  const before = tf.memory().numTensors;
  const built = two();
  const { models, server } = await open(built);
  const [one, other] = [models.faces.load(), models.faces.load({ contract: "0".repeat(16) })];
  assert.equal(await one.full, await other.full);
  assert.equal(new Set(server.paths()).size, server.paths().length);
  one.dispose();
  assert.equal(ask(await other.full), 12);
  other.dispose();
  assert.equal(tf.memory().numTensors, before);
  const wrong = models.faces.load({ contract: "1".repeat(16) });
  await assert.rejects(wrong.ready, { code: "contract" });
});

test("layers models climb too, and the first one's variables go with it", async () => {
  const before = tf.memory().numTensors;
  const source = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [4], useBias: false, name: "d" })] });
  const modelTopology = JSON.parse(JSON.stringify(source.toJSON(null, false)));
  source.dispose();
  const layers = (name, factor) =>
    makeModel(name, {
      kind: "layers-model",
      artifacts: { modelTopology },
      weights: [{ name: "d/kernel", shape: [4, 2], dtype: "float32", codec: "exact", bytes: bytesOf(new Float32Array(8).fill(factor)) }],
    });
  const gate = makeGate();
  const { models } = await open(ladderOf([layers("faces-rung1", 1), layers("faces", 3)]), {
    answer: (path) => (isTop(path) && path.endsWith(".bin") ? gate.pass() : undefined),
  });
  const handle = models.faces.load();
  const model = await handle.ready;
  assert.ok(Math.abs(ask(model) - 4) < 0.1);
  assert.equal((await handle.selfTest()).passed, true);
  gate.open();
  await handle.full;
  assert.equal(ask(model), 12);
  await until("the first rung is gone", () => tf.memory().numTensors === before + 1);
  handle.dispose();
  assert.equal(tf.memory().numTensors, before);
});

test("rungs that take different tensors refuse them in words, and run", async () => {
  const answering = { edit: (head) => Object.assign(head, { modules: ["glue"], glue: { inputs: [] } }) };
  const built = ladderOf([rung("faces-rung1", 1, { sides: 4, ...answering }), rung("faces", 2, { sides: 3, ...answering, extra: 40 })], { tensors: false });
  const { models } = await open(built);
  const handle = models.faces.load();
  const model = await handle.ready;
  for (const method of ["predict", "execute"]) assert.throws(() => model[method](x), { code: "contract", message: /use handle[.]run/ });
  for (const method of ["executeAsync", "predictAsync"]) await assert.rejects(model[method](x), { code: "contract" });
  await handle.full;
  assert.deepEqual(model.inputs[0].shape, [-1, 3]);
  handle.dispose();
});

test("a rung of another contract ends the climb, and what answers stays", async () => {
  const built = ladderOf([rung("faces-rung1", 1), rung("faces", 2, { edit: (head) => (head.contract = "1".repeat(16)) })]);
  const { models } = await open(built);
  const handle = models.faces.load();
  const model = await handle.ready;
  await assert.rejects(handle.full, { code: "contract", message: /publish all of them again/ });
  assert.equal(handle.rung, 1);
  assert.ok(Math.abs(ask(model) - 4) < 0.1);
  handle.dispose();
});

test("a rung that the index does not have is passed over", async () => {
  const built = three();
  const { models } = await open(built.slice(1));
  const handle = models.faces.load();
  const model = await handle.full;
  assert.equal(handle.rung, 2);
  assert.equal(ask(model), 12);
  handle.dispose();
});

test("whole runs count: the rung that made the input is there until the answer is", async () => {
  const gate = makeGate();
  const built = ladderOf([rung("faces-rung1", 1, signed), rung("faces", 2, { ...signed, extra: 40 })]);
  const { models } = await open(built, { answer: (path) => (isTop(path) && path.endsWith(".bin") ? gate.pass() : undefined) });
  const handle = models.faces.load();
  await handle.ready;
  assert.ok(Math.abs(first(await handle.run({ x })) - 4) < 0.1);
  const answers = [];
  const going = (async () => {
    while (handle.rung === 1) answers.push(first(await handle.run({ x })));
  })();
  await until("it runs", () => answers.length > 2);
  gate.open();
  await handle.full;
  await going;
  assert.equal(first(await handle.run({ x })), 8);
  assert.deepEqual(answers.filter((value) => Math.abs(value - 4) > 0.1 && Math.abs(value - 8) > 0.1), []);
  handle.dispose();
});

/** A second backend of TensorFlow.js' own, so that weights can be moved. */
const Kind = tf.backend().constructor;
tf.registerBackend("wasm", () => new Kind());
for (const kernel of tf.getKernelsForBackend("cpu")) tf.registerKernel({ ...kernel, backendName: "wasm" });

test("weights that are to be brought back in mid-climb get their final precision first, and the climb goes on", async () => {
  const gate = makeGate();
  const { models, server } = await open(two(), { answer: (path) => (isTop(path) && path.endsWith(".bin") ? gate.pass() : undefined) });
  const handle = models.faces.load();
  const model = await handle.ready;
  await tf.setBackend("cpu");
  const result = await handle.pickBackend();
  assert.deepEqual([result.passed, result.backend], [true, "wasm"]);
  assert.equal(handle.rung, 1);
  assert.equal(ask(model), 6);
  assert.ok(server.paths().some((path) => path.startsWith("assets/faces-rung1-refine")));
  gate.open();
  await handle.full;
  assert.equal(ask(model), 12);
  handle.dispose();
  await tf.setBackend("cpu");
});

test("a rung that goes while its weights are brought back ends nothing", async () => {
  const gate = makeGate();
  const refine = makeGate();
  const { models } = await open(two(), {
    answer: (path) => (isTop(path) && path.endsWith(".bin") ? gate.pass() : path.includes("rung1-refine") ? refine.pass() : undefined),
  });
  const handle = models.faces.load();
  const model = await handle.ready;
  await tf.setBackend("cpu");
  const picked = handle.pickBackend();
  await refine.arrived;
  gate.open();
  await handle.full;
  assert.equal(handle.rung, 2);
  await new Promise((done) => setTimeout(done, 20));
  const result = await picked;
  assert.deepEqual([result.passed, result.backend], [true, "wasm"]);
  assert.equal(ask(model), 12);
  handle.dispose();
  refine.open();
  await tf.setBackend("cpu");
});
