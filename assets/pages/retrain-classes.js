/** The classes that the visitor fills with pictures. */
import { find, make, texts } from "./page.js";
import { canvasOf, toCanvas } from "./pictures.js";

const words = texts({
  en: {
    unnamed: "Class {number}",
    name: "Name of class {number}",
    shoot: "Take a picture",
    choose: "Choose pictures",
    count: "{count} pictures",
    remove: "Remove {name}",
  },
  zh: {
    unnamed: "类别 {number}",
    name: "类别 {number} 的名称",
    shoot: "拍一张",
    choose: "选择图片",
    count: "{count} 张图片",
    remove: "删除 {name}",
  },
});
const thumbnail = 48;

/**
 * @typedef {{ element: HTMLLIElement, features: Float32Array[], name: () => string }} Kind
 * @typedef {{
 *   shoot: () => HTMLCanvasElement | undefined,
 *   read: (picture: HTMLCanvasElement) => Promise<Float32Array>,
 *   onChange: () => void,
 *   onError: (error: unknown) => void,
 * }} Tools `shoot` gives the camera's picture, `read` its features
 */

export class Kinds {
  /** @type {Kind[]} */
  list = [];
  #made = 0;
  #camera = false;

  /**
   * @param {HTMLElement} element gets a list item for each class
   * @param {Tools} tools
   */
  constructor(element, tools) {
    this.element = element;
    this.tools = tools;
  }

  /** @param {string} [called] @returns {Kind} */
  add(called = "") {
    const number = ++this.#made;
    const name = make("input", { type: "text", value: called, maxLength: 40 });
    words.put(name, "name", { number }, "aria-label");
    if (!called) words.put(name, "unnamed", { number }, "placeholder");
    const shots = make("div", { className: "shots" });
    shots.setAttribute("aria-hidden", "true");
    const count = make("span", { className: "soft" });
    const shoot = make("button", { type: "button", className: "quiet shoot", disabled: !this.#camera });
    words.put(shoot, "shoot");
    const files = make("input", { type: "file", accept: "image/*", multiple: true, className: "hidden" });
    const chooser = make("label", { className: "button quiet" }, make("span"), files);
    words.put(find("span", chooser), "choose");
    const remove = make("button", { type: "button", className: "quiet", textContent: "×" });
    const element = make("li", { className: "kind" }, make("div", { className: "row" }, name, remove), shots, make("div", { className: "row" }, chooser, shoot, count));
    /** @type {Kind} */
    const kind = { element, features: [], name: () => name.value.trim() || words.text("unnamed", { number }) };
    words.put(remove, "remove", { name: kind.name }, "aria-label");
    words.put(count, "count", { count: () => String(kind.features.length) });
    name.addEventListener("change", this.tools.onChange);
    remove.addEventListener("click", () => {
      this.list = this.list.filter((one) => one !== kind);
      element.remove();
      this.tools.onChange();
    });
    shoot.addEventListener("click", () => {
      const picture = this.tools.shoot();
      if (picture) this.take(kind, [picture]);
    });
    files.addEventListener("change", async () => {
      const chosen = [...(files.files ?? [])];
      files.value = "";
      try {
        this.take(kind, await Promise.all(chosen.map((file) => toCanvas(file, 1024))));
      } catch (error) {
        this.tools.onError(error);
      }
    });
    this.list.push(kind);
    this.element.append(element);
    this.tools.onChange();
    return kind;
  }

  /**
   * Names a class that the visitor has not named.
   *
   * @param {Kind} kind
   * @param {string} called
   */
  rename(kind, called) {
    const name = /** @type {HTMLInputElement} */ (find("input[type=text]", kind.element));
    name.value ||= called;
  }

  /**
   * Adds pictures to a class.
   *
   * @param {Kind} kind
   * @param {HTMLCanvasElement[]} pictures
   */
  async take(kind, pictures) {
    try {
      for (const picture of pictures) {
        kind.features.push(await this.tools.read(picture));
        const side = Math.min(picture.width, picture.height);
        const { canvas, context } = canvasOf(thumbnail, thumbnail);
        context.drawImage(picture, (picture.width - side) / 2, (picture.height - side) / 2, side, side, 0, 0, thumbnail, thumbnail);
        find(".shots", kind.element).append(canvas);
        words.put(find(".soft", kind.element), "count", { count: () => String(kind.features.length) });
        this.tools.onChange();
      }
    } catch (error) {
      this.tools.onError(error);
    }
  }

  /** @param {boolean} on */
  camera(on) {
    this.#camera = on;
    for (const button of this.element.querySelectorAll("button.shoot")) /** @type {HTMLButtonElement} */ (button).disabled = !on;
  }
}
