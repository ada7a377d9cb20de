/**
 * The page with live video. `body.dataset.state` is `idle`, `starting` or `running`, or `failed`; each part's own
 * `data-state` goes from `waiting` over `loading` and `base` to `full`.
 */
import { drawSeen } from "./ar-overlay.js";
import { openClip, openLive, openOrClip } from "./ar-source.js";
import { Tracker, partNames } from "./ar-tracker.js";
import { emotionName, isClear, wholeFaces } from "./emotion.js";
import { PageError, bundle, explain, fetchRuntime, find, kilobytes, make, onLanguage, texts } from "./page.js";
import { canvasOf } from "./pictures.js";

/** @typedef {import("./ar-tracker.js").Part} Part */
/** @typedef {import("./ar-tracker.js").Seen} Seen */
/** @typedef {import("./ar-source.js").Source} Source */
/** @typedef {{ answer: import("./vision.js").Face[], frame: VideoFrame, dropped: number, ms: number }} Looked of the loader's `frames` */

const words = texts({
  en: {
    face: "Face", mesh: "Mesh", emotion: "Expression", pose: "Pose",
    waiting: "{kb} kB", loading: "{share} %", base: "first stage", full: "ready", failed: "failed",
    mood: "Looks {emotion}", guess: "Hard to say: perhaps {emotion}", noface: "No face in view.", caption: "{emotion} {share} %", captionguess: "{emotion}? {share} %",
    pace: "{fps} frames per second, {ms} ms each; {skipped} % skipped.",
  },
  zh: {
    face: "人脸", mesh: "网格", emotion: "表情", pose: "姿态",
    waiting: "{kb} kB", loading: "{share} %", base: "第一阶段", full: "就绪", failed: "失败",
    mood: "看起来{emotion}", guess: "不好判断，也许是{emotion}", noface: "画面中没有人脸。", caption: "{emotion} {share} %", captionguess: "{emotion}？{share} %",
    pace: "每秒处理 {fps} 帧，每帧 {ms} 毫秒，跳过 {skipped}%。",
  },
});

const [view, notice, mood, pace, stop, list] = ["#view", "#notice", "#mood", "#pace", "#stop", "#parts"].map((selector) => find(selector));
const poster = find("img", view);
const tracker = new Tracker();
/** @type {Map<Part, HTMLElement>} */
const rows = new Map();
/** @type {Map<Part, { handle: Promise<any>, done: Promise<void> }>} */
const loads = new Map();
/** Files at a time: the network has these to go on with where a model's first run blocks the thread for seconds. */
const concurrency = 6;
/** Milliseconds after which marks would lie beside what they mark. */
const late = 150;
let playing = new AbortController();
/** @type {Source | undefined} */
let source;
/** @type {{ frame: VideoFrame, seen: Seen } | undefined} */
let last;
/** Of this second: frames that were skipped, that were looked at, and how long that took. */
let count = { skipped: 0, looked: 0, ms: 0, since: 0 };

/** Gives the last frame that was looked at, as it was until now, and what was seen on it. */
export const latest = () => last;

/** @param {"idle" | "starting" | "running" | "failed"} state */
function enter(state) {
  document.body.dataset.state = state;
  stop.hidden = state === "idle" || state === "failed";
}

/**
 * @param {Part} part
 * @param {string} state
 * @param {import("./page.js").Values} [values]
 */
function mark(part, state, values) {
  const row = rows.get(part);
  if (!row) return;
  row.dataset.state = state;
  words.put(find(".soft", row), state, values);
}

function fill() {
  const saving = /** @type {any} */ (navigator).connection?.saveData === true;
  for (const part of partNames) {
    const box = make("input", { type: "checkbox", checked: !(part === "pose" && saving), disabled: part === "face" });
    const name = make("span");
    words.put(name, part);
    const row = make("li", {}, make("label", {}, box, name, make("span", { className: "soft" })));
    row.dataset.part = part;
    box.addEventListener("change", () => {
      tracker.wanted[box.checked ? "add" : "delete"](part);
      if (box.checked && document.body.dataset.state === "running") bring();
    });
    if (!box.checked) tracker.wanted.delete(part);
    rows.set(part, row);
    list.append(row);
  }
}

/** Says how large each model is, before anything of it is fetched. */
async function announce() {
  const { models, configure } = await bundle();
  configure({ concurrency });
  for (const part of partNames) {
    if (models[part] && !loads.has(part)) mark(part, "waiting", { kb: () => kilobytes(models[part].wireBytes) });
  }
}

/** @param {Part} part */
async function loadPart(part) {
  const { models } = await bundle();
  if (!models[part]) throw new PageError("nomodel", { model: part });
  return models[part].load({
    thread: "worker",
    priority: part === "face" ? "high" : part === "pose" ? "low" : "normal",
    onProgress(/** @type {any} */ { loaded, total, phase }) {
      if (!tracker.models[part] && phase !== "failed") mark(part, "loading", { share: Math.round((100 * loaded) / total) });
    },
  });
}

