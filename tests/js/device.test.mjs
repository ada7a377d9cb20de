// Backends on which a build found a model wrong: nothing runs there.

import assert from "node:assert/strict";
import test from "node:test";

import { pickBackend, selfTest, warmUp } from "../../templates/modules/device.js";
import { note, recall } from "../../templates/modules/memory.js";

/** A TensorFlow.js that has some backends and notes what is asked of it. */
function fake(names, { version = "4.22.0", renderer = "a card" } = {}) {
  const asked = [];
  let current = names[0];
  const gl = { getExtension: () => null, getParameter: () => renderer, RENDERER: 1 };
  return {
    asked,
    version_core: version,
    backend: () => (current === "webgl" ? { gpgpu: { gl } } : {}),
    env: () => ({ getBool: () => false }),
    getBackend: () => current,
    findBackendFactory: (name) => names.includes(name),
    setBackend: async (name) => (asked.push(name), (current = name), true),
    dispose: () => {},
    zeros: () => assert.fail("the model is run"),
  };
}
const workOf = (tf, { avoid, state = "full", sha256 = "a".repeat(64) } = {}) => ({ tf, head: { avoid }, state, entry: { sha256 } });
const never = { inputs: [{ shape: [1], dtype: "float32" }], predict: () => assert.fail("the model is run") };

test("a test fails without a run on a backend to avoid", async () => {
  const result = await selfTest(fake(["wasm"]), never, undefined, true, ["wasm"]);
  assert.deepEqual(result, { passed: false, backend: "wasm", error: Infinity, tolerance: undefined, ms: 0 });
});

test("the choice passes over a backend to avoid, also where the page is on it", async () => {
  for (const stay of [false, true]) {
    const tf = fake(["wasm", "cpu"]);
    const result = await pickBackend(workOf(tf, { avoid: ["wasm"] }), async () => ({ passed: true, backend: tf.getBackend() }), async () => {}, stay);
    assert.equal(result.backend, "cpu");
    assert.deepEqual(tf.asked, ["cpu"]);
  }
});

test("without a list all are tried, the best first", async () => {
  const tf = fake(["wasm", "cpu"]);
  const result = await pickBackend(workOf(tf), async () => ({ passed: true, backend: tf.getBackend() }), async () => {});
  assert.equal(result.backend, "wasm");
});

test("nothing is warmed up on a backend to avoid", async () => {
  await warmUp(fake(["wasm"]), never, async () => {}, ["wasm"]);
});

/** What a page keeps between visits, in place of localStorage. */
const notesOf = () => {
  const kept = new Map();
  return { kept, getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => void kept.set(key, text) };
};

/** A visit: gives the backend that was chosen, and those that the sample was run on. */
async function visit(notes, { names = ["webgl", "wasm", "cpu"], right = ["wasm", "cpu"], error = 0.5, stay, more, device, ...settings } = {}) {
  const tf = fake(names, more);
  const ran = [];
  const test = async () => {
    ran.push(tf.getBackend());
    const passed = right.includes(tf.getBackend());
    return { passed, backend: tf.getBackend(), error: passed ? 0.001 : error, tolerance: 0.01, ms: 7 };
  };
  const found = await pickBackend(workOf(tf, device), test, async () => {}, stay, { notes, ...settings });
  return { backend: found?.backend, ran, found, asked: tf.asked };
}

test("the next visit runs no sample: what was right is right, and what was wrong is not even started", async () => {
  const notes = notesOf();
  const first = await visit(notes);
  assert.deepEqual([first.backend, first.ran], ["wasm", ["webgl", "wasm"]]);
  const again = await visit(notes, { names: ["cpu", "webgl", "wasm"] });
  assert.deepEqual([again.backend, again.ran, again.asked], ["wasm", [], ["wasm"]]);
  assert.deepEqual(again.found, { passed: true, backend: "wasm", error: 0.001, tolerance: 0.01, ms: 0 });
  const stays = await visit(notes, { names: ["wasm", "cpu"], stay: true });
  assert.deepEqual([stays.backend, stays.ran, stays.asked], ["wasm", [], []]);
});

