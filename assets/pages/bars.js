/** Classes and how sure a model is of each, as bars. */
import { make } from "./page.js";

/** @typedef {{ label: string, score: number }} Row */

/**
 * Gives the likeliest classes first.
 *
 * @param {ArrayLike<number>} scores
 * @param {string[]} labels
 * @param {number} count
 * @returns {Row[]}
 */
export function rank(scores, labels, count) {
  const rows = Array.from(scores, (score, i) => ({ label: labels[i] ?? String(i), score }));
  return rows.sort((a, b) => b.score - a.score).slice(0, count);
}

/**
 * Fills a list of definitions, of the class `chart`.
 *
 * @param {HTMLElement} list
 * @param {Row[]} rows
 */
export function showBars(list, rows) {
  list.replaceChildren(
    ...rows.map(({ label, score }) => {
      const row = make("div", {}, make("dt", {}, label), make("dd", {}, `${(100 * score).toFixed(1)} %`));
      row.style.setProperty("--share", String(score));
      return row;
    }),
  );
}
