// Climbs that nobody would wish for: what fails, comes too early, goes too soon, or is not there at all.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { base, makeGate, openLoader, serve, until } from "./bundle.mjs";
import { ladderOf, rung, storeOf, withExtras, withGlobals } from "./rungs.mjs";

const tf = createRequire(import.meta.url)("@tensorflow/tfjs");
tf.env().set("IS_TEST", true);
await tf.setBackend("cpu");
const x = tf.ones([1, 4]);
const before = tf.memory().numTensors;

const ladder = (count = 2) => ladderOf([1, 2, 3].slice(0, count).map((number) => rung(number === count ? "faces" : `faces-rung${number}`, number, { extra: 40 * (number - 1) })));
async function open(built, { answer, ...options } = {}) {
  const loader = await openLoader(...built);
  const server = serve(built, answer);
  const events = [];
  loader.configure({ baseUrl: base, fetch: server.fetch, tf, cache: "none", onEvent: (event) => events.push(event), ...options });
  return { ...loader, server, events, failures: () => events.filter(({ type }) => type === "failure") };
}
const isTop = (path) => /assets\/faces(-base|-refine|\.)/.test(path);
const holding = (gate, which = isTop) => (path) => (which(path) && path.endsWith(".bin") ? gate.pass() : undefined);
const ask = (model) => {
  const answer = model.predict(x);
  const [value] = answer.dataSync();
  answer.dispose();
  return Math.round(value);
};
const allGone = () => until("all tensors are gone", () => tf.memory().numTensors === before);

/** TensorFlow.js that cannot make a model of so many weights, as a device without memory left for it. */
const failing = (weights) => ({
  ...tf,
  loadGraphModel: async (handler) => {
    const { weightSpecs } = await handler.load();
    if (weightSpecs.length === weights) throw new Error("Failed to allocate texture");
    return tf.loadGraphModel(handler);
  },
});

test("a device that fails in mid-climb keeps what answers, at its final precision, and the next load tries again", async () => {
  const { models, failures } = await open(ladder(), { tf: failing(2) });
  const handle = models.faces.load();
  const model = await handle.ready;
  await assert.rejects(handle.full, { code: "runtime", message: /Failed to allocate texture/ });
  assert.equal(handle.rung, 1);
  await until("it is exact", () => ask(model) === 4);
  assert.deepEqual(failures().map(({ model: name, code }) => [name, code]), [["faces-rung2", "runtime"], ["faces", "runtime"]]);
  const again = models.faces.load();
  await again.ready;
  assert.equal(again.rung, 1);
  await assert.rejects(again.full, { code: "runtime" });
  again.dispose();
  handle.dispose();
  await allGone();
});

test("a first rung that is gone after a release is passed over, and the next one answers", async () => {
  for (const what of [/rung1[.]/, /rung1-base/]) {
    const { models, events, failures } = await open(ladder(3), { answer: (path) => (what.test(path) ? new Response("gone", { status: 404 }) : undefined) });
    const handle = models.faces.load();
    const model = await handle.until("rung:1");
    assert.equal(handle.rung, 2);
    assert.ok(ask(model) >= 8);
    await handle.full;
    assert.deepEqual([handle.rung, ask(model)], [3, 12]);
    assert.deepEqual(failures().map(({ model: name }) => name), ["faces-rung1"]);
    assert.deepEqual(events.filter(({ model: name }) => name === "faces").map(({ stage }) => stage), ["head", "rung:2", "rung:3", "full"]);
    assert.equal(handle.progress.loaded, handle.progress.total);
    handle.dispose();
    await allGone();
  }
});

test("a device that cannot make any rung says so once all have been tried", async () => {
  const { models, failures } = await open(ladder(), { tf: { ...tf, loadGraphModel: () => Promise.reject(new Error("no memory")) } });
  const handle = models.faces.load();
  await assert.rejects(handle.ready, { code: "runtime", message: /no memory/ });
  assert.deepEqual(failures().map(({ model: name }) => name), ["faces-rung1", "faces-rung2", "faces"]);
  handle.dispose();
  await allGone();
});

test("a first rung of another contract than the next one, once it has failed, ends the climb", async () => {
  const built = ladderOf([rung("faces-rung1", 1), rung("faces", 2, { edit: (head) => (head.contract = "1".repeat(16)) })]);
  const { models } = await open(built, { answer: (path) => (path.includes("rung1-base") ? new Response("gone", { status: 404 }) : undefined) });
  const handle = models.faces.load();
  await assert.rejects(handle.ready, { code: "contract" });
  handle.dispose();
  await allGone();
});

