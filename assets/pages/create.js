/**
 * The page that trains a network from nothing. `body.dataset.state` is `idle`, `training`, `trained` or `failed`.
 */
import { rank, showBars } from "./bars.js";
import { Pad, edge } from "./create-pad.js";
import { samples } from "./create-samples.js";
import { saveFiles } from "./export.js";
import { StatusLine, find, load, make, runtime, texts } from "./page.js";

const words = texts({
  en: {
    kinds: "Circle,Cross,Line,Wave",
    name: "Name of class {number}",
    add: "This is one",
    addto: "This is one: {name}",
    count: "{count} drawings",
    empty: "Draw something first.",
    more: "Add at least three drawings to two or more classes.",
    ready: "Ready to train.",
    training: "Round {epoch} of {epochs}: {right} % correct.",
    trained: "Trained in {seconds} s: {right} % correct. Draw something, and it says what it sees.",
    saved: "Saved: model.json, weights.bin and labels.txt.",
  },
  zh: {
    kinds: "圆,叉,横线,波浪",
    name: "类别 {number} 的名称",
    add: "这是一个",
    addto: "这是一个：{name}",
    count: "{count} 张画",
    empty: "请先画点什么。",
    more: "至少需要两个类别，每类三张画。",
    ready: "可以开始训练。",
    training: "第 {epoch}/{epochs} 轮：正确率 {right} %。",
    trained: "训练用时 {seconds} 秒：正确率 {right} %。现在画画看，它会说出看到了什么。",
    saved: "已导出 model.json、weights.bin 和 labels.txt。",
  },
});
const units = 4;
const least = 3;
const sampleCount = 6;
const epochs = 20;
const rate = 0.004;
/** Each drawing is learned from this many places, so that a pixel to the left is no news. */
const shifts = 6;
const reach = 2;

/** @typedef {{ name: HTMLInputElement, drawings: Float32Array[], element: HTMLLIElement }} Kind */

const [trainer, saver] = ["#train", "#save"].map((selector) => /** @type {HTMLButtonElement} */ (find(selector)));
const verdict = find("#verdict");
const line = new StatusLine(find("#status"));
/** @type {any} */
let model;
let trained = false;

/** @type {Kind[]} */
const kinds = Array.from({ length: units }, (_, i) => makeKind(i));
const pad = new Pad(/** @type {HTMLCanvasElement} */ (find("#pad")), find("#cursor"), () => void answer());

/** @param {number} i @returns {Kind} */
function makeKind(i) {
  const name = make("input", { type: "text", maxLength: 40 });
  words.put(name, "name", { number: i + 1 }, "aria-label");
  const called = () => name.value.trim() || words.text("kinds").split(",")[i];
  texts({ en: { kind: "{called}" }, zh: { kind: "{called}" } }).put(name, "kind", { called: () => words.text("kinds").split(",")[i] }, "placeholder");
  const add = make("button", { type: "button", className: "quiet" });
  words.put(add, "add");
  words.put(add, "addto", { name: called }, "aria-label");
  name.addEventListener("change", () => words.put(add, "addto", { name: called }, "aria-label"));
  const shots = make("div", { className: "shots" });
  shots.setAttribute("aria-hidden", "true");
  const count = make("span", { className: "soft" });
  const element = make("li", { className: "kind" }, make("div", { className: "row" }, name, add), shots, count);
  /** @type {Kind} */
  const kind = { name, drawings: [], element };
  words.put(count, "count", { count: () => String(kind.drawings.length) });
  add.addEventListener("click", () => take(kind));
  find("#kinds").append(element);
  return kind;
}

/** @param {number} i */
const nameOf = (i) => kinds[i].name.value.trim() || kinds[i].name.placeholder;

/** @param {"idle" | "training" | "trained" | "failed"} state */
function enter(state) {
  document.body.dataset.state = state;
  const used = kinds.filter(({ drawings }) => drawings.length);
  trainer.disabled = state === "training" || used.length < 2 || used.some(({ drawings }) => drawings.length < least);
  saver.hidden = !trained;
}

/** @param {unknown} error */
function fail(error) {
  line.fail(error);
  enter("failed");
}

