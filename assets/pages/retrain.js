/**
 * The page that learns new classes. `body.dataset.state` is `idle`, `training`, `trained`, `restored` or `failed`;
 * `dataset.reading` says how many pictures are being read.
 */
import { openLive } from "./ar-source.js";
import { rank, showBars } from "./bars.js";
import { saveFiles } from "./export.js";
import { StatusLine, bundle, find, load, make, runtime, texts } from "./page.js";
import { canvasOf, pictureInput, sample } from "./pictures.js";
import { Kinds } from "./retrain-classes.js";
import { classify, forget, isKept, keep, restore, train } from "./retrain-head.js";

/** @typedef {import("./retrain-head.js").Head} Head */
/** @typedef {import("./ar-source.js").Source} Source */

const words = texts({
  en: {
    more: "Add at least three pictures to two or more classes.",
    ready: "Ready to train.",
    training: "Round {epoch} of {epochs}: {seen} % correct.",
    judged: "Round {epoch} of {epochs}: {seen} % correct, {unseen} % on held-out pictures.",
    trained: "Trained in {seconds} s and saved on this device: {seen} % correct.",
    trainedjudged: "Trained in {seconds} s and saved on this device: {seen} % correct, {unseen} % on held-out pictures.",
    restored: "The classes from your last visit are restored: {names}.",
    forgotten: "Deleted.",
    untrained: "Train it first to get an answer.",
    saved: "Saved: model.json, weights.bin and labels.txt.",
    looking: "Your picture",
    cat: "Cat",
    coffee: "Coffee",
  },
  zh: {
    more: "至少需要两个类别，每类三张图片。",
    ready: "可以开始训练。",
    training: "第 {epoch}/{epochs} 轮：正确率 {seen} %。",
    judged: "第 {epoch}/{epochs} 轮：正确率 {seen} %，留出图片 {unseen} %。",
    trained: "训练用时 {seconds} 秒，已保存在本设备：正确率 {seen} %。",
    trainedjudged: "训练用时 {seconds} 秒，已保存在本设备：正确率 {seen} %，留出图片 {unseen} %。",
    restored: "已恢复上次的类别：{names}。",
    forgotten: "已清除。",
    untrained: "先训练，然后才有答案。",
    saved: "已导出 model.json、weights.bin 和 labels.txt。",
    looking: "你的图片",
    cat: "猫",
    coffee: "咖啡",
  },
});
/** What the classifier's last layer sees, by the name of its node. */
const featuresNode = "PartitionedCall/features";
const edge = 224;
const least = 3;
const sampleViews = 8;

const [view, trainer, saver, forgetter, camera] = ["#view", "#train", "#save", "#forget", "#camera"].map((selector) => /** @type {HTMLButtonElement} */ (find(selector)));
const poster = find("img", view);
const line = new StatusLine(find("#status"));
/** @type {Head | undefined} */
let head;
/** @type {Source | undefined} */
let source;
/** @type {Promise<any> | undefined} */
let base;
let reading = 0;

/** @param {"idle" | "training" | "trained" | "restored" | "failed"} state */
function enter(state) {
  document.body.dataset.state = state;
  saver.hidden = forgetter.hidden = !head;
  const full = kinds.list.filter(({ features }) => features.length >= least);
  trainer.disabled = state === "training" || reading > 0 || full.length < 2 || full.length < kinds.list.length;
}

/** @param {unknown} error */
function fail(error) {
  line.fail(error);
  enter("failed");
}

/** Gives the large model of the ladder: the small one, at which a visitor who saves data is left, sees otherwise. */
async function large() {
  let handle = await load("classify", line, { priority: "high" });
  const model = await handle.full;
  if (handle.rung !== 1) return model;
  const { models } = await bundle();
  handle.dispose();
  await models.classify.prefetch();
  handle = await load("classify", line, { priority: "high" });
  return handle.full;
}

/**
 * Gives what the frozen network sees in a picture, at full precision: all pictures must be seen alike. That is a tensor
 * inside of the model, which is none of its answers, so the page feeds the network itself.
 *
 * @param {HTMLCanvasElement | HTMLVideoElement} picture
 * @returns {Promise<Float32Array>}
 */
async function read(picture) {
  document.body.dataset.reading = String(++reading);
  try {
    base ??= large();
    base.catch(() => (base = undefined));
    const [tf, model] = await Promise.all([runtime(), base]);
    const { canvas, context } = canvasOf(edge, edge);
    const { width, height } = /** @type {HTMLCanvasElement} */ (picture);
    const side = Math.min(width, height);
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, (width - side) / 2, (height - side) / 2, side, side, 0, 0, edge, edge);
    const input = tf.tidy(() => tf.browser.fromPixels(canvas).toFloat().div(255).expandDims(0));
    const features = model.execute(input, featuresNode);
    try {
      return await features.data();
    } finally {
      tf.dispose([input, features]);
    }
  } finally {
    document.body.dataset.reading = String(--reading);
  }
}

/** Gives a copy of what the camera shows. */
function shoot() {
  if (!source) return undefined;
  const { canvas, context } = canvasOf(source.width, source.height);
  context.drawImage(source.element, 0, 0, source.width, source.height);
  return canvas;
}

const kinds = new Kinds(find("#kinds"), {
  shoot,
  read,
  onError: fail,
  onChange() {
    if (document.body.dataset.state === "training") return;
    enter(/** @type {any} */ (document.body.dataset.state ?? "idle"));
    if (base && !reading) line.tell(words, trainer.disabled ? "more" : "ready");
  },
});

const percent = (/** @type {number} */ share) => Math.round(100 * share);

