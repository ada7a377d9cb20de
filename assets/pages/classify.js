/**
 * The page that names what is on a picture. `body.dataset.state` goes from `loading` over `base`, when there is a first
 * answer, to `done`, when it is as good as it gets and faces were looked for, or to `failed`. `body.dataset.rung` is the
 * number of the model that gave the answer: a small one guesses until a larger one is there.
 */
import { showBars } from "./bars.js";
import { emotionName, findFaces, isCertain, isClear, readEmotion, showsExpression } from "./emotion.js";
import { PageError, StatusLine, bundle, find, kilobytes, load, make, onLanguage, texts } from "./page.js";
import { canvasOf, describe, pictureInput, sample } from "./pictures.js";
import { aroundFace } from "./vision.js";

const words = texts({
  en: {
    small: "A first guess of the small model, after {kb} kB, in {ms} ms. The large one is on its way.",
    frugal: "A guess of the small model, in {ms} ms. Your device, or a setting that saves data, leaves it at that.",
    base: "Answered by the first stage of the large model, after {kb} kB, in {ms} ms. The rest is still loading.",
    full: "Answered at full precision in {ms} ms.",
    name: "{name}",
    guess: "Not sure: perhaps {name}",
    face: "Mostly {emotion}",
    faceguess: "Hard to say: perhaps {emotion}",
    crop: "The detected face",
  },
  zh: {
    small: "小模型的初步猜测（已下载 {kb} kB），用时 {ms} 毫秒。大模型正在下载。",
    frugal: "小模型的猜测，用时 {ms} 毫秒。由于设备限制或省流量设置，不再下载大模型。",
    base: "由大模型的第一阶段（已下载 {kb} kB）给出，用时 {ms} 毫秒。其余部分仍在下载。",
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
  const { rung } = handle;
  const begun = performance.now();
  const { top } = await handle.run(given);
  return { rows: top, rung, whole, ms: Math.round(performance.now() - begun) };
}

/** @param {{ rows: import("./bars.js").Row[], rung: number, whole: boolean, ms: number }} given @param {any} handle */
function show({ rows, rung, whole, ms }, handle) {
  const small = rung === 1;
  showBars(find("#bars"), rows);
  const [name] = rows[0].label.split(",");
  const said = make("span");
  words.put(said, small || rows[0].score < sureScore ? "guess" : "name", { name });
  find("#answer").replaceChildren(said);
  const { loaded } = handle.progress;
  const origin = whole ? (small ? "frugal" : "full") : small ? "small" : "base";
  words.put(find("#origin"), origin, { ms, kb: () => kilobytes(loaded) });
  document.body.dataset.rung = String(rung);
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
    const again = async (/** @type {Promise<any>} */ there) => {
      await there;
      told = await answer(handle, given);
      if (current()) show(told, handle);
    };
    if (told.rung === 1 && !told.whole) await again(handle.until("rung:2").catch(() => handle.full));
    if (current() && !told.whole) await again(handle.full);
    if (!current()) return;
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