/** Adds what is on the pad to a class. @param {Kind} kind */
function take(kind) {
  const drawing = pad.read();
  if (!drawing) return line.tell(words, "empty");
  kind.drawings.push(drawing.values);
  find(".shots", kind.element).append(drawing.picture);
  words.put(find(".soft", kind.element), "count", { count: () => String(kind.drawings.length) });
  pad.clear();
  if (document.body.dataset.state === "training") return;
  enter(trained ? "trained" : "idle");
  line.tell(words, trainer.disabled ? "more" : "ready");
}

/**
 * Gives a drawing moved by whole pixels.
 *
 * @param {Float32Array} values
 * @param {number} dx
 * @param {number} dy
 */
function moved(values, dx, dy) {
  const result = new Float32Array(values.length);
  for (let y = 0; y < edge; y++) {
    for (let x = 0; x < edge; x++) {
      const [fromX, fromY] = [x - dx, y - dy];
      if (fromX >= 0 && fromY >= 0 && fromX < edge && fromY < edge) result[y * edge + x] = values[fromY * edge + fromX];
    }
  }
  return result;
}

async function learn() {
  enter("training");
  try {
    const handle = await load("drawing", line);
    const [tf, loaded] = await Promise.all([runtime(), handle.full]);
    if (!model) {
      model = loaded;
      model.compile({ optimizer: tf.train.adam(rate), loss: "categoricalCrossentropy", metrics: ["accuracy"] });
    }
    const shift = () => Math.round((2 * Math.random() - 1) * reach);
    const examples = kinds.flatMap(({ drawings }, kind) =>
      drawings.flatMap((values) => Array.from({ length: shifts }, (_, i) => ({ kind, values: i ? moved(values, shift(), shift()) : values }))),
    );
    const flat = new Float32Array(examples.length * edge * edge);
    examples.forEach(({ values }, i) => flat.set(values, i * edge * edge));
    const x = tf.tensor4d(flat, [examples.length, edge, edge, 1]);
    const y = tf.tidy(() => tf.oneHot(tf.tensor1d(examples.map(({ kind }) => kind), "int32"), units).toFloat());
    const begun = performance.now();
    let right = 0;
    try {
      await model.fit(x, y, {
        epochs,
        batchSize: 32,
        shuffle: true,
        callbacks: {
          onEpochEnd: (/** @type {number} */ epoch, /** @type {{ acc: number }} */ { acc }) => {
            right = Math.round(100 * acc);
            line.share((epoch + 1) / epochs);
            line.tell(words, "training", { epoch: epoch + 1, epochs, right });
          },
        },
      });
    } finally {
      tf.dispose([x, y]);
    }
    trained = true;
    line.share();
    line.tell(words, "trained", { seconds: ((performance.now() - begun) / 1000).toFixed(1), right });
    enter("trained");
  } catch (error) {
    fail(error);
  }
}

let turn = 0;
/** Says what is on the pad. */
async function answer() {
  const drawing = trained && document.body.dataset.state !== "training" ? pad.read() : undefined;
  if (!drawing) return;
  const mine = ++turn;
  try {
    const tf = await runtime();
    const output = tf.tidy(() => model.predict(tf.tensor4d(drawing.values, [1, edge, edge, 1])));
    const scores = await output.data();
    output.dispose();
    if (mine !== turn) return;
    const rows = rank(scores, kinds.map((_, i) => nameOf(i)), units);
    showBars(find("#bars"), rows);
    verdict.replaceChildren(make("span", {}, rows[0].label));
    verdict.dataset.label = rows[0].label;
  } catch (error) {
    if (mine === turn) fail(error);
  }
}

function drawSamples() {
  for (const [i, draw] of samples.entries()) {
    for (let n = 0; n < sampleCount; n++) {
      pad.clear();
      for (const points of draw()) pad.trace(points);
      take(kinds[i]);
    }
  }
}

find("#clear").addEventListener("click", () => {
  pad.clear();
  find("#bars").replaceChildren();
});
find("#samples").addEventListener("click", drawSamples);
trainer.addEventListener("click", learn);
saver.addEventListener("click", async () => {
  try {
    await saveFiles(await runtime(), model, kinds.map((_, i) => nameOf(i)));
    line.tell(words, "saved");
  } catch (error) {
    line.fail(error);
  }
});
enter("idle");
line.tell(words, "more");
