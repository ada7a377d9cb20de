/** Pictures of the visitor: chosen, dropped, pasted, taken, or one of the samples. None of them leaves the page. */
import { PageError, language, make, texts } from "./page.js";

/** @typedef {{ name: string, en: string, zh: string }} Sample its files are `pictures/NAME.jpg` and `pictures/NAME-small.jpg` */

const { put } = texts({
  en: {
    choose: "Choose a photo",
    take: "Take a photo",
    hint: "or drop one anywhere, or paste it. It stays on your device.",
    samples: "Sample pictures",
    camera: "Camera",
    shoot: "Take it",
    close: "Close",
  },
  zh: {
    choose: "选择照片",
    take: "拍照",
    hint: "也可以拖放或粘贴图片。照片不会离开你的设备。",
    samples: "示例图片",
    camera: "摄像头",
    shoot: "拍摄",
    close: "关闭",
  },
});

/** @type {Sample[]} */
export const samples = [
  { name: "astronaut", en: "An astronaut, smiling", zh: "微笑的宇航员" },
  { name: "chelsea", en: "A cat", zh: "一只猫" },
  { name: "coffee", en: "A cup of coffee", zh: "一杯咖啡" },
  { name: "rocket", en: "A rocket at its launch", zh: "发射中的火箭" },
];

const titles = texts({
  en: { yours: "Your picture: {name}", taken: "Photo from the camera", known: "{title}" },
  zh: { yours: "你的图片：{name}", taken: "摄像头拍摄的照片", known: "{title}" },
});

/**
 * Says what a canvas shows, in the page's language: one of the samples, or a picture of the visitor.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {string} name as `onPicture` gives it
 */
export function describe(canvas, name) {
  const known = samples.find((one) => one.name === name);
  canvas.setAttribute("role", "img");
  titles.put(canvas, known ? "known" : name === "camera" ? "taken" : "yours", { name, title: () => known?.[language()] ?? "" }, "aria-label");
}

/**
 * Gives an empty canvas.
 *
 * @param {number} width
 * @param {number} height
 */
export function canvasOf(width, height) {
  const canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new PageError("nopicture");
  return { canvas, context };
}

/**
 * Opens a picture, turned as its camera says. Browsers decode files beside the page's thread.
 *
 * @param {Blob | CanvasImageSource} source
 * @returns {Promise<ImageBitmap>}
 * @throws {PageError} the browser cannot open it
 */
export async function toBitmap(source) {
  try {
    return await createImageBitmap(source);
  } catch (error) {
    throw new PageError("nopicture", {}, error);
  }
}

/**
 * Draws a picture, turned as its camera says, no longer than `longest` on a side.
 *
 * @param {Blob | CanvasImageSource} source
 * @param {number} [longest]
 * @returns {Promise<HTMLCanvasElement>}
 * @throws {PageError} the browser cannot open it
 */
