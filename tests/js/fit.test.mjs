// What a device is given within its budgets: clocks and costs are the tests' own, the models are real ones.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { beforeEach, test } from "node:test";
import { base, makeGate, openLoader, serve, until } from "./bundle.mjs";
import { graph, ladderOf, rung, storeOf, withExtras, withGlobals } from "./rungs.mjs";

const tf = createRequire(import.meta.url)("@tensorflow/tfjs");
tf.env().set("IS_TEST", true);
await tf.setBackend("cpu");
const x = tf.ones([1, 4]);
const executors = Object.getPrototypeOf(
  (await tf.loadGraphModel({ load: () => ({ ...graph(4), weightSpecs: [{ name: "w", shape: [4, 2], dtype: "float32" }], weightData: new Float32Array(8).buffer }) })).executor,
);

/** Millions of multiply-adds of each rung: their ops count as 0.3 million each on the cpu backend. */
const macs = [10, 100, 400];
const fitOf = (number, more) => ({ macs: 1e6 * macs[number - 1] - 3e5 * 10, ops: 10, size: 4, ...more });
const kernel = ["_FusedMatMul", 1, 1, 4, 2];
const budget = { frame: 33, probe: [] };

/** A ladder of two or three rungs; `asked` goes into the entry that has its name. */
const ladder = (count, asked) =>
  ladderOf([1, 2, 3].slice(0, count).map((number) => rung(number === count ? "faces" : `faces-rung${number}`, number, { extra: 40 * (number - 1), fit: fitOf(number, number === count ? asked : {}) })));

/** The clock: what real time says is nothing to it, each run adds what it costs this device, in milliseconds a million. */
let now = 1000;
let slowness = 0;
let runs = 0;
performance.now = () => now;
globalThis.requestIdleCallback = (done) => setImmediate(done);
const { execute, executeAsync } = executors;
const spend = (executor) => {
  runs++;
  now += slowness * macs[Math.round(executor.weightMap.w[0].dataSync()[0]) - 1];
};
executors.execute = function (...args) {
  spend(this);
  return execute.apply(this, args);
};
executors.executeAsync = async function (...args) {
  spend(this);
  return executeAsync.apply(this, args);
};

/** What a page keeps; other pages of the site see the same. */
const notes = () => {
  const kept = new Map();
  return { kept, getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => void kept.set(key, text) };
};
let localStorage = notes();
beforeEach(() => {
  [now, slowness, runs] = [1000, 0, 0];
  localStorage = notes();
});

async function open(built, { answer, ...options } = {}) {
  const loader = await openLoader(...built);
  const server = serve(built, answer);
  const events = [];
  loader.configure({ baseUrl: base, fetch: server.fetch, tf, cache: "http", onEvent: (event) => events.push(event), ...options });
  return { ...loader, server, events, plans: () => events.filter(({ type }) => type === "plan") };
}
const visit = (built, action, options) => withGlobals({ localStorage }, async () => action(await open(built, options)));
const isTop = (path) => /assets\/faces(-base|-refine|\.)/.test(path);
const ask = (model) => {
  const answer = model.predict(x);
  const [value] = answer.dataSync();
  answer.dispose();
  return Math.round(value);
};
const kept = () => JSON.parse(localStorage.kept.get("shardpress-device") ?? "null");

test("a weak device keeps the rung that it can run, and says why; a strong one climbs to the end", async () => {
  // 2 ms a million: 20, 200 and 800 ms.
  slowness = 2;
  await visit(ladder(3, { ...budget, probe: [kernel] }), async ({ models, server, plans }) => {
    const handle = models.faces.load();
    const model = await handle.full;
    assert.equal(handle.rung, 1);
    assert.equal(ask(model), 4, "at its final precision");
    assert.deepEqual(server.paths().filter((path) => isTop(path) || path.includes("rung2")), []);
    assert.deepEqual(plans().map(({ model: name, rung: number, take, why }) => [name, number, take, why]), [
      ["faces", 2, false, "takes about 200 ms a run here, more than the 33 ms of frame_ms"],
      ["faces", 3, false, "takes about 800 ms a run here, more than the 33 ms of frame_ms"],
    ]);
    await assert.rejects(handle.until("rung:2"), { code: "runtime", message: /too much for this device: see plan/ });
    assert.equal(handle.progress.loaded, handle.progress.total);
    const steps = await models.faces.plan();
    assert.deepEqual(steps.map(({ take, fits }) => [take, fits]), [[true, true], [false, false], [false, false]]);
    assert.equal(steps[0].why, "answers first; took 20 ms a run here");
    assert.match(steps[1].why, /200 ms a run here, more than the 33 ms/);
    assert.equal(Math.round(steps[2].ms), 800);
    assert.equal(models.faces.canRun(), true, "its first rung is fast enough");
    handle.dispose();
  });
  localStorage = notes();
  slowness = 0.05;
  await visit(ladder(3, { ...budget, probe: [kernel] }), async ({ models, plans }) => {
    const handle = models.faces.load();
    const model = await handle.full;
    assert.equal(handle.rung, 3);
    assert.equal(ask(model), 12);
    assert.deepEqual(plans(), []);
    const steps = await models.faces.plan();
    assert.deepEqual(steps.map(({ take }) => take), [true, true, true]);
    assert.equal(steps[1].why, "takes the place of the rung below when it is there; takes about 5 ms a run here");
    handle.dispose();
  });
});

