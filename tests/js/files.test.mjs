// Fetching, checking and sharing files: none of it needs TensorFlow.js.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { base, bytesOf, floats, makeGate, makeModel, moduleUrl, openLoader, serve } from "./bundle.mjs";

const realRandom = Math.random;
const realCrypto = Object.getOwnPropertyDescriptor(globalThis, "crypto");
afterEach(() => {
  Math.random = realRandom;
  Object.defineProperty(globalThis, "crypto", realCrypto);
});

const values = floats(100);
const twoStages = (name = "faces", { numbers = values, ...options } = {}) =>
  makeModel(name, { weights: [{ name: "w", shape: [100], dtype: "float32", codec: "exact", bytes: bytesOf(numbers) }], ...options });

async function open(built, answer, options = {}) {
  const loader = await openLoader(...[].concat(built));
  const server = serve(built, answer);
  loader.configure({ baseUrl: base, fetch: server.fetch, ...options });
  return { ...loader, server };
}

const stageOf = (path) => (path.endsWith(".json") ? "head" : path.includes("-base-") ? "base" : "refine");

test("head, base and refine are asked for in this order, each file once, with nothing that spoils a preload", async () => {
  const { models, server } = await open(twoStages());
  const { weightData } = await models.faces.ioHandler().load();
  assert.deepEqual(new Float32Array(weightData[0]), values);
  const paths = server.paths();
  assert.equal(new Set(paths).size, paths.length);
  const order = paths.map(stageOf);
  assert.deepEqual(order, ["head", ...Array(4).fill("base"), ...Array(4).fill("refine")]);
  for (const { path, init } of server.log) {
    assert.deepEqual(Object.keys(init).sort(), stageOf(path) === "refine" ? ["priority", "signal"] : ["signal"]);
  }
});

test("no refinement is asked for before all of the base is there, and never more than the slots allow", async () => {
  let under = 0;
  let most = 0;
  let baseUnder = 0;
  const { models } = await open(twoStages("faces", { shardBytes: 16 }), async (path) => {
    const stage = stageOf(path);
    most = Math.max(most, ++under);
    if (stage === "base") baseUnder++;
    if (stage === "refine") assert.equal(baseUnder, 0);
    await new Promise(setImmediate);
    under--;
    if (stage === "base") baseUnder--;
  });
  await models.faces.ioHandler().load();
  assert.equal(most, 4);
});

test("one slot means one request at a time", async () => {
  let under = 0;
  const { models } = await open(
    twoStages(),
    async () => {
      assert.equal(++under, 1);
      await new Promise(setImmediate);
      under--;
    },
    { concurrency: 1 },
  );
  await models.faces.prefetch();
});

test("two users of a model share its files while they are in flight", async () => {
  const { models, server } = await open(twoStages());
  const results = await Promise.all([models.faces.ioHandler().load(), models.faces.ioHandler().load(), models.faces.prefetch()]);
  assert.deepEqual(new Float32Array(results[1].weightData[0]), values);
  assert.equal(server.log.length, 9);
});

test("what was prefetched serves the next load, and only that", async () => {
  const { models, server } = await open(twoStages());
  await Promise.all([models.faces.prefetch(), models.faces.prefetch()]);
  await models.faces.prefetch();
  assert.equal(server.log.length, 9);
  await models.faces.ioHandler().load();
  assert.equal(server.log.length, 9);
  await models.faces.ioHandler().load();
  assert.equal(server.log.length, 18);
});

test("a failing server is asked again, with growing and random pauses; a good answer ends it", async () => {
  const pauses = [];
  const realTimeout = globalThis.setTimeout;
  globalThis.setTimeout = (run, ms, ...rest) => {
    // The others are limits on how long a request may take.
    if (ms >= 3000) return realTimeout(run, ms, ...rest);
    pauses.push(ms);
    return realTimeout(run, 0, ...rest);
  };
  try {
    Math.random = () => 0.5;
    const answers = [() => new Response("", { status: 503 }), () => Promise.reject(new TypeError("offline")), () => new Response("", { status: 429 })];
    const { models, server } = await open(twoStages(), (path, times) => (stageOf(path) === "head" ? answers[times - 1]?.() : undefined));
    await models.faces.prefetch();
    assert.equal(server.paths().filter((path) => stageOf(path) === "head").length, 4);
    assert.deepEqual(pauses, [400, 800, 1600]);
  } finally {
    globalThis.setTimeout = realTimeout;
  }
});

test("after four tries it is a network error; the next call starts anew", async () => {
  Math.random = () => 0;
  let broken = true;
  const { models, ModelError, server } = await open(twoStages(), () => (broken ? new Response("", { status: 500 }) : undefined));
  await assert.rejects(models.faces.prefetch(), (error) => {
    assert.ok(error instanceof ModelError && error instanceof Error);
    assert.equal(error.code, "network");
    assert.equal(error.model, "faces");
    assert.equal(error.url, base + server.log[0].path);
    assert.match(error.message, /500/);
    return true;
  });
  assert.equal(server.log.length, 4);
  broken = false;
  await models.faces.prefetch();
});

test("a 404 is not asked for again", async () => {
  const { models, server } = await open(twoStages(), (path) => (stageOf(path) === "base" ? new Response("<html>", { status: 404 }) : undefined));
  await assert.rejects(models.faces.prefetch(), { code: "network", message: /404/ });
  const paths = server.paths();
  assert.equal(new Set(paths).size, paths.length);
});

