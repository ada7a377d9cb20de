import { ModelError, asModelError } from "./errors.js";
import { resolve } from "./settings.js";

/** @import { Sample } from "../modules/device.js" */
/** @import { Glue } from "../modules/glue.js" */
/** @import { FileSpec } from "./files.js" */

/**
 * A weight as the head describes it.
 *
 * @typedef {object} Weight
 * @property {string} name
 * @property {number[]} shape
 * @property {string} dtype
 * @property {{ dtype: string, scale?: number, min?: number, original_dtype?: string }} [quantization]
 * @property {boolean} exact whether its bytes come as the four planes of the codec `exact`
 * @property {number[]} [steps] of the codecs `steps` and `codes`: ratio, number of channels, how many elements of one lie together
 * @property {number[]} planes bytes of each; those from 2 on refine
 * @property {number} bytes
 * @property {number} owner the weight whose bytes these are: itself, or an earlier one
 * @property {number} stage from which on it can be used
 */

/**
 * @typedef {object} Segment
 * @property {number} weight
 * @property {number} plane
 * @property {number} from first byte of the plane
 * @property {number} to byte behind the last one
 */

/** @typedef {FileSpec & { stage: number, segments: Segment[] }} Shard */

/** @typedef {Record<string, { words: string[], unknown?: number }>} Vocabulary by input: the words, whose places are their ids, and the id of all others */

/**
 * A head that has been checked: its segments cover every plane once.
 *
 * @typedef {object} Head
 * @property {"graph-model" | "layers-model" | "word-vectors"} kind
 * @property {Record<string, any>} artifacts
 * @property {string[] | undefined} labels
 * @property {Vocabulary | undefined} vocabulary
 * @property {Glue | undefined} glue
 * @property {string[] | undefined} modules what `run` needs: the first one does it
 * @property {Sample | undefined} sample
 * @property {string[] | undefined} avoid backends on which the model is wrong or never ends
 * @property {string} contract
 * @property {string} [ops] path of the module that registers its own ops
 * @property {string} model
 * @property {string[]} stages
 * @property {number} refine number of the stage that refines; that of stages where there is none. Of word vectors the second one
 * @property {Weight[]} weights
 * @property {Shard[]} shards
 */

/**
 * Reads a head.
 *
 * @param {Uint8Array} bytes
 * @param {FileSpec} spec where it is from
 * @returns {Head}
 */
export function readHead(bytes, spec) {
  const { model } = spec;
  const [url] = resolve(spec.path, model);
  /** @param {unknown} fine @param {string} what */
  const need = (fine, what) => {
    if (!fine) throw new ModelError("manifest", `${url} is no head this loader reads (${what}): build and publish again`, { model, url });
  };
  try {
    const head = JSON.parse(new TextDecoder().decode(bytes));
    need(head.format === 1, `format ${head.format}, not 1`);
    need(head.name === model, "another model's");
    const words = head.kind === "word-vectors";
    need(words || head.kind === "graph-model" || head.kind === "layers-model", `kind ${head.kind}`);
    need(words || head.artifacts.modelTopology, "no topology");
    const { stages } = head;
    need(stages.length && stages.every((/** @type {unknown} */ stage) => typeof stage === "string"), "stages");
    const last = stages.indexOf("refine");
    const refine = words ? 1 : last < 0 ? stages.length : last;
    need(refine, "stages");
    // Those of word vectors are for their own module to read.
    const weights = words ? head.weights : readWeights(head.weights, need);
    const shards = readShards(head.shards, stages, refine, spec, need);
    if (!words) checkCoverage(weights, shards, refine, need);
    need(!head.ops || /^[0-9a-f]{64}$/.test(head.ops), "ops");
    const ops = head.ops && `assets/${model}-ops.${head.ops.slice(0, 16)}.js`;
    return { ...head, model, ops, refine, weights, shards };
  } catch (error) {
    throw asModelError(error, "manifest", `${url} is damaged: build and publish again`, { model, url });
  }
}

/** @param {unknown} value @returns {value is number} */
const isCount = (value) => Number.isSafeInteger(value) && Number(value) >= 0;

/** @typedef {(fine: unknown, what: string) => void} Need */

/**
 * @param {any[]} list
 * @param {Need} need
 * @returns {Weight[]}
 */
