// On other people's ground: no network for a while, moving addresses, browsers that lack or forbid what helps.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, test } from "node:test";
import { pathToFileURL } from "node:url";
import { base, bytesOf, floats, makeModel, moduleUrl, openLoader, serve } from "./bundle.mjs";

const names = ["addEventListener", "caches", "crypto", "document", "location", "navigator", "ServiceWorkerGlobalScope"];
const real = names.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
const measure = performance.measure;
const random = Math.random;
const give = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true });
const online = new EventTarget();

/** A clock that only `pass` moves: Node's own (20) takes away the wrong timer when one that has run is cleared. */
const clock = {
  now: 0,
  /** @type {Map<object, { at: number, run: () => void }>} */
  timers: new Map(),
  real: { setTimeout, clearTimeout },
  stop() {
    this.timers.clear();
    globalThis.setTimeout = (run, ms = 0) => {
      const timer = {};
      this.timers.set(timer, { at: this.now + ms, run });
      return timer;
    };
    globalThis.clearTimeout = (timer) => this.timers.delete(timer);
  },
  tick(ms) {
    const until = this.now + ms;
    for (;;) {
      const [next] = [...this.timers].filter(([, { at }]) => at <= until).sort(([, a], [, b]) => a.at - b.at);
      if (!next) break;
      this.timers.delete(next[0]);
      this.now = next[1].at;
      next[1].run();
    }
    this.now = until;
  },
};

afterEach(() => {
  Object.assign(globalThis, clock.real);
  performance.measure = measure;
  Math.random = random;
  for (const [name, value] of real) {
    if (value) Object.defineProperty(globalThis, name, value);
    else delete globalThis[name];
  }
});

const values = floats(1000);
const faces = () => makeModel("faces", { shardBytes: 512, weights: [{ name: "w", shape: [1000], dtype: "float32", codec: "exact", bytes: bytesOf(values) }] });

/** Opens a loader in a browser that says whether there is a network; without one every fetch fails. */
async function open(answer, options = {}) {
  const device = { onLine: true };
  give("navigator", device);
  // Hashed at once: on other threads it would take as long as the machine is busy.
  const digest = async (name, bytes) => Uint8Array.from(createHash("sha256").update(bytes).digest()).buffer;
  if (globalThis.crypto) give("crypto", { subtle: { digest } });
  give("addEventListener", online.addEventListener.bind(online));
  const built = faces();
  const loader = await openLoader(built);
  const server = serve(built, answer);
  const events = [];
  const fetch = async (url, init) => {
    const response = await server.fetch(url, init);
    if (!device.onLine) throw new TypeError("Failed to fetch");
    return response;
  };
  loader.configure({ baseUrl: base, fetch, onEvent: (event) => events.push(event), tf: () => new Promise(() => {}), ...options });
  const connect = (/** @type {boolean} */ there) => {
    device.onLine = there;
    if (there) online.dispatchEvent(new Event("online"));
  };
  return { ...loader, built, server, events, connect };
}

/** Lets everything happen that needs no time. */
async function settle() {
  for (let turn = 0; turn < 30; turn++) await new Promise(setImmediate);
}

/** Lets simulated time pass. */
async function pass(ms, step = ms) {
  for (let at = 0; at < ms; at += step) {
    clock.tick(step);
    await settle();
  }
}

test("a load survives an hour without a network, asks for nothing meanwhile, and tells of it", async () => {
  clock.stop();
  const { models, server, events, connect } = await open((path) => path.endsWith("-base-3.bin"));
  connect(false);
  const phases = [];
  const handle = models.faces.load({ onProgress: ({ phase }) => phases.push(phase) });
  const failed = [];
  handle.ready.catch((error) => failed.push(error));
  await settle();
  assert.equal(handle.progress.phase, "offline");
  const asked = server.log.length;
  await pass(3600_000, 60_000);
  assert.deepEqual(failed, []);
  assert.equal(server.log.length, asked);
  connect(true);
  await pass(10_000, 500);
  assert.equal(handle.progress.phase, "base");
  assert.deepEqual(events.map(({ type }) => type), ["offline", "online", "stage"]);
  assert.ok(phases.includes("offline"));
  handle.cancel();
});

