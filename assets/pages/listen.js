/** The page that hears whether somebody speaks. `body.dataset.state` is `idle`, `starting`, `running` or `failed`. */
import { StatusLine, explain, find, load, texts } from "./page.js";
import { canvasOf } from "./pictures.js";
import { openMicrophone, playing } from "./sounds.js";

const words = texts({ en: { speech: "Somebody is speaking.", silence: "Nobody is speaking." }, zh: { speech: "有人在说话。", silence: "没有人说话。" } });
const [view, notice, found, stop] = ["#view", "#notice", "#found", "#stop"].map((selector) => find(selector));
const [poster, line] = [find("img", view), new StatusLine(find("#status"))];
const { canvas, context } = canvasOf(640, 320);
let run = new AbortController();

/** @param {string} state @param {string} [text] */
function enter(state, text = "") {
  document.body.dataset.state = state;
  stop.hidden = state === "idle" || state === "failed";
  [notice.textContent, notice.hidden] = [text, !text];
}

/** @param {boolean} live */
async function listen(live) {
  run.abort();
  const { signal } = (run = new AbortController());
  enter("starting");
  try {
    const handle = await load("speech", line, { priority: "high" });
    await handle.ready;
    const heard = live ? await handle.run(await openMicrophone(), { signal }) : playing(handle, "sounds/hello.wav", signal);
    context.clearRect(0, 0, canvas.width, canvas.height);
    view.replaceChildren(canvas);
    for await (const { answer } of heard) {
      signal.throwIfAborted();
      enter("running");
      draw(answer.top.find((/** @type {any} */ { label }) => label === "speech").score);
      words.put(found, answer.label);
    }
    if (!signal.aborted) enter("idle");
  } catch (error) {
    if (!signal.aborted) enter("failed", explain(error));
  }
}

/** @param {number} score */
function draw(score) {
  context.globalCompositeOperation = "copy"; // what was there goes
  context.drawImage(canvas, -4, 0);
  context.globalCompositeOperation = "source-over";
  context.fillStyle = score > 0.5 ? "#8df0b8" : "#4d5b66";
  context.fillRect(636, 160 - 150 * score, 3, 4 + 300 * score);
}

find("#microphone").addEventListener("click", () => listen(true));
find("#clip").addEventListener("click", () => listen(false));
stop.addEventListener("click", () => {
  run.abort();
  view.replaceChildren(poster);
  enter("idle");
});
enter("idle");