test("what one visit has found out the next one knows at once, and it runs nothing for it", async () => {
  slowness = 2;
  const built = ladder(2, { ...budget, probe: [kernel] });
  await visit(built, async ({ models }) => {
    const handle = models.faces.load();
    await handle.full;
    handle.dispose();
  });
  runs = 0;
  await visit(built, async ({ models, server, plans }) => {
    const steps = await models.faces.plan();
    assert.match(steps[1].why, /takes about 200 ms a run here, more than the 33 ms of frame_ms/);
    const handle = models.faces.load();
    await handle.full;
    assert.deepEqual([handle.rung, runs], [1, 0]);
    assert.deepEqual(server.paths().filter(isTop), []);
    assert.equal(plans().length, 1);
    handle.dispose();
  });
});

test("runs of the page stop a rung that is on its way, and its files", async () => {
  const gate = makeGate();
  slowness = 2;
  const answer = (path) => (isTop(path) && path.endsWith(".bin") ? gate.pass() : undefined);
  await visit(ladder(2, budget), async ({ models, server, plans }) => {
    const handle = models.faces.load();
    const model = await handle.ready;
    await gate.arrived;
    for (let i = 0; i < 3; i++) ask(model);
    assert.equal(plans().length, 0, "the first run compiles, and two say little");
    ask(model);
    await handle.full;
    assert.equal(handle.rung, 1);
    assert.match(plans()[0].why, /takes about 200 ms/);
    assert.ok(server.log.filter(({ path }) => isTop(path) && path.endsWith(".bin")).every(({ init }) => init.signal.aborted));
    assert.equal(handle.progress.loaded, handle.progress.total);
    assert.equal(ask(model), 4);
    gate.open();
    handle.dispose();
  }, { answer });
});

test("a rung that is kept, and was too slow when it ran, is not the first one on the next visit", async () => {
  const built = ladder(2, budget);
  await visit(built, async ({ models }) => {
    const handle = models.faces.load();
    const model = await handle.full;
    assert.equal(handle.rung, 2, "nothing was known");
    slowness = 2;
    for (let i = 0; i < 9; i++) ask(model);
    handle.dispose();
  });
  assert.equal(Object.keys(kept().speeds.cpu.runs).length, 1);
  await visit(built, async ({ models, server }) => {
    const steps = await models.faces.plan();
    assert.deepEqual(steps.map(({ take }) => take), [true, false]);
    assert.equal(steps[1].why, "took 200 ms a run here, more than the 33 ms of frame_ms");
    const handle = models.faces.load();
    await handle.full;
    assert.equal(handle.rung, 1);
    assert.deepEqual(server.paths().filter(isTop), []);
    handle.dispose();
  }, { cache: "persistent", store: storeOf(built[1]) });
});

test("a rung whose answer would come too late is not fetched: the network counts, and the run", async () => {
  const built = ladder(2, { answer: 5000, probe: [] });
  built[1].item[6] = 4000;
  // A second for each file of the first rung, 300 bytes or so.
  const answer = async () => void (now += 1000);
  await visit(built, async ({ models, server, plans }) => {
    const handle = models.faces.load();
    await handle.full;
    assert.equal(handle.rung, 1);
    assert.match(plans()[0].why, /^would answer about [\d,]+ ms after the load began, more than the 5000 ms of answer_ms$/);
    assert.ok(Number(/about ([\d,]+)/.exec(plans()[0].why)[1].replace(",", "")) > 5000);
    assert.deepEqual(server.paths().filter(isTop), []);
    assert.equal((await models.faces.plan())[1].take, false);
    handle.dispose();
  }, { answer });
  await visit(ladder(2, { answer: 50_000, probe: [] }), async ({ models }) => {
    const handle = models.faces.load();
    await handle.full;
    assert.equal(handle.rung, 2);
    handle.dispose();
  }, { answer });
});