test("one handle that is cancelled in mid-climb takes nothing from the other", async () => {
  const gate = makeGate();
  const { models, failures } = await open(ladder(), { answer: holding(gate) });
  const [one, other] = [models.faces.load(), models.faces.load()];
  const model = await one.ready;
  await gate.arrived;
  one.cancel();
  await assert.rejects(one.full, { code: "abort" });
  one.dispose();
  assert.equal(ask(model), 4);
  gate.open();
  assert.equal(await other.full, model);
  assert.deepEqual([other.rung, ask(model)], [2, 8]);
  assert.deepEqual(failures(), []);
  other.dispose();
  await allGone();
});

test("a climb that is cancelled between its second and third rung keeps the second", async () => {
  const gate = makeGate();
  const { models } = await open(ladder(3), { answer: holding(gate) });
  const handle = models.faces.load();
  const model = await handle.until("rung:2");
  await gate.arrived;
  handle.cancel();
  await assert.rejects(handle.full, { code: "abort" });
  assert.deepEqual([handle.rung, ask(model)], [2, 8]);
  gate.open();
  await until("the first rung is gone", () => tf.memory().numTensors === before + 2);
  handle.dispose();
  await allGone();
});

test("a page that lets go of the model itself, or from within its own progress, ends the climb and leaves nothing", async () => {
  const gate = makeGate();
  const { models } = await open(ladder(), { answer: holding(gate) });
  const handle = models.faces.load();
  const model = await handle.ready;
  await gate.arrived;
  model.dispose();
  await assert.rejects(handle.full, { code: "abort" });
  gate.open();
  handle.dispose();
  await allGone();
  for (let turns = 0; turns < 12; turns++) {
    const { models: between } = await open(ladder());
    const waiting = between.faces.load();
    const soon = await waiting.ready;
    // No higher rung has begun yet, or it has.
    for (let i = 0; i < turns; i++) await null;
    soon.dispose();
    await assert.rejects(waiting.full, { code: "abort" }, `after ${turns} turns`);
    waiting.dispose();
    await allGone();
  }
  const { models: others } = await open(ladder(3));
  for (const phase of ["head", "rung:1", "rung:2", "rung:3"]) {
    const once = others.faces.load({ onProgress: (progress) => progress.phase === phase && once.dispose() });
    await assert.rejects(once.full, { code: "abort" });
    await allGone();
  }
});

test("what was fetched ahead is not fetched again, whether it is kept in the store or in memory", async () => {
  const built = ladder();
  for (const options of [{ cache: "none" }, { cache: "persistent", store: storeOf() }]) {
    const { models, server } = await open(built, options);
    await models.faces.prefetch();
    const fetched = server.paths();
    assert.ok(fetched.length > 2 && fetched.every(isTop));
    const handle = models.faces.load();
    const model = await handle.full;
    assert.deepEqual([handle.rung, ask(model)], [2, 8]);
    assert.equal(new Set(server.paths()).size, server.paths().length);
    assert.equal(server.paths().some((path) => path.includes("rung1")), options.cache === "none", "a rung that is kept is the first one");
    handle.dispose();
    await allGone();
  }
});

test("prefetch() and load() at once share each file", async () => {
  const { models, server } = await open(ladder());
  const ahead = models.faces.prefetch();
  const handle = models.faces.load();
  await Promise.all([ahead, handle.full]);
  assert.equal(new Set(server.paths()).size, server.paths().length);
  await models.faces.prefetch();
  handle.dispose();
  await allGone();
});

test("a network that goes in mid-climb is waited for, the page is told, and the climb goes on", async () => {
  const network = new EventTarget();
  const device = { onLine: true };
  let lost = false;
  const answer = (path) => {
    if (!isTop(path) || !path.endsWith(".bin")) return;
    if (!lost) [lost, device.onLine] = [true, false];
    if (!device.onLine) throw new TypeError("Failed to fetch");
  };
  await withGlobals({ navigator: device, addEventListener: network.addEventListener.bind(network) }, async () => {
    const { models, events } = await open(ladder(), { answer });
    const phases = new Set();
    const handle = models.faces.load({ onProgress: ({ phase }) => phases.add(phase) });
    const model = await handle.ready;
    await until("the page is told", () => events.some(({ type, model: name }) => type === "offline" && name === "faces"));
    assert.equal(ask(model), 4, "the first rung answers");
    assert.ok(phases.has("offline"));
    device.onLine = true;
    network.dispatchEvent(new Event("online"));
    await handle.full;
    assert.deepEqual([handle.rung, ask(model)], [2, 8]);
    assert.ok(events.some(({ type, model: name }) => type === "online" && name === "faces"));
    handle.dispose();
    await allGone();
  });
});

