import { breather } from "../loader/wait.js";
import { lowest, order } from "./blocks.js";

/** @import { Block } from "./blocks.js" */

/** @typedef {{ word: string, score: number }} Neighbour a word and its cosine similarity, -1 to 1 */
/** @typedef {string | ArrayLike<number>} Query a word of the vocabulary, or a vector of `dim` numbers */

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
