// Backends on which a build found a model wrong: nothing runs there.

import assert from "node:assert/strict";
import test from "node:test";

import { pickBackend, selfTest, warmUp } from "../../templates/modules/device.js";

/** A TensorFlow.js that has some backends and notes what is asked of it. */
function fake(names) {
  const asked = [];
  let current = names[0];
  return {
    asked,
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
