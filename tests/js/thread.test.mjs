// Models that run in a worker: real TensorFlow.js models in a real thread, whose files the page fetches.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { base, bytesOf, floats, makeGate, makeModel, openLoader, serve, until } from "./bundle.mjs";
import { install, workers, Worker } from "./workers.mjs";

const { default: tf } = await import("./runtime.mjs");
tf.env().set("IS_TEST", true);
await tf.setBackend("cpu");
install();
const workerTf = new URL("./runtime.mjs", import.meta.url).href;

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
function summing(name, factor, extra = 0, edit = undefined) {
  const weights = [{ name: "w", shape: [4, 2], dtype: "float32", codec: "exact", bytes: bytesOf(new Float32Array(8).fill(factor)) }];
  if (extra) weights.push({ name: "more", shape: [extra], dtype: "float32", codec: "exact", bytes: bytesOf(floats(extra)) });
  return makeModel(name, { artifacts: graph, weights, labels: ["left", "right"], edit });
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
  const guarded = models.faces.load({ thread: "worker", warmup: true, fallback: () => "too weak" });
  assert.equal((await guarded.run({ x: ones() })).data[0], 12, "the backend as it is will do");
  guarded.dispose();
  assert.equal(tf.memory().numTensors, before, "nothing on the page's thread");
  const worker = workers.at(-1);
  const held = await worker.tensors();
  assert.ok(held >= 2);
  handle.dispose();
  await assert.rejects(model.predict(ones()), { code: "abort" });
  assert.equal(await worker.tensors(), held - 2);
});

const first = async (plain) => (await plain).data[0];
const isFile = (name) => (path) => path.startsWith(`assets/${name}-refine`);

