/**
 * What pages with live video share: buttons, the camera or a sample clip in its place, one frame at a time.
 * `body.dataset.state` is `idle`, `starting`, `running` or `failed`.
 */
import { openClip, openLive } from "./ar-source.js";
import { PageError, StatusLine, explain, find, load, texts } from "./page.js";
import { canvasOf } from "./pictures.js";

/** @typedef {import("./ar-source.js").Source} Source */

const words = texts({
  en: {
    pace: "{fps} frames per second.",
    denied: "The page is not allowed to use the camera. Allow it in the browser's address bar and try again; the sample clip plays meanwhile.",
    nocamera: "There is no camera, or another program is using it. Playing the sample clip instead.",
    insecure: "Browsers allow the camera only for pages over HTTPS or on localhost. Playing the sample clip instead.",
  },
  zh: {
    pace: "每秒 {fps} 帧。",
    denied: "页面没有使用摄像头的权限。请在地址栏中允许后重试；现在先播放示例。",
    nocamera: "这里没有摄像头，或它正被其他程序使用。现在播放示例。",
    insecure: "浏览器只允许 HTTPS 页面和 localhost 使用摄像头。现在播放示例。",
  },
});
/** Errors of `getUserMedia` after which the sample clip plays. @type {Record<string, string>} */
const withoutCamera = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "nocamera", NotReadableError: "nocamera", OverconstrainedError: "nocamera" };
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

/** @param {() => Promise<Source>} open @returns {Promise<{ opened: Source, said: string }>} */
async function opening(open) {
  try {
    return { opened: await open(), said: "" };
  } catch (error) {
    const key = error instanceof PageError ? error.key : withoutCamera[/** @type {Error} */ (error).name];
    if (!key || open === openClip) throw error;
    return { opened: await openClip(), said: key in { denied: 1, nocamera: 1, insecure: 1 } ? words.text(key) : explain(error) };
  }
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
    const [{ opened, said }, handle] = await Promise.all([opening(open), load(model, line, { priority: "high" })]);
    await handle.ready;
    if (mine !== run) return opened.stop();
    source = opened;
    [notice.textContent, notice.hidden] = [said, !said];
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
