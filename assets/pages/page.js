/**
 * The shell of all pages: language, header, the bundle's loader, what a load says while it runs, errors in words.
 *
 * Nothing of a model or of TensorFlow.js is fetched before a page calls `load`. docs/pages.md says how to write a page.
 */
import { pages } from "./list.js";
import { language, onLanguage, setLanguage, speak, texts } from "./texts.js";

export { language, onLanguage, setLanguage, texts } from "./texts.js";

/** @typedef {import("./texts.js").Language} Language */
/** @typedef {import("./texts.js").Dictionary} Dictionary */
/** @typedef {import("./texts.js").Values} Values */

/**
 * Makes an element.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<HTMLElementTagNameMap[Tag]>} [properties]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/**
 * Gives the one element that a selector names.
 *
 * @template {HTMLElement} [Kind=HTMLElement]
 * @param {string} selector
 * @param {ParentNode} [within]
 * @returns {Kind}
 */
export function find(selector, within = document) {
  const element = within.querySelector(selector);
  if (!element) throw new Error(`The page has no ${selector}.`);
  return /** @type {Kind} */ (element);
}

/** A failure with a text of the shell. */
export class PageError extends Error {
  /**
   * @param {string} key
   * @param {Values} [values]
   * @param {unknown} [cause]
   */
  constructor(key, values, cause) {
    super(key, { cause });
    this.key = key;
    this.values = values;
  }
}

/** @type {Dictionary} */
const dictionary = {
  en: {
    nav: "Pages",
    language: "Language",
    waiting: "The model loads when you use it.",
    runtime: "Fetching TensorFlow.js and the first part of the {model}…",
    stage: "Fetching the {model}…",
    refining: "The {model} is ready to use; full precision is still loading…",
    full: "The {model} is loaded at full precision.",
    bytes: "{loaded} of {total} kB",
    plain: "{text}",
    nobundle: "There is no bundle yet. Run make build, then reload this page.",
    nomodel: "This bundle has no {model}. Run make build, then reload this page.",
    notfjs: "TensorFlow.js cannot be fetched. Check the connection, or run make build if this is your own machine.",
    network: "The model cannot be fetched: the network or the server does not respond. Try again; what has been downloaded is kept.",
    integrity: "The downloaded files do not match the model that was built. Try again in a moment.",
    quota: "The browser's storage is full. The model works, but will be downloaded again next time.",
    abort: "Stopped.",
    manifest: "The model's description cannot be read. Reload the page.",
    runtimeerror: "TensorFlow.js cannot run this model here: {message}",
    contract: "The model does not accept this input: {message}",
    denied: "The page is not allowed to use the camera. Allow it in the browser's address bar, or choose a photo.",
    nocamera: "There is no camera, or another program is using it. Choose a photo instead.",
    insecure: "Browsers allow the camera only for pages over HTTPS or on localhost. Choose a photo instead.",
    mute: "The page is not allowed to use the microphone. Allow it in the browser's address bar, or play the sample clip.",
    nomicrophone: "There is no microphone, or another program is using it. Play the sample clip instead.",
    insecuremicrophone: "Browsers allow the microphone only for pages over HTTPS or on localhost. Play the sample clip instead.",
    nopicture: "The browser cannot open this file as a picture. Use a JPEG, PNG or WebP file.",
    noface: "No face was found in the picture.",
    nosample: "A sample picture is missing. Run make build to fetch them.",
    other: "That did not work: {message}",
  },
  zh: {
    nav: "页面",
    language: "语言",
    waiting: "用到模型时才会加载。",
    runtime: "正在获取 TensorFlow.js 和{model}的第一部分……",
    stage: "正在获取{model}……",
    refining: "{model}已经可用，正在提升精度……",
    full: "{model}已以完整精度就绪。",
    bytes: "{loaded} / {total} kB",
    plain: "{text}",
    nobundle: "还没有构建产物。请运行 make build，然后刷新页面。",
    nomodel: "构建产物中没有{model}。请运行 make build，然后刷新页面。",
    notfjs: "无法获取 TensorFlow.js。请检查网络；如果在自己的电脑上，请运行 make build。",
    network: "无法获取模型：网络或服务器没有响应。请重试，已下载的部分会保留。",
    integrity: "收到的内容与构建的模型不一致。请稍后再试。",
    quota: "浏览器的存储空间已满。模型仍可使用，下次会重新下载。",
    abort: "已停止。",
    manifest: "无法读取模型的描述。请刷新页面。",
    runtimeerror: "TensorFlow.js 无法在这里运行该模型：{message}",
    contract: "模型不接受这样的输入：{message}",
    denied: "页面没有使用摄像头的权限。请在地址栏中允许，或选择一张照片。",
    nocamera: "这里没有摄像头，或它正被其他程序使用。请选择一张照片。",
    insecure: "浏览器只允许 HTTPS 页面和 localhost 使用摄像头。请选择一张照片。",
    mute: "页面没有使用麦克风的权限。请在地址栏中允许，或播放示例。",
    nomicrophone: "这里没有麦克风，或它正被其他程序使用。请播放示例。",
    insecuremicrophone: "浏览器只允许 HTTPS 页面和 localhost 使用麦克风。请播放示例。",
    nopicture: "浏览器无法打开这个文件。请使用 JPEG、PNG 或 WebP 图片。",
    noface: "图片中没有找到人脸。",
    nosample: "缺少示例图片。请运行 make build 获取。",
    other: "出错了：{message}",
  },
};
export const shell = texts(dictionary);

