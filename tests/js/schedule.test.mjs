// Order, moments, failures and the store: what a page with several models on a weak network relies on.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { base, bytesOf, floats, makeGate, makeModel, openLoader, serve, until } from "./bundle.mjs";

const realRandom = Math.random;
const realNavigator = Object.getOwnPropertyDescriptor(globalThis, "navigator");
afterEach(() => {
  Math.random = realRandom;
  delete globalThis.document;
  delete globalThis.IntersectionObserver;
  if (realNavigator) Object.defineProperty(globalThis, "navigator", realNavigator);
  else delete globalThis.navigator;
});

const second = "https://other.test/";
const model = (name, seed, options = {}) =>
  makeModel(name, {
    weights: [{ name: "w", shape: [100], dtype: "float32", codec: "exact", bytes: bytesOf(floats(100, seed)) }],
    ...options,
  });

/** A store in memory, which may be broken. */
function memory({ put = () => {} } = {}) {
  const kept = new Map();
  return {
    kept,
    get: async (key) => kept.get(key)?.slice().buffer,
    put: async (key, bytes) => {
      await put(key, bytes);
      kept.set(key, bytes.slice());
    },
    keys: async () => [...kept.keys()],
    delete: async (key) => kept.delete(key),
  };
}

async function open(built, answer, options = {}) {
  const loader = await openLoader(...[].concat(built));
  const server = serve(built, answer);
  loader.configure({ baseUrl: base, fetch: server.fetch, ...options });
  return { ...loader, server };
}

const nameOf = (path) => /assets\/([a-z]+)/.exec(path)[1];
const isHead = (path) => path.endsWith(".json");
const turn = () => new Promise(setImmediate);
const settle = async () => {
  for (let i = 0; i < 20; i++) await turn();
};
/** Waits until something is so, but not forever. */
async function eventually(so) {
  for (let i = 0; i < 20000 && !so(); i++) await turn();
  assert.ok(so());
}
const weightsOf = async (entry) => new Float32Array((await entry.ioHandler().load()).weightData[0]);

/** Loads whose shards wait in one slot, so that the order of requests can be seen. */
async function contest(built, act) {
  const gate = makeGate();
  let first = true;
  const opened = await open(
    built,
    (path) => {
      if (isHead(path) || !first) return undefined;
      first = false;
      return gate.pass();
    },
    { concurrency: 1 },
  );
  const loads = await act(opened.models, gate);
  gate.open();
  await Promise.all(loads);
  return opened.server.paths().filter((path) => !isHead(path));
}

const withPriority = (built, priority) => ({ ...built, item: built.item.with(3, priority) });

test("a waiting high shard takes the next slot, and no refinement goes before somebody's first answer", async () => {
  const [low, high] = [withPriority(model("low", 1), "low"), withPriority(model("high", 2), "high")];
  const paths = await contest([low, high], async (models, gate) => {
    const one = models.low.prefetch();
    await gate.arrived;
    return [one, models.high.prefetch()];
  });
  const order = paths.map((path) => `${nameOf(path)} ${path.includes("-base-") ? "base" : "refine"}`);
  // The second goes out while the head of the other is being read.
  const expected = [...Array(2).fill("low base"), ...Array(4).fill("high base"), ...Array(2).fill("low base"), ...Array(4).fill("high refine"), ...Array(4).fill("low refine")];
  assert.deepEqual(order, expected);
});

test("promote changes the order of what waits, and what is asked for in the background says so", async () => {
  const built = [withPriority(model("one", 1), "high"), withPriority(model("two", 2), "low")];
  const gate = makeGate();
  let first = true;
  const { models, server } = await open(built, (path) => (!isHead(path) && first ? ((first = false), gate.pass()) : undefined), { concurrency: 1, tf: {} });
  const one = models.one.load();
  await gate.arrived;
  const two = models.two.load();
  two.promote("high");
  one.cancel();
  gate.open();
  await assert.rejects(two.full, { code: "runtime" });
  const hints = server.log.filter(({ path }) => nameOf(path) === "two" && path.includes("-base-")).map(({ init }) => init.priority);
  assert.deepEqual(hints, Array(4).fill(undefined));
  const other = await open([withPriority(model("two", 2), "low")]);
  await other.models.two.prefetch();
  assert.ok(other.server.log.every(({ init }) => init.priority === "low"));
});

