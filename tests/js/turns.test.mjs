// Who has the network: first answers alone, and what comes behind them without a pause.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { base, bytesOf, floats, makeGate, makeModel, openLoader, serve, until } from "./bundle.mjs";
import { ladderOf, withGlobals } from "./rungs.mjs";

let clock = 0;
afterEach(() => delete performance.now);

const model = (name, seed, { size = 100, shardBytes = 1000 } = {}) =>
  makeModel(name, { shardBytes, weights: [{ name: "w", shape: [size], dtype: "float32", codec: "exact", bytes: bytesOf(floats(size, seed)) }] });
/** TensorFlow.js that makes no model. */
const tfjs = { version_core: "4.22.0", tensor() {}, ready: async () => {}, loadGraphModel: () => new Promise(() => {}) };
const isBase = (path) => path.includes("-base-");
const settle = async () => {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
};

/** An answer that comes in pieces, each at its time. */
function piecewise(built) {
  let push;
  const body = new ReadableStream({ start: (controller) => (push = controller) });
  const [, bytes] = [...built.files].find(([path]) => isBase(path));
  let at = 0;
  return {
    answer: new Response(body),
    /** Gives all up to a byte, at a time. */
    async give(to, time) {
      clock = time;
      push.enqueue(new Uint8Array(bytes.subarray(at, to)));
      at = to;
      if (to === bytes.length) push.close();
      await settle();
    },
    fail: () => push.error(new TypeError("the connection is gone")),
  };
}

/** Begins to load a model whose only base shard, of 200 bytes, begins to come after so many milliseconds. */
async function begin(wait, others = [], { priority = "normal", load = (faces) => faces.load(), tf = tfjs } = {}) {
  clock = 0;
  performance.now = () => clock;
  const built = model("faces", 1);
  built.item[3] = priority;
  const line = piecewise(built);
  const loader = await openLoader(built, ...others);
  const server = serve([built, ...others], (path) => (path.startsWith("assets/faces-base") ? ((clock += wait), line.answer) : undefined));
  loader.configure({ baseUrl: base, fetch: server.fetch, tf: async () => tf, timeout: () => 60_000 });
  const handle = load(loader.models.faces);
  handle.ready.catch(() => {});
  await until("the first shard is asked for", () => server.paths().some(isBase));
  await settle();
  const refining = () => server.paths().filter((path) => path.includes("-refine-")).length;
  return { handle, line, refining, server, models: loader.models };
}

test("what refines is asked for when the rest would be there before an answer to that, and no sooner", async () => {
  const { handle, line, refining } = await begin(100);
  await line.give(100, 200);
  assert.equal(refining(), 0, "half is missing, and would take as long as an answer to a new request");
  await line.give(120, 300);
  assert.equal(refining(), 0, "40 bytes took 60 ms");
  await line.give(160, 310);
  assert.equal(refining(), 1, "40 bytes are missing, the network gives half a byte a millisecond");
  await line.give(200, 320);
  handle.cancel();
});

test("what refines waits for TensorFlow.js, which the first answer needs", async () => {
  const runtime = makeGate();
  const { handle, line, refining } = await begin(100, [], { tf: runtime.pass().then(() => tfjs) });
  await line.give(190, 200);
  await settle();
  assert.equal(refining(), 0);
  runtime.open();
  await until("what refines is asked for", () => refining() === 1);
  handle.cancel();
});

test("where answers begin at once, as those of preloads do, nothing is asked for before its time", async () => {
  const { handle, line, refining } = await begin(0);
  for (const [at, time] of [[150, 0], [190, 1], [199, 1000]]) {
    await line.give(at, time);
    assert.equal(refining(), 0);
  }
  await line.give(200, 1001);
  await until("what refines is asked for", () => refining() === 1);
  handle.cancel();
});

test("what has come at one go says nothing of how fast the network is", async () => {
  const { handle, line, refining } = await begin(100);
  clock = 0;
  await line.give(190, 100);
  assert.equal(refining(), 0);
  await line.give(195, 101);
  assert.equal(refining(), 1);
  handle.cancel();
});

test("a refinement waits while another model's first answer is on its way, though slots are free", async () => {
  const other = model("hands", 2);
  const { handle, line, server, models } = await begin(100, [other]);
  const paths = () => server.paths().filter((path) => path.startsWith("assets/hands-"));
  const second = models.hands.prefetch();
  await until("its own first answer is here", () => paths().some(isBase));
  await settle();
  assert.deepEqual(paths().filter((path) => !isBase(path)), []);
  await line.give(200, 5000);
  await second;
  assert.equal(paths().length, 2);
  handle.cancel();
});

test("who gives up holds nobody back", async () => {
  const other = model("hands", 2);
  const { handle, models } = await begin(100, [other]);
  const second = models.hands.prefetch();
  await settle();
  handle.cancel();
  await second;
});

test("a slow file of one model holds back only what is behind it", async () => {
  const stuck = makeGate();
  const [one, two] = [model("faces", 1), model("hands", 2)];
  const loader = await openLoader(one, two);
  const server = serve([one, two], (path) => (path.startsWith("assets/faces-base") ? stuck.pass() : undefined));
  loader.configure({ baseUrl: base, fetch: server.fetch });
  const [first, second] = [loader.models.faces.prefetch(), loader.models.hands.prefetch()];
  await stuck.arrived;
  await until("the other's base is asked for", () => server.paths().some((path) => path.startsWith("assets/hands-base")));
  stuck.open();
  await Promise.all([first, second]);
});