/**
 * Waits for a model; it takes part from its first stage on.
 *
 * @param {Part} part
 * @param {Promise<any>} loading
 */
async function take(part, loading) {
  const handle = await loading;
  await handle.ready;
  tracker.models[part] = handle;
  mark(part, "base");
  handle.full.then(() => mark(part, "full"), (/** @type {unknown} */ error) => fail(part, error));
}

/**
 * @param {Part} part
 * @param {unknown} error
 */
function fail(part, error) {
  loads.delete(part);
  mark(part, "failed");
  say(explain(error));
}

/** Brings in what is wanted: the detector first, the body last. */
async function bring() {
  fetchRuntime();
  for (const part of partNames) {
    if (!tracker.wanted.has(part) || loads.has(part)) continue;
    const handle = loadPart(part);
    const done = take(part, handle).catch((error) => fail(part, error));
    loads.set(part, { handle, done });
    if (part === "face") await done;
  }
}

/** @param {string} text */
function say(text) {
  notice.textContent = text;
  notice.hidden = !text;
}

/** @type {string | undefined} */
let told;
/** @param {Seen} seen */
function tellMood(seen) {
  const [best] = seen.emotion ?? [];
  const clear = !!seen.emotion && isClear(seen.emotion);
  const key = best ? `${best.label}${clear ? "" : "?"}` : (tracker.models.face && !seen.faces.length ? "" : undefined);
  if (key === told) return best;
  told = key;
  if (best) words.put(mood, clear ? "mood" : "guess", { emotion: () => emotionName(best.label) });
  else if (key === "") words.put(mood, "noface");
  else mood.textContent = "";
  mood.dataset.emotion = best?.label ?? "";
  return best;
}

/**
 * Draws what is seen on a frame.
 *
 * @param {Looked} looked
 * @param {CanvasRenderingContext2D} overlay
 * @param {boolean} mirrored
 * @param {AbortSignal} signal
 */
async function look(looked, overlay, mirrored, signal) {
  const begun = performance.now();
  const seen = await tracker.look(looked);
  if (signal.aborted) return;
  const best = tellMood(seen);
  const caption = best ? words.text(seen.emotion && isClear(seen.emotion) ? "caption" : "captionguess", { emotion: emotionName(best.label), share: Math.round(100 * best.score) }) : "";
  const ms = looked.ms + performance.now() - begun;
  drawSeen(overlay, seen, { mirrored, caption, frame: ms > late ? looked.frame : undefined });
  last?.frame.close();
  last = { frame: looked.frame.clone?.() ?? looked.frame, seen };
  count.looked++;
  count.skipped += looked.dropped;
  count.ms += ms;
  tellPace();
}

function tellPace() {
  const now = performance.now();
  const seconds = (now - count.since) / 1000;
  if (seconds < 1) return;
  const { skipped, looked, ms } = count;
  const values = { fps: (looked / seconds).toFixed(1), ms: Math.round(ms / looked), skipped: Math.round((100 * skipped) / (looked + skipped)) };
  words.put(pace, "pace", values);
  count = { skipped: 0, looked: 0, ms: 0, since: now };
}

/**
 * @param {Source} from
 * @param {AbortSignal} signal
 */
async function play(from, signal) {
  const { canvas, context: overlay } = canvasOf(from.width, from.height);
  canvas.className = "overlay";
  canvas.setAttribute("aria-hidden", "true");
  from.element.classList.toggle("mirrored", from.mirrored);
  view.replaceChildren(from.element, canvas);
  enter("running");
  count = { skipped: 0, looked: 0, ms: 0, since: performance.now() };
  const detector = await loads.get("face")?.handle;
  if (!detector || signal.aborted) return;
  let failed = false;
  for await (const looked of detector.frames(from.element, { ...wholeFaces, signal })) {
    try {
      await look(looked, overlay, from.mirrored, signal);
      failed = false;
    } catch (error) {
      // A worker that ended takes what it was looking at with it, once.
      if (failed || /** @type {any} */ (error).code !== "runtime") throw error;
      failed = true;
    }
  }
  if (!signal.aborted) halt("idle");
}

/**
 * @param {"idle" | "failed"} state
 * @param {string} [text]
 */
function halt(state, text = "") {
  playing.abort();
  source?.stop();
  last?.frame.close();
  [source, last, told] = [undefined, undefined, undefined];
  view.replaceChildren(poster);
  mood.textContent = pace.textContent = "";
  say(text);
  enter(state);
}

/** @param {() => Promise<Source>} open */
async function start(open) {
  halt("idle");
  const { signal } = (playing = new AbortController());
  enter("starting");
  bring();
  try {
    const opened = await openOrClip(open, notice);
    if (signal.aborted) return opened.stop();
    source = opened;
    await play(opened, signal);
  } catch (error) {
    if (!signal.aborted) halt("failed", explain(error));
  }
}

find("#camera").addEventListener("click", () => start(openLive));
find("#clip").addEventListener("click", () => start(openClip));
stop.addEventListener("click", () => halt("idle"));
onLanguage(() => (told = undefined));
fill();
enter("idle");
announce().catch((error) => say(explain(error)));