test("until names a stage of the model, and fails with the load", async () => {
  const { models } = await open(model("faces", 1), (path) => (isHead(path) ? undefined : new Response("", { status: 404 })));
  const handle = models.faces.load();
  const early = handle.until("nothing");
  await assert.rejects(early, { code: "manifest", message: /base,refine/ });
  await assert.rejects(handle.until("base"), { code: "network", status: 404 });
  await assert.rejects(models.faces.load().until("base"), { code: "network" });
});

test("a second place is asked when the first fails, and stays the first choice while it works", async () => {
  Math.random = () => 0;
  const built = model("faces", 1);
  const loader = await openLoader(built);
  const server = serve(built);
  const asked = [];
  const fetch = async (url, init) => {
    asked.push(url);
    if (url.startsWith(base)) throw new TypeError("no such host");
    return server.fetch(base + url.slice(second.length), init);
  };
  loader.configure({ baseUrl: base, fallbackUrls: [second], fetch, concurrency: 1 });
  assert.deepEqual(await weightsOf(loader.models.faces), floats(100, 1));
  assert.equal(asked.filter((url) => url.startsWith(base)).length, 1);
  assert.equal(asked.length, 10);
  loader.configure({ fallbackUrls: ["https://third.test/"], fetch: async () => new Response("", { status: 404 }) });
  await assert.rejects(loader.models.faces.ioHandler().load(), { code: "network", status: 404, url: /third/ });
});

test("wrong bytes in one place are had from the other", async () => {
  const built = model("faces", 1);
  const loader = await openLoader(built);
  const server = serve(built);
  const fetch = (url, init) =>
    url.startsWith(base) ? Promise.resolve(new Response("<html>")) : server.fetch(base + url.slice(second.length), init);
  loader.configure({ baseUrl: base, fallbackUrls: [second], fetch });
  assert.deepEqual(await weightsOf(loader.models.faces), floats(100, 1));
});

test("a stalled request ends after the time its size allows, and is asked for again", async () => {
  Math.random = () => 0;
  const limits = [];
  const { models, server } = await open(model("faces", 1), (path, times) => (isHead(path) && times < 3 ? new Promise(() => {}) : undefined), {
    timeout: (bytes, tries) => (limits.push([bytes, tries]), 5),
  });
  assert.deepEqual(await weightsOf(models.faces), floats(100, 1));
  assert.deepEqual(limits.slice(0, 3), [1, 2, 3].map((tries) => [limits[0][0], tries]));
  assert.ok(server.log[0].init.signal.aborted);
  const dead = await open(model("faces", 1), () => new Promise(() => {}), { timeout: () => 1 });
  await assert.rejects(dead.models.faces.prefetch(), { code: "network", message: /not there after/ });
});

test("a network that is back wakes those that wait", async () => {
  Math.random = () => 1e6;
  let offline = true;
  const listeners = new EventTarget();
  globalThis.addEventListener = listeners.addEventListener.bind(listeners);
  try {
    const { models, server } = await open(model("faces", 1), () => (offline ? Promise.reject(new TypeError("offline")) : undefined));
    const loading = weightsOf(models.faces);
    await until("something was asked for", () => server.log.length);
    await settle();
    offline = false;
    listeners.dispatchEvent(new Event("online"));
    assert.deepEqual(await loading, floats(100, 1));
  } finally {
    delete globalThis.addEventListener;
  }
});

test("addresses can be signed", async () => {
  const { models } = await open(model("faces", 1), undefined, {});
  const signed = await open(model("faces", 1), undefined, { resolveUrl: async (url) => `${url}?key=1` });
  await assert.rejects(signed.models.faces.prefetch(), { code: "network", url: /\?key=1$/ });
  await models.faces.prefetch();
});

