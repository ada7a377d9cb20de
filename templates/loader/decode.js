/** The bytes of a model's weights, put together as its shards come in. */
class WeightBytes {
  /** @param {Weight[]} weights */
  constructor(weights) {
    this.weights = weights;
    /** @type {(ArrayBuffer | undefined)[]} */
    this.buffers = [];
  }

  /** @param {number} i index of a weight */
  buffer(i) {
    const { owner, bytes } = this.weights[i];
    return (this.buffers[owner] ??= new ArrayBuffer(bytes));
  }

  /**
   * @param {Shard} shard
   * @param {Uint8Array} bytes all of it
   */
  add(shard, bytes) {
    let offset = 0;
    for (const { weight, plane, from, to } of shard.segments) {
      const part = bytes.subarray(offset, (offset += to - from));
      const buffer = this.buffer(weight);
      if (this.weights[weight].exact) addPlane(new Uint32Array(buffer), plane, part, from);
      else new Uint8Array(buffer).set(part, from);
    }
  }

  /** Puts into every exact weight the midpoint of what its later planes will say. */
  async fill() {
    const breathe = breather();
    for (const [i, { exact, owner }] of this.weights.entries()) {
      if (!exact || owner !== i) continue;
      const words = new Uint32Array(this.buffer(i));
      for (let start = 0; start < words.length; start += 1 << 18) {
        fillMidpoints(words.subarray(start, start + (1 << 18)));
        await breathe();
      }
    }
  }

  /** What TensorFlow.js calls weight specs. */
  specs() {
    return this.weights.map(({ name, shape, dtype, quantization }) => ({ name, shape, dtype, ...(quantization && { quantization }) }));
  }

  /** One buffer for each weight that has bytes, in order. */
  data() {
    const buffers = this.weights.map((_, i) => this.buffer(i)).filter(({ byteLength }) => byteLength);
    // TensorFlow.js 4.22 takes [8, 100] for buffers of 8 bytes each: an empty one at the end makes it look.
    return [...buffers, new ArrayBuffer(0)];
  }
}

/**
 * Writes a run of bytes of one plane of the codec `exact`.
 *
 * @param {Uint32Array} words the weight's elements, as their bits
 * @param {number} plane
 * @param {Uint8Array} bytes
 * @param {number} from index of the element that the first byte belongs to
 */
function addPlane(words, plane, bytes, from) {
  const { length } = bytes;
  if (plane === 0) for (let i = 0; i < length; i++) words[from + i] |= bytes[i] << 23;
  else if (plane === 1) for (let i = 0; i < length; i++) words[from + i] |= ((bytes[i] & 0x80) << 24) | ((bytes[i] & 0x7f) << 16);
  else if (plane === 2) for (let i = 0; i < length; i++) words[from + i] = (words[from + i] & 0xffff00ff) | (bytes[i] << 8);
  else for (let i = 0; i < length; i++) words[from + i] |= bytes[i];
}

/**
 * Sets the 16 missing bits to the middle of their range; zeros, infinities and NaN stay.
 *
 * @param {Uint32Array} words
 */
function fillMidpoints(words) {
  for (let i = 0; i < words.length; i++) {
    const bits = words[i];
    if (bits & 0x7fff0000 && ~bits & 0x7f800000) words[i] |= 0x8000;
  }
}
