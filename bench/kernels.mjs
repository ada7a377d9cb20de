// Runs the kernels of TensorFlow.js' wasm backend beside those of cpu: `node bench/kernels.mjs [KERNEL…] [--json]`.
//
// Every kernel that graphs use gets inputs of each dtype that it takes, of several ranks, empty ones, negative axes, large
// values, NaN and infinities. A kernel is wrong on wasm if its answer differs from cpu's, it throws where cpu does not, it
// writes outside of its output (memory around each tensor is filled with a mark), or it reads memory that nobody wrote
// (fresh memory is filled with another one). What is found is listed in docs/backends.md with what becomes of it.

import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const require = createRequire(path.join(root, "node_modules", "index.js"));
const tf = require("@tensorflow/tfjs");
require("@tensorflow/tfjs-backend-wasm");

const guard = 256; // bytes before and behind each piece of memory
const [outside, fresh] = [0xa5, 0x5a];

/** Puts marks round all memory that the backend takes; gives a function that tells whether they are whole. */
function guardMemory(wasm) {
  const { _malloc: take, _free: give } = wasm;
  const sizes = new Map();
  wasm._malloc = (size) => {
    const at = take(size + 2 * guard) >>> 0;
    wasm.HEAPU8.fill(outside, at, at + size + 2 * guard);
    wasm.HEAPU8.fill(fresh, at + guard, at + guard + size);
    sizes.set(at + guard, size);
    return at + guard;
  };
  wasm._free = (at) => {
    if (!sizes.has(at)) return give(at); // taken by C++
    sizes.delete(at);
    give(at - guard);
  };
  const whole = (from) => wasm.HEAPU8.subarray(from, from + guard).every((byte) => byte === outside);
  return () => [...sizes].every(([at, size]) => whole(at - guard) && whole(at + size));
}

let state = 12345;
const random = () => ((state = (Math.imul(state, 1103515245) + 12345) >>> 0), (state >>> 8) / 2 ** 24);
const fill = {
  float32: (kind) =>
    ({ plain: () => random() * 4 - 2, large: () => (random() - 0.5) * 2e6, odd: () => [NaN, Infinity, -Infinity, 0, -0, 1.5, -2.5, 1e-40][Math.floor(random() * 8)], positive: () => random() + 0.1 })[kind],
  int32: (kind) => ({ plain: () => Math.floor(random() * 9) - 4, large: () => Math.floor((random() - 0.5) * 2 ** 31), odd: () => [2147483647, -2147483648, 0, -1, 16777217, 1][Math.floor(random() * 6)], positive: () => 1 + Math.floor(random() * 5) })[kind],
  bool: () => () => Number(random() < 0.5),
};
const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };

/** A tensor's description: shape, dtype and values. */
function make(shape, dtype, kind = "plain") {
  const size = shape.reduce((product, n) => product * n, 1);
  return { shape, dtype, values: arrays[dtype].from({ length: size }, fill[dtype](kind)) };
}
const fixed = (values, shape = [values.length], dtype = "int32") => ({ shape, dtype, values: arrays[dtype].from(values) });

const cases = [];
const add = (kernel, inputs, attrs = {}, note = "") => cases.push({ kernel, inputs, attrs, note });
const dtypes = ["float32", "int32", "bool"];
const shapes = [[], [5], [0], [2, 3], [2, 0, 3], [2, 3, 4], [2, 1, 3, 2], [2, 1, 2, 3, 2], [1, 2, 2, 1, 3, 2]];
const numbers = ["float32", "int32"];