test("a network that comes back without an event is noticed", async () => {
  clock.stop();
  const { models, connect } = await open();
  connect(false);
  const done = models.faces.prefetch();
  await settle();
  globalThis.navigator.onLine = true;
  await pass(60_000, 1000);
  await done;
});

test("cancelling ends the waiting for a network at once", async () => {
  clock.stop();
  const { models, connect } = await open();
  connect(false);
  const handle = models.faces.load();
  await settle();
  handle.cancel();
  await assert.rejects(handle.ready, { code: "abort" });
  await settle();
  assert.equal(handle.progress.phase, "aborted");
});

test("twenty spells without a network, of 1 to 120 s at any instant, end in the right bytes", async () => {
  let seed = 7;
  const chance = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) / 2 ** 32;
  for (let spell = 0; spell < 20; spell++) {
    clock.stop();
    const { models, built, server, connect } = await open(() => new Promise((resolve) => setTimeout(resolve, 300)));
    let result;
    const load = models.faces.ioHandler().load().then((found) => (result = found));
    await pass(Math.floor(chance() * 1500), 100);
    connect(false);
    await pass(1000 * Math.ceil(chance() * 120), 5000);
    connect(true);
    for (let second = 0; !result && second < 60; second++) await pass(1000, 100);
    await load;
    assert.deepEqual(new Float32Array(result.weightData[0]), values);
    assert.ok(server.log.length <= built.files.size + 5, `${server.log.length} requests`);
  }
});

test("as long as other files come, none is given up; a file that never comes ends the load all the same", async () => {
  Math.random = () => 0.05;
  const failing = (path, times) => (path.includes("-base-0") && times < 5 ? new Response("", { status: 503 }) : undefined);
  const { models } = await open(failing);
  await models.faces.prefetch();
  const other = await open((path) => (path.includes("-base-0") ? new Response("", { status: 503 }) : undefined));
  await assert.rejects(other.models.faces.prefetch(), { code: "network", status: 503 });
});

test("an answer that trickles in is not cut off while bytes come", async () => {
  clock.stop();
  const built = faces();
  const trickle = (path) => {
    const bytes = built.files.get(path);
    let at = 0;
    const pull = (controller) =>
      new Promise((resolve) => setTimeout(resolve, 50)).then(() => {
        controller.enqueue(bytes.subarray(at, (at += 200)));
        if (at >= bytes.length) controller.close();
      });
    return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }));
  };
  const { models, server } = await open(trickle, { timeout: () => 100 });
  let done = false;
  const prefetched = models.faces.prefetch().then(() => (done = true));
  for (let turns = 0; !done && turns < 5000; turns++) await pass(50);
  assert.ok(done);
  await prefetched;
  assert.equal(new Set(server.paths()).size, server.paths().length);
});

test("an answer with too many bytes is not read to its end", async () => {
  let sent = 0;
  const pull = (controller) => controller.enqueue(new Uint8Array((sent += 1000) && 1000));
  const { models } = await open(() => new Response(new ReadableStream({ pull })));
  await assert.rejects(models.faces.prefetch(), { code: "integrity", message: /more bytes than/ });
  assert.ok(sent < 100_000, `${sent} bytes`);
});

test("a web page in place of a file asks for the base URL", async () => {
  for (const page of ["<!doctype html><title>app</title>", `<!doctype html>${" ".repeat(9000)}`]) {
    const { models } = await open(() => new Response(page, { headers: { "content-type": "text/html" } }));
    await assert.rejects(models.faces.prefetch(), { code: "integrity", message: /web page.*baseUrl/ });
  }
});