test("another head, browser, TensorFlow.js or graphics processor is measured anew", async () => {
  const right = ["webgl", "wasm"];
  for (const change of [{ device: { sha256: "b".repeat(64) } }, { more: { version: "4.23.0" } }, { more: { renderer: "another card" } }, { cacheName: "another" }]) {
    const notes = notesOf();
    await visit(notes, { right });
    const again = await visit(notes, { right, ...change });
    assert.deepEqual([again.backend, again.ran], ["webgl", ["webgl"]], JSON.stringify(change));
  }
  const notes = notesOf();
  await visit(notes, { right });
  const [key, text] = [...notes.kept][0];
  notes.kept.set(key, text.replace('"device":"', '"device":"an older browser, '));
  assert.deepEqual((await visit(notes, { right })).ran, ["webgl"]);
});

test("what passed before its refinement, when more was allowed, is run again at full precision", async () => {
  const notes = notesOf();
  await visit(notes, { right: ["webgl"], device: { state: "stages" } });
  assert.deepEqual((await visit(notes, { right: ["webgl"], device: { state: "stages" } })).ran, []);
  assert.deepEqual((await visit(notes, { right: ["webgl"] })).ran, ["webgl"]);
  assert.deepEqual((await visit(notes, { right: ["webgl"] })).ran, []);
  assert.deepEqual((await visit(notes, { right: ["webgl"], device: { state: "stages" } })).ran, []);
});

test("what threw may have lacked memory for once: it is tried again", async () => {
  const notes = notesOf();
  await visit(notes, { error: Infinity });
  assert.deepEqual((await visit(notes, { error: Infinity })).ran, ["webgl"]);
  assert.equal((await visit(notes, { right: ["webgl"] })).backend, "webgl");
});

test("notes that cannot be read or written cost a run, not the choice", async () => {
  const throwing = () => {
    throw new Error("denied");
  };
  for (const notes of [{ getItem: throwing, setItem: throwing }, { getItem: () => "{", setItem: throwing }, { getItem: () => "[7]", setItem() {} }, { getItem: () => '{"verdicts":{"aaaaaaaaaaaaaaaa":{"webgl":7}}}', setItem() {} }]) {
    assert.equal((await visit(notes)).backend, "wasm");
  }
  const page = notesOf();
  const before = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
  Object.defineProperty(globalThis, "localStorage", { configurable: true, value: page });
  try {
    await visit(undefined, { cache: "none" });
    assert.equal(page.kept.size, 0);
    await visit(undefined);
    assert.equal(page.kept.size, 1);
  } finally {
    if (before) Object.defineProperty(globalThis, "localStorage", before);
    else delete globalThis.localStorage;
  }
});

test("on a disk that is full the page knows what it has found out since the older note, until there is room again", async () => {
  const notes = notesOf();
  await visit(notes, { right: ["webgl"] });
  const settings = { notes: { ...notes, setItem: () => assert.fail("there is no room") } };
  for (const ms of [5, 7]) note(settings, (memory) => (memory.speeds.wasm = { rate: ms, on: "4.22.0", runs: { ...memory.speeds.wasm?.runs, [`took${ms}`]: ms } }));
  assert.deepEqual(recall(settings).speeds.wasm, { rate: 7, on: "4.22.0", runs: { took5: 5, took7: 7 } });
  assert.equal(recall(settings).verdicts["a".repeat(16)].webgl.passed, true, "what stood there counts as well");
  settings.notes.setItem = notes.setItem;
  note(settings, (memory) => (memory.backend = "wasm"));
  notes.kept.set("shardpress-device", notes.kept.get("shardpress-device").replace('"rate":7', '"rate":8'));
  assert.equal(recall(settings).speeds.wasm.rate, 8, "another tab has written");
});

test("a backend that the build has found wrong since is not believed for what was right before", async () => {
  const notes = notesOf();
  await visit(notes, { right: ["webgl"] });
  const again = await visit(notes, { right: ["webgl", "wasm"], device: { avoid: ["webgl"] } });
  assert.equal(again.backend, "wasm");
});

test("the note stays small: of many models those seen last are known", () => {
  const settings = { notes: notesOf() };
  for (let i = 0; i < 100; i++) {
    note(settings, (memory) => {
      memory.verdicts[`m${i}`] = { wasm: { passed: true, refined: true, on: "4.22.0" } };
      memory.speeds.wasm ??= { rate: 1e-6, on: "4.22.0", runs: {} };
      memory.speeds.wasm.runs[`m${i}`] = 5;
    });
  }
  const { verdicts, speeds } = recall(settings);
  assert.deepEqual([Object.keys(verdicts).length, Object.keys(speeds.wasm.runs).length], [24, 24]);
  assert.ok(verdicts.m99 && speeds.wasm.runs.m99);
  assert.ok([...settings.notes.kept.values()][0].length < 8000);
});
