/** The page that makes photos livelier or larger. `body.dataset.state` goes from `idle` over `working` to `done` or `failed`. */
import { StatusLine, find, load, texts } from "./page.js";
import { compare } from "./compare.js";
import { Pace, roughly } from "./pace.js";
import { canvasOf, describe, download, pictureInput, sampleFile, toBitmap } from "./pictures.js";
import { breathe, drawInStrips, runTiles, spans } from "./tiles.js";

const words = texts({
  en: {
    measuring: "Measuring the speed of this device…",
    working: "Working: {time} on this device.",
    left: "{time} left",
    done: "Done: {width} × {height} pixels in {seconds} s.",
    reduced: "Done: {width} × {height} pixels in {seconds} s. The photo was scaled down first to fit into memory.",
    chosen: "Ready: {width} × {height} pixels.",
    expected: "Ready: {width} × {height} pixels; this will take {time} on this device.",
  },
  zh: {
    measuring: "正在测量本设备的速度……",
    working: "处理中：在本设备上{time}。",
    left: "还需{time}",
    done: "完成：{width} × {height} 像素，用时 {seconds} 秒。",
    reduced: "完成：{width} × {height} 像素，用时 {seconds} 秒。为节省内存，照片先被缩小。",
    chosen: "就绪：{width} × {height} 像素。",
    expected: "就绪：{width} × {height} 像素，在本设备上计算{time}。",
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

/** Longest side of what is on the screen: of a larger picture there is a smaller copy. */
const shown = 1600;
const [view, start, stop, save] = ["#view", "#start", "#stop", "#save"].map((selector) => find(selector));
const line = new StatusLine(find("#status"));
/** The sample in the page: its size, as the document says it. */
const [width, height] = ["width", "height"].map((side) => Number(find("img", view).getAttribute(side)));
const poster = { width, height };
/** @type {ImageBitmap | undefined} */
let picture;
/** @type {HTMLCanvasElement | undefined} */
let result;
let name = "astronaut";
let work = new AbortController();
/** @type {Record<string, Pace>} */
const paces = Object.fromEntries(Object.keys(tasks).map((task) => [task, new Pace(task)]));

/** @returns {string} */
const chosen = () => /** @type {HTMLInputElement} */ (find("input[name=task]:checked")).value;

/** @param {"idle" | "working" | "done" | "failed"} state */
function enter(state) {
  document.body.dataset.state = state;
  start.hidden = state === "working";
  stop.hidden = !start.hidden;
  save.hidden = state !== "done";
}

/**
 * Gives an empty canvas of a picture's shape, no longer than `longest` on a side.
 *
 * @param {{ width: number, height: number }} size
 * @param {number} longest
 */
function fit({ width, height }, longest) {
  const scale = Math.min(1, longest / Math.max(width, height));
  return canvasOf(Math.round(width * scale), Math.round(height * scale));
}

/**
 * Gives a picture no longer than `longest` on a side.
 *
 * @param {ImageBitmap} given
 * @param {number} longest
 * @param {AbortSignal} signal
 */
async function shrunk(given, longest, signal) {
  if (Math.max(given.width, given.height) <= longest) return given;
  const { canvas, context } = fit(given, longest);
  await drawInStrips(context, given, signal);
  return createImageBitmap(canvas);
}

/**
 * Gives the size and the number of the pieces that a picture is worked on in.
 *
 * @param {string} task
 * @param {{ width: number, height: number }} picture
 */
function pieces(task, { width, height }) {
  const { tile, margin, longest } = tasks[task];
  const scale = Math.min(1, longest / Math.max(width, height));
  const sides = [width, height].map((side) => Math.round(side * scale));
  const [columns, rows] = sides.map((side) => spans(side, tile, margin).length);
  return { size: { width: Math.min(tile, sides[0]), height: Math.min(tile, sides[1]) }, count: columns * rows };
}

/** Says that a picture is ready, and how long the chosen task will take where that was measured. */
function offer() {
  const { width, height } = picture ?? poster;
  const { size, count } = pieces(chosen(), { width, height });
  const ms = paces[chosen()].expect(size, count);
  if (ms !== undefined) line.tell(words, "expected", { width, height, time: () => roughly(ms) });
  else if (picture) line.tell(words, "chosen", { width, height });
}

/**
 * @param {string} task
 * @param {ImageBitmap} given
 * @param {AbortSignal} signal
 */
async function improve(task, given, signal) {
  const { scale, longest, ...tiling } = tasks[task];
  const handle = await load(task, line, { signal, priority: "high", thread: "worker" });
  const before = await shrunk(given, longest, signal);
  const { canvas, context } = canvasOf(before.width * scale, before.height * scale);
  const [old, made] = [fit(before, shown), fit(canvas, shown)];
  // A canvas on the screen is copied for each of its frames: a large one stays beside it.
  const isLarge = made.canvas.width < canvas.width;
  const after = isLarge ? made : { canvas, context };
  const pace = paces[task];
  const { size, count } = pieces(task, before);
  /** @param {ImageBitmap | ImageData} tile @returns {Promise<ImageData>} */
  const run = (tile) => pace.time(size, () => handle.run(tile, { as: "imagedata", transfer: true }));
  const measure = async () => {
    line.tell(words, "measuring");
    // The first run compiles, the second one tells the pace.
    for (let i = 0; i < 2; i++) {
      await run(new ImageData(size.width, size.height));
      signal.throwIfAborted();
    }
  };
  /** @param {AbortSignal} ended */
  const pass = async (ended) => {
    const begun = performance.now();
    const whole = pace.expect(size, count) ?? 0;
    line.tell(words, "working", { time: () => roughly(whole) });
    /** @param {number} share */
    const onShare = (share) => {
      const ms = pace.expect(size, Math.round(count * (1 - share))) ?? 0;
      line.share(share, () => (share < 1 ? words.text("left", { time: roughly(ms) }) : ""));
    };
    onShare(0);
    await runTiles(before, context, run, { ...tiling, scale, signal: ended, onShare, view: isLarge ? made.context : undefined });
    return ((performance.now() - begun) / 1000).toFixed(1);
  };
  await handle.ready;
  if (!pace.known) await measure();
  // A large canvas takes its memory with the first thing that is put on it: that is a task of its own.
  context.putImageData(new ImageData(1, 1), 0, 0);
  await breathe();
  await drawInStrips(old.context, before, signal);
  await drawInStrips(after.context, before, signal);
  compare(view, old.canvas, after.canvas);
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
  const task = chosen();
  enter("working");
  try {
    picture ??= await toBitmap(await sampleFile(name));
    await improve(task, picture, mine.signal);
    if (mine === work) enter("done");
  } catch (error) {
    if (mine !== work) return;
    line.fail(error);
    enter(mine.signal.aborted ? "idle" : "failed");
  }
}

pictureInput(find("#input"), {
  open: toBitmap,
  async onPicture(given, called) {
    work.abort();
    const { signal } = (work = new AbortController());
    const { canvas, context } = fit(given, shown);
    await drawInStrips(context, given);
    if (signal.aborted) return;
    [picture, name] = [given, called];
    describe(canvas, called);
    compare(view, canvas);
    line.share();
    offer();
    enter("idle");
  },
  onError: (error) => line.fail(error),
});
for (const radio of document.querySelectorAll("input[name=task]")) {
  radio.addEventListener("change", () => document.body.dataset.state === "idle" && offer());
}
start.addEventListener("click", begin);
stop.addEventListener("click", () => work.abort());
save.addEventListener("click", () => {
  if (result) download(result, `${name}-better.jpg`).catch((error) => line.fail(error));
});
enter("idle");
offer();