// one input, each element by itself
for (const kernel of ["Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Elu", "Erf", "Exp", "Expm1", "Floor", "IsFinite", "IsInf", "IsNan", "LeakyRelu", "Log", "Log1p", "Neg", "OnesLike", "Reciprocal", "Relu", "Relu6", "Round", "Rsqrt", "Selu", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Sqrt", "Square", "Tan", "Tanh", "ZerosLike", "Step"]) {
  const floats = ["Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Elu", "Erf", "Exp", "Expm1", "LeakyRelu", "Log", "Log1p", "Rsqrt", "Selu", "Sigmoid", "Sin", "Sinh", "Softplus", "Sqrt", "Tan", "Tanh", "Ceil", "Floor", "Reciprocal", "IsFinite", "IsInf", "IsNan", "Step"];
  for (const dtype of floats.includes(kernel) ? ["float32"] : kernel.endsWith("Like") ? dtypes : numbers) {
    for (const kind of ["plain", "large", "odd"]) for (const shape of [[], [0], [7], [2, 3, 4]]) add(kernel, { x: make(shape, dtype, kind) }, kernel === "LeakyRelu" ? { alpha: 0.2 } : kernel === "Step" ? { alpha: 0 } : {}, kind);
  }
}
for (const dtype of dtypes) for (const target of dtypes) for (const kind of ["plain", "large", "odd"]) for (const shape of [[], [0], [7], [2, 3]]) add("Cast", { x: make(shape, dtype, kind) }, { dtype: target }, kind);
for (const dtype of numbers) for (const kind of ["plain", "large", "odd"]) for (const [low, high] of [[-1, 1], [0, 6]]) add("ClipByValue", { x: make([2, 9], dtype, kind) }, { clipValueMin: low, clipValueMax: high }, kind);
add("LogicalNot", { x: make([2, 3], "bool") });

// two inputs
const pairs = [[[2, 3], [2, 3]], [[], [3]], [[2, 3], []], [[2, 3], [3]], [[2, 1, 3], [4, 1]], [[0], [1]], [[2, 0], [1, 0]], [[2, 1, 2, 3, 1], [3, 2]], [[1, 2, 1, 2, 3, 1], [2, 1, 1, 3, 2]]];
for (const kernel of ["Add", "Atan2", "Equal", "FloorDiv", "Greater", "GreaterEqual", "Less", "LessEqual", "Maximum", "Minimum", "Mod", "Multiply", "NotEqual", "Pow", "RealDiv", "SquaredDifference", "Sub"]) {
  const kinds = kernel === "Atan2" ? ["float32"] : ["Equal", "NotEqual"].includes(kernel) ? dtypes : numbers;
  for (const dtype of kinds) for (const kind of ["plain", "large", "odd", "positive"]) for (const [a, b] of pairs) {
    const divides = ["FloorDiv", "Mod", "Pow"].includes(kernel) && dtype === "int32";
    add(kernel, { a: make(a, dtype, kind), b: make(b, dtype, divides ? "positive" : kind) }, {}, kind);
  }
}
for (const kernel of ["LogicalAnd", "LogicalOr", "LogicalXor"]) for (const [a, b] of pairs) add(kernel, { a: make(a, "bool"), b: make(b, "bool") });
for (const [a, b] of pairs) add("BitwiseAnd", { a: make(a, "int32"), b: make(b, "int32") });
for (const [x, alpha] of [[[2, 3], [3]], [[2, 2, 3], [3]], [[2, 2, 3], [2, 1, 3]], [[2, 3], []]]) add("Prelu", { x: make(x, "float32"), alpha: make(alpha, "float32") });
for (const dtype of dtypes) for (const shape of [[3], [2, 3], [2, 2, 3], [2, 1, 2, 3, 2]]) {
  add("Select", { condition: make(shape, "bool"), t: make(shape, dtype), e: make(shape, dtype) });
  add("Select", { condition: make(shape.slice(0, 1), "bool"), t: make(shape, dtype), e: make(shape, dtype) });
}
for (const dtype of dtypes) for (const shape of [[0], [0, 3]]) add("Select", { condition: make(shape, "bool"), t: make(shape, dtype), e: make(shape, dtype) });

// reductions
const axesOf = (rank) => [[rank - 1], [-1], [0], ...(rank > 1 ? [Array.from({ length: rank }, (_, i) => i), [0, rank - 1], [-2]] : [])];
for (const kernel of ["All", "Any", "Max", "Mean", "Min", "Prod", "Sum"]) for (const dtype of ["All", "Any"].includes(kernel) ? ["bool"] : kernel === "Sum" ? dtypes : numbers)
  for (const kind of ["plain", "large", "odd"]) for (const shape of [[5], [2, 3], [2, 3, 4], [2, 1, 3, 2], [2, 1, 2, 3, 2], [0], [2, 0], [0, 3]]) for (const axis of axesOf(shape.length)) for (const keepDims of [false, true])
    add(kernel, { x: make(shape, dtype, kind) }, { axis: ["All", "Any", "Max", "Min", "Mean", "Prod", "Sum"].includes(kernel) ? axis : axis[0], keepDims }, kind);
for (const kernel of ["ArgMax", "ArgMin"]) for (const dtype of numbers) for (const kind of ["plain", "large"]) for (const shape of [[5], [2, 3], [2, 3, 4], [2, 1, 3, 2]]) for (const axis of [0, shape.length - 1, -1]) add(kernel, { x: make(shape, dtype, kind) }, { axis }, kind);
for (const kernel of ["Cumsum", "Cumprod"]) for (const dtype of numbers) for (const shape of [[5], [2, 3], [2, 3, 4], [0]]) for (const axis of [0, shape.length - 1, -1]) for (const exclusive of [false, true]) for (const reverse of [false, true]) add(kernel, { x: make(shape, dtype) }, { axis, exclusive, reverse });
for (const kind of ["plain", "large"]) for (const shape of [[5], [2, 3], [2, 3, 4], [2, 1, 3, 2]]) add("Softmax", { logits: make(shape, "float32", kind) }, { dim: shape.length - 1 }, kind);
for (const shape of [[5], [2, 3], [2, 3, 4]]) add("LogSoftmax", { logits: make(shape, "float32") }, { axis: -1 });
for (const dtype of numbers) for (const shape of [[5], [2, 5], [2, 3, 4]]) for (const k of [1, 3]) for (const sorted of [true]) add("TopK", { x: { ...make(shape, dtype), values: arrays[dtype].from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => (i * 7) % 31) } }, { k, sorted });