test("a share of the memory, stated, is what a model may take of it", async () => {
  const built = ladder(2, { memory: 0.5 });
  withExtras(built[0], { fit: fitOf(1, { memory: 0.5 }) });
  built[1].item[5] = 2 ** 29;
  await withGlobals({ navigator: { deviceMemory: 1 } }, async () => {
    const { models } = await open(built);
    assert.deepEqual((await models.faces.plan()).map(({ take }) => take), [true, true]);
    built[1].item[5] = 2 ** 29 + 1;
    const other = await open(built);
    const [, step] = await other.models.faces.plan();
    assert.deepEqual([step.take, step.fits, step.why], [false, false, "takes more memory than memory_share of the 1 GB that the device reports"]);
  });
});

test("a rung that is wrong on the page's backend, as the build found, does not take the place of one that is right", async () => {
  await visit(ladder(2, { avoid: ["cpu"] }), async ({ models, server, plans }) => {
    const handle = models.faces.load();
    await handle.full;
    assert.equal(handle.rung, 1);
    assert.deepEqual(server.paths().filter(isTop), []);
    assert.equal(plans()[0].why, "gives wrong answers on cpu, as the build found");
    handle.dispose();
  });
});

test("a model that is alone: an event, canRun and plan say that it is too slow, and the fallback answers from then on", async () => {
  slowness = 5;
  const built = [rung("faces", 1, { fit: fitOf(1, budget), edit: (head) => Object.assign(head.artifacts, { signature: { inputs: { x: { name: "x:0" } }, outputs: { y: { name: "y:0" } } } }) })];
  await visit(built, async ({ models, plans }) => {
    const [step] = await models.faces.plan();
    assert.deepEqual([step.rung, step.take, step.fits, step.ms, step.why], [1, true, true, undefined, "answers first"]);
    const handle = models.faces.load({ fallback: () => "the server's" });
    await handle.full;
    for (let i = 0; i < 5; i++) await handle.run({ x });
    assert.deepEqual(plans().map(({ rung: number, take, why }) => [number, take, why]), [[1, true, "took 50 ms a run here, more than the 33 ms of frame_ms"]]);
    assert.equal(models.faces.canRun(), false);
    assert.equal(await handle.run({ x }), "the server's");
    handle.dispose();
  });
  await visit(built, async ({ models, server }) => {
    const handle = models.faces.load({ fallback: () => "the server's" });
    assert.equal(await handle.run({ x }), "the server's");
    await assert.rejects(handle.ready, { code: "runtime" });
    assert.deepEqual(server.paths(), [], "nothing is fetched");
    const [step] = await models.faces.plan();
    assert.deepEqual([step.take, step.fits, step.why], [true, false, "answers first, though it took 50 ms a run here, more than the 33 ms of frame_ms"]);
    const without = models.faces.load();
    await without.full;
    without.dispose();
  });
});

test("a budget that no run of the build says anything of asks nothing", async () => {
  slowness = 100;
  await visit(ladderOf([rung("faces-rung1", 1), rung("faces", 2, { fit: budget })]), async ({ models }) => {
    const handle = models.faces.load();
    const model = await handle.ready;
    for (let i = 0; i < 5; i++) ask(model);
    await handle.full;
    assert.equal(handle.rung, 2);
    handle.dispose();
  });
});

