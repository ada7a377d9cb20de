/*! Shardpress SHA-256, imported by the loader where crypto.subtle is missing */

/**
 * SHA-256 as FIPS 180-4 has it.
 *
 * @param {Uint8Array} bytes
 */
export function digest(bytes) {
  const { keys, start } = hashConstants();
  const state = Int32Array.from(start);
  const words = new Int32Array(64);
  const padded = new Uint8Array(((bytes.length + 72) >> 6) << 6);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, bytes.length / 0x20000000);
  view.setUint32(padded.length - 4, bytes.length << 3);
  /** @param {number} x @param {number} n */
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  for (let offset = 0; offset < padded.length; offset += 64) {
    for (let i = 0; i < 64; i++) {
      if (i < 16) {
        words[i] = view.getInt32(offset + 4 * i);
      } else {
        const x = words[i - 15];
        const y = words[i - 2];
        words[i] = words[i - 16] + words[i - 7] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
      }
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const t = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + keys[i] + words[i]) | 0;
      const u = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = (d + t) | 0;
      d = c;
      c = b;
      b = a;
      a = (t + u) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] += word));
  }
  const view32 = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => view32.setInt32(4 * i, word));
  return new Uint8Array(view32.buffer);
}

/** First 32 fractional bits of the cube roots and square roots of the first primes: computed, so as not to be sent. */
function hashConstants() {
  const keys = [];
  const start = [];
  for (let n = 2; keys.length < 64; n++) {
    let prime = true;
    for (let i = 2; i * i <= n; i++) prime &&= n % i > 0;
    if (prime) {
      if (start.length < 8) start.push((Math.sqrt(n) * 0x100000000) | 0);
      keys.push((Math.cbrt(n) * 0x100000000) | 0);
    }
  }
  return { keys, start };
}
