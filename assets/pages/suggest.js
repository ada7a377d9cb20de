/** Suggestions under a text field: arrow keys, Enter, Escape, pointer, and screen readers by the combobox pattern. */
import { make } from "./page.js";

/**
 * @param {HTMLInputElement} input gets a list below it
 * @param {(text: string) => string[]} complete
 * @param {(text: string) => void} [choose] told what was picked
 */
export function suggest(input, complete, choose = () => {}) {
  const list = make("ul", { id: `${input.id}-list`, hidden: true });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", input.labels?.[0]?.textContent ?? "");
  const place = make("div", { className: "suggesting" });
  input.replaceWith(place);
  place.append(input, list);
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false" })) {
    input.setAttribute(name, value);
  }
  input.autocomplete = "off";
  input.setAttribute("autocapitalize", "none");
  input.spellcheck = false;
  let at = -1;

  /** @param {number} chosen */
  const mark = (chosen) => {
    at = chosen;
    for (const [i, item] of [...list.children].entries()) item.setAttribute("aria-selected", String(i === at));
    if (at < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", list.children[at].id);
  };
  /** @param {string[]} words */
  const show = (words) => {
    list.replaceChildren(
      ...words.map((word, i) => {
        const item = make("li", { id: `${list.id}-${i}` }, word);
        item.setAttribute("role", "option");
        // A click would take the focus away first.
        item.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          pick(word);
        });
        return item;
      }),
    );
    list.hidden = !words.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    mark(-1);
  };
  /** @param {string} word */
  const pick = (word) => {
    input.value = word;
    show([]);
    choose(word);
  };
  const renew = () => {
    const text = input.value.trim();
    const words = text ? complete(text).filter((word) => word !== text) : [];
    show(document.activeElement === input ? words : []);
  };
  input.addEventListener("input", renew);
  input.addEventListener("blur", () => show([]));
  input.addEventListener("keydown", (event) => {
    const count = list.children.length;
    if (event.isComposing || !count) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      // Minus one stands for the field itself.
      const step = event.key === "ArrowDown" ? 1 : -1;
      mark(((at + 1 + step + count + 1) % (count + 1)) - 1);
    } else if (event.key === "Enter" && at >= 0) pick(list.children[at].textContent ?? "");
    else if (event.key === "Escape") show([]);
    else return;
    event.preventDefault();
  });
  return { renew, close: () => show([]) };
}
