// Runs models in TensorFlow.js under Node and writes down what they answered.
//
//   node harness.mjs JOB.json…
//
// A job, as builder/verify/run.py writes it:
//   { nodeModules: "dir",               where @tensorflow/tfjs (and the wasm backend) are installed
//     backends: ["wasm", "cpu"],        the first of these that is there runs the model
//     loader: "dir/loader.js" | null,   the bundle; its assets lie beside it…
//     files: { "assets/x.bin": "path" } | null,   …or here
//     model: "name",
//     ops: "file" | null,               the module of its own ops
//     runtime: "file" | null,           the bundle's own TensorFlow.js, in place of the installed one
//     source: "dir/model.json" | null,  the stock artefact to compare with
//     initial: false,                   the bundle has no weights: the source model takes those it started with
//     data: "file",                     the tensors of the cases: {name, dtype, shape, offset, bytes}
//     cases: [[tensor, …], …],
//     extra: [tensor, …] | null,        one more case, of another batch and other sizes: it may fail
//     sample: [tensor, …] | null,       inputs of one more run, whose answers are kept only where the model runs at once
//     short: false,                     only the first case at full precision, and no sample
//     stages: [{ name: "detect", outputs: ["scores"] }, …],   those to run by themselves, in order
//     out: "dir" }                      gets result.json and result.bin
//
// result.json:
//   { runtime: "tfjs 4.22.0 wasm", backend: "wasm", present: ["wasm", "cpu"], requests: ["assets/…", …],
//     seconds: 0.4,                     in TensorFlow.js, loading included
//     caseSeconds: 0.1,                 of the last run of the first case
//     stages: [{ name: "detect" | "base" | "full", cases: [[tensor, …], …] }], source: [[tensor, …], …] | null,
//     extra, sourceExtra: [tensor, …] | { message: "…" } | null,
//     kernels: ["Add", …],              those of TensorFlow.js that ran
//     sample: { base: [tensor, …] | undefined, full: [tensor, …], numbered: false } | null,
//     error: null | { stage: "runtime" | "load" | "detect" | "base" | "full" | "source", message, code } }
//
// Numbers lie in the files as little-endian arrays; strings each as a uint32 length and that many bytes. A model that
// cannot be loaded or run is a result; only a fault of this file makes the process fail. A line on stdout says that
// something goes on, at each step: who started this process ends it when it has been silent for too long.

import { writeSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array, complex64: Float32Array };

/** An error's message with those of its causes. */
function wholeMessage(error) {
  const parts = [];
  for (let at = error; at !== undefined && at !== null && parts.length < 5; at = at.cause) {
    const text = at.message || String(at);
    if (!parts.some((part) => part.includes(text))) parts.push(text);
  }
  return parts.join(": ");
}

class Failure extends Error {
  constructor(stage, cause) {
    super(wholeMessage(cause), { cause });
    this.stage = stage;
    this.code = typeof cause?.code === "string" ? cause.code : null;
  }
}

/** Runs `action`; what it throws becomes a failure of `stage`. */
async function during(stage, action) {
  try {
    return await action();
  } catch (error) {
    throw error instanceof Failure ? error : new Failure(stage, error);
  }
}

/** TensorFlow.js: the bundle's own, or from the project's packages with every backend of `names` that is installed. */
async function runtime({ nodeModules, backends: names, runtime: file }) {
  if (file) {
    const tf = await ownRuntime(file);
    return { tf, present: names.filter((name) => tf.findBackendFactory(name)) };
  }
  const require = createRequire(path.join(path.resolve(nodeModules), "index.js"));
  const tf = require("@tensorflow/tfjs");
  const present = names.filter((name) => {
    if (name !== "wasm") return true;
    try {
      require("@tensorflow/tfjs-backend-wasm");
      return true;
    } catch {
      return false;
    }
  });
  return { tf, present };
}

/** A module made for browsers: the two never meet in one process, as TensorFlow.js keeps its kernels in a global. */
async function ownRuntime(file) {
  const { fetch } = globalThis;
  globalThis.WorkerGlobalScope ??= class {};
  globalThis.__dirname ??= "/";
  globalThis.fetch = async (url, init) => {
    return String(url).startsWith("file:") ? new Response(await readFile(fileURLToPath(url))) : fetch(url, init);
  };
  return import(pathToFileURL(file).href);
}

/** Says that something goes on. */
const alive = (step) => writeSync(1, `${step}\n`);