// moving
for (const dtype of dtypes) for (const shape of shapes.filter((s) => s.length)) {
  const rank = shape.length;
  const x = () => ({ x: make(shape, dtype) });
  for (const dims of [[0], [rank - 1], [-1], ...(rank > 1 ? [[0, 1]] : [])]) add("Reverse", x(), { dims });
  add("Transpose", x(), { perm: Array.from({ length: rank }, (_, i) => rank - 1 - i) });
  add("Transpose", x(), { perm: Array.from({ length: rank }, (_, i) => (i + 1) % rank) });
  if (shape.every(Boolean)) {
    const at = shape.map((n) => (n > 1 ? 1 : 0));
    add("Slice", x(), { begin: at, size: shape.map((n, i) => n - at[i]) });
    add("Slice", x(), { begin: at, size: shape.map(() => -1) });
    add("Slice", x(), { begin: shape.map(() => 0), size: shape.map((n, i) => (i ? n : 0)) }, "empty");
    for (const strides of [shape.map(() => 1), shape.map(() => 2), shape.map(() => -1)]) {
      const back = strides[0] < 0;
      add("StridedSlice", x(), { begin: shape.map((n) => (back ? n - 1 : 0)), end: shape.map((n) => (back ? -n - 1 : n)), strides, beginMask: 0, endMask: 0, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 0 });
      add("StridedSlice", x(), { begin: [back ? -1 : 0], end: [back ? -shape[0] - 1 : shape[0]], strides: [strides[0]], beginMask: 0, endMask: 0, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 0 });
    }
    for (const reps of [shape.map(() => 2), shape.map((_, i) => (i ? 1 : 3))]) add("Tile", x(), { reps });
    add("SplitV", x(), { numOrSizeSplits: [1, shape[0] - 1], axis: 0 });
    add("SplitV", x(), { numOrSizeSplits: shape[rank - 1], axis: -1 });
    add("Unpack", { value: make(shape, dtype) }, { axis: 0 });
    add("Unpack", { value: make(shape, dtype) }, { axis: -1 });
    if (dtype !== "bool") for (const mode of ["reflect", "symmetric"]) if (shape.every((n) => n > 1)) add("MirrorPad", x(), { paddings: shape.map(() => [1, 1]), mode });
  }
  for (const constantValue of [0, 1, ...(dtype === "bool" ? [] : [16777217, -3])]) add("PadV2", x(), { paddings: shape.map((_, i) => [1, i % 2]), constantValue });
  for (const axis of [0, rank - 1, -1]) {
    add("Concat", { 0: make(shape, dtype), 1: make(shape, dtype) }, { axis });
    add("Pack", { 0: make(shape, dtype), 1: make(shape, dtype) }, { axis });
    add("ExpandDims", { input: make(shape, dtype) }, { dim: axis });
    const length = shape.at(axis);
    if (length) add("GatherV2", { x: make(shape, dtype), indices: fixed([length - 1, 0, 0]) }, { axis, batchDims: 0 });
    if (length) add("GatherV2", { x: make(shape, dtype), indices: fixed([0, 0, length - 1, 0], [2, 2]) }, { axis, batchDims: 0 });
  }
  if (rank > 1 && shape.every(Boolean)) {
    add("GatherV2", { x: make(shape, dtype), indices: make([shape[0], 2], "int32", "plain") }, { axis: 1, batchDims: 1 }, "batch");
    cases.at(-1).inputs.indices.values.fill(0);
    add("GatherNd", { params: make(shape, dtype), indices: fixed([0, 0, shape[0] - 1, shape[1] - 1], [2, 2]) });
    add("GatherNd", { params: make(shape, dtype), indices: fixed([shape[0] - 1], [1, 1]) });
  }
  add("Fill", {}, { shape, value: dtype === "float32" ? 0.5 : 1, dtype });
  add("Identity", x());
  add("Reshape", x(), { shape: [-1] });
}
for (const value of [0.5, -1, 16777217]) for (const dtype of numbers) add("Fill", {}, { shape: [3], value: dtype === "int32" ? Math.trunc(value) : value, dtype });
for (const dtype of dtypes) for (const [on, off] of [[1, 0], [0.75, -0.25], [5, 2]]) for (const shape of [[], [4], [2, 3], [0]]) {
  if (dtype === "float32" || Number.isInteger(on)) if (dtype !== "bool" || on === 1) add("OneHot", { indices: make(shape, "int32") }, { depth: 4, onValue: on, offValue: off, dtype }, `${on}/${off}`);
}
for (const dtype of dtypes) for (const [updates, output] of [[[2], [5]], [[2, 3], [5, 3]]]) {
  add("ScatterNd", { indices: fixed([3, 1], [2, 1]), updates: make(updates, dtype) }, { shape: output });
  if (dtype !== "bool") add("ScatterNd", { indices: fixed([3, 3], [2, 1]), updates: make(updates, dtype) }, { shape: output }, "twice");
  add("TensorScatterUpdate", { tensor: make(output, dtype), indices: fixed([3, 1], [2, 1]), updates: make(updates, dtype) });
}
for (const dtype of dtypes) add("SparseToDense", { sparseIndices: fixed([0, 1, 2, 3], [2, 2]), sparseValues: make([2], dtype), defaultValue: fixed([1], [], dtype) }, { outputShape: [4, 5] });
for (const dtype of numbers) add("Range", {}, { start: 0, stop: 7, step: 2, dtype });
add("Range", {}, { start: 5, stop: -3, step: -2, dtype: "int32" });
add("LinSpace", {}, { start: 0, stop: 1, num: 7 });
for (const dtype of numbers) add("AddN", { 0: make([2, 3], dtype), 1: make([2, 3], dtype), 2: make([2, 3], dtype) });
for (const binaryOutput of [false, true]) add("DenseBincount", { x: fixed([0, 1, 1, 3]), weights: make([0], "float32") }, { size: 5, binaryOutput });
for (const binaryOutput of [false, true]) for (const kind of numbers) add("DenseBincount", { x: fixed([0, 1, 1, 3, 9, 2], [2, 3]), weights: make(binaryOutput ? [0] : [2, 3], kind) }, { size: 5, binaryOutput });
add("Bincount", { x: fixed([0, 1, 1, 3]), weights: make([4], "float32") }, { size: 5 });
for (const side of ["left", "right"]) for (const dtype of numbers) add("SearchSorted", { sortedSequence: fixed([1, 2, 3, 5], [1, 4], dtype), values: fixed([0, 2, 6], [1, 3], dtype) }, { side });
for (const dtype of dtypes) for (const shape of [[4], [2, 3], [0]]) add("Unique", { x: make(shape, dtype) }, { axis: 0 });
add("BroadcastArgs", { s0: fixed([2, 1, 3]), s1: fixed([4, 1]) });

