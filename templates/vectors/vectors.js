/*! Shardpress word vectors, bundle format 1 */

/** @typedef {{ word: string, score: number }} Neighbour a word and its cosine similarity, -1 to 1 */
/** @typedef {string | ArrayLike<number>} Query a word of the vocabulary, or a vector of `dim` numbers */
/** @typedef {{ weight: number, plane: number, from?: number, to?: number }} Segment */
/** @typedef {{ name: string, shape: number[], dtype: string, quantization?: { dtype: string }, codec?: string, bytes?: number }} Weight */

/**
 * Rows that came together, in the order of their words' bytes within each run.
 *
 * @typedef {object} Block
 * @property {number} first row
 * @property {number} rows
 * @property {Uint8Array} letters of all words, UTF-8
 * @property {Uint32Array} starts of the words among them, and the end
 * @property {number[]} runs first rows of the ascending runs, counted in the block, and the end
 * @property {Int8Array} codes
 * @property {Float32Array} scales value of a code, for each row
 * @property {Float32Array} lengths Euclidean, of the codes of each row
 */

/** Words and their vectors: those that have come so far, the most frequent ones first. */
export class WordVectors {
  /** @type {Block[]} in order of rows */
  #blocks = [];
  #encoder = new TextEncoder();
  #decoder = new TextDecoder();

  /**
   * @param {number} rows
   * @param {number} dim
   */
  constructor(rows, dim) {
    /** Rows of the whole table. */
    this.rows = rows;
    /** Numbers in a vector. */
    this.dim = dim;
  }

  /** Rows that are here. */
  get size() {
    return this.#blocks.reduce((sum, { rows }) => sum + rows, 0);
  }

  /** @param {string} word */
  has(word) {
    return this.#find(word) !== undefined;
  }

  /**
   * @param {string} word
   * @returns {Float32Array | undefined} nothing for a word that is not there, or not yet
   */
  vector(word) {
    const found = this.#find(word);
    return found && this.#values(found);
  }

  /**
   * Words that begin with some letters, the more frequent ones first, as far as the order of rows tells.
   *
   * @param {string} prefix
   * @param {number} [k]
   * @returns {string[]}
   */
  complete(prefix, k = 10) {
    const letters = this.#encoder.encode(prefix);
    /** @type {string[]} */
    const words = [];
    for (const block of this.#blocks) {
      for (let run = 0; run + 1 < block.runs.length; run++) {
        const end = block.runs[run + 1];
        for (let row = lowest(block, run, letters); row < end && order(block, row, letters, letters.length) === 0; row++) {
          if (words.length >= k) return words;
          words.push(this.#word(block, row));
        }
      }
    }
    return words;
  }

  /**
   * Cosine similarity.
   *
   * @param {Query} a
   * @param {Query} b
   */
  similarity(a, b) {
    const [left, right] = [this.#unit(a), this.#unit(b)];
    return left.reduce((sum, value, i) => sum + value * right[i], 0);
  }

  /**
   * The words most like a word or a vector, by cosine; the word itself is left out. It works in slices of 8 ms, on the
   * rows that are here when it is called.
   *
   * @param {Query} query
   * @param {number} [k]
   * @param {{ signal?: AbortSignal, without?: string[] }} [options]
   * @returns {Promise<Neighbour[]>} best first
   */
  async nearest(query, k = 10, { signal, without = [] } = {}) {
    const skip = typeof query === "string" ? [query, ...without] : without;
    return this.#search(this.#unit(query), k, skip, signal);
  }

  /**
   * Words that are to `c` as `b` is to `a`: those nearest to b - a + c, all three of length 1 and left out of the answer.
   *
   * @param {string} a
   * @param {string} b
   * @param {string} c
   * @param {number} [k]
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<Neighbour[]>} best first
   */
  async analogy(a, b, c, k = 10, { signal } = {}) {
    const [from, to, other] = [a, b, c].map((word) => this.#unit(word));
    return this.#search(
      other.map((value, i) => value + to[i] - from[i]),
      k,
      [a, b, c],
      signal,
    );
  }

  /** Gives up all rows. */
  dispose() {
    this.#blocks = [];
  }

  /**
   * Takes rows in; for the loader.
   *
   * @param {Block} block
   */
  take(block) {
    this.#blocks = [...this.#blocks, block].sort((a, b) => a.first - b.first);
  }

  /** @param {string} word */
  #find(word) {
    const letters = this.#encoder.encode(word);
    for (const block of this.#blocks) {
      for (let run = 0; run + 1 < block.runs.length; run++) {
        const row = lowest(block, run, letters);
        if (row < block.runs[run + 1] && order(block, row, letters) === 0) return { block, row };
      }
    }
  }

  /** @param {Block} block @param {number} row */
  #word({ letters, starts }, row) {
    return this.#decoder.decode(letters.subarray(starts[row], starts[row + 1]));
  }

