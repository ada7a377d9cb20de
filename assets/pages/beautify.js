/** The page that makes photos livelier or larger. `body.dataset.state` goes from `idle` over `working` to `done` or `failed`. */
import { StatusLine, find, load, texts } from "./page.js";
import { compare } from "./compare.js";
import { canvasOf, download, pictureInput, sample } from "./pictures.js";
import { runTiles } from "./tiles.js";

const words = texts({
  en: {
    working: "Working…",
    done: "Done: {width} × {height} pixels in {seconds} s.",
    reduced: "Done: {width} × {height} pixels in {seconds} s. The photo was made smaller first, to fit into memory.",
    chosen: "Ready: {width} × {height} pixels.",
  },
  zh: {
    working: "处理中……",
    done: "完成：{width} × {height} 像素，用时 {seconds} 秒。",
    reduced: "完成：{width} × {height} 像素，用时 {seconds} 秒。为节省内存，照片先被缩小。",
    chosen: "就绪：{width} × {height} 像素。",
  },
});

/**
 * What each network sees around a pixel: `beautify` 1 + 2 + 4 + 1 pixels, `enlarge` ten; a little more is left.
 *
 * @type {Record<string, { tile: number, margin: number, scale: number, longest: number }>}
 */
const tasks = {
  beautify: { tile: 256, margin: 12, scale: 1, longest: 4096 },
  enlarge: { tile: 128, margin: 12, scale: 2, longest: 2048 },
};

const [view, start, stop, save] = ["#view", "#start", "#stop", "#save"].map((selector) => find(selector));
const line = new StatusLine(find("#status"));
/** @type {HTMLCanvasElement | undefined} */
let picture;
/** @type {HTMLCanvasElement | undefined} */
let result;
let name = "astronaut";
let work = new AbortController();

/** @param {"idle" | "working" | "done" | "failed"} state */
function enter(state) {
  document.body.dataset.state = state;
  start.hidden = state === "working";
  stop.hidden = !start.hidden;
  save.hidden = state !== "done";
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} longest
 */
function fit(canvas, longest) {
  const scale = longest / Math.max(canvas.width, canvas.height);
  if (scale >= 1) return canvas;
  const { canvas: smaller, context } = canvasOf(Math.round(canvas.width * scale), Math.round(canvas.height * scale));
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, 0, 0, smaller.width, smaller.height);
  return smaller;
}

/**
 * @param {string} task
 * @param {HTMLCanvasElement} given
 * @param {AbortSignal} signal
 */
async function improve(task, given, signal) {
  const { scale, longest, ...tiling } = tasks[task];
  const before = fit(given, longest);
  const { canvas, context } = canvasOf(before.width * scale, before.height * scale);
  const handle = await load(task, line, { signal, priority: "high" });
  /** @param {AbortSignal} ended */
  const pass = async (ended) => {
    const begun = performance.now();
    line.tell(words, "working");
    /** @param {ImageData} tile */
    const run = (tile) => handle.run(tile, { as: "imagedata" });
    await runTiles(before, context, run, { ...tiling, scale, signal: ended, onShare: (share) => line.share(share) });
    return ((performance.now() - begun) / 1000).toFixed(1);
  };
  await handle.ready;
  context.imageSmoothingQuality = "high";
  context.drawImage(before, 0, 0, canvas.width, canvas.height);
  compare(view, before, canvas);
  if (handle.progress.phase !== "full") {
    // Tiles of two precisions would show a seam: this pass is for the eye, until the last digits are here.
    const refined = new AbortController();
    handle.full.then(() => refined.abort(), () => {});
    await pass(AbortSignal.any([signal, refined.signal])).catch(() => {});
    signal.throwIfAborted();
    await handle.full;
  }
  const seconds = await pass(signal);
  result = canvas;
  line.share();
  line.tell(words, before === given ? "done" : "reduced", { width: canvas.width, height: canvas.height, seconds });
}

async function begin() {
  work.abort();
  const mine = (work = new AbortController());
  const task = /** @type {HTMLInputElement} */ (find("input[name=task]:checked")).value;
  enter("working");
  try {
    picture ??= await sample(name);
    await improve(task, picture, mine.signal);
    if (mine === work) enter("done");
  } catch (error) {
    if (mine !== work) return;
    line.fail(error);
    enter(mine.signal.aborted ? "idle" : "failed");
  }
}

pictureInput(find("#input"), {
  onPicture(canvas, called) {
    work.abort();
    work = new AbortController();
    [picture, name] = [canvas, called];
    compare(view, canvas, undefined, called);
    line.share();
    line.tell(words, "chosen", { width: canvas.width, height: canvas.height });
    enter("idle");
  },
  onError: (error) => line.fail(error),
});
start.addEventListener("click", begin);
stop.addEventListener("click", () => work.abort());
save.addEventListener("click", () => {
  if (result) download(result, `${name}-better.jpg`).catch((error) => line.fail(error));
});
enter("idle");