// matrices and windows
for (const [a, b] of [[[2, 3], [3, 4]], [[2, 2, 3], [2, 3, 4]], [[1, 2, 3], [5, 3, 4]], [[2, 1, 2, 3], [1, 4, 3, 2]], [[0, 3], [3, 4]], [[2, 0], [0, 3]]]) {
  const whole = (shape) => (shape.length < 3 ? [1, ...shape] : shape);
  add("BatchMatMul", { a: make(a, "float32"), b: make(b, "float32") }, { transposeA: false, transposeB: false });
  const swap = (s) => [...s.slice(0, -2), s.at(-1), s.at(-2)];
  add("BatchMatMul", { a: make(swap(a), "float32"), b: make(swap(b), "float32") }, { transposeA: true, transposeB: true });
  for (const activation of ["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu"]) add("_FusedMatMul", { a: make(whole(a), "float32"), b: make(whole(b), "float32"), bias: make([b.at(-1)], "float32") }, { transposeA: false, transposeB: false, activation, leakyreluAlpha: 0.2 });
  add("_FusedMatMul", { a: make(whole(a), "float32"), b: make(whole(b), "float32"), bias: make([b.at(-1)], "float32"), preluActivationWeights: make([b.at(-1)], "float32") }, { transposeA: false, transposeB: false, activation: "prelu" });
  add("_FusedMatMul", { a: make(swap(whole(a)), "float32"), b: make(swap(whole(b)), "float32"), bias: make([b.at(-1)], "float32") }, { transposeA: true, transposeB: true, activation: "linear" });
  add("_FusedMatMul", { a: make(whole(a), "float32"), b: make(whole(b), "float32"), bias: make([a.at(-2), b.at(-1)], "float32") }, { transposeA: false, transposeB: false, activation: "linear" }, "matrix bias");
  add("_FusedMatMul", { a: make(whole(a), "float32"), b: make(whole(b), "float32"), bias: make([1, b.at(-1)], "float32") }, { transposeA: false, transposeB: false, activation: "linear" }, "row bias");
}
add("BatchMatMul", { a: make([2, 3], "int32"), b: make([3, 2], "int32") }, { transposeA: false, transposeB: false });
for (const pad of ["same", "valid"]) for (const strides of [1, 2]) for (const dilations of [1, 2]) {
  if (strides > 1 && dilations > 1) continue;
  for (const batch of [1, 3]) {
    const conv = { strides: [strides, strides], pad, dilations: [dilations, dilations], dataFormat: "NHWC" };
    add("Conv2D", { x: make([batch, 7, 6, 3], "float32"), filter: make([3, 3, 3, 4], "float32") }, conv);
    add("DepthwiseConv2dNative", { x: make([batch, 7, 6, 3], "float32"), filter: make([3, 3, 3, 2], "float32") }, conv);
    for (const activation of ["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu"]) {
      add("FusedConv2D", { x: make([batch, 7, 6, 3], "float32"), filter: make([3, 3, 3, 4], "float32"), bias: make([4], "float32") }, { ...conv, activation, leakyreluAlpha: 0.2 });
      add("FusedDepthwiseConv2D", { x: make([batch, 7, 6, 3], "float32"), filter: make([3, 3, 3, 1], "float32"), bias: make([3], "float32") }, { ...conv, activation, leakyreluAlpha: 0.2 });
    }
    add("FusedConv2D", { x: make([batch, 7, 6, 3], "float32"), filter: make([3, 3, 3, 4], "float32"), bias: make([4], "float32"), preluActivationWeights: make([4], "float32") }, { ...conv, activation: "prelu" });
    add("FusedConv2D", { x: make([batch, 7, 6, 3], "float32"), filter: make([3, 3, 3, 4], "float32"), bias: make([1, 1, 1, 4], "float32") }, { ...conv, activation: "linear" }, "rank-4 bias");
  }
}
for (const pad of ["same", "valid"]) {
  for (const kernel of ["MaxPool", "AvgPool"]) for (const strides of [1, 2]) add(kernel, { x: make([2, 5, 6, 3], "float32") }, { filterSize: [2, 2], strides: [strides, strides], pad });
  for (const kernel of ["MaxPool3D", "AvgPool3D"]) add(kernel, { x: make([1, 4, 5, 4, 2], "float32") }, { filterSize: [2, 2, 2], strides: [2, 2, 2], pad, dataFormat: "NDHWC" });
  add("MaxPoolWithArgmax", { x: make([1, 4, 4, 2], "float32") }, { filterSize: [2, 2], strides: [2, 2], pad, includeBatchInIndex: true });
  add("Conv3D", { x: make([1, 4, 5, 4, 2], "float32"), filter: make([2, 2, 2, 2, 3], "float32") }, { strides: [1, 1, 1], pad, dataFormat: "NDHWC", dilations: [1, 1, 1] });
  add("Dilation2D", { x: make([1, 5, 5, 2], "float32"), filter: make([2, 2, 2], "float32") }, { strides: [1, 1], pad, dilations: [1, 1] });
  const out = pad === "same" ? [1, 6, 8, 3] : [1, 7, 9, 3];
  add("Conv2DBackpropInput", { dy: make([1, 3, 4, 2], "float32"), filter: make([3, 3, 3, 2], "float32") }, { strides: [2, 2], pad, dataFormat: "NHWC", inputShape: out });
}
for (const kernel of ["ResizeBilinear", "ResizeNearestNeighbor"]) for (const dtype of numbers) for (const size of [[2, 3], [8, 9], [5, 5]]) for (const [alignCorners, halfPixelCenters] of [[false, false], [true, false], [false, true]]) add(kernel, { images: make([2, 5, 5, 3], dtype) }, { size, alignCorners, halfPixelCenters });
for (const method of ["bilinear", "nearest"]) add("CropAndResize", { image: make([2, 6, 6, 3], "float32"), boxes: fixed([0, 0, 0.5, 0.5, 0.2, 0.1, 1.2, 0.9], [2, 4], "float32"), boxInd: fixed([0, 1]) }, { method, extrapolationValue: 0.5, cropSize: [3, 4] });
for (const interpolation of ["bilinear", "nearest"]) for (const fillMode of ["constant", "reflect", "wrap", "nearest"]) add("Transform", { image: make([1, 5, 5, 2], "float32"), transforms: fixed([1, 0.1, -1, 0, 1, 2, 0, 0], [1, 8], "float32") }, { interpolation, fillMode, fillValue: 0.5, outputShape: [4, 6] });
for (const dtype of dtypes) {
  add("DepthToSpace", { x: make([2, 3, 2, 8], dtype) }, { blockSize: 2, dataFormat: "NHWC" });
  add("SpaceToBatchND", { x: make([1, 4, 5, 2], dtype) }, { blockShape: [2, 2], paddings: [[0, 0], [1, 0]] });
  add("BatchToSpaceND", { x: make([4, 2, 3, 2], dtype) }, { blockShape: [2, 2], crops: [[0, 0], [1, 0]] });
}
for (const extra of [{}, { offset: 1, scale: 1 }]) add("FusedBatchNorm", { x: make([2, 3, 3, 4], "float32"), mean: make([4], "float32"), variance: make([4], "float32", "positive"), ...(extra.offset ? { offset: make([4], "float32"), scale: make([4], "float32") } : {}) }, { varianceEpsilon: 0.001 });
add("LRN", { x: make([1, 3, 3, 6], "float32") }, { depthRadius: 2, bias: 1, alpha: 0.5, beta: 0.5 });
const boxes = () => ({ boxes: fixed([0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, 3, 1, 4], [3, 4], "float32"), scores: fixed([0.9, 0.75, 0.6], [3], "float32") });
add("NonMaxSuppressionV3", boxes(), { maxOutputSize: 3, iouThreshold: 0.5, scoreThreshold: 0.1 });
add("NonMaxSuppressionV3", boxes(), { maxOutputSize: 3, iouThreshold: 0.5, scoreThreshold: 0.95 }, "none");
add("NonMaxSuppressionV4", boxes(), { maxOutputSize: 3, iouThreshold: 0.5, scoreThreshold: 0.1, padToMaxOutputSize: true });
add("NonMaxSuppressionV5", boxes(), { maxOutputSize: 3, iouThreshold: 0.5, scoreThreshold: 0.1, softNmsSigma: 0.5 });