test("a load that is given up keeps no file, not even from its own events: the next one asks for all of them", async () => {
  const built = model("faces", 1);
  const loader = await openLoader(built);
  const server = serve(built);
  let handle;
  loader.configure({ baseUrl: base, fetch: server.fetch, cache: "none", worker: false, tf: () => new Promise(() => {}), onEvent: ({ stage }) => stage === "head" && handle?.cancel() });
  handle = loader.models.faces.load();
  await assert.rejects(handle.full, { code: "abort" });
  await settle();
  handle = undefined;
  server.log.length = 0;
  await loader.models.faces.ioHandler().load();
  assert.equal(server.log.length, built.files.size);
});

test("the first rung's files and TensorFlow.js come first, however long its decoder takes to start", async () => {
  const built = ladderOf([1, 2].map((seed) => model(seed > 1 ? "faces" : "faces-rung1", seed, { size: 80_000, shardBytes: 100_000 })));
  const loader = await openLoader(...built);
  const server = serve(built);
  const runtime = makeGate();
  loader.configure({ baseUrl: base, fetch: server.fetch, tf: () => runtime.pass().then(() => tfjs) });
  class Worker {
    postMessage() {}
    terminate() {}
  }
  await withGlobals({ Worker }, async () => {
    const handle = loader.models.faces.load();
    const shards = () => server.paths().filter((path) => path.endsWith(".bin"));
    const heads = () => server.paths().filter((path) => path.endsWith(".json"));
    await until("all that is needed at first is there", () => heads().length === 2 && shards().length === 2);
    await settle();
    assert.equal(shards().length, 2, "TensorFlow.js is not there yet");
    runtime.open();
    await until("the next rung is on its way", () => shards().some((path) => path.startsWith("assets/faces-base")));
    const own = shards().findLastIndex((path) => path.startsWith("assets/faces-rung1-base"));
    assert.deepEqual([own, shards().findIndex((path) => path.startsWith("assets/faces-base"))], [1, 2]);
    handle.full.catch(() => {});
    handle.cancel();
  });
});

/** Has a model wait with what refines it, slots or not, for another one's first answer that comes slowly. */
async function hold(start, first) {
  const begun = await begin(100, [model("hands", 2)], first);
  const asked = (kind) => begun.server.paths().filter((path) => path.startsWith(`assets/hands-${kind}`)).length;
  const waiting = start(begun.models.hands);
  quiet(waiting.full ?? waiting);
  await until("its own first answer is asked for", () => asked("base"));
  await settle();
  assert.equal(asked("refine"), 0, "it waits");
  return { ...begun, waiting, goes: () => until("what refines is asked for", () => asked("refine")) };
}
const quiet = (promise) => promise.catch(() => {});

test("what is promoted goes at once", async () => {
  const { handle, waiting, goes } = await hold((hands) => hands.load());
  waiting.promote("high");
  await goes();
  handle.cancel();
  waiting.cancel();
});

test("what somebody else wants more urgently goes at once", async () => {
  const { handle, models, goes } = await hold((hands) => hands.prefetch());
  const urgent = models.hands.load({ priority: "high" });
  await goes();
  handle.cancel();
  urgent.cancel();
});

test("what waited for somebody who has left goes at once, though others wait for the same file", async () => {
  const { handle, goes } = await hold((hands) => hands.prefetch(), {
    priority: "low",
    load: (faces) => (quiet(faces.prefetch()), faces.load({ priority: "high" })),
  });
  handle.cancel();
  await goes();
});

test("a server that says nothing holds nobody back for long, before its answer or in the middle of it", async (context) => {
  const pauses = [];
  const real = globalThis.setTimeout;
  context.mock.method(globalThis, "setTimeout", (run, ms, ...rest) => (ms === 3000 ? void pauses.push(run) : real(run, ms, ...rest)));
  for (const bytes of [0, 50]) {
    const { handle, line, goes } = await hold((hands) => hands.prefetch());
    if (bytes) await line.give(bytes, 200);
    for (const pass of pauses.splice(0)) pass();
    await goes();
    handle.cancel();
  }
});

test("nobody waits for a file that waits for its next try", async (context) => {
  context.mock.method(Math, "random", () => 1000);
  const { handle, line, goes } = await hold((hands) => hands.prefetch());
  line.fail();
  await goes();
  handle.cancel();
});

test("whoever leaves, hurries or is told to try again: all that is still wanted comes, in as few slots as there may be", async (context) => {
  for (let seed = 1; seed <= 24; seed++) {
    let state = seed;
    const chance = (count) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % count;
    context.mock.method(Math, "random", () => 0); // pauses between tries have no length
    const built = Array.from({ length: 6 }, (_, i) => {
      const one = model(`m${i}x`, 10 * seed + i);
      one.item[3] = ["high", "normal", "low"][chance(3)];
      return one;
    });
    const loader = await openLoader(...built);
    const server = serve(built, async (_, times) => {
      for (let turns = chance(30); turns > 0; turns--) await new Promise(setImmediate);
      return times < 3 && chance(4) === 0 ? new Response("", { status: 503 }) : undefined;
    });
    loader.configure({ baseUrl: base, fetch: server.fetch, tf: tfjs, concurrency: 1 + chance(4) });
    const wanted = new Set();

    for (let i = 0; i < 20; i++) {
      const { name, files } = built[chance(built.length)];
      const entry = loader.models[name];
      const handle = chance(2) ? entry.load({ priority: ["high", "normal", "low"][chance(3)] }) : undefined;
      if (handle) {
        quiet(handle.full);
        if (chance(2)) handle.promote();
        if (chance(2)) setImmediate(() => handle.cancel());
        else for (const path of files.keys()) wanted.add(path);
      } else quiet(entry.prefetch());
      for (let turns = chance(12); turns > 0; turns--) await new Promise(setImmediate);
    }
    await until(`all files of seed ${seed}`, () => [...wanted].every((path) => server.paths().includes(path)));
  }
});
