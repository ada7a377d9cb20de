/**
 * The page that names what is on a picture. `body.dataset.state` goes from `loading` over `base`, when there is a first
 * answer, to `done`, when it is as good as it gets and faces were looked for, or to `failed`.
 */
import { showBars } from "./bars.js";
import { emotionName, findFaces, isCertain, isClear, readEmotion, showsExpression } from "./emotion.js";
import { PageError, StatusLine, bundle, find, kilobytes, load, make, onLanguage, texts } from "./page.js";
import { canvasOf, describe, pictureInput, sample } from "./pictures.js";
import { aroundFace } from "./vision.js";

const words = texts({
  en: {
    base: "Answered by the first stage, {kb} kB, in {ms} ms. The rest is still loading.",
    full: "Answered at full precision in {ms} ms.",
    name: "{name}",
    guess: "Not sure: perhaps {name}",
    face: "Mostly {emotion}",
    faceguess: "Hard to say: perhaps {emotion}",
    crop: "The detected face",
  },
  zh: {
    base: "由第一阶段（{kb} kB）给出，用时 {ms} 毫秒。其余部分仍在下载。",
    full: "由完整精度的模型给出，用时 {ms} 毫秒。",
    name: "{name}",
    guess: "不太确定，可能是 {name}",
    face: "看起来{emotion}",
    faceguess: "不好判断，也许是{emotion}",
    crop: "找到的人脸",
  },
});
/** Below this the likeliest class is told as a guess. */
const sureScore = 0.3;

const view = find("#view");
const faces = find("#faces");
const line = new StatusLine(find("#status"));
/** @type {HTMLCanvasElement | undefined} */
let picture;
let turn = 0;
let first = "chelsea";

/** @param {"loading" | "base" | "done" | "failed"} state */
const enter = (state) => (document.body.dataset.state = state);

/**
 * @param {any} handle
 * @param {HTMLCanvasElement} given
 */
async function answer(handle, given) {
  await handle.ready;
  const whole = handle.progress.phase === "full";
  const begun = performance.now();
  const { top } = await handle.run(given);
  return { rows: top, whole, ms: Math.round(performance.now() - begun) };
}

/** @param {{ rows: import("./bars.js").Row[], whole: boolean, ms: number }} given @param {any} handle */
function show({ rows, whole, ms }, handle) {
  showBars(find("#bars"), rows);
  const [name] = rows[0].label.split(",");
  const said = make("span");
  words.put(said, rows[0].score < sureScore ? "guess" : "name", { name });
  find("#answer").replaceChildren(said);
  const { loaded } = handle.progress;
  words.put(find("#origin"), whole ? "full" : "base", { ms, kb: () => kilobytes(loaded) });
}

/** Loads a model without a word on the status line. @param {string} name */
async function quietly(name) {
  const { models } = await bundle();
  if (!models[name]) throw new PageError("nomodel", { model: name });
  return models[name].load();
}

/**
 * Looks for a face, which needs one more model, and for what it expresses, which needs another one. Nothing is said of an
 * expression where no face is certain.
 *
 * @param {HTMLCanvasElement} given
 * @param {() => boolean} current
 */
async function lookAtFaces(given, current) {
  const detector = await quietly("face");
  const face = (await findFaces(detector, given)).find(showsExpression);
  if (!face || !(await isCertain(detector, given, face)) || !current()) return;
  const emotion = await quietly("emotion");
  await emotion.full;
  const rows = await readEmotion(emotion, given, face);
  if (!current()) return;
  const { x, y, width, height } = aroundFace(given, face);
  const { canvas, context } = canvasOf(192, 192);
  context.imageSmoothingQuality = "high";
  context.drawImage(given, x, y, width, height, 0, 0, 192, 192);
  canvas.setAttribute("role", "img");
  words.put(canvas, "crop", {}, "aria-label");
  const title = make("strong", { className: "say" });
  title.setAttribute("role", "status");
  const list = make("dl", { className: "chart" });
  const write = () => {
    title.textContent = words.text(isClear(rows) ? "face" : "faceguess", { emotion: emotionName(rows[0].label) });
    showBars(list, rows.slice(0, 5).map(({ label, score }) => ({ label: emotionName(label), score })));
  };
  write();
  retell = write;
  find("[data-part=result]", faces).replaceChildren(canvas, make("div", {}, title, list));
  faces.hidden = false;
  faces.dataset.emotion = rows[0].label;
  faces.dataset.clear = String(isClear(rows));
}

/** @type {(() => void) | undefined} */
let retell;
onLanguage(() => retell?.());

async function begin() {
  const mine = ++turn;
  const current = () => mine === turn;
  enter("loading");
  [faces.hidden, retell] = [true, undefined];
  delete faces.dataset.emotion;
  delete faces.dataset.clear;
  try {
    const given = (picture ??= await sample(first));
    const handle = await load("classify", line, { when: "visible", target: view, priority: "high" });
    let told = await answer(handle, given);
    if (!current()) return;
    show(told, handle);
    enter("base");
    const looked = lookAtFaces(given, current);
    looked.catch(() => {});
    if (!told.whole) {
      await handle.full;
      told = await answer(handle, given);
      if (!current()) return;
      show(told, handle);
    }
    await looked;
    if (current()) enter("done");
  } catch (error) {
    if (!current()) return;
    line.fail(error);
    enter("failed");
  }
}

pictureInput(find("#input"), {
  onPicture(canvas, name) {
    [picture, first] = [canvas, name];
    describe(canvas, name);
    view.replaceChildren(canvas);
    begin();
  },
  onError: (error) => line.fail(error),
});
begin();
