/** The page that paints photos. `body.dataset.state` goes from `idle` over `working` to `done` or `failed`. */
import { StatusLine, find, load, make, runtime, texts } from "./page.js";
import { compare } from "./compare.js";
import { Pace, roughly } from "./pace.js";
import { canvasOf, describe, download, pictureInput, sample } from "./pictures.js";

const count = 26;
const words = texts({
  en: {
    style: "Style {number}",
    measuring: "Measuring the speed of this device…",
    painting: "Painting: {time} on this device.",
    done: "Painted in style {number}: {width} × {height} pixels in {seconds} s.",
    chosen: "Ready. Choose a style.",
    expected: "Ready. Choose a style: each takes {time} on this device.",
  },
  zh: {
    style: "画风 {number}",
    measuring: "正在测量本设备的速度……",
    painting: "正在作画：在本设备上{time}。",
    done: "已用画风 {number} 完成：{width} × {height} 像素，用时 {seconds} 秒。",
    chosen: "就绪。请选择画风。",
    expected: "就绪。请选择画风，在本设备上每次{time}。",
  },
});

const view = find("#view");
const save = find("#save");
const strength = /** @type {HTMLInputElement} */ (find("#strength"));
const size = /** @type {HTMLSelectElement} */ (find("#size"));
const line = new StatusLine(find("#status"));
/** The sample in the page: its size, as the document says it. */
const [width, height] = ["width", "height"].map((side) => Number(find("img", view).getAttribute(side)));
const poster = { width, height };
/** @type {HTMLCanvasElement | undefined} */
let picture;
let name = "coffee";
/** What is on the screen. @type {{ before: HTMLCanvasElement, painted: HTMLCanvasElement, shown: HTMLCanvasElement } | undefined} */
let shown;
let wanted = false;
let busy = false;
/** @type {Promise<any> | undefined} */
let handle;

/** The network halves the sides twice and doubles them again. */
const step = 4;
/** Sides of the picture that a device is measured with, in pixels. */
const trial = 160;
const pace = new Pace("style");

/**
 * Gives the size at which a picture is painted.
 *
 * @param {{ width: number, height: number }} picture
 * @param {number} longest
 */
function sizeOf({ width, height }, longest) {
  const scale = Math.min(1, longest / Math.max(width, height));
  const side = (/** @type {number} */ length) => Math.max(8 * step, Math.round((length * scale) / step) * step);
  return { width: side(width), height: side(height) };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} longest
 */
function fit(canvas, longest) {
  const { width, height } = sizeOf(canvas, longest);
  const { canvas: fitted, context } = canvasOf(width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, 0, 0, fitted.width, fitted.height);
  return fitted;
}

/** @returns {HTMLInputElement | null} */
const chosen = () => document.querySelector("input[name=style]:checked");

function mix() {
  if (!shown) return;
  const context = shown.shown.getContext("2d");
  if (!context) return;
  context.globalAlpha = 1;
  context.drawImage(shown.before, 0, 0);
  context.globalAlpha = Number(strength.value) / 100;
  context.drawImage(shown.painted, 0, 0);
}

async function paint() {
  const number = Number(chosen()?.value);
  picture ??= await sample(name);
  const before = fit(picture, Number(size.value));
  const model = await (handle ??= load("style", line, { priority: "high" }));
  await model.ready;
  const tf = await runtime();
  /** @param {HTMLCanvasElement} photo @returns {Promise<HTMLCanvasElement>} */
  const run = (photo) =>
    pace.time(photo, async () => {
      const style = tf.tensor1d(Array.from({ length: count }, (_, i) => Number(i === number - 1)));
      try {
        return await model.run({ image: photo, style_weights: style });
      } finally {
        style.dispose();
      }
    });
  if (!pace.known) {
    line.tell(words, "measuring");
    // The first run compiles, the second one tells the pace.
    for (let i = 0; i < 2; i++) await run(canvasOf(trial, trial).canvas);
  }
  const pass = async () => {
    const whole = pace.expect(before) ?? 0;
    line.tell(words, "painting", { time: () => roughly(whole) });
    const begun = performance.now();
    const painted = await run(before);
    shown = { before, painted, shown: canvasOf(before.width, before.height).canvas };
    mix();
    compare(view, before, shown.shown);
    return ((performance.now() - begun) / 1000).toFixed(1);
  };
  if (model.progress.phase !== "full") {
    await pass();
    await model.full;
  }
  if (wanted) return;
  const seconds = await pass();
  line.share();
  line.tell(words, "done", { number, width: before.width, height: before.height, seconds });
}

/** Paints what was chosen last: choices made meanwhile replace each other. */
async function ask() {
  wanted = true;
  if (busy || !chosen()) return;
  busy = true;
  document.body.dataset.state = "working";
  let state = "done";
  try {
    while (wanted) {
      wanted = false;
      await paint();
    }
  } catch (error) {
    handle = undefined;
    wanted = false;
    state = "failed";
    line.fail(error);
  }
  busy = false;
  save.hidden = !shown;
  document.body.dataset.state = state;
}

/** Says how long a style will take at the chosen size, where that was measured. */
function offerSize() {
  if (busy) return;
  const ms = pace.expect(sizeOf(picture ?? poster, Number(size.value)));
  if (ms !== undefined) line.tell(words, "expected", { time: () => roughly(ms) });
  else if (picture) line.tell(words, "chosen");
}

/** Small pictures of the styles are parts of one file, thirteen in a row. */
function offer() {
  for (let i = 0; i < count; i++) {
    const radio = make("input", { type: "radio", name: "style", value: String(i + 1) });
    words.put(radio, "style", { number: i + 1 }, "aria-label");
    const label = make("label", {}, radio);
    label.style.backgroundPosition = `${((i % 13) / 12) * 100}% ${Math.floor(i / 13) * 100}%`;
    radio.addEventListener("change", ask);
    find("#styles").append(label);
  }
}

pictureInput(find("#input"), {
  onPicture(canvas, called) {
    [picture, name] = [canvas, called];
    shown = undefined;
    save.hidden = true;
    describe(canvas, called);
    compare(view, canvas);
    offerSize();
    ask();
  },
  onError: (error) => line.fail(error),
});
size.addEventListener("change", () => {
  if (!chosen()) offerSize();
  ask();
});
strength.addEventListener("input", mix);
save.addEventListener("click", () => {
  if (shown) download(shown.shown, `${name}-style-${chosen()?.value}.jpg`).catch((error) => line.fail(error));
});
offer();
document.body.dataset.state = "idle";
offerSize();