test("a second visit asks for nothing; what was damaged in between is fetched again and mended", async () => {
  const built = model("faces", 1);
  const store = memory();
  const first = await open(built, undefined, { store });
  assert.equal(await first.models.faces.status(), "absent");
  await first.models.faces.prefetch();
  assert.equal(await first.models.faces.status(), "cached");
  const again = await open(built, undefined, { store });
  assert.deepEqual(await weightsOf(again.models.faces), floats(100, 1));
  assert.equal(again.server.log.length, 0);
  const keys = [...store.kept.keys()];
  store.kept.get(keys[1])[0] ^= 1;
  store.kept.set(keys[2], new Uint8Array(3));
  store.kept.delete(keys[3]);
  assert.equal(await again.models.faces.status(), "partial");
  const third = await open(built, undefined, { store });
  assert.deepEqual(await weightsOf(third.models.faces), floats(100, 1));
  assert.equal(third.server.log.length, 3);
  assert.equal(await third.models.faces.status(), "cached");
  const none = await open(built, undefined, { store, cache: "none" });
  await none.models.faces.prefetch();
  assert.ok(none.server.log.every(({ init }) => init.cache === "no-store"));
});

test("a full or broken store fails no load", async () => {
  const events = [];
  const onEvent = (event) => events.push(event);
  const full = memory({ put: () => Promise.reject(new DOMException("full", "QuotaExceededError")) });
  const { models } = await open(model("faces", 1), undefined, { store: full, onEvent });
  assert.deepEqual(await weightsOf(models.faces), floats(100, 1));
  assert.ok(events.length && events.every(({ type, code }) => type === "failure" && code === "quota"));
  const broken = async () => {
    throw new Error("broken");
  };
  const other = await open(model("faces", 1), undefined, { store: { get: broken, put: broken, keys: broken, delete: broken } });
  assert.deepEqual(await weightsOf(other.models.faces), floats(100, 1));
});

test("a load that was cut off goes on where it was: 20 random instants", async () => {
  const built = model("faces", 1, { shardBytes: 16 });
  let state = 1;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const store = memory();
  const asked = [];
  for (let round = 0; round < 20; round++) {
    if (round % 5 === 0) store.kept.clear();
    const before = new Set(store.kept.keys());
    const control = new AbortController();
    let rest = Math.floor(random() * 6);
    const late = random() < 0.5;
    const cut = async () => {
      if (rest--) return;
      if (late) await turn();
      control.abort();
    };
    const { models, server } = await open(built, cut, { store, tf: {} });
    const handle = models.faces.load({ signal: control.signal });
    await assert.rejects(handle.full, { code: /abort|runtime/ });
    await settle();
    assert.ok(server.log.every(({ path }) => !before.has(path.split(".")[1])));
    asked.push(server.log.length);
  }
  assert.ok(new Set(asked).size > 3, String(asked));
  const { models } = await open(built, undefined, { store });
  assert.deepEqual(await weightsOf(models.faces), floats(100, 1));
});

test("prune forgets what this release does not name", async () => {
  const [old, shared, fresh] = [model("old", 1), model("faces", 2), model("words", 3)];
  const store = memory();
  const before = await open([old, shared], undefined, { store });
  await Promise.all([before.models.old.prefetch(), before.models.faces.prefetch()]);
  const after = await open([shared, fresh], undefined, { store });
  assert.equal(await after.prune(), old.files.size);
  assert.equal(await after.models.faces.status(), "cached");
  assert.equal(await after.models.words.status(), "absent");
  assert.equal(await after.prune(), 0);
});

test("models that share a shard fetch and keep it once", async () => {
  const one = model("one", 5);
  const two = model("two", 5);
  const store = memory();
  const { models, server } = await open([one, two], undefined, { store });
  await Promise.all([weightsOf(models.one), weightsOf(models.two)]);
  assert.equal(server.log.length, 2 + one.files.size - 1);
  assert.equal(store.kept.size, server.log.length);
});

/** A page as far as the loader looks at it. */
function fakePage({ readyState = "complete", connection, ...more } = {}) {
  const page = Object.assign(new EventTarget(), { readyState, querySelector: () => undefined, ...more });
  globalThis.document = page;
  Object.defineProperty(globalThis, "navigator", { value: { connection }, configurable: true });
  return page;
}

