/** The languages of the pages: which one is on, texts that are written again when it changes. */
import { called } from "./names.js";

/** @typedef {"en" | "zh"} Language */
/** @typedef {Record<Language, Record<string, string>>} Dictionary */
/**
 * What stands for `{name}` in a text; ids in `{model}`, `{stage}`, `{phase}`, `{format}` and `{code}` are written by their names.
 *
 * @typedef {Record<string, string | number | (() => string)>} Values
 */

const root = document.documentElement;

/** @returns {Language} */
export const language = () => (root.lang.startsWith("zh") ? "zh" : "en");

/** @type {Map<Element, () => void>} */
const written = new Map();
/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * Calls back after each change of the language.
 *
 * @param {() => void} listener
 */
export const onLanguage = (listener) => void listeners.add(listener);

/**
 * Changes the language of the page as it is: nothing is loaded again.
 *
 * @param {Language} chosen
 */
export function setLanguage(chosen) {
  root.lang = chosen === "zh" ? "zh-Hans" : "en";
  try {
    localStorage.setItem("shardpress-language", chosen);
  } catch {
    // Then the choice lasts as long as the address.
  }
  const address = new URL(location.href);
  address.searchParams.set("lang", chosen);
  history.replaceState(history.state, "", address);
  speak();
}

/** Writes all texts of the page in its language. */
export function speak() {
  for (const element of document.querySelectorAll("[data-zh], [data-zh-label], [data-zh-alt], [data-zh-placeholder]")) translate(element);
  for (const [element, write] of written) {
    if (element.isConnected) write();
    else written.delete(element);
  }
  for (const listener of listeners) listener();
}

/**
 * `data-zh` is the Chinese text of an element whose English is in place; `data-zh-label`, `-alt` and `-placeholder` are
 * those of its attributes. Texts of the first screen are spans with `lang` instead, which need no script.
 *
 * @param {Element} element
 */
function translate(element) {
  const { dataset } = /** @type {HTMLElement} */ (element);
  for (const [key, attribute] of [["zh", ""], ["zhLabel", "aria-label"], ["zhAlt", "alt"], ["zhPlaceholder", "placeholder"]]) {
    if (!(key in dataset)) continue;
    const english = key.replace("zh", "en");
    dataset[english] ??= (attribute ? element.getAttribute(attribute) : element.textContent) ?? "";
    const text = dataset[language() === "zh" ? key : english] ?? "";
    if (attribute) element.setAttribute(attribute, text);
    else element.textContent = text;
  }
}

/**
 * Gives the functions that write a page's texts.
 *
 * @param {Dictionary} dictionary
 */
export function texts(dictionary) {
  /**
   * @param {string} key
   * @param {Values} [values]
   */
  const text = (key, values = {}) => {
    const found = dictionary[language()][key];
    if (found === undefined) throw new Error(`The page has no text ${key} in ${language()}.`);
    return found.replace(/\{(\w+)\}/g, (_, name) => {
      const value = values[name] ?? values[name.toLowerCase()];
      return called(name, String(typeof value === "function" ? value() : value), language());
    });
  };
  /**
   * Writes a text into an element, or one of its attributes, and again when the language changes.
   *
   * @param {Element} element
   * @param {string} key
   * @param {Values} [values]
   * @param {string} [attribute]
   */
  const put = (element, key, values, attribute) => {
    const write = () => {
      if (attribute) element.setAttribute(attribute, text(key, values));
      else element.textContent = text(key, values);
    };
    write();
    const earlier = written.get(element);
    written.set(element, attribute && earlier ? () => (earlier(), write()) : write);
  };
  return { text, put };
}
