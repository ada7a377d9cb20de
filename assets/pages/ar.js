/**
 * The page with live video. `body.dataset.state` is `idle`, `starting` or `running`, or `failed`; each part's own
 * `data-state` goes from `waiting` over `loading` and `base` to `full`.
 */
import { drawSeen } from "./ar-overlay.js";
import { openClip, openLive, openOrClip } from "./ar-source.js";
import { Tracker, partNames } from "./ar-tracker.js";
import { emotionName, isClear } from "./emotion.js";
import { PageError, bundle, explain, find, kilobytes, make, onLanguage, runtime, texts } from "./page.js";
import { canvasOf } from "./pictures.js";

/** @typedef {import("./ar-tracker.js").Part} Part */
/** @typedef {import("./ar-tracker.js").Seen} Seen */
/** @typedef {import("./ar-source.js").Source} Source */

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
/** @type {Map<Part, Promise<void>>} */
const loads = new Map();
/** Files at a time: the network has these to go on with while a model's first run blocks the thread for seconds. */
const concurrency = 6;
/** Milliseconds after which marks would lie beside what they mark. */
const late = 150;
let run = 0;
/** @type {Source | undefined} */
let source;
/** @type {{ frame: HTMLCanvasElement, seen: Seen } | undefined} */
let last;
/** Of this second: frames that came, that were skipped, that were looked at, and how long that took. */
let count = { came: 0, skipped: 0, looked: 0, ms: 0, since: 0 };

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

/**
 * Brings in a model; it takes part from its first stage on.
 *
 * @param {Part} part
 */
async function loadPart(part) {
  const { models } = await bundle();
  if (!models[part]) throw new PageError("nomodel", { model: part });
  const handle = models[part].load({
    priority: part === "face" ? "high" : part === "pose" ? "low" : "normal",
    onProgress(/** @type {any} */ { loaded, total, phase }) {
      if (!tracker.models[part] && phase !== "failed") mark(part, "loading", { share: Math.round((100 * loaded) / total) });
    },
  });
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
  // It is the larger part of what the first face waits for. Whoever waits for it says what went wrong.
  runtime().catch(() => {});
  for (const part of partNames) {
    if (!tracker.wanted.has(part) || loads.has(part)) continue;
    const loading = loadPart(part);
    loads.set(part, loading);
    const settled = loading.catch((error) => fail(part, error));
    if (part === "face") await settled;
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
 * Looks at the source's present frame and draws what is seen.
 *
 * @param {Source} from
 * @param {CanvasRenderingContext2D} capture
 * @param {CanvasRenderingContext2D} overlay
 * @param {() => boolean} current
 */
async function look(from, capture, overlay, current) {
  const begun = performance.now();
  capture.drawImage(from.element, 0, 0, from.width, from.height);
  const seen = await tracker.look(capture.canvas);
  if (!current()) return;
  const best = tellMood(seen);
  const caption = best ? words.text(seen.emotion && isClear(seen.emotion) ? "caption" : "captionguess", { emotion: emotionName(best.label), share: Math.round(100 * best.score) }) : "";
  const ms = performance.now() - begun;
  drawSeen(overlay, seen, { mirrored: from.mirrored, caption, frame: ms > late ? capture.canvas : undefined });
  last = { frame: capture.canvas, seen };
  count.looked++;
  count.ms += ms;
}

function tellPace() {
  const now = performance.now();
  const seconds = (now - count.since) / 1000;
  if (seconds < 1 || !count.looked) return;
  const { came, skipped, looked, ms } = count;
  const values = { fps: (looked / seconds).toFixed(1), ms: Math.round(ms / looked), skipped: Math.round((100 * skipped) / came) };
  words.put(pace, "pace", values);
  count = { came: 0, skipped: 0, looked: 0, ms: 0, since: now };
}

/** @param {Source} from */
function play(from) {
  const mine = ++run;
  const current = () => mine === run;
  const { canvas, context: overlay } = canvasOf(from.width, from.height);
  canvas.className = "overlay";
  canvas.setAttribute("aria-hidden", "true");
  from.element.classList.toggle("mirrored", from.mirrored);
  view.replaceChildren(from.element, canvas);
  // Two in turn: the last frame stays while the next one is looked at.
  const captures = [0, 1].map(() => canvasOf(from.width, from.height).context);
  count = { came: 0, skipped: 0, looked: 0, ms: 0, since: performance.now() };
  let busy = false;
  const step = () => {
    if (!current()) return;
    from.next(step);
    count.came++;
    tellPace();
    if (!tracker.models.face) return;
    if (busy) {
      count.skipped++;
      return;
    }
    busy = true;
    captures.reverse();
    look(from, captures[0], overlay, current)
      .catch((error) => current() && halt("failed", explain(error)))
      .finally(() => (busy = false));
  };
  from.next(step);
  enter("running");
}

/**
 * @param {"idle" | "failed"} state
 * @param {string} [text]
 */
function halt(state, text = "") {
  run++;
  source?.stop();
  [source, last, told] = [undefined, undefined, undefined];
  view.replaceChildren(poster);
  mood.textContent = pace.textContent = "";
  say(text);
  enter(state);
}

/** @param {() => Promise<Source>} open */
async function start(open) {
  halt("idle");
  const mine = ++run;
  enter("starting");
  bring();
  try {
    const opened = await openOrClip(open, notice);
    if (mine !== run) return opened.stop();
    source = opened;
    play(opened);
  } catch (error) {
    if (mine === run) halt("failed", explain(error));
  }
}

find("#camera").addEventListener("click", () => start(openLive));
find("#clip").addEventListener("click", () => start(openClip));
stop.addEventListener("click", () => halt("idle"));
onLanguage(() => (told = undefined));
fill();
enter("idle");
announce().catch((error) => say(explain(error)));
