/** Two pictures of one place, with an edge between them that a pointer, a finger or the arrow keys move. */
import { make, texts } from "./page.js";

const { put, text } = texts({
  en: { before: "Before", after: "After", edge: "How much of the picture shows the result", value: "{share} % after" },
  zh: { before: "之前", after: "之后", edge: "显示结果的范围", value: "{share}% 为处理后" },
});

/**
 * Shows a picture alone, which says itself what it shows, or what became of it beside it.
 *
 * @param {HTMLElement} element is filled
 * @param {HTMLCanvasElement} before
 * @param {HTMLCanvasElement} [after] of the same shape; it may still be drawn on
 */
export function compare(element, before, after) {
  element.classList.add("stage", "compare");
  element.style.setProperty("--ratio", String(before.width / before.height));
  before.setAttribute("role", "img");
  if (!after) {
    element.replaceChildren(before);
    return;
  }
  put(before, "before", {}, "aria-label");
  after.setAttribute("role", "img");
  put(after, "after", {}, "aria-label");
  const edge = make("input", { type: "range", min: "0", max: "100", step: "1", value: "50" });
  const share = () => String(100 - Number(edge.value));
  const move = () => {
    element.style.setProperty("--at", `${edge.value}%`);
    edge.setAttribute("aria-valuetext", text("value", { share }));
  };
  put(edge, "value", { share }, "aria-valuetext");
  put(edge, "edge", {}, "aria-label");
  edge.addEventListener("input", move);
  move();
  const tags = ["before", "after"].map((side) => {
    const tag = make("span", { className: `tag ${side}` });
    put(tag, side);
    return tag;
  });
  element.replaceChildren(before, after, make("span", { className: "edge" }), ...tags, edge);
}