async function learn() {
  enter("training");
  try {
    const tf = await runtime();
    const names = kinds.list.map(({ name }) => name());
    const examples = kinds.list.flatMap(({ features }, kind) => features.map((one) => ({ features: one, kind })));
    const begun = performance.now();
    /** @type {import("./retrain-head.js").Progress | undefined} */
    let last;
    const learned = await train(tf, names, examples, (progress) => {
      last = progress;
      const { epoch, epochs, seen, unseen } = progress;
      line.share(epoch / epochs);
      line.tell(words, unseen === undefined ? "training" : "judged", { epoch, epochs, seen: percent(seen), unseen: percent(unseen ?? 0) });
    });
    head?.model.dispose();
    head = learned;
    await keep(head);
    line.share();
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    const judged = last?.unseen !== undefined;
    line.tell(words, judged ? "trainedjudged" : "trained", { seconds, seen: percent(last?.seen ?? 0), unseen: percent(last?.unseen ?? 0) });
    enter("trained");
    answer(source?.element ?? shown);
  } catch (error) {
    fail(error);
  }
}

let turn = 0;
/**
 * Says which of the visitor's classes a picture belongs to.
 *
 * @param {HTMLCanvasElement | HTMLVideoElement | undefined} picture
 */
async function answer(picture) {
  if (!picture) return;
  const mine = ++turn;
  if (!head) return line.tell(words, "untrained");
  try {
    const given = picture instanceof HTMLVideoElement ? shoot() : picture;
    if (!given) return;
    const scores = await classify(await runtime(), head, await read(given));
    if (mine !== turn || !head) return;
    const rows = rank(scores, head.names, head.names.length);
    showBars(find("#bars"), rows);
    if (find("#verdict").textContent !== rows[0].label) find("#verdict").replaceChildren(make("span", {}, rows[0].label));
    find("#verdict").dataset.label = rows[0].label;
  } catch (error) {
    if (mine === turn) fail(error);
  }
}

/** Answers the camera's pictures as they come; what comes while one is being looked at is skipped. @param {Source} from */
function follow(from) {
  let busy = false;
  const { element } = from;
  const next = () => ("requestVideoFrameCallback" in element ? element.requestVideoFrameCallback(step) : requestAnimationFrame(step));
  const step = () => {
    if (from !== source) return;
    next();
    if (busy || !head || document.body.dataset.state === "training") return;
    busy = true;
    answer(element).finally(() => (busy = false));
  };
  next();
}

function closeCamera() {
  turn++; // an answer on its way is to what is not shown any more
  source?.stop();
  source = undefined;
  kinds.camera(false);
  camera.setAttribute("aria-pressed", "false");
  view.replaceChildren(shown ?? poster);
}

async function toggleCamera() {
  if (source) return closeCamera();
  try {
    source = await openLive();
    source.element.classList.toggle("mirrored", source.mirrored);
    view.replaceChildren(source.element);
    kinds.camera(true);
    camera.setAttribute("aria-pressed", "true");
    follow(source);
  } catch (error) {
    line.fail(error);
  }
}

/** Gives a picture in several cuttings, as a hand with a camera would take it. @param {string} name */
async function cuttings(name) {
  const picture = await sample(name);
  return Array.from({ length: sampleViews }, (_, i) => {
    const side = Math.min(picture.width, picture.height) * (0.95 - 0.05 * i);
    const { canvas, context } = canvasOf(edge, edge);
    if (i % 2) context.setTransform(-1, 0, 0, 1, edge, 0);
    const [x, y] = [(picture.width - side) * ((i * 0.37) % 1), (picture.height - side) * ((i * 0.61) % 1)];
    context.drawImage(picture, x, y, side, side, 0, 0, edge, edge);
    return canvas;
  });
}

async function useSamples() {
  try {
    for (const [name, key] of [["chelsea", "cat"], ["coffee", "coffee"]]) {
      const empty = kinds.list.find(({ features }) => !features.length);
      if (empty) kinds.rename(empty, words.text(key));
      await kinds.take(empty ?? kinds.add(words.text(key)), await cuttings(name));
    }
  } catch (error) {
    fail(error);
  }
}

async function save() {
  if (!head) return;
  try {
    await saveFiles(await runtime(), head.model, head.names);
    line.tell(words, "saved");
  } catch (error) {
    line.fail(error);
  }
}

async function bringBack() {
  if (document.readyState !== "complete") await new Promise((done) => addEventListener("load", done, { once: true }));
  try {
    head = await restore(await runtime());
    for (const name of head.names) kinds.add(name);
    line.tell(words, "restored", { names: head.names.join(", ") });
    enter("restored");
  } catch (error) {
    kinds.add();
    kinds.add();
    fail(error);
  }
}

/** @type {HTMLCanvasElement | undefined} */
let shown;
pictureInput(find("#input"), {
  onPicture(canvas) {
    if (source) closeCamera();
    shown = canvas;
    canvas.setAttribute("role", "img");
    words.put(canvas, "looking", {}, "aria-label");
    view.replaceChildren(canvas);
    answer(canvas);
  },
  onError: (error) => line.fail(error),
});
find("#add").addEventListener("click", () => kinds.add());
find("#samples").addEventListener("click", useSamples);
camera.addEventListener("click", toggleCamera);
trainer.addEventListener("click", learn);
saver.addEventListener("click", save);
forgetter.addEventListener("click", async () => {
  try {
    await forget(await runtime());
    head?.model.dispose();
    head = undefined;
    find("#bars").replaceChildren();
    line.tell(words, "forgotten");
    enter("idle");
  } catch (error) {
    line.fail(error);
  }
});
camera.setAttribute("aria-pressed", "false");
enter("idle");
if (isKept()) bringBack();
else {
  kinds.add();
  kinds.add();
  line.tell(words, "more");
}