  /** @param {{ block: Block, row: number }} place */
  #values({ block: { codes, scales }, row }) {
    return Float32Array.from(codes.subarray(row * this.dim, (row + 1) * this.dim), (code) => code * scales[row]);
  }

  /**
   * @param {Query} query
   * @returns {Float64Array} of length 1, or zeros
   */
  #unit(query) {
    const values = typeof query === "string" ? this.vector(query) : query;
    if (!values) throw new RangeError(`${query} is not in the vocabulary, or has not come yet`);
    if (values.length !== this.dim) throw new RangeError(`A vector has ${this.dim} numbers, not ${values.length}`);
    const wide = Float64Array.from(values);
    const length = Math.sqrt(wide.reduce((sum, value) => sum + value * value, 0));
    return length ? wide.map((value) => value / length) : wide;
  }

  /**
   * @param {Float64Array} target
   * @param {number} k
   * @param {string[]} without
   * @param {AbortSignal | undefined} signal
   */
  async #search(target, k, without, signal) {
    const { dim } = this;
    const breathe = breather();
    const length = Math.sqrt(target.reduce((sum, value) => sum + value * value, 0)) || 1;
    const left = without.flatMap((word) => this.#find(word) ?? []);
    /** @type {{ block: Block, row: number, score: number }[]} best first */
    const best = [];
    for (const block of this.#blocks) {
      const { rows, codes, lengths } = block;
      const skip = new Set(left.filter((place) => place.block === block).map(({ row }) => row));
      for (let row = 0, at = 0; row < rows; row++) {
        let sum = 0;
        for (let i = 0; i < dim; i++) sum += target[i] * codes[at++];
        const score = sum / (length * lengths[row]);
        // Rows of zeros have no direction: their score is no number.
        if ((best.length < k || score > best[k - 1].score) && !skip.has(row) && score === score) {
          let place = best.length;
          while (place && best[place - 1].score < score) place--;
          best.splice(place, 0, { block, row, score });
          best.length = Math.min(best.length, k);
        }
        if (row % 128 === 0) {
          await breathe();
          signal?.throwIfAborted();
        }
      }
    }
    return best.map(({ block, row, score }) => ({ word: this.#word(block, row), score }));
  }
}

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
 * Puts front-coded words together.
 *
 * @param {Uint8Array} bytes lengths in common, lengths of the rest, the rests
 * @param {number} count
 * @returns {Pick<Block, "letters" | "starts" | "runs">}
 */
function readWords(bytes, count) {
  let at = 0;
  const numbers = () =>
    Uint32Array.from({ length: count }, () => {
      let number = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++];
        number |= (byte & 0x7f) << shift;
        if (!(byte & 0x80)) return number;
      }
    });
  const [common, lengths] = [numbers(), numbers()];
  const starts = new Uint32Array(count + 1);
  for (let row = 0; row < count; row++) starts[row + 1] = starts[row] + common[row] + lengths[row];
  if (at + lengths.reduce((sum, length) => sum + length, 0) !== bytes.length) throw new Error("a vocabulary is damaged");
  const letters = new Uint8Array(starts[count]);
  const runs = [0];
  for (let row = 0; row < count; row++) {
    const [start, shared] = [starts[row], common[row]];
    const before = starts[row - 1] ?? 0;
    if (shared > start - before) throw new Error("a vocabulary is damaged");
    letters.copyWithin(start, before, before + shared);
    letters.set(bytes.subarray(at, (at += lengths[row])), start + shared);
    if (row && order({ letters, starts }, row - 1, letters.subarray(start, starts[row + 1])) > 0) runs.push(row);
  }
  return { letters, starts, runs: [...runs, count] };
}

/** @param {Uint8Array} bytes upper halves of float32 */
function readScales(bytes) {
  const halves = new Uint16Array(bytes.buffer);
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}

/**
 * @param {Int8Array} codes
 * @param {number} dim
 * @param {number} count
 */
function lengthsOf(codes, dim, count) {
  return Float32Array.from({ length: count }, (_, row) => {
    let sum = 0;
    for (let at = row * dim, end = at + dim; at < end; at++) sum += codes[at] * codes[at];
    return Math.sqrt(sum);
  });
}

/**
 * Compares a word with some letters, by their bytes: below 0 where the word comes first.
 *
 * @param {Pick<Block, "letters" | "starts">} block
 * @param {number} row
 * @param {Uint8Array} wanted
 * @param {number} [limit] how many letters of the word count
 */
function order({ letters, starts }, row, wanted, limit = Infinity) {
  const start = starts[row];
  const length = Math.min(starts[row + 1] - start, limit);
  const end = Math.min(length, wanted.length);
  for (let i = 0; i < end; i++) {
    const difference = letters[start + i] - wanted[i];
    if (difference) return difference;
  }
  return length - wanted.length;
}

/**
 * The first row of a run whose word does not come before some letters.
 *
 * @param {Block} block
 * @param {number} run
 * @param {Uint8Array} wanted
 */
function lowest(block, run, wanted) {
  let [low, high] = [block.runs[run], block.runs[run + 1]];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (order(block, middle, wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Gives a function that, awaited between steps of long work, hands the thread back every 8 ms. */
function breather() {
  let start = performance.now();
  return async () => {
    if (performance.now() - start < 8) return;
    const { scheduler } = /** @type {any} */ (globalThis);
    await (scheduler?.yield ? scheduler.yield() : new Promise((resolve) => setTimeout(resolve)));
    start = performance.now();
  };
}