/** What runs now; the kernel alone outlives a failure. */
const running = { kernel: "" };

/** Notes the kernels that run from now on. */
function watchKernels(tf) {
  const engine = tf.engine();
  const seen = new Set();
  const usual = Object.getPrototypeOf(engine).runKernelFunc;
  engine.runKernelFunc = function (call) {
    if (call.kernelName) {
      seen.add(call.kernelName);
      running.kernel = call.kernelName;
    }
    return usual.call(this, call);
  };
  return seen;
}

const mark = 0xa5;

/**
 * Puts marked bytes behind each piece of the wasm backend's memory; gives a function that throws where a kernel has
 * written over them. Such a kernel answers rightly or wrongly or never ends, as chance has it.
 */
function guardMemory(tf) {
  const { wasm } = tf.backend();
  if (!wasm?._malloc) return () => {};
  // Emscripten's stubs put the real functions into their places when they are first called.
  wasm._free(wasm._malloc(8));
  const { _malloc: take, _free: give } = guardMemory.usual ?? wasm;
  guardMemory.usual ??= { _malloc: take, _free: give };
  const pieces = new Map();
  let broken;
  const look = (at, { size, guard, kernel }) => {
    for (let i = at + size; i < at + size + guard; i++) if (wasm.HEAPU8[i] !== mark) broken ??= kernel;
  };
  wasm._malloc = (size) => {
    // What takes truth values for floats writes four times as much.
    const guard = size > 0x8000 ? 64 : 3 * size + 64;
    const at = take(size + guard) >>> 0;
    wasm.HEAPU8.fill(mark, at + size, at + size + guard);
    pieces.set(at, { size, guard, kernel: running.kernel });
    return at;
  };
  wasm._free = (at) => {
    if (pieces.has(at)) look(at, pieces.get(at));
    pieces.delete(at);
    give(at);
  };
  return () => {
    for (const [at, piece] of pieces) look(at, piece);
    if (broken) throw new Error(`the kernel ${broken} writes outside of its memory`);
  };
}

/** A `fetch` that reads the bundle's files and keeps those of all stages but the first back until they are asked for. */
class Files {
  constructor(root, files) {
    this.root = path.resolve(root);
    this.files = files;
    this.requests = [];
    this.stages = [];
    this.held = new Map();
    this.gates = [];
    this.open = false; // whether no stage is kept back
    this.fetch = (input) => this.answer(String(input?.url ?? input));
  }

  get baseUrl() {
    return pathToFileURL(this.root + path.sep).href;
  }

  async answer(url) {
    const relative = path.relative(this.root, fileURLToPath(url)).split(path.sep).join("/");
    this.requests.push(relative);
    const place = this.files ? this.files[relative] : path.join(this.root, relative);
    const inside = relative && !relative.startsWith("../") && !path.isAbsolute(relative);
    if (!inside || !place) return new Response("", { status: 404 });
    await this.held.get(relative)?.opened;
    let bytes;
    try {
      bytes = await readFile(place);
    } catch (error) {
      if (error.code === "ENOENT") return new Response("", { status: 404 });
      throw new TypeError(`cannot read ${relative}: ${error.message}`);
    }
    if (relative.endsWith(".json")) this.hold(bytes);
    return new Response(bytes, { status: 200 });
  }

  /** Lets the files of a stage and all before it through. */
  release(name) {
    const number = name === undefined ? this.gates.length : this.stages.indexOf(name);
    for (const gate of this.gates.slice(0, number + 1)) gate.open();
  }

  /** Notes from a head which shards belong to which stage. */
  hold(bytes) {
    let head;
    try {
      head = JSON.parse(bytes.toString());
    } catch {
      return; // the loader has to find that out itself
    }
    if (!Array.isArray(head?.stages) || !Array.isArray(head.shards)) return;
    this.stages = head.stages;
    this.gates = head.stages.map(() => {
      const gate = { open: () => {} };
      gate.opened = new Promise((resolve) => (gate.open = resolve));
      return gate;
    });
    this.release(this.open ? undefined : head.stages[0]);
    const counts = {};
    for (const shard of head.shards) {
      const count = (counts[shard?.stage] ??= 0);
      counts[shard?.stage] += 1;
      const url = `assets/${head.name}-${head.stages[shard?.stage]}-${count}.${String(shard?.sha256).slice(0, 16)}.bin`;
      this.held.set(url, this.gates[shard?.stage]);
    }
  }
}