function readWeights(list, need) {
  /** @type {Record<string, number>} */
  const typeSizes = { float32: 4, int32: 4, bool: 1, complex64: 8, string: 4 };
  /** @type {Record<string, number>} */
  const codeSizes = { uint8: 1, uint16: 2, float16: 2 };
  const names = new Set();
  /** @type {Weight[]} */
  const weights = [];
  list.forEach(({ name, shape, dtype, quantization, codec = "raw", steps, bytes, same }, i) => {
    const what = `weight ${i} (${name})`;
    need(typeof name === "string" && !names.has(name), `${what}: name`);
    names.add(name);
    const size = shape.reduce((/** @type {number} */ product, /** @type {unknown} */ n) => (isCount(n) ? product * n : NaN), 1);
    const unit = quantization ? codeSizes[quantization.dtype] : typeSizes[dtype];
    const text = dtype === "string";
    need(typeSizes[dtype] && unit && !(text && quantization), `${what}: dtype`);
    const exact = codec === "exact";
    const total = size * unit;
    need(!steps || (steps.length === 3 && steps.every((/** @type {unknown} */ n) => isCount(n) && n)), `${what}: steps`);
    /** @type {Record<string, number[]>} */
    const layouts = { raw: [total], exact: [size, size, size, size], staged: [total, 0, total], steps: [size, steps?.[1] * 4, size], codes: [size, steps?.[1] * 4] };
    const planes = Object.hasOwn(layouts, codec) ? layouts[codec] : [];
    need(planes.length === 1 || (planes.length && dtype === "float32" && !quantization), `${what}: codec ${codec}`);
    /** @type {Weight} */
    const weight = { name, shape, dtype, quantization, exact, steps: !exact && planes[1] ? steps : undefined, planes, bytes: total, owner: i, stage: 0 };
    // Each string takes at least the four bytes of its length.
    if (text && same === undefined) need(isCount(bytes) && bytes >= weight.bytes, `${what}: bytes`);
    if (text) planes[0] = weight.bytes = bytes;
    if (same !== undefined) {
      const other = weights[same];
      need(other, `${what}: same`);
      if (text) weight.bytes = other.bytes;
      need(other.bytes === weight.bytes, `${what}: same`);
      weight.owner = other.owner;
      weight.planes = other.planes;
    }
    need(isCount(weight.bytes), `${what}: shape`);
    weights.push(weight);
  });
  return weights;
}

/**
 * @param {any[]} list
 * @param {string[]} stages
 * @param {number} refine
 * @param {FileSpec} spec that of the head
 * @param {Need} need
 * @returns {Shard[]}
 */
function readShards(list, stages, refine, spec, need) {
  let n = 0;
  let before = 0;
  return list.map(({ stage, bytes, wire, sha256, segments }, i) => {
    need(isCount(stage) && stage >= before && stage < stages.length, `shard ${i}: stage`);
    need(/^[0-9a-f]{64}$/.test(sha256) && isCount(bytes), `shard ${i}: sha256`);
    if (stage > before) n = 0;
    before = stage;
    return {
      model: spec.model,
      path: `assets/${spec.model}-${stages[stage]}-${n++}.${sha256.slice(0, 16)}.bin`,
      bytes,
      wire,
      sha256,
      refines: stage >= refine,
      stage,
      segments: segments.map((/** @type {any} */ [weight, plane, from, to]) => ({ weight, plane, from, to })),
    };
  });
}

/**
 * Completes the segments of whole planes, and checks that each plane comes once, in order and in a stage that may have
 * it, and that the shards hold just that.
 *
 * @param {Weight[]} weights
 * @param {Shard[]} shards
 * @param {number} refine
 * @param {Need} need
 */
function checkCoverage(weights, shards, refine, need) {
  const ends = weights.map(({ planes }) => planes.map(() => 0));
  shards.forEach(({ stage, bytes, segments }, i) => {
    let length = 0;
    for (const segment of segments) {
      const { weight, plane } = segment;
      const end = weights[weight]?.owner === weight ? ends[weight][plane] : undefined;
      need(end !== undefined && stage < refine === plane < 2, `shard ${i}: plane`);
      segment.from ??= 0;
      segment.to ??= weights[weight].planes[plane];
      need(segment.from === end && isCount(segment.to) && segment.to >= end, `shard ${i}: gap`);
      ends[weight][plane] = segment.to;
      if (stage < refine) weights[weight].stage = stage;
      length += segment.to - segment.from;
    }
    need(length === bytes, `shard ${i}: bytes`);
  });
  weights.forEach((weight, i) => {
    const { name, owner, planes } = weight;
    weight.stage = weights[owner].stage;
    need(owner !== i || ends[i].every((end, plane) => end === planes[plane]), `weight ${name}: gap`);
  });
}
