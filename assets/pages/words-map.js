/** A map of some words: their vectors seen from the side where they differ most (principal components). */

/** @typedef {{ word: string, x: number, y: number }} Place */

/**
 * Gives the first two principal components of some rows, by power iteration on the matrix of their products.
 *
 * @param {number[][]} rows
 * @returns {[number, number][]}
 */
export function project(rows) {
  const dim = rows[0]?.length ?? 0;
  const mean = Array.from({ length: dim }, (_, i) => rows.reduce((sum, row) => sum + row[i], 0) / rows.length);
  const centred = rows.map((row) => row.map((value, i) => value - mean[i]));
  const products = centred.map((a) => centred.map((b) => a.reduce((sum, value, i) => sum + value * b[i], 0)));
  /** @type {number[][]} */
  const axes = [];
  for (let axis = 0; axis < 2; axis++) {
    let vector = rows.map((_, i) => Math.sin(1 + i * (axis + 1)));
    let size = 0;
    for (let step = 0; step < 200; step++) {
      for (const earlier of axes) {
        const share = dot(vector, earlier) / (dot(earlier, earlier) || 1);
        vector = vector.map((value, i) => value - share * earlier[i]);
      }
      const next = products.map((row) => dot(row, vector));
      size = Math.sqrt(dot(next, next));
      if (!size) break;
      vector = next.map((value) => value / size);
    }
    // Turned so that the first word, the one that was asked for, is on the positive side.
    const turn = (vector[0] < 0 ? -1 : 1) * Math.sqrt(size);
    axes.push(vector.map((value) => (size ? value * turn : 0)));
  }
  return rows.map((_, i) => [axes[0][i], axes[1][i]]);
}

/** @param {number[]} a @param {number[]} b */
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/**
 * Puts points into a box, and moves labels apart that would lie on each other.
 *
 * @param {string[]} words
 * @param {[number, number][]} points
 * @param {number} width
 * @param {number} height
 * @returns {(Place & { label: number })[]} `label` is the height of the label's base line
 */
export function layOut(words, points, width, height) {
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  /** @param {number[]} values @param {number} from @param {number} to */
  const scale = (values, from, to) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return values.map((value) => (high > low ? from + ((value - low) / (high - low)) * (to - from) : (from + to) / 2));
  };
  const longest = Math.max(...words.map(wide));
  const [left, top] = [scale(xs, 20, Math.max(60, width - 24 - longest)), scale(ys, height - 24, 24)];
  const places = words.map((word, i) => ({ word, x: left[i], y: top[i], label: top[i] + 5 }));
  for (let step = 0; step < 60; step++) {
    for (const a of places) {
      for (const b of places) {
        const close = Math.abs(a.label - b.label) < 17 && a.x < b.x + wide(b.word) + 14 && b.x < a.x + wide(a.word) + 14;
        if (a === b || !close) continue;
        const [upper, lower] = a.label <= b.label ? [a, b] : [b, a];
        upper.label = Math.max(16, upper.label - 1);
        lower.label = Math.min(height - 6, lower.label + 1);
      }
    }
  }
  return places;
}

/** About how wide a word is, in pixels. @param {string} word */
const wide = (word) => [...word].reduce((sum, letter) => sum + (letter > "⺀" ? 14.5 : 8), 0);

/**
 * Draws a map.
 *
 * @param {Element} figure
 * @param {(Place & { label: number })[]} places the first is the word that was asked for
 * @param {number} width
 * @param {number} height
 * @param {string} name what the map is, for those who cannot see it
 */
export function draw(figure, places, width, height, name) {
  /** @param {string} tag @param {Record<string, string | number>} attributes @param {(Node | string)[]} children */
  const make = (tag, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
    element.append(...children);
    return element;
  };
  const [asked] = places;
  const lines = places.slice(1).map(({ x, y }) => make("line", { x1: asked.x, y1: asked.y, x2: x, y2: y }));
  const marks = places.map(({ word, x, y, label }, i) =>
    make("g", i ? {} : { class: "asked" }, make("circle", { cx: x, cy: y, r: i ? 4 : 6 }), make("text", { x: x + 9, y: label }, word)),
  );
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name }, ...lines, ...marks.reverse());
  figure.replaceChildren(svg);
}
