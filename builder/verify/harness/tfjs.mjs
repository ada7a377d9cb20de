// TensorFlow.js in this process, and what its kernels do.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { running } from "./watch.mjs";

/** TensorFlow.js: the bundle's own, or from the project's packages with every backend of `names` that is installed. */
export async function runtime({ nodeModules, backends: names, runtime: file }) {
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

/** Notes the kernels that run from now on, and what they cost while that is counted. */
export function watchKernels(tf) {
  const engine = tf.engine();
  const seen = new Set();
  const usual = Object.getPrototypeOf(engine).runKernelFunc;
  engine.runKernelFunc = function (call) {
    if (call.kernelName) {
      seen.add(call.kernelName);
      running.kernel = call.kernelName;
    }
    const outputs = usual.call(this, call);
    if (running.cost && call.kernelName) running.cost.add(call.kernelName, call.inputs, call.attrs, outputs);
    return outputs;
  };
  return seen;
}

const mark = 0xa5;

/**
 * Puts marked bytes behind each piece of the wasm backend's memory; gives a function that throws where a kernel has
 * written over them. Such a kernel answers rightly or wrongly or never ends, as chance has it.
 */
export function guardMemory(tf) {
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
