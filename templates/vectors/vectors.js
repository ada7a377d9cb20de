/*! Shardpress word vectors, bundle format 1 */
import { lengthsOf, readScales, readWords } from "./blocks.js";
import { WordVectors } from "./table.js";

/** @import { Head } from "../loader/head.js" */
/** @import { Work } from "../loader/work.js" */

export { WordVectors };

/** @typedef {{ weight: number, plane: number, from?: number, to?: number }} Segment */
/** @typedef {{ name: string, shape: number[], dtype: string, quantization?: { dtype: string }, codec?: string, bytes?: number }} Weight */

/**
 * Makes word vectors of a head, and what takes their shards, each of which is a block of rows by itself.
 *
 * @param {{ weights: Weight[] }} head
 * @returns {{ model: WordVectors, add: (shard: { segments: Segment[] }, bytes: Uint8Array) => void }}
 */
export function openVectors({ weights }) {
  const [rows, dim] = weights.find(({ name }) => name === "vectors")?.shape ?? [];
  /** @type {Record<string, number>} */
  const sizes = { words: weights.find(({ name }) => name === "words")?.bytes ?? 0, scales: 2 * rows, vectors: rows * dim };
  const model = new WordVectors(rows, dim);
  return {
    model,
    add({ segments }, bytes) {
      /** @type {Record<string, Uint8Array>} */
      const parts = {};
      let first = 0;
      let offset = 0;
      for (const { weight, from = 0, to = sizes[weights[weight].name] } of segments) {
        const { name } = weights[weight];
        // The bytes may be somebody else's as well, and may lie where floats cannot.
        parts[name] = bytes.slice(offset, (offset += to - from));
        if (name === "vectors") first = from / dim;
      }
      const { words, scales, vectors } = parts;
      const count = vectors.length / dim;
      if (!Number.isInteger(first) || !Number.isInteger(count) || scales.length !== 2 * count || offset !== bytes.length) {
        throw new Error("a shard holds no whole rows");
      }
      const codes = new Int8Array(vectors.buffer);
      model.take({
        first,
        rows: count,
        ...readWords(words, count),
        codes,
        scales: readScales(scales),
        lengths: lengthsOf(codes, dim, count),
      });
    },
  };
}

/**
 * Takes the blocks of a table of word vectors, which answers from its first stage on.
 *
 * @param {Work} work gets the table
 * @param {Head} head
 */
export async function takeVectors(work, head) {
  const { job, reports } = work;
  const { model, add } = openVectors(/** @type {any} */ (head));
  work.model = model;
  for (const [number, name] of head.stages.entries()) {
    reports.tell({ phase: name });
    await job.stage(head, number, add);
    work.stage(name).resolve(model);
    work.ready.resolve(model);
    if (head.stages[number + 1]) work.attained(name);
  }
}
