// Makes small bundles after docs/format.md, on its own terms, and serves them to a fresh copy of the loader.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { register } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

export const base = "https://cdn.test/models/";
const folder = mkdtempSync(join(tmpdir(), "shardpress-"));
process.on("exit", () => rmSync(folder, { recursive: true }));
let copies = 0;

// Modules that the loader imports from the bundle's address are files beside the loader.
const place = pathToFileURL(join(dirname(process.env.SHARDPRESS_LOADER), "/")).href;
register(`data:text/javascript,${encodeURIComponent(`export const resolve = async (name, context, next) => {
  const found = /^https:..cdn.test.models.([a-z]+).0{16}.js$/.exec(name);
  return found ? { url: "${place}" + found[1] + ".mjs", shortCircuit: true } : next(name, context);
}`)}`);

export const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** The bytes of typed values. */
export const bytesOf = (values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** The four planes of the codec `exact`, from the bits of float32 values. */
export function exactPlanes(words) {
  return [
    Uint8Array.from(words, (u) => (u >>> 23) & 0xff),
    Uint8Array.from(words, (u) => ((u >>> 24) & 0x80) | ((u >>> 16) & 0x7f)),
    Uint8Array.from(words, (u) => (u >>> 8) & 0xff),
    Uint8Array.from(words, (u) => u & 0xff),
  ];
}

/** What a float32 is worth before its refinement came: by arithmetic, not by the loader's way. */
export function baseWord(u) {
  const top = u & 0xffff0000;
  const exponent = (u >>> 23) & 0xff;
  const nothing = exponent === 0 && ((u >>> 16) & 0x7f) === 0;
  return (exponent === 255 || nothing ? top : top + 0x8000) >>> 0;
}

export const wordsOf = (floats) => new Uint32Array(floats.buffer, floats.byteOffset, floats.length);

export function baseFloats(floats) {
  return new Float32Array(Uint32Array.from(wordsOf(floats), baseWord).buffer);
}

/**
 * Makes one model.
 * @param weights each `{name, shape, dtype, bytes, codec?, quantization?, same?, stage?}`
 * @param stages names of the stages before the one that refines
 * @param edit a function that may change the head before it is written
 */
export function makeModel(name, { kind = "graph-model", artifacts = { modelTopology: {} }, weights, shardBytes = 64, edit, labels, stages: outputs = ["base"] }) {
  const names = [...outputs, "refine"];
  const pieces = names.map(() => []);
  const specs = weights.map(({ bytes, planes: given, stage = 0, ...spec }, i) => {
    if (spec.same === undefined) {
      const planes = given ? given : spec.codec === "exact" ? exactPlanes(new Uint32Array(bytes.slice().buffer)) : [bytes];
      planes.forEach((plane, p) => pieces[p > 1 ? outputs.length : stage].push([i, p, plane]));
      if (spec.dtype === "string") spec.bytes = bytes.length;
    }
    return spec;
  });
  const shards = [];
  const contents = [];
  for (const stage of names.keys()) {
    let segments = [];
    let parts = [];
    let length = 0;
    const close = () => {
      if (!length) return;
      const bytes = Buffer.concat(parts);
      shards.push({ stage, bytes: length, wire: length, sha256: hash(bytes), segments });
      contents.push({ stage, bytes });
      [segments, parts, length] = [[], [], 0];
    };
    for (const [w, p, plane] of pieces[stage]) {
      if (plane.length <= shardBytes) {
        if (length + plane.length > shardBytes) close();
        if (plane.length) segments.push([w, p]);
        parts.push(plane);
        length += plane.length;
        continue;
      }
      for (let from = 0; from < plane.length; ) {
        const to = Math.min(plane.length, from + shardBytes - length);
        segments.push([w, p, from, to]);
        parts.push(plane.subarray(from, to));
        length += to - from;
        from = to;
        if (length === shardBytes) close();
      }
    }
    close();
  }
  const stages = pieces.at(-1).length ? names : outputs;
  const head = { format: 1, name, kind, contract: "0".repeat(16), artifacts, ...(labels && { labels }), stages, shards, weights: specs };
  edit?.(head);
  const text = Buffer.from(typeof head.text === "string" ? head.text : JSON.stringify(head));
  const files = new Map();
  const sha256 = hash(text);
  files.set(`assets/${name}.${sha256.slice(0, 16)}.json`, text);
  const counts = {};
  for (const { stage, bytes } of contents) {
    const n = (counts[stage] ??= 0);
    counts[stage]++;
    files.set(`assets/${name}-${names[stage]}-${n}.${hash(bytes).slice(0, 16)}.bin`, bytes);
  }
  const total = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  return { name, item: [sha256, text.length, "manual", "normal", kind, total, total], files };
}

const modules = Object.fromEntries(["answers", "audio", "device", "digest", "fit", "frames", "glue", "ladder", "listen", "mel", "storage", "thread", "worker"].map((name) => [name, "0".repeat(64)]));

/** Gives a fresh loader of these models, its state its own, as the file that was rendered with another index. */
export async function openLoader(...built) {
  const entries = built.map(({ name, item }) => [name, item]);
  const index = { format: 1, release: "0".repeat(16), models: Object.fromEntries(entries), modules };
  const source = readFileSync(process.env.SHARDPRESS_LOADER, "utf8");
  const [before, after] = source.split("const CONFIG=");
  const value = JSON.stringify(index);
  const old = after.slice(0, after.indexOf("}}") + 2);
  const path = join(folder, `loader${copies++}.mjs`);
  writeFileSync(path, `${before}const CONFIG=${value}${after.slice(old.length)}`);
  return import(pathToFileURL(path).href);
}

/** Gives the address of a module that the loader imports at first need. */
export const moduleUrl = (name) => pathToFileURL(join(dirname(process.env.SHARDPRESS_LOADER), `${name}.mjs`)).href;

/** Serves bundles: `log` lists what was asked for, `answer(path, times, init)` may give something else. */
export function serve(built, answer = () => undefined) {
  const files = new Map([].concat(built).flatMap((model) => [...model.files]));
  const log = [];
  const fetch = async (url, init = {}) => {
    const path = String(url).slice(base.length);
    if (!String(url).startsWith(base)) throw new TypeError(`${url} is not of this server`);
    log.push({ path, init });
    const times = log.filter((entry) => entry.path === path).length;
    if (init.signal?.aborted) throw new DOMException("aborted", "AbortError");
    const aborted = new Promise((_, reject) =>
      init.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError"))),
    );
    aborted.catch(() => {});
    const other = await Promise.race([aborted, answer(path, times, init)]);
    if (other) return other;
    const bytes = files.get(path);
    return bytes ? new Response(bytes) : new Response("not here", { status: 404 });
  };
  return { fetch, log, paths: () => log.map(({ path }) => path) };
}

/** A gate that calls wait at; `arrived` is fulfilled when the first one does. */
export function makeGate() {
  let open;
  let arrive;
  const opened = new Promise((resolve) => (open = resolve));
  const arrived = new Promise((resolve) => (arrive = resolve));
  return {
    arrived,
    open: () => open(),
    pass: () => {
      arrive();
      return opened;
    },
  };
}

/** Waits until it is so, asked anew in each turn of the event loop; what does not come in half a minute is an error that says it. */
export async function until(what, condition) {
  for (const end = Date.now() + 30_000; !condition(); ) {
    if (Date.now() > end) throw new Error(`not so in half a minute: ${what}`);
    await new Promise(setImmediate);
  }
}

/** Numbers that use all their bits, the same each time. */
export function floats(n, seed = 1) {
  let state = seed;
  return Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