/** The stock artefact, as tf.io would load it, from files. */
function stockHandler(file) {
  return {
    load: async () => {
      const { weightsManifest = [], ...artifacts } = JSON.parse(await readFile(file, "utf8"));
      const folder = path.dirname(path.resolve(file));
      const weightSpecs = weightsManifest.flatMap((group) => group.weights);
      const names = weightsManifest.flatMap((group) => group.paths);
      const parts = [];
      for (const name of names) {
        const place = path.resolve(folder, name);
        if (path.relative(folder, place).startsWith("..")) throw new Error(`${name} lies outside the model's folder`);
        parts.push(await readFile(place));
      }
      const whole = parts.length === 1 ? parts[0] : Buffer.concat(parts);
      const alone = whole.byteLength === whole.buffer.byteLength;
      const weightData = alone ? whole.buffer : whole.buffer.slice(whole.byteOffset, whole.byteOffset + whole.byteLength);
      return weightSpecs.length ? { ...artifacts, weightSpecs, weightData } : artifacts;
    },
  };
}

async function loadStock(tf, file) {
  const handler = stockHandler(file);
  const { format, modelTopology } = JSON.parse(await readFile(file, "utf8"));
  const isGraph = format === "graph-model" || Boolean(modelTopology?.node || modelTopology?.library);
  return isGraph ? tf.loadGraphModel(handler) : tf.loadLayersModel(handler);
}