/**
 * Gives the key and the values of the shell's text for an error.
 *
 * @param {unknown} error
 * @returns {[string, Values]}
 */
function reason(error) {
  if (error instanceof PageError) return [error.key, error.values ?? {}];
  const { name = "", code, message = String(error) } = /** @type {{ name?: string, code?: string, message?: string }} */ (error ?? {});
  if (name === "ModelError") {
    return [code === "runtime" ? "runtimeerror" : (code ?? "other"), { message }];
  }
  if (name === "NotAllowedError") return ["denied", {}];
  if (["NotFoundError", "NotReadableError", "OverconstrainedError"].includes(name)) return ["nocamera", {}];
  if (name === "AbortError") return ["abort", {}];
  return ["other", { message }];
}

/**
 * Says what an error means and what to do, in the page's language.
 *
 * @param {unknown} error a ModelError, one of the browser's, or any other
 */
export const explain = (error) => shell.text(...reason(error));

/** @param {number} bytes */
export const kilobytes = (bytes) => Math.round(bytes / 1000).toLocaleString(language());

const runtimeUrl = new URL("../../node_modules/@tensorflow/tfjs/dist/tf.min.js", import.meta.url).href;
const loaderUrl = new URL("../../dist/cdn/loader.js", import.meta.url).href;

/** @type {Promise<any> | undefined} */
let runtimePromise;

/** Brings in TensorFlow.js at the first call. @returns {Promise<any>} */
export function runtime() {
  return (runtimePromise ??= new Promise((resolve, reject) => {
    const script = make("script", { src: runtimeUrl });
    script.onload = () => resolve(/** @type {any} */ (globalThis).tf);
    script.onerror = () => {
      script.remove();
      runtimePromise = undefined;
      reject(new PageError("notfjs"));
    };
    document.head.append(script);
  }));
}

/** Asks for TensorFlow.js, which the worker imports when it is there: both get it from the browser's cache. */
export function fetchRuntime() {
  // Whoever needs it says what went wrong.
  fetch(runtimeUrl).then((answer) => answer.blob()).catch(() => {});
}

/** Tells all pages of this site what `onEvent` tells this one. */
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("shardpress-pages") : undefined;
/** @type {Set<(record: any) => void>} */
const witnesses = new Set();
channel?.addEventListener("message", ({ data }) => {
  note(data);
  witnesses.forEach((tell) => tell(data));
});

/**
 * Calls back with each record of the loader's `onEvent`, of this page and of others that are open.
 *
 * @param {(record: any) => void} listener
 */
export const onEvent = (listener) => void witnesses.add(listener);

/** @type {Promise<any> | undefined} */
let bundlePromise;

/** Gives the bundle's loader, after the page's `load` event, so that the first screen waits for nothing. @returns {Promise<any>} */
export function bundle() {
  return (bundlePromise ??= bring());
}

async function bring() {
  if (document.readyState !== "complete") await new Promise((done) => addEventListener("load", done, { once: true }));
  let loader;
  try {
    loader = await import(loaderUrl);
  } catch (error) {
    bundlePromise = undefined;
    throw new PageError("nobundle", {}, error);
  }
  loader.configure({
    tf: runtime,
    workerTf: runtimeUrl,
    onEvent: (/** @type {any} */ record) => {
      const dated = { ...record, at: Date.now() };
      keep(dated);
      channel?.postMessage(dated);
      witnesses.forEach((tell) => tell(dated));
    },
  });
  return loader;
}

const journal = "shardpress-timings";
/** @type {Record<string, Record<string, any>> | undefined} */
let known;

/** Gives the last record of each model and stage, of all pages of this site. @returns {Record<string, Record<string, any>>} */
export function timings() {
  try {
    known ??= JSON.parse(localStorage.getItem(journal) ?? "{}");
  } catch {
    known = {};
  }
  return (known ??= {});
}