export async function toCanvas(source, longest = 4096) {
  const bitmap = await toBitmap(source);
  const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
  const { canvas, context } = canvasOf(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}

/**
 * Fetches the file of one of the samples, which lie beside the pages.
 *
 * @param {string} name
 */
export async function sampleFile(name) {
  const answer = await fetch(new URL(`pictures/${name}.jpg`, import.meta.url));
  if (!answer.ok) throw new PageError("nopicture");
  return answer.blob();
}

/** Gives one of the samples. @param {string} name */
export const sample = async (name) => toCanvas(await sampleFile(name));

/**
 * Fills an element with the ways to give a picture. Dropping and pasting work all over the page.
 *
 * @template [Form=HTMLCanvasElement]
 * @param {HTMLElement} element
 * @param {{
 *   onPicture: (picture: Form, name: string) => unknown,
 *   onError: (error: unknown) => void,
 *   choices?: Sample[],
 *   open?: (picture: Blob | CanvasImageSource) => Promise<Form>,
 * }} options `name` is a file's name without its ending, or a sample's; `open` makes canvases unless it is given
 */
export function pictureInput(element, { onPicture, onError, choices = samples, open = /** @type {any} */ (toCanvas) }) {
  let turn = 0;
  /**
   * @param {() => Promise<Form>} bring
   * @param {string} name
   */
  const give = async (bring, name) => {
    const mine = ++turn;
    try {
      const picture = await bring();
      if (mine === turn) await onPicture(picture, name);
    } catch (error) {
      if (mine === turn) onError(error);
    }
  };
  /** @param {File | null | undefined} file */
  const take = (file) => file && give(() => open(file), file.name.replace(/\.\w+$/, "") || "photo");

  const file = make("input", { type: "file", accept: "image/*", className: "hidden" });
  file.addEventListener("change", () => {
    take(file.files?.[0]);
    file.value = "";
  });
  const words = make("span");
  put(words, "choose");
  const chooser = make("label", { className: "button" }, words, file);
  const camera = make("button", { type: "button", className: "quiet" });
  put(camera, "take");
  camera.addEventListener("click", () => snapshot(open).then((shot) => shot && give(async () => shot, "camera")).catch(onError));
  const hint = make("p", { className: "soft" });
  put(hint, "hint");

  const group = make("div", { className: "samples" });
  group.setAttribute("role", "group");
  put(group, "samples", {}, "aria-label");
  for (const { name, en, zh } of choices) {
    const picture = make("img", { src: `pictures/${name}-small.jpg`, width: 56, height: 56, loading: "lazy", alt: "" });
    const button = make("button", { type: "button", className: "sample" }, picture);
    button.dataset.sample = name;
    texts({ en: { name: en }, zh: { name: zh } }).put(button, "name", {}, "aria-label");
    button.addEventListener("click", () => give(async () => open(await sampleFile(name)), name));
    group.append(button);
  }
  element.replaceChildren(make("div", { className: "row" }, chooser, camera), hint, group);

  addEventListener("paste", ({ clipboardData }) => {
    take([...(clipboardData?.files ?? [])].find(({ type }) => type.startsWith("image/")));
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    take(event.dataTransfer?.files[0]);
  });
}

/**
 * Opens the camera, as far as the visitor and the browser allow it.
 *
 * @param {MediaTrackConstraints} [wanted]
 * @returns {Promise<MediaStream>}
 */
export function openCamera(wanted = { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 720 } }) {
  if (!navigator.mediaDevices) throw new PageError("insecure");
  return navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
}

/**
 * Lets the visitor take a picture.
 *
 * @template Form
 * @param {(video: HTMLVideoElement) => Promise<Form>} open
 * @returns {Promise<Form | undefined>} undefined if the dialog was closed
 */
async function snapshot(open) {
  const stream = await openCamera();
  const video = make("video", { muted: true, playsInline: true, srcObject: stream });
  const [shoot, close] = [make("button", { type: "button", disabled: true }), make("button", { type: "button", className: "quiet" })];
  put(shoot, "shoot");
  put(close, "close");
  const dialog = make("dialog", { className: "camera" }, video, make("div", { className: "row" }, shoot, close));
  put(dialog, "camera", {}, "aria-label");
  document.body.append(dialog);
  dialog.showModal();
  try {
    await video.play();
    shoot.disabled = false;
    shoot.focus();
    return await new Promise((done, fail) => {
      shoot.addEventListener("click", () => open(video).then(done, fail));
      close.addEventListener("click", () => done(undefined));
      dialog.addEventListener("close", () => done(undefined));
    });
  } finally {
    for (const track of stream.getTracks()) track.stop();
    dialog.close();
    dialog.remove();
  }
}

/**
 * Saves a canvas as a file of the visitor's.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {string} name with its ending
 */
export async function download(canvas, name) {
  const type = name.endsWith(".png") ? "image/png" : "image/jpeg";
  const blob = await new Promise((/** @type {(blob: Blob | null) => void} */ done) => canvas.toBlob(done, type, 0.95));
  if (!blob) throw new PageError("nopicture");
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