/** Runs a case; gives for each output shape, dtype and values. */
function run({ kernel, inputs, attrs }) {
  const tensors = Object.fromEntries(Object.entries(inputs).map(([name, { values, shape, dtype }]) => [name, tf.tensor(values.slice(), shape, dtype)]));
  const given = "0" in tensors ? Object.values(tensors) : tensors;
  const outputs = [tf.engine().runKernel(kernel, given, structuredClone(attrs))].flat();
  const answer = outputs.map((tensor) => ({ shape: tensor.shape, dtype: tensor.dtype, values: [...tensor.dataSync()] }));
  tf.dispose([tensors, outputs]);
  return answer;
}

function differs(got, wanted) {
  if (got.length !== wanted.length) return `${got.length} outputs instead of ${wanted.length}`;
  for (const [i, { shape, dtype, values }] of wanted.entries()) {
    if (got[i].shape.join() !== shape.join()) return `shape [${got[i].shape}] instead of [${shape}]`;
    if (got[i].dtype !== dtype) return `dtype ${got[i].dtype} instead of ${dtype}`;
    const scale = Math.max(1, ...values.filter(Number.isFinite).map(Math.abs));
    for (const [j, value] of values.entries()) {
      const other = got[i].values[j];
      const same = Object.is(value, other) || value === other || Math.abs(other - value) <= 1e-4 * Math.max(1, Math.abs(value)) + (dtype === "float32" ? 1e-6 * scale : 0);
      if (!same) return `${other} instead of ${value}`;
    }
  }
}