test("a store that is full, or throws whatever it is asked, ends no climb", async () => {
  const throwing = async () => {
    throw new DOMException("no room", "QuotaExceededError");
  };
  for (const store of [{ ...storeOf(), put: throwing }, { get: throwing, put: throwing, keys: throwing, delete: throwing }]) {
    const { models, failures } = await open(ladder(), { cache: "persistent", store });
    const handle = models.faces.load();
    await handle.full;
    assert.equal(handle.rung, 2);
    assert.ok(failures().every(({ code }) => code === "quota"));
    handle.dispose();
    await allGone();
  }
});

test("files of a kept rung that are damaged, or half gone, are fetched again", async () => {
  const built = ladder();
  for (const harm of [(kept) => kept.keys().then(([, key]) => kept.put(key, new Uint8Array(9))), (kept) => kept.keys().then((keys) => kept.delete(keys.at(-1)))]) {
    const store = storeOf(built[1]);
    await harm(store);
    const { models } = await open(built, { cache: "persistent", store });
    const handle = models.faces.load();
    const model = await handle.full;
    assert.deepEqual([handle.rung, ask(model)], [2, 8]);
    handle.dispose();
    await allGone();
  }
});

test("an index that names no rungs, itself, or one twice, is a ladder all the same", async () => {
  for (const rungs of [[], ["faces"], ["nothing", "faces-rung1"], ["faces-rung1", "faces-rung1"]]) {
    const [first, top] = ladder();
    withExtras(top, { ladder: { rungs, bytes: 100, tensors: true } });
    const { models } = await open([first, top]);
    const handle = models.faces.load();
    const model = await handle.full;
    assert.equal(ask(model), 8, JSON.stringify(rungs));
    await assert.rejects(handle.until("rung:9"), { code: "manifest" });
    handle.dispose();
    await allGone();
  }
});

test("a lower rung that a page loads by its own name, while a ladder climbs, is the page's as long as it holds it", async () => {
  const { models } = await open(ladder());
  const own = models["faces-rung1"].load();
  const handle = models.faces.load();
  const [mine] = await Promise.all([own.full, handle.full]);
  assert.deepEqual([ask(mine), ask(await handle.ready)], [4, 8]);
  handle.dispose();
  assert.equal(ask(mine), 4);
  own.dispose();
  await allGone();
});

test("a context that is lost in mid-climb: the weights come back, of the rung that answers and of the next, and the climb goes on", async () => {
  // The works whose weights the module of devices brings back: the loader keeps them in a set.
  const works = [];
  const { add } = Set.prototype;
  Set.prototype.add = function (value) {
    if (value?.recover && !works.includes(value)) works.push(value);
    return add.call(this, value);
  };
  try {
    const gate = makeGate();
    const { models, events } = await open(ladder(), { answer: holding(gate) });
    const handle = models.faces.load();
    const model = await handle.ready;
    await gate.arrived;
    await works[0].recover(Promise.resolve());
    assert.equal(ask(model), 4, "at its final precision: only that is brought back");
    assert.equal((await handle.selfTest()).passed, true);
    gate.open();
    await handle.until("rung:2");
    assert.equal(works.length, 2);
    const recovery = works[1].recover(Promise.resolve());
    const tested = handle.selfTest();
    await Promise.all([recovery, tested, handle.full]);
    assert.equal(ask(model), 8);
    assert.equal(events.filter(({ type }) => type === "recovery").length, 2);
    handle.dispose();
    await allGone();
  } finally {
    Set.prototype.add = add;
  }
});

test("a server that says nothing of a rung holds the next one back for three seconds, however high it is", async (context) => {
  const gate = makeGate();
  const pauses = [];
  const real = globalThis.setTimeout;
  context.mock.method(globalThis, "setTimeout", (run, ms, ...rest) => (ms === 3000 ? void pauses.push(run) : real(run, ms, ...rest)));
  const built = ladderOf([1, 2, 3, 4, 5, 6].map((number) => rung(number === 6 ? "faces" : `faces-rung${number}`, number, { extra: 4 * number })));
  const { models, server } = await open(built, { answer: (path) => (path.includes("rung5-base") ? gate.pass() : undefined), concurrency: 99 });
  const handle = models.faces.load();
  const tops = (kind) => server.paths().filter((path) => isTop(path) && path.endsWith(kind)).length;
  await gate.arrived;
  await until("the next head is there", () => tops(".json"));
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  assert.equal(tops(".bin"), 0);
  for (const pass of pauses.splice(0)) pass();
  await until("the next rung is on its way", () => tops(".bin"));
  gate.open();
  await handle.full;
  assert.equal(handle.rung, 6);
  handle.dispose();
  await allGone();
});