test("tensors of the page's, functions and unknown models are refused in words, and errors come as they are", async () => {
  const missing = summing("ears", 2);
  const odd = makeModel("odd", { artifacts: { ...graph, modelTopology: { ...graph.modelTopology, node: [...graph.modelTopology.node.slice(0, 2), node("y", "Nonsense", ["x", "w"])] } }, weights: [{ name: "w", shape: [4, 2], dtype: "float32", bytes: bytesOf(new Float32Array(8)) }] });
  const { models, events } = await open([summing("faces", 3), missing, odd], { answer: (path) => (path.startsWith("assets/ears-base") ? new Response("", { status: 404 }) : undefined) });
  await assert.rejects(models.faces.load({ thread: "worker", contract: "1".repeat(16) }).ready, { code: "contract" });
  const handle = models.faces.load({ thread: "worker" });
  const model = await handle.full;
  const before = await workers.at(-1).tensors();
  const tensor = tf.ones([1, 4]);
  for (const given of [tensor, [tensor], { x: tensor }]) {
    await assert.rejects(model.predict(given), { name: "ModelError", code: "contract", message: /give { data: await tensor/ });
    await assert.rejects(handle.run({ x: given }), { code: "contract" });
  }
  tensor.dispose();
  await assert.rejects(handle.run({ x: ones() }, { colour: () => 1 }), { code: "contract", message: /cannot be sent to the worker/ });
  await assert.rejects(model.predict({ data: new Float32Array(3), shape: [1, 3] }), (error) => error.name === "Error" && /shape/.test(error.message));
  assert.equal(await workers.at(-1).tensors(), before, "what failed left nothing");
  await assert.rejects(models.ears.load({ thread: "worker" }).ready, { name: "ModelError", code: "network", status: 404, model: "ears" });
  const failing = models.odd.load({ thread: "worker" });
  await failing.full;
  await assert.rejects(failing.run({ x: ones() }), /Nonsense/);
  await assert.rejects(handle.until("legs"), { code: "manifest" });
  const failures = events.filter(({ type }) => type === "failure");
  assert.deepEqual(failures.map(({ model, code }) => [model, code]), [["faces", "abort"], ["ears", "network"]]);
  assert.deepEqual([await first(model.predict(ones())), workers.at(-1).options], [12, { type: "module", name: "shardpress" }]);
});

test("both threads share each file while it comes, and what was fetched before", async () => {
  const gate = makeGate();
  const { models, server } = await open([summing("faces", 3, 40), summing("ears", 2, 40)], { answer: (path) => (/assets\/faces-/.test(path) ? gate.pass() : undefined) });
  await models.ears.prefetch();
  const before = server.log.length;
  assert.equal(await first((await models.ears.load({ thread: "worker" }).full).predict(ones())), 8);
  assert.equal(server.log.length, before);
  const [here, there] = [models.faces.load(), models.faces.load({ thread: "worker" })];
  await gate.arrived;
  await until("the worker knows its files", () => workers.at(-1).log.some(({ what, args }) => what === "claim" && /faces-refine/.test(args[2].path)));
  gate.open();
  const [own, other] = await Promise.all([here.full, there.full]);
  assert.notEqual(own, other);
  const answer = own.predict(tf.ones([1, 4]));
  assert.equal(answer.dataSync()[0], await first(other.predict(ones())));
  assert.equal(new Set(server.paths()).size, server.paths().length, "each file once");
  here.dispose();
  assert.equal(await first(other.predict(ones())), 12, "the other one stays");
});

test("a load that is cancelled in the middle ends there too; a model that is ready stays at its precision", async () => {
  const gate = makeGate();
  const { models } = await open([summing("faces", 3, 40), summing("ears", 2, 40)], { answer: (path) => (isFile("faces")(path) || path.startsWith("assets/ears-base") ? gate.pass() : undefined) });
  const control = new AbortController();
  const handle = models.faces.load({ thread: "worker", signal: control.signal });
  const model = await handle.ready;
  const worker = workers.at(-1);
  const held = await worker.tensors();
  const waiting = models.ears.load({ thread: "worker" });
  control.abort();
  waiting.cancel();
  await assert.rejects(handle.full, { code: "abort" });
  await assert.rejects(waiting.ready, { code: "abort" });
  assert.ok(Math.abs((await first(model.predict(ones()))) - 12) < 0.1);
  assert.equal(await worker.tensors(), held);
  handle.dispose();
  assert.equal(await worker.tensors(), held - 2);
  gate.open();
  assert.equal(await first((await models.ears.load({ thread: "worker" }).full).predict(ones())), 8);
  assert.equal(workers.at(-1), worker);
});

test("what a cancelled load still asks for, as messages cross, takes nothing from the next one", async () => {
  const built = [summing("faces-rung1", 1), summing("faces", 3, 40)];
  built[1].item = [...built[1].item, { ladder: { rungs: ["faces-rung1"], bytes: built[0].item[5], tensors: true } }];
  const gate = makeGate();
  const { models } = await open(built, { answer: (path) => (/assets\/faces-base/.test(path) ? gate.pass() : undefined) });
  const handle = models.faces.load({ thread: "worker" });
  const model = await handle.ready;
  const worker = workers.at(-1);
  const asked = () => worker.log.find(({ what, args }) => what === "claim" && /assets\/faces\./.test(args[2].path));
  await until("the second rung is begun", asked);
  handle.cancel();
  const [load, , head] = asked().args;
  for (const data of [{ what: "claim", args: [load, 99, head, 0, false] }, { number: 99, what: "read", args: [load, 99, head] }, { what: "end", args: [load, 99] }]) {
    worker.onmessage({ data });
  }
  gate.open();
  const again = models.faces.load({ thread: "worker" });
  assert.equal(await first((await again.full).predict(ones())), 12);
  assert.equal(again.rung, 2);
  assert.ok(Math.abs((await first(model.predict(ones()))) - 4) < 0.1);
  for (const one of [handle, again]) one.dispose();
});

test("without a worker the page's thread does it all, in the same way, and an event says so", async () => {
  const before = tf.memory().numTensors;
  const ways = [
    [{ workerTf: undefined }, /no TensorFlow.js/],
    [{ worker: false }, /worker: false/],
    [{ forbidden: true }, /forbidden/],
  ];
  for (const [{ forbidden, ...options }, why] of ways) {
    Worker.forbidden = forbidden;
    const { models, events, server } = await open(summing("faces", 3, 40), options);
    const phases = [];
    const handle = models.faces.load({ thread: "worker", onProgress: ({ phase }) => phases.push(phase) });
    const model = await handle.full;
    Worker.forbidden = false;
    assert.deepEqual([...(await model.predict(ones())).data], [12, 12]);
    assert.equal(await first(handle.run({ x: ones() })), 12);
    let closed = 0;
    assert.equal(await first(handle.run({ x: { ...ones(), close: () => closed++ } }, { transfer: true })), 12);
    assert.equal(closed, 1, "what is given away is freed here too");
    const tensor = tf.ones([1, 4]);
    await assert.rejects(model.predict(tensor), { code: "contract" });
    tensor.dispose();
    assert.equal((await handle.selfTest()).passed, true);
    const { loaded, total, phase } = handle.progress;
    assert.deepEqual([loaded, phase], [total, "full"]);
    const [told, ...stages] = events;
    assert.deepEqual([told.type, told.thread, told.model], ["thread", "page", "faces"]);
    assert.match(told.why, why);
    assert.deepEqual(stages.map(({ stage }) => stage), ["head", "base", "full"]);
    assert.equal(new Set(server.paths()).size, server.paths().length);
    handle.dispose();
    assert.equal(tf.memory().numTensors, before);
  }
});

test("a worker that dies is started once more, and then the page's thread goes on", async () => {
  const before = tf.memory().numTensors;
  const { models, events, server } = await open([summing("faces", 3, 40), summing("ears", 2)]);
  const [faces, ears] = [models.faces.load({ thread: "worker" }), models.ears.load({ thread: "worker" })];
  const model = await faces.full;
  await ears.full;
  const count = server.log.length;
  const started = workers.length;
  const dead = workers.at(-1);
  const lost = model.predict(ones());
  dead.terminate();
  await assert.rejects(lost, { code: "runtime", message: /worker ended/ });
  assert.equal(await first(model.predict(ones())), 12, "the same object goes on");
  assert.equal(await first(ears.run({ x: ones() })), 8);
  assert.equal(workers.length, started + 1, "one for both");
  assert.ok(server.log.length > count);
  assert.deepEqual(events.filter(({ type }) => type === "recovery").map(({ model: name }) => name).sort(), ["ears", "faces"]);
  workers.at(-1).postMessage({ crash: true });
  await until("the page has taken over", () => events.filter(({ type }) => type === "recovery").length === 4);
  assert.equal(await first(model.predict(ones())), 12);
  assert.equal(await first(ears.run({ x: ones() })), 8);
  assert.equal(workers.length, started + 1);
  assert.deepEqual(events.filter(({ type }) => type === "thread").map(({ why }) => why), ["it ended twice", "it ended twice"]);
  assert.deepEqual(events.filter(({ type }) => type === "failure"), []);
  assert.equal(events.filter(({ stage }) => stage).length, 6, "stages are told once");
  faces.dispose();
  ears.dispose();
  assert.equal(tf.memory().numTensors, before);
});

test("a worker that dies in mid-load takes nothing from it", async () => {
  const gate = makeGate();
  let wait = true;
  const { models, events } = await open(summing("faces", 3, 40), { answer: (path) => (isFile("faces")(path) && wait ? gate.pass() : undefined) });
  const handle = models.faces.load({ thread: "worker" });
  const model = await handle.ready;
  await gate.arrived;
  workers.at(-1).terminate();
  wait = false;
  gate.open();
  assert.equal(await handle.full, model);
  assert.equal(await first(model.predict(ones())), 12);
  const { loaded, total } = handle.progress;
  assert.equal(loaded, total);
  assert.deepEqual(events.filter(({ stage }) => stage).map(({ stage }) => stage), ["head", "base", "full"]);
  handle.dispose();
});

test("messages that belong to nothing change nothing, on either side", async () => {
  const { models } = await open(summing("faces", 3));
  const handle = models.faces.load({ thread: "worker" });
  const model = await handle.full;
  const worker = workers.at(-1);
  const strange = [null, 7, {}, { number: 99, done: { value: 1 } }, { number: 99, stop: {} }, { what: "toString", args: [] }, { what: "stage", args: [99, "base"] }, { what: "claim", args: [99, 1, {}] }, { what: "cancel", args: [99] }, { what: "dispose", args: [99] }, { what: "open" }];
  for (const data of strange) {
    worker.onmessage({ data });
    if (data) worker.postMessage(data);
  }
  worker.postMessage({ number: 1000, what: "run", args: [99, ones(), {}] });
  await until("the stranger has an answer", () => worker.log.some(({ number, done }) => number === 1000 && done.error.code === "abort"));
  assert.equal(await first(model.predict(ones())), 12);
  // What has gone in the meantime is no longer asked for.
  const control = new AbortController();
  const asked = handle.run({ x: ones() }, { signal: control.signal });
  control.abort();
  await assert.rejects(asked, { name: "AbortError" });
  assert.equal(await first(handle.run({ x: ones() })), 12);
  handle.dispose();
});

test("a ladder climbs in the worker", async () => {
  const built = [summing("faces-rung1", 1), summing("faces", 3, 40)];
  built[1].item = [...built[1].item, { ladder: { rungs: ["faces-rung1"], bytes: built[0].item[5], tensors: true }, thread: "worker" }];
  const gate = makeGate();
  const { models, events, server } = await open(built, { answer: (path) => (/assets\/faces-base/.test(path) ? gate.pass() : undefined) });
  const handle = models.faces.load();
  const model = await handle.ready;
  assert.equal(handle.rung, 1);
  assert.ok(Math.abs((await first(model.predict(ones()))) - 4) < 0.1);
  gate.open();
  assert.equal(await handle.until("rung:2"), model);
  assert.equal(await handle.full, model);
  assert.equal(handle.rung, 2);
  assert.equal(await first(model.predict(ones())), 12);
  assert.equal(await first(handle.run({ x: ones() })), 12);
  assert.deepEqual(handle.labels, ["left", "right"]);
  const { loaded, total } = handle.progress;
  assert.equal(loaded, total);
  const told = events.filter(({ model: name }) => name === "faces").map(({ stage }) => stage);
  assert.deepEqual(told, ["head", "rung:1", "rung:2", "full"]);
  assert.ok(events.some(({ model: name, stage }) => name === "faces-rung1" && stage === "base"), "rungs under names of their own");
  assert.equal(new Set(server.paths()).size, server.paths().length, "each file once");
  assert.deepEqual((await models.faces.plan()).map(({ take }) => take), [true, true]);
  handle.dispose();
  const before = tf.memory().numTensors;
  const here = models.faces.load({ thread: "page" });
  assert.ok((await here.full).predict);
  assert.ok(tf.memory().numTensors > before, "the page's wish goes before build.toml's");
  here.dispose();
});

test("a worker without models is let go, and another one starts when it is needed", async (context) => {
  const late = [];
  const real = globalThis.setTimeout;
  context.mock.method(globalThis, "setTimeout", (tell, ms, ...args) => (ms === 10_000 ? late.push(tell) : real(tell, ms, ...args)));
  const { models, events } = await open(summing("faces", 3, 40));
  const handle = models.faces.load({ thread: "worker" });
  await handle.full;
  const first = workers.at(-1);
  const ended = once(first.thread, "exit");
  handle.dispose();
  const again = models.faces.load({ thread: "worker" });
  await again.full;
  assert.equal(workers.at(-1), first, "it is kept for a while");
  for (const tell of late.splice(0)) tell();
  assert.equal((await (await again.ready).predict(ones())).data[0], 12, "who came in time finds it there");
  again.dispose();
  for (const tell of late.splice(0)) tell();
  await ended;
  for (let round = 0; round < 3; round++) {
    const more = models.faces.load({ thread: "worker" });
    await more.full;
    assert.notEqual(workers.at(-1), first);
    more.dispose();
    for (const tell of late.splice(0)) tell();
  }
  assert.deepEqual(events.filter(({ type }) => type !== "stage"), [], "such ends are none that count");
});

test("what a worker finds out of the device the page keeps, and goes by", async () => {
  const kept = new Map();
  const notes = { getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, text) };
  const built = summing("slow", 3);
  // No run is as short as that.
  built.item = [...built.item, { fit: { macs: 8, ops: 1, size: 4, frame: 1e-9, probe: [] } }];
  const { models, events } = await open(built, { notes });
  const handle = models.slow.load({ thread: "worker", fallback: () => "too slow" });
  await handle.full;
  assert.ok(models.slow.canRun());
  assert.equal((await handle.run({ x: ones() })).data[0], 12);
  for (let run = 0; run < 4; run++) await handle.run({ x: ones() });
  await until("the device is known to be too slow", () => !models.slow.canRun());
  assert.equal(await handle.run({ x: ones() }), "too slow");
  assert.match(events.find(({ type }) => type === "plan").why, /more than the/);
  assert.match([...kept.values()].join(), /"speeds":\{"cpu"/);
  const again = await open(built, { notes });
  assert.equal(await again.models.slow.load({ thread: "worker", fallback: () => "not again" }).run({ x: ones() }), "not again");
  handle.dispose();
});

test("sounds are heard in the worker, streams on the page's thread only", async () => {
  const audio = { input: "x", rate: 4, samples: 4, hop: 4, scale: 1, offset: 0, dtype: "float32", shape: [1, 4] };
  const { models } = await open(summing("ears", 3, 0, (head) => Object.assign(head, { audio, modules: ["audio", "answers"] })));
  const handle = models.ears.load({ thread: "worker" });
  await handle.full;
  const samples = new Float32Array(8).fill(1);
  const heard = await handle.run({ samples, rate: 4 });
  assert.deepEqual(heard.map(({ start, end, answer }) => [start, end, ...answer.data]), [[0, 1, 12, 12], [1, 2, 12, 12]]);
  assert.equal(samples.length, 8, "the page keeps what it did not give away");
  assert.equal((await handle.run({ x: { samples, rate: 4 } }, { transfer: true })).length, 2);
  const wav = new Uint8Array([..."RIFF\x30\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x04\0\0\0\x04\0\0\0\x01\0\x08\0data\x04\0\0\0\xc0\xc0\xc0\xc0"].map((letter) => letter.charCodeAt()));
  for (const file of [wav, wav.buffer, new Blob([wav])]) {
    assert.deepEqual((await handle.run(file)).map(({ answer }) => [...answer.data]), [[6, 6]]);
  }
  await assert.rejects(handle.run(new Uint8Array([1, 2, 3, 4])), { code: "contract", message: /no WAV file/ });
  await assert.rejects(handle.run({ getAudioTracks: () => [] }), { code: "contract", message: /thread: "page"/ });
  handle.dispose();
});
