/**
 * Reads whole numbers of seven bits a byte.
 *
 * @param {Uint8Array} bytes
 * @param {number} count
 * @param {number} [at] where they begin
 * @returns {[Uint32Array, number]} the numbers, and where they end
 */
export function readNumbers(bytes, count, at = 0) {
  const numbers = Uint32Array.from({ length: count }, () => {
    let number = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      number |= (byte & 0x7f) << shift;
      if (!(byte & 0x80)) return number;
    }
  });
  return [numbers, at];
}

/**
 * Puts front-coded words together, see the codec `front` in docs/format.md.
 *
 * @param {Uint8Array} bytes lengths in common, lengths of the rest, the rests
 * @param {number} count
 * @returns {{ letters: Uint8Array, starts: Uint32Array }} all words in UTF-8, and where each begins, and the end
 */
export function readFront(bytes, count) {
  const [common, middle] = readNumbers(bytes, count);
  const [lengths, end] = readNumbers(bytes, count, middle);
  let at = end;
  const starts = new Uint32Array(count + 1);
  for (let row = 0; row < count; row++) starts[row + 1] = starts[row] + common[row] + lengths[row];
  if (at + lengths.reduce((sum, length) => sum + length, 0) !== bytes.length) throw new Error("a vocabulary is damaged");
  const letters = new Uint8Array(starts[count]);
  for (let row = 0; row < count; row++) {
    const [start, shared] = [starts[row], common[row]];
    const before = starts[row - 1] ?? 0;
    if (shared > start - before) throw new Error("a vocabulary is damaged");
    letters.copyWithin(start, before, before + shared);
    letters.set(bytes.subarray(at, (at += lengths[row])), start + shared);
  }
  return { letters, starts };
}
