/** @import { Encoded } from "../modules/tokens.js" */
/** @import { Spec } from "./spec.js" */

/**
 * Cuts ids off, puts a template's ids around them, and fills all up to one length.
 *
 * @param {Spec} spec
 * @param {number[][][]} texts ids of each text, or of two that belong together
 * @param {number} [fixed] length of the model's input
 * @returns {Encoded[]}
 */
export function frame({ truncate, single = [["a", 0]], pair = [["a", 0], ["b", 1]], pad }, texts, fixed) {
  const limit = Math.min(truncate?.length ?? Infinity, fixed ?? Infinity);
  const encoded = texts.map((given) => {
    const template = given.length > 1 ? pair : single;
    const room = Math.max(0, limit - template.filter(([id]) => typeof id === "number").length);
    const sizes = sizesOf(given.map(({ length }) => length), room, truncate?.from);
    const parts = given.map((ids, i) => (truncate?.side === "left" ? ids.slice(ids.length - sizes[i]) : ids.slice(0, sizes[i])));
    /** @type {Encoded} */
    const found = { ids: [], mask: [], types: [] };
    for (const [id, type] of template) {
      for (const one of typeof id === "number" ? [id] : parts[id === "a" ? 0 : 1]) {
        found.ids.push(one);
        found.mask.push(1);
        found.types.push(type);
      }
    }
    return found;
  });
  const longest = encoded.reduce((most, { ids }) => Math.max(most, ids.length), pad.length ?? 0);
  const length = fixed ?? Math.ceil(longest / (pad.multiple ?? 1)) * (pad.multiple ?? 1);
  const { id, type, side } = pad;
  for (const { ids, mask, types } of encoded) {
    for (const [list, value] of /** @type {[number[], number][]} */ ([[ids, id], [mask, 0], [types, type]])) {
      const missing = new Array(Math.max(0, length - list.length)).fill(value);
      list.splice(side === "left" ? 0 : list.length, 0, ...missing);
    }
  }
  return encoded;
}

/**
 * How many ids of each text are kept.
 *
 * @param {number[]} lengths
 * @param {number} room for all together
 * @param {string} [from] which text gives way
 */
function sizesOf(lengths, room, from = "longest") {
  const excess = lengths.reduce((sum, length) => sum + length, 0) - room;
  if (excess <= 0) return lengths;
  if (!room) return lengths.map(() => 0);
  if (from !== "longest") {
    const which = from === "first" ? 0 : 1;
    if (!(lengths[which] > excess)) throw new RangeError(`A text is too long: there is room for ${room} ids, and only the ${from} text may be cut off`);
    return lengths.map((length, i) => (i === which ? length - excess : length));
  }
  if (lengths.length < 2) return [room];
  const swap = lengths[0] > lengths[1];
  let [short, long] = swap ? [lengths[1], lengths[0]] : lengths;
  long = short > room ? short : Math.max(short, room - short);
  if (short + long > room) {
    short = Math.floor(room / 2);
    long = short + (room % 2);
  }
  return swap ? [long, short] : [short, long];
}
