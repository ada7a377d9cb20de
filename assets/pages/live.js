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
let run = 0;
/** @type {Source | undefined} */
let source;

/** @param {"idle" | "starting" | "running" | "failed"} state */
function enter(state) {
  document.body.dataset.state = state;
  stop.hidden = state === "idle" || state === "failed";
}

/** @param {"idle" | "failed"} state @param {string} [text] */
function halt(state, text = "") {
  run++;
  source?.stop();
  source = undefined;
  view.replaceChildren(poster);
  pace.textContent = "";
  [notice.textContent, notice.hidden] = [text, !text];
  enter(state);
}

/**
 * Plays a source and hands each frame to `look`; frames that come meanwhile are skipped.
 *
 * @param {string} model
 * @param {(handle: any, frame: HTMLCanvasElement, over: CanvasRenderingContext2D) => Promise<void>} look
 * @param {() => Promise<Source>} open
 */
async function play(model, look, open) {
  halt("idle");
  const mine = ++run;
  enter("starting");
  try {
    const loading = load(model, line, { priority: "high" });
    loading.catch(() => {}); // said below
    const opened = await openOrClip(open, notice);
    if (mine !== run) return opened.stop();
    source = opened; // from now on whatever ends this also lets go of the camera
    const handle = await loading;
    await handle.ready;
    if (mine !== run) return;
    const { canvas, context } = canvasOf(opened.width, opened.height);
    canvas.className = "overlay";
    canvas.setAttribute("aria-hidden", "true");
    for (const element of [opened.element, canvas]) element.classList.toggle("mirrored", opened.mirrored);
    view.replaceChildren(opened.element, canvas);
    const frame = canvasOf(opened.width, opened.height).context;
    enter("running");
    let [looked, since] = [0, performance.now()];
    while (mine === run) {
      await new Promise((tell) => opened.next(() => tell(undefined)));
      if (mine !== run) return;
      frame.drawImage(opened.element, 0, 0, opened.width, opened.height);
      await look(handle, frame.canvas, context);
      looked++;
      const seconds = (performance.now() - since) / 1000;
      if (seconds < 1) continue;
      words.put(pace, "pace", { fps: (looked / seconds).toFixed(1) });
      [looked, since] = [0, performance.now()];
    }
  } catch (error) {
    if (mine === run) halt("failed", explain(error));
  }
}

/**
 * Wires the buttons.
 *
 * @param {string} model name in the bundle
 * @param {(handle: any, frame: HTMLCanvasElement, over: CanvasRenderingContext2D) => Promise<void>} look draws what the model sees on a frame
 */
export function live(model, look) {
  find("#camera").addEventListener("click", () => play(model, look, openLive));
  find("#clip").addEventListener("click", () => play(model, look, openClip));
  stop.addEventListener("click", () => halt("idle"));
  enter("idle");
}