/** @param {any} record */
function note(record) {
  // A network that went away, or files: that is nothing of how long a load took.
  if (record.type !== "stage" && record.type !== "failure") return;
  const stage = record.type === "failure" ? "failure" : record.stage;
  // What an earlier load told is over once a new one has begun.
  const before = stage === "head" ? {} : timings()[record.model];
  timings()[record.model] = { ...before, [stage]: record };
}

/** @param {any} record */
function keep(record) {
  note(record);
  try {
    localStorage.setItem(journal, JSON.stringify(timings()));
  } catch {
    // Then only pages that are open are told.
  }
}

/** Says what a load is doing, in a live region, with a bar and bytes beside it. */
export class StatusLine {
  #text = make("p", { className: "say" });
  #bytes = make("p", { className: "soft bytes" });
  #bar = make("progress", { max: 1, value: 0, hidden: true });
  #phase = "";

  /** @param {HTMLElement} element is filled */
  constructor(element) {
    this.element = element;
    element.classList.add("status");
    this.#text.setAttribute("role", "status");
    this.#bytes.setAttribute("aria-hidden", "true");
    this.#bar.setAttribute("aria-hidden", "true");
    element.replaceChildren(this.#text, this.#bar, this.#bytes);
    this.tell(shell, "waiting");
  }

  /**
   * Says a text of the page.
   *
   * @param {{ put: ReturnType<typeof texts>["put"] }} words what `texts` gave
   * @param {string} key
   * @param {Values} [values]
   */
  tell({ put }, key, values) {
    this.element.dataset.state = "plain";
    put(this.#text, key, values);
  }

  /**
   * Shows how far a work of the page itself is; undefined hides the bar.
   *
   * @param {number} [share] 0..1
   * @param {() => string} [left] says beside the bar what is left; screen readers are not told, as it changes often
   */
  share(share, left) {
    this.#bar.hidden = share === undefined;
    this.#bar.value = share ?? 0;
    shell.put(this.#bytes, "plain", { text: left ?? "" });
  }

  /**
   * Gives the `onProgress` of a load.
   *
   * @param {string} model
   */
  progress(model) {
    this.#phase = "";
    return (/** @type {{ loaded: number, total: number, phase: string }} */ { loaded, total, phase }) => {
      if (phase === "failed" || phase === "aborted") return;
      this.#bar.hidden = phase === "full";
      this.#bar.value = total ? loaded / total : 0;
      shell.put(this.#bytes, "bytes", { loaded: () => kilobytes(loaded), total: () => kilobytes(total) });
      if (phase === this.#phase) return;
      this.#phase = phase;
      const key = { waiting: "stage", head: "runtime", refine: "refining", "rung:2": "refining", full: "full" }[phase] ?? "stage";
      this.tell(shell, key, { model });
    };
  }

  /**
   * Says an error in words.
   *
   * @param {unknown} error
   */
  fail(error) {
    const [key, values] = reason(error);
    this.share();
    this.tell(shell, key, values);
    if (key !== "abort") this.element.dataset.state = "failed";
  }
}

/**
 * Starts loading a model of the bundle, and shows it on a status line.
 *
 * @param {string} name
 * @param {StatusLine} line
 * @param {Record<string, any>} [options] of the loader's `load`
 * @returns {Promise<any>} the handle
 * @throws {PageError} no bundle, or no such model in it
 */
export async function load(name, line, options = {}) {
  const { models } = await bundle();
  if (!models[name]) throw new PageError("nomodel", { model: name });
  if (options.thread === "worker") fetchRuntime();
  return models[name].load({ ...options, onProgress: line.progress(name) });
}

/** Fills the header: the pages, this one marked, and the switch between languages. */
function open() {
  const header = document.querySelector("header.site");
  if (header) {
    const here = location.pathname.split("/").pop() || "index.html";
    const nav = find("nav", header);
    shell.put(nav, "nav", {}, "aria-label");
    const links = pages.map(({ file, en, zh }) => {
      const link = make("a", { href: file }, make("span", { lang: "en" }, en), make("span", { lang: "zh" }, zh));
      if (file === here) link.setAttribute("aria-current", "page");
      return link;
    });
    nav.replaceChildren(...links);
    // On a phone the row is wider than the screen. The page itself must not move.
    requestAnimationFrame(() => {
      const [row, here] = [nav, nav.querySelector("[aria-current]")].map((element) => element?.getBoundingClientRect());
      if (row && here) nav.scrollLeft += here.left + here.width / 2 - row.left - row.width / 2;
    });
    const toggle = make("button", { type: "button", className: "language" });
    const other = () => (language() === "zh" ? "en" : "zh");
    const label = () => {
      toggle.lang = other();
      toggle.textContent = other() === "zh" ? "中文" : "English";
    };
    label();
    onLanguage(label);
    toggle.addEventListener("click", () => setLanguage(other()));
    header.append(toggle);
  }
  speak();
}

open();
