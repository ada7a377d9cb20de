/** Drawings that nobody drew: circles, crosses, lines and waves, never twice the same. */

/** @typedef {[number, number][]} Line points in 0..1 */

const points = 24;
const spread = (/** @type {number} */ width) => (Math.random() - 0.5) * width;

/** @type {(() => Line[])[]} in the order of the page's classes */
export const samples = [
  () => {
    const [wide, high, start] = [0.3 + spread(0.15), 0.3 + spread(0.15), Math.random() * 2 * Math.PI];
    return [along((t) => [0.5 + wide * Math.cos(start + t * 2 * Math.PI), 0.5 + high * Math.sin(start + t * 2 * Math.PI)])];
  },
  () => {
    const bars = [Math.PI / 4, -Math.PI / 4].map((turn) => bar(turn + spread(0.4)));
    return bars;
  },
  () => [bar(spread(0.5))],
  () => {
    const [high, start, waves] = [0.16 + spread(0.06), Math.random() * Math.PI, 1.6 + spread(0.5)];
    return [along((t) => [0.1 + 0.8 * t, 0.5 + high * Math.sin(start + t * waves * 2 * Math.PI)])];
  },
];

/** @param {(t: number) => [number, number]} at @returns {Line} */
const along = (at) => Array.from({ length: points + 1 }, (_, i) => at(i / points));

/** @param {number} turn @returns {Line} */
function bar(turn) {
  const half = 0.36 + spread(0.1);
  return along((t) => [0.5 + (2 * t - 1) * half * Math.cos(turn), 0.5 + (2 * t - 1) * half * Math.sin(turn) + spread(0.01)]);
}