for (const [what, bad] of [
  ["other content", (bytes) => bytes.map((byte) => byte ^ 1)],
  ["another length", (bytes) => bytes.subarray(1)],
]) {
  test(`${what} is fetched once more past the cache`, async () => {
    const built = twoStages();
    const { models, server } = await open(built, (path, times) =>
      stageOf(path) === "base" && times === 1 ? new Response(bad(built.files.get(path))) : undefined,
    );
    const { weightData } = await models.faces.ioHandler().load();
    assert.deepEqual(new Float32Array(weightData[0]), values);
    const caches = server.log.filter(({ path }) => stageOf(path) === "base").map(({ init }) => init.cache);
    assert.deepEqual(caches.sort(), [...Array(4).fill("reload"), ...Array(4).fill(undefined)]);
  });

  test(`${what} twice is an integrity error`, async () => {
    const built = twoStages();
    const { models, server } = await open(built, (path) => (stageOf(path) === "head" ? new Response(bad(built.files.get(path))) : undefined));
    await assert.rejects(models.faces.ioHandler().load(), { code: "integrity", model: "faces" });
    assert.equal(server.log.length, 2);
  });
}

test("SHA-256 in JavaScript agrees with the system's where crypto.subtle is missing", async () => {
  const resolveUrl = (url) => (url.includes("/digest.") ? moduleUrl("digest") : url);
  const lengths = [1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000];
  const weights = lengths.map((n) => ({ name: `w${n}`, shape: [n], dtype: "bool", bytes: bytesOf(floats(n)).slice(0, n) }));
  const built = makeModel("faces", { weights, shardBytes: 50 });
  const split = makeModel("many", { weights, shardBytes: 1000 });
  for (const model of [built, split]) {
    Object.defineProperty(globalThis, "crypto", { value: undefined, configurable: true });
    const { models } = await open(model, undefined, { resolveUrl });
    await models[model.name].prefetch();
  }
  for (const [i, weight] of weights.entries()) {
    const alone = makeModel("one", { weights: [weight], shardBytes: 4096 });
    const good = await open(alone, undefined, { resolveUrl });
    await good.models.one.prefetch();
    const bad = await open(alone, (path) => (stageOf(path) === "base" ? new Response(weight.bytes.map((byte) => byte ^ 0x80)) : undefined), { resolveUrl });
    await assert.rejects(bad.models.one.prefetch(), { code: "integrity" }, `length ${lengths[i]}`);
  }
});

test("a cancelled load stops its requests and leaves the other users' alone", async () => {
  const gate = makeGate();
  const { models, server } = await open([twoStages("one"), twoStages("two", { numbers: floats(100, 2) })], (path) => (path.includes("one-base") ? gate.pass() : undefined));
  const control = new AbortController();
  const handle = models.one.load({ signal: control.signal });
  const other = models.two.ioHandler().load();
  await gate.arrived;
  control.abort("went away");
  await assert.rejects(handle.ready, { code: "abort", model: "one", cause: "went away" });
  await assert.rejects(handle.full, { code: "abort" });
  const held = server.log.filter(({ path }) => path.includes("one-base"));
  assert.ok(held.length > 0 && held.every(({ init }) => init.signal.aborted));
  assert.deepEqual(new Float32Array((await other).weightData[0]), floats(100, 2));
  const again = models.one.ioHandler().load();
  gate.open();
  assert.deepEqual(new Float32Array((await again).weightData[0]), values);
});

test("of two handles one may be cancelled; only the second stops the work", async () => {
  const gate = makeGate();
  const { models, server } = await open(twoStages(), (path) => (stageOf(path) === "base" ? gate.pass() : undefined));
  const one = models.faces.load();
  const two = models.faces.load();
  await gate.arrived;
  one.cancel();
  await assert.rejects(one.ready, { code: "abort" });
  assert.ok(server.log.every(({ init }) => !init.signal.aborted));
  two.dispose();
  await assert.rejects(two.full, { code: "abort" });
  assert.ok(server.log.filter(({ path }) => stageOf(path) === "base").every(({ init }) => init.signal.aborted));
  gate.open();
});

test("a signal that is aborted already asks for nothing", async () => {
  const { models, server } = await open(twoStages());
  const handle = models.faces.load({ signal: AbortSignal.abort() });
  await assert.rejects(handle.ready, { code: "abort" });
  await new Promise(setImmediate);
  assert.equal(server.log.length, 0);
  assert.equal(handle.progress.phase, "aborted");
});

test("cancelling ends a pause between tries", async () => {
  Math.random = () => 1e6;
  const { models } = await open(twoStages(), () => new Response("", { status: 500 }));
  const handle = models.faces.load();
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  handle.cancel();
  await assert.rejects(handle.ready, { code: "abort" });
});

test("a base URL may lack its slash; a wrong one says what to do", async () => {
  const { models, configure } = await open(twoStages(), undefined, { baseUrl: base.slice(0, -1) });
  await models.faces.prefetch();
  configure({ baseUrl: "not/absolute" });
  await assert.rejects(models.faces.ioHandler().load(), { code: "manifest", message: /baseUrl/ });
});

test("fetch is called without a receiver, as window.fetch needs", async () => {
  const { models, configure, server } = await open(twoStages());
  configure({
    fetch: function (url, init) {
      assert.equal(this, undefined);
      return server.fetch(url, init);
    },
  });
  await models.faces.prefetch();
});
