// Runs models in TensorFlow.js under Node and writes down what they answered.
//
//   node main.mjs JOB.json…
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
//     shown: [{ file, width, height }, …],   RGBA pictures that run is given
//     played: ["file", …],              sounds that run is given, heard: the input that takes their windows
//     told: ["text", …],                 that run is given
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
//     cost: { elements, macs, ops, heaviest: [{ kernel: "Conv2D", share: 0.9, sizes: [14, 14, 96, 576, 1, 1] }, …] } | null,   of the first case
//     answers: [answer, …] | null,      of run to each picture; bytes are { base64 }
//     told: [{ inputs: { name: [1, …] }, answer }, …] | null,   what run makes of each text
//     heard: [[{ start, end, input, answer }, …], …] | null,   of run to each window: input is base64, of the first ones
//     sample: { base: [tensor, …] | undefined, full: [tensor, …], numbered: false } | null,
//     error: null | { stage: "runtime" | "load" | "detect" | "base" | "full" | "source", message, code } }
//
// Numbers lie in the files as little-endian arrays; strings each as a uint32 length and that many bytes. A model that
// cannot be loaded or run is a result; only a fault of this file makes the process fail. A line on stdout says that
// something goes on, at each step: who started this process ends it when it has been silent for too long.

import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { runCases, runExtra, runSample } from "./cases.mjs";
import { Cost } from "./costs.mjs";
import { runPlayed, runShown, runTold } from "./shown.mjs";
import { during, Failure } from "./failures.mjs";
import { Files, loadStock } from "./files.mjs";
import { Output } from "./tensors.mjs";
import { guardMemory, runtime, watchKernels } from "./tfjs.mjs";
import { alive, collect, running, watch } from "./watch.mjs";

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
    running.cost = result.cost = new Cost();
    const cases = await during("full", () => runCases(tf, refined, job, data, output));
    result.stages.push({ name: "full", cases });
    if (job.initial) job.weights = refined.getWeights().map((tensor) => tensor.clone());
    if (job.shown.length) result.answers = await during("run", () => runShown(handle.load, job));
    if (job.played.length) result.heard = await during("run", () => runPlayed(handle.load, refined, job));
    if (job.told.length) result.told = await during("run", () => runTold(handle.load, refined, job));
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
    cost: null,
    source: null,
    extra: null,
    sourceExtra: null,
    sample: null,
    answers: null,
    heard: null,
    told: null,
    error: null,
  };
  watch.result = result;
  watch.out = job.out;
  watch.checkMemory = () => {};
  running.kernel = "";
  running.cost = undefined;
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