test("a prerendered page asks for nothing before it is shown", async () => {
  const page = fakePage({ prerendering: true });
  const { models, server } = await open(model("faces", 1), undefined, { tf: {} });
  const handle = models.faces.load();
  await settle();
  assert.equal(server.log.length, 0);
  assert.equal(handle.progress.phase, "waiting");
  page.prerendering = false;
  page.dispatchEvent(new Event("prerenderingchange"));
  await eventually(() => server.log.length > 0);
  handle.cancel();
});

test("visible waits for its element, interaction for the visitor; promote does not wait; who is gone never begins", async () => {
  fakePage();
  let show;
  globalThis.IntersectionObserver = class {
    constructor(seen) {
      show = () => seen([{ isIntersecting: true }]);
    }
    observe() {}
    disconnect() {}
  };
  const built = ["a", "b", "c", "d"].map((name, i) => model(name, i + 1));
  const { models, server } = await open(built, undefined, { tf: {} });
  const target = new EventTarget();
  const asked = (name) => server.paths().some((path) => nameOf(path) === name);
  const a = models.a.load({ when: "visible", target });
  const b = models.b.load({ when: "interaction", target });
  const c = models.c.load({ when: "interaction", target });
  const d = models.d.load({ when: "interaction", target });
  await settle();
  assert.equal(server.log.length, 0);
  d.cancel();
  show();
  await eventually(() => asked("a") && !asked("b") && !asked("c"));
  c.promote();
  await eventually(() => asked("c") && !asked("b"));
  target.dispatchEvent(new Event("pointerenter"));
  await eventually(() => asked("b") && !asked("d"));
  await assert.rejects(models.a.load({ when: "visible" }).ready, { code: "runtime", message: /target/ });
  for (const handle of [a, b, c]) handle.dispose();
});

test("Save-Data and 2g hold back idle and visible loads, never one that was asked for", async () => {
  for (const facts of [{ saveData: true }, { effectiveType: "slow-2g" }, { effectiveType: "2g" }]) {
    const connection = Object.assign(new EventTarget(), facts);
    fakePage({ connection });
    globalThis.requestIdleCallback = (run) => setImmediate(run);
    try {
      const { models, server, configure } = await open([model("a", 1), model("b", 2), model("c", 3)], undefined, { tf: {} });
      const target = new EventTarget();
      const a = models.a.load({ when: "idle" });
      const b = models.b.load({ when: "interaction", target });
      target.dispatchEvent(new Event("focusin"));
      await eventually(() => server.paths().length && server.paths().every((path) => nameOf(path) === "b"));
      configure({ respectSaveData: false });
      const c = models.c.load({ when: "idle" });
      await eventually(() => server.paths().some((path) => nameOf(path) === "c"));
      configure({ respectSaveData: true });
      assert.ok(!server.paths().some((path) => nameOf(path) === "a"));
      Object.assign(connection, { saveData: false, effectiveType: "4g" });
      connection.dispatchEvent(new Event("change"));
      await eventually(() => server.paths().some((path) => nameOf(path) === "a"));
      for (const handle of [a, b, c]) handle.dispose();
    } finally {
      delete globalThis.requestIdleCallback;
    }
  }
});

test("observe wires elements to the policies of the index, and names models that are not there", async (context) => {
  const errors = context.mock.method(console, "error", () => {});
  fakePage();
  const policies = { a: "now", b: "interaction", c: "manual" };
  const built = Object.entries(policies).map(([name, policy], i) => {
    const one = model(name, i + 1);
    return { ...one, item: one.item.with(2, policy) };
  });
  const { observe, server } = await open(built, undefined, { tf: {} });
  const elements = ["a", "b", "c", "constructor"].map((name) => Object.assign(new EventTarget(), { dataset: { model: name } }));
  const handles = observe({ querySelectorAll: () => elements });
  assert.equal(handles.length, 2);
  assert.match(errors.mock.calls[0].arguments[0], /constructor.*a,b,c/);
  await eventually(() => server.log.length);
  assert.deepEqual([...new Set(server.paths().map(nameOf))], ["a"]);
  for (const handle of handles) handle.dispose();
});