test("relative addresses are resolved once, against the document's base", async () => {
  const place = new URL(base);
  give("location", { href: `${place.origin}/app/` });
  give("document", { baseURI: `${place.origin}/`, readyState: "complete" });
  const { models, configure, server } = await open();
  const path = place.pathname.slice(1);
  configure({ baseUrl: path, fallbackUrls: [path] });
  give("location", { href: `${place.origin}/app/deep/route/` });
  give("document", { baseURI: `${place.origin}/other/`, readyState: "complete" });
  await models.faces.prefetch();
  assert.equal(new Set(server.paths()).size, server.paths().length);
});

test("configure leaves what it was given as it was", async () => {
  const { configure } = await open();
  const options = Object.freeze({ baseUrl: base, fallbackUrls: Object.freeze([base.slice(0, -1)]) });
  configure(options);
});

const broken = {
  "locks that are refused": () => give("navigator", { onLine: true, locks: { request: () => Promise.reject(new DOMException("denied", "SecurityError")) } }),
  "locks that throw": () => give("navigator", { onLine: true, locks: { request: () => { throw new DOMException("denied", "SecurityError"); } } }),
  "no way to measure": () => (performance.measure = undefined),
  "a refusal to measure": () => (performance.measure = () => { throw new SyntaxError("no such mark"); }),
  "a cache that is refused": () => give("caches", { open: () => Promise.reject(new DOMException("denied", "SecurityError")) }),
};
for (const [what, spoil] of Object.entries(broken)) {
  test(`${what}: no load ends by it`, async () => {
    const kept = new Map();
    const store = { get: async (key) => kept.get(key), put: async (key, bytes) => kept.set(key, bytes.slice().buffer), keys: async () => [...kept.keys()], delete: async (key) => kept.delete(key) };
    const { models, events } = await open(undefined, what.includes("cache") ? {} : { store });
    spoil();
    const handle = models.faces.load();
    await models.faces.prefetch();
    for (let turn = 0; turn < 10 && !events.length; turn++) await settle();
    assert.notEqual(handle.progress.phase, "failed");
    assert.equal(events[0].stage, "head");
    handle.cancel();
  });
}

test("a lock that a frozen tab keeps is waited for five seconds, and a load that is cancelled meanwhile stops", async () => {
  clock.stop();
  const store = { get: async () => undefined, put: async () => {}, keys: async () => [], delete: async () => {} };
  const { models, server } = await open(undefined, { store });
  const request = (name, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  give("navigator", { onLine: true, locks: { request } });
  const first = models.faces.load();
  await settle();
  first.cancel();
  await assert.rejects(first.ready, { code: "abort" });
  assert.equal(server.log.length, 0);
  let done = false;
  models.faces.prefetch().then(() => (done = true));
  await settle();
  assert.equal(server.log.length, 0);
  await pass(20_000, 1000);
  assert.ok(done);
});

test("under Node files are read from a folder", async () => {
  Math.random = () => 0; // no pauses between tries
  const folder = mkdtempSync(join(tmpdir(), "shardpress-"));
  try {
    const built = faces();
    for (const [path, bytes] of built.files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), bytes);
    }
    const { models, configure } = await openLoader(built);
    configure({ baseUrl: pathToFileURL(folder) });
    const { weightData } = await models.faces.ioHandler().load();
    assert.deepEqual(new Float32Array(weightData[0]), values);
    rmSync(join(folder, [...built.files.keys()].find((path) => path.includes("-base-"))));
    await assert.rejects(models.faces.ioHandler().load(), { code: "network", message: /ENOENT/ });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a service worker is told which form of the loader it can use", async () => {
  give("ServiceWorkerGlobalScope", class {});
  give("crypto", undefined);
  const { models } = await open(undefined, { resolveUrl: (url) => (url.includes("/digest.") ? "data:text/javascript,throw new TypeError('import() is disallowed')" : url) });
  await assert.rejects(models.faces.prefetch(), { code: "runtime", message: /service worker.*inline/ });
});

test("the module for pages without crypto.subtle is there", async () => {
  const { digest } = await import(moduleUrl("digest"));
  assert.equal(digest(new Uint8Array()).length, 32);
});