function decodeStrings(bytes, count) {
  const strings = [];
  for (let at = 0; strings.length < count; ) {
    const length = bytes.readUInt32LE(at);
    strings.push(new Uint8Array(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return strings;
}

function readTensor(tf, data, { dtype, shape, offset, bytes }) {
  const part = data.subarray(offset, offset + bytes);
  const size = shape.reduce((product, length) => product * length, 1);
  if (dtype === "string") return tf.tensor(decodeStrings(part, size), shape, "string");
  const copy = part.buffer.slice(part.byteOffset, part.byteOffset + part.byteLength);
  return tf.tensor(new arrays[dtype](copy), shape, dtype);
}

/** Collects the tensors of all answers in one file. */
class Output {
  constructor() {
    this.parts = [];
    this.length = 0;
  }

  async add(name, tensor) {
    const { dtype, shape } = tensor;
    let bytes;
    if (dtype === "string") {
      const pieces = (await tensor.bytes()).flatMap((value) => {
        const prefix = Buffer.alloc(4);
        prefix.writeUInt32LE(value.length);
        return [prefix, Buffer.from(value)];
      });
      bytes = Buffer.concat(pieces);
    } else {
      const values = new arrays[dtype](await tensor.data());
      bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    }
    const offset = this.length;
    this.parts.push(bytes);
    this.length += bytes.length;
    return { name, dtype, shape, offset, bytes: bytes.length };
  }
}

/** Frees what is no longer held at once: Node lets the memory of large arrays pile up. */
const collect = () => globalThis.gc?.();

const list = (value) => (Array.isArray(value) ? value : [value]);

/** Runs a graph model, for some of its outputs or all; gives [output name, tensor] pairs. */
async function runGraph(model, feeds, wanted) {
  const signed = Object.keys(model.modelSignature?.outputs ?? {});
  const names = wanted ?? (signed.length ? signed : model.outputNodes);
  let outputs;
  try {
    outputs = model.execute(feeds, names);
  } catch (error) {
    // TensorFlow.js has no public question for this; its error is the answer.
    if (!String(error?.message).includes("executeAsync")) throw error;
    outputs = await model.executeAsync(feeds, names);
  }
  return list(outputs).map((tensor, index) => [names[index], tensor]);
}

/** Runs a layers model, by input name where the names agree, else in order; gives [output name, tensor] pairs. */
function runLayers(model, feeds, order) {
  // A Sequential that has not run yet knows no names.
  const named = model.inputNames.length && model.inputNames.every((name) => Object.hasOwn(feeds, name));
  const inputs = (named ? model.inputNames : order).map((name) => feeds[name]);
  if (model.stateful) model.resetStates();
  const outputs = list(model.predict(inputs.length === 1 ? inputs[0] : inputs));
  const taken = new Map();
  return outputs.map((tensor, index) => {
    const name = model.outputNames[index];
    const times = taken.get(name) ?? 0;
    taken.set(name, times + 1);
    return [times ? `${name}:${times}` : name, tensor];
  });
}

async function runCases(tf, model, job, data, output, wanted) {
  const isGraph = typeof model.executeAsync === "function";
  const answers = [];
  for (const tensors of job.short ? job.cases.slice(0, 1) : job.cases) {
    const began = performance.now();
    answers.push(await runCase(tf, model, isGraph, tensors, data, output, wanted));
    if (answers.length === 1 && watch.result) watch.result.caseSeconds = (performance.now() - began) / 1000;
  }
  return answers;
}

async function runCase(tf, model, isGraph, tensors, data, output, wanted) {
  alive("case");
  const feeds = Object.fromEntries(tensors.map((item) => [item.name, readTensor(tf, data, item)]));
  const order = tensors.map((item) => item.name);
  const pairs = isGraph ? await runGraph(model, { ...feeds }, wanted) : runLayers(model, feeds, order);
  const answer = [];
  for (const [name, tensor] of pairs) answer.push(await output.add(name, tensor));
  watch.checkMemory();
  tf.dispose([Object.values(feeds), pairs.map(([, tensor]) => tensor)]);
  return answer;
}

/** Runs the case of other sizes, unless one alone takes long; a failure is an answer. */
async function runExtra(tf, model, job, data, output) {
  if (!job.extra || job.short || watch.result.caseSeconds > longCase) return null;
  try {
    return await runCase(tf, model, typeof model.executeAsync === "function", job.extra, data, output);
  } catch (error) {
    return { message: wholeMessage(error).split("\n")[0] };
  }
}

const longCase = 5; // seconds

/** Runs the golden sample; gives nothing where the model needs another way than a page's test has. */
async function runSample(tf, model, job, data, output) {
  alive("sample");
  const feeds = Object.fromEntries(job.sample.map((item) => [item.name, readTensor(tf, data, item)]));
  let pairs = [];
  try {
    if (typeof model.executeAsync === "function") {
      const names = Object.keys(model.modelSignature?.outputs ?? {});
      pairs = list(model.execute({ ...feeds }, names)).map((tensor, index) => [names[index], tensor]);
    } else pairs = runLayers(model, feeds, Object.keys(feeds));
    const answer = [];
    for (const [name, tensor] of pairs) answer.push(await output.add(name, tensor));
    return answer;
  } catch {
    return undefined;
  } finally {
    tf.dispose([Object.values(feeds), pairs.map(([, tensor]) => tensor)]);
  }
}

const opsUrl = ({ out }) => pathToFileURL(path.join(out, "ops.mjs")).href;

async function runBundle(tf, job, data, output, result) {
  const files = new Files(path.dirname(job.loader), job.files);
  result.requests = files.requests;
  // Imported under another name: beside it there is no package.json that would make Node read .js as a module.
  const copy = path.join(job.out, "loader.mjs");
  await writeFile(copy, await readFile(job.loader));
  watch.stage = "load";
  const loader = await during("load", () => import(`${pathToFileURL(copy).href}?backend=${result.backend}`));
  const handle = await during("load", () => {
    // Kept files have no ending that would make Node read them as modules.
    const resolveUrl = (url) => (job.ops && /-ops\.[0-9a-f]{16}\.js$/.test(url) ? opsUrl(job) : url);
    loader.configure({ tf, fetch: files.fetch, baseUrl: files.baseUrl, resolveUrl });
    if (!Object.hasOwn(loader.models, job.model)) throw new Error(`the loader knows no model ${job.model}`);
    return { load: loader.models[job.model].load({}) };
  });
  const early = {};
  handle.load.full.catch(() => {}); // asked for below; until then no unhandled rejection
  try {
    for (const { name, outputs } of job.stages ?? []) {
      if (job.short) break;
      watch.stage = name;
      const staged = await during(name, () => handle.load.until(name));
      const cases = await during(name, () => runCases(tf, staged, job, data, output, outputs));
      result.stages.push({ name, cases });
      files.release(files.stages[files.stages.indexOf(name) + 1]);
    }
    files.open ||= job.short;
    const model = await during("load", () => handle.load.ready);
    alive("ready");
    if (files.stages.at(-1) === "refine" && !job.short) {
      watch.stage = "base";
      const cases = await during("base", () => runCases(tf, model, job, data, output));
      collect();
      result.stages.push({ name: "base", cases });
      if (job.sample) early.base = await runSample(tf, model, job, data, output);
      early.lost = job.sample && !early.base;
      files.release();
    }
    watch.stage = "full";
    const refined = await during("full", () => handle.load.full);
    if (refined !== model) throw new Failure("full", new Error("full is another object than ready"));
    const cases = await during("full", () => runCases(tf, refined, job, data, output));
    result.stages.push({ name: "full", cases });
    if (job.initial) job.weights = refined.getWeights().map((tensor) => tensor.clone());
    result.extra = await runExtra(tf, refined, job, data, output);
    if (job.sample && !early.lost && !job.short) {
      const full = await runSample(tf, refined, job, data, output);
      if (full) result.sample = { base: early.base, full, numbered: typeof refined.executeAsync !== "function" };
    }
  } finally {
    files.release();
    handle.load.dispose();
  }
}

async function runSource(tf, job, data, output, result) {
  watch.stage = "source";
  await during("source", async () => {
    if (job.ops) (await import(opsUrl(job))).default(tf);
    const model = await loadStock(tf, job.source);
    if (job.weights) model.setWeights(job.weights);
    result.source = await runCases(tf, model, job, data, output);
    result.sourceExtra = await runExtra(tf, model, job, data, output);
    model.dispose();
  });
}

async function attempt(tf, present, job) {
  const began = performance.now();
  const output = new Output();
  const backend = job.backends.find((name) => present.includes(name)) ?? null;
  const result = {
    runtime: `tfjs ${tf.version_core ?? tf.version?.tfjs} ${backend}`,
    backend,
    present,
    seconds: 0,
    caseSeconds: 0,
    requests: [],
    stages: [],
    kernels: [],
    source: null,
    extra: null,
    sourceExtra: null,
    sample: null,
    error: null,
  };
  watch.result = result;
  watch.out = job.out;
  watch.checkMemory = () => {};
  running.kernel = "";
  let kernels = new Set();
  try {
    watch.stage = "runtime";
    await during("runtime", async () => {
      if (typeof Response !== "function") throw new Error(`Node ${process.version} lacks fetch: install Node 20 or later`);
      if (!(await tf.setBackend(backend))) throw new Error(`the ${backend} backend does not start`);
      await tf.ready();
    });
    kernels = watchKernels(tf);
    watch.checkMemory = guardMemory(tf);
    const data = await readFile(job.data);
    if (job.ops) await writeFile(path.join(job.out, "ops.mjs"), await readFile(job.ops));
    if (job.loader) await runBundle(tf, job, data, output, result);
    collect();
    if (job.source) await runSource(tf, job, data, output, result);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    // What has left its memory has spoilt what later models would use, and says more than what came of it.
    const trapped = /memory access|unreachable|divide by zero|\bAborted\(/.test(error.message);
    const guilty = complaintOf(watch.checkMemory) ?? (trapped ? `${error.message.split("\n")[0]}, in the kernel ${running.kernel}` : undefined);
    result.spoilt = guilty !== undefined;
    result.error = { stage: error.stage, message: guilty ?? error.message, code: error.code };
  }
  result.kernels = [...kernels].sort();
  result.seconds = (performance.now() - began) / 1000;
  return { result, output };
}

/** What a check of the memory throws, if it does. */
function complaintOf(check) {
  try {
    check();
  } catch (error) {
    return error.message;
  }
}

async function finish(out, result, output) {
  await writeFile(path.join(out, "result.bin"), output.parts);
  await writeFile(path.join(out, "result.json"), JSON.stringify(result));
}

async function run(job) {
  alive("start");
  const { tf, present } = await runtime(job);
  const { result, output } = await attempt(tf, present, job);
  await finish(job.out, result, output);
  // The others get a process of their own.
  if (result.spoilt) process.exit(0);
}

// What is under way: when nothing can go on any more, the stage that waits forever is named.
const watch = { out: null, result: null, stage: "", checkMemory: () => {} };
process.on("beforeExit", () => {
  if (!watch.out) return;
  const { out, result, stage } = watch;
  watch.out = null;
  const message = stage === "load" ? "ready never settles: it waits for the last stage, or for nothing" : "never settles";
  result.error = { stage, message, code: null };
  result.stages = [];
  result.source = null;
  finish(out, result, new Output()).then(() => process.exit(0));
});

for (const file of process.argv.slice(2)) {
  await run(JSON.parse(await readFile(file, "utf8")));
  watch.out = null;
}
process.exit(0);