test("whatever stands in localStorage, or throws there, a climb goes on", async () => {
  const { userAgent, hardwareConcurrency, deviceMemory } = globalThis.navigator ?? {};
  const device = [userAgent, hardwareConcurrency, deviceMemory].join(" ");
  const on = tf.version_core;
  const speeds = (speed) => JSON.stringify({ device, backend: "cpu", speeds: { cpu: speed } });
  const texts = ["", "{", "null", "[]", "7", '"text"', `{"device":${JSON.stringify(device)}}`, `{"device":${JSON.stringify(device)},"speeds":7,"verdicts":[[1]]}`,
    speeds(null), speeds({ rate: -1, on }), speeds({ rate: null, on }), speeds({ rate: "1", on, runs: { a: -1, b: null, c: {} } }), speeds({ rate: 0, on, runs: [] }), speeds({ rate: 1e9, on: "another version" }),
    JSON.stringify({ device: "another browser", backend: "cpu", speeds: { cpu: { rate: 1e9, on } } }), '{"__proto__":{"device":1},"speeds":{"__proto__":{"rate":1}}}', "x".repeat(100_000)];
  const throwing = { getItem: () => assert.fail("denied"), setItem: () => assert.fail("full") };
  const stores = [...texts.map((text) => ({ ...notes(), getItem: () => text })), throwing, { ...notes(), setItem: throwing.setItem }, null, undefined, 7];
  slowness = 0.01;
  for (const store of stores) {
    localStorage = store;
    await visit(ladder(2, { ...budget, probe: [kernel] }), async ({ models, plans }) => {
      const handle = models.faces.load();
      await handle.full;
      assert.equal(handle.rung, 2);
      assert.deepEqual(plans(), []);
      await models.faces.plan();
      handle.dispose();
    });
  }
  assert.equal({}.rate, undefined);
});

test("a page that forbids localStorage knows its device all the same, and one that wants nothing stored leaves nothing", async () => {
  slowness = 2;
  const own = { get: () => assert.fail("SecurityError"), configurable: true };
  const before = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
  Object.defineProperty(globalThis, "localStorage", own);
  try {
    const { models } = await open(ladder(2, { ...budget, probe: [kernel] }));
    for (const [visits, expected] of [[1, 4], [2, 0]]) {
      runs = 0;
      const handle = models.faces.load();
      await handle.full;
      assert.deepEqual([visits, handle.rung, runs], [visits, 1, expected]);
      handle.dispose();
    }
  } finally {
    delete globalThis.localStorage;
    if (before) Object.defineProperty(globalThis, "localStorage", before);
  }
  await visit(ladder(2, { ...budget, probe: [kernel] }), async ({ models }) => {
    const handle = models.faces.load();
    await handle.full;
    handle.dispose();
  }, { cache: "none" });
  assert.deepEqual([...localStorage.kept], []);
});

test("where the page has TensorFlow.js, plan() times a few kernels before any file is fetched; near the limit the first rung itself is tried", async () => {
  const engine = tf.engine();
  const own = Object.getPrototypeOf(engine).runKernel;
  let probes = 0;
  let cost = 0;
  engine.runKernel = function (name, inputs, attributes) {
    if (name === "_FusedMatMul" && inputs.a.shape.length === 3 && inputs.a.shape[2] === 4 && !inputs.bias) {
      probes++;
      now += cost;
    }
    return own.call(this, name, inputs, attributes);
  };
  try {
    // A kernel of 8 multiply-adds and an op costs as 300,008.
    for (const [ms, expected, tried] of [[0.03, [true, true], 0], [3, [true, false], 4], [0.15, [true, true], 4]]) {
      [cost, probes, runs, slowness] = [ms, 0, 0, ms === 3 ? 10 : 0.1];
      localStorage = notes();
      await visit(ladder(2, { ...budget, probe: [kernel] }), async ({ models, server }) => {
        const steps = await models.faces.plan();
        assert.ok(probes > 1);
        assert.deepEqual(server.paths(), []);
        const foretold = (ms / 0.300008) * 100;
        assert.ok(Math.abs(steps[1].ms - foretold) < foretold / 100, `${steps[1].ms} ms`);
        assert.equal(steps[1].take, foretold < 33);
        const handle = models.faces.load();
        await handle.full;
        assert.deepEqual([handle.rung, runs], [expected[1] ? 2 : 1, tried], `${ms} ms`);
        handle.dispose();
      });
    }
  } finally {
    delete engine.runKernel;
  }
});

test("a clock that stands still says nothing, and nothing is refused", async () => {
  slowness = 0;
  await visit(ladder(2, { ...budget, probe: [kernel] }), async ({ models }) => {
    const handle = models.faces.load();
    const model = await handle.ready;
    for (let i = 0; i < 50; i++) ask(model);
    await handle.full;
    assert.equal(handle.rung, 2);
    assert.equal(kept(), null);
    handle.dispose();
  });
});