const attempt = (task) => {
  try {
    return { answer: run(task) };
  } catch (error) {
    return { error: String(error?.message ?? error).split("\n")[0] };
  }
};

const asked = process.argv.slice(2).filter((name) => !name.startsWith("--"));
const wanted = cases.filter(({ kernel }) => !asked.length || asked.includes(kernel));
await tf.setBackend("cpu");
const right = wanted.map(attempt);
await tf.setBackend("wasm");
let intact = guardMemory(tf.backend().wasm);
const found = new Map();
for (const [number, task] of wanted.entries()) {
  if (right[number].error !== undefined) {
    if (process.argv.includes("--cpu")) console.error(`cpu: ${task.kernel} ${task.note} ${right[number].error}`);
    continue;
  }
  const { answer, error } = attempt(task);
  const problem = [error, answer && differs(answer, right[number].answer)].filter(Boolean);
  const broken = !intact();
  if (broken) problem.push("writes outside of its output");
  const fatal = broken || /memory access|unreachable|RuntimeError/.test(error ?? "");
  if (problem.length) {
    const types = Object.values(task.inputs).map(({ dtype, shape }) => `${dtype}[${shape}]`);
    const line = { inputs: types.join(" "), attrs: JSON.stringify(task.attrs), note: task.note, problem: problem.join("; ") };
    found.set(task.kernel, [...(found.get(task.kernel) ?? []), line]);
  }
  if (fatal) {
    // The heap is not to be trusted any more: another instance.
    const { factory, priority } = tf.engine().registryFactory.wasm;
    tf.backend().dispose = () => {}; // which would read it
    await tf.setBackend("cpu");
    tf.removeBackend("wasm");
    tf.registerBackend("wasm", factory, priority);
    await tf.setBackend("wasm");
    intact = guardMemory(tf.backend().wasm);
  }
}
const ran = new Map();
for (const { kernel } of wanted) ran.set(kernel, (ran.get(kernel) ?? 0) + 1);
if (process.argv.includes("--json")) console.log(JSON.stringify(Object.fromEntries(found), null, 1));
else {
  for (const [kernel, lines] of found) {
    console.log(`${kernel}: ${lines.length} of ${ran.get(kernel)}`);
    for (const { inputs, attrs, note, problem } of lines) console.log(`   ${inputs} ${attrs} ${note}: ${problem}`);
  }
  const known = tf.getKernelsForBackend("wasm").map(({ kernelName }) => kernelName);
  const lacking = tf.getKernelsForBackend("cpu").map(({ kernelName }) => kernelName).filter((name) => !known.includes(name));
  console.log(`${wanted.length} cases of ${ran.size} kernels, ${found.size} differ; cpu has and wasm lacks ${lacking.sort().join(", ")}`);
  console.log(`without a case: ${known.filter((name) => !ran.has(name)).sort().join(", ")}`);
}
