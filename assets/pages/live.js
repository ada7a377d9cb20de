/**
 * What pages with live video share: buttons, the camera or a sample clip in its place, one frame at a time.
 * `body.dataset.state` is `idle`, `starting`, `running` or `failed`.
 */
import { openClip, openLive, openOrClip } from "./ar-source.js";
import { StatusLine, explain, find, load, texts } from "./page.js";
import { canvasOf } from "./pictures.js";

/** @typedef {import("./ar-source.js").Source} Source */

const words = texts({ en: { pace: "{fps} frames per second." }, zh: { pace: "每秒 {fps} 帧。" } });
const [view, notice, pace, stop] = ["#view", "#notice", "#pace", "#stop"].map((selector) => find(selector));
const poster = find("img", view);
const line = new StatusLine(find("#status"));
let playing = new AbortController();
/** @type {Source | undefined} */
let source;

/** @param {"idle" | "starting" | "running" | "failed"} state */
function enter(state) {
  document.body.dataset.state = state;
  stop.hidden = state === "idle" || state === "failed";
}

/** @param {"idle" | "failed"} state @param {string} [text] */
function halt(state, text = "") {
  playing.abort();
  source?.stop();
  source = undefined;
  view.replaceChildren(poster);
  pace.textContent = "";
  [notice.textContent, notice.hidden] = [text, !text];
  enter(state);
}

/** @typedef {{ answer: any, frame: CanvasImageSource }} Looked of the loader's `frames` */
/** @typedef {(looked: Looked, over: CanvasRenderingContext2D) => void} Draw draws what the model saw on a frame, over it */

/**
 * Plays a source, and has drawn what the model sees on its newest frame.
 *
 * @param {string} model
 * @param {Draw} draw
 * @param {() => Promise<Source>} open
 */
async function play(model, draw, open) {
  halt("idle");
  const { signal } = (playing = new AbortController());
  enter("starting");
  try {
    const loading = load(model, line, { priority: "high", thread: "worker" });
    loading.catch(() => {}); // said below
    const opened = await openOrClip(open, notice);
    if (signal.aborted) return opened.stop();
    source = opened; // from now on whatever ends this also lets go of the camera
    const handle = await loading;
    if (signal.aborted) return;
    const { canvas, context } = canvasOf(opened.width, opened.height);
    canvas.className = "overlay";
    canvas.setAttribute("aria-hidden", "true");
    for (const element of [opened.element, canvas]) element.classList.toggle("mirrored", opened.mirrored);
    view.replaceChildren(opened.element, canvas);
    let [looked, since] = [0, performance.now()];
    for await (const seen of handle.frames(opened.element, { signal })) {
      if (document.body.dataset.state === "starting") enter("running");
      draw(seen, context);
      looked++;
      const seconds = (performance.now() - since) / 1000;
      if (seconds < 1) continue;
      words.put(pace, "pace", { fps: (looked / seconds).toFixed(1) });
      [looked, since] = [0, performance.now()];
    }
    if (!signal.aborted) halt("idle");
  } catch (error) {
    if (!signal.aborted) halt("failed", explain(error));
  }
}

/**
 * Wires the buttons.
 *
 * @param {string} model name in the bundle
 * @param {Draw} draw
 */
export function live(model, draw) {
  find("#camera").addEventListener("click", () => play(model, draw, openLive));
  find("#clip").addEventListener("click", () => play(model, draw, openClip));
  stop.addEventListener("click", () => halt("idle"));
  enter("idle");
}
