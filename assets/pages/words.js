/**
 * The page of words. `body.dataset.state` goes from `idle` over `working` to `done` or `failed`; `body.dataset.rows` is the
 * number of words that the answer was found among.
 */
import { StatusLine, bundle, explain, find, language, make, onLanguage, PageError, texts } from "./page.js";
import { suggest } from "./suggest.js";
import { draw, layOut, project } from "./words-map.js";

/** @typedef {{ word: string, score: number }} Neighbour */
/** @typedef {"en" | "zh"} Tongue */

const words = texts({
  en: {
    first: "Fetching the first words…",
    some: "{size} of {rows} words can be searched. The rest is still loading…",
    all: "All {rows} words are loaded.",
    asleep: "The words load when you search for one.",
    nothing: "Type a word, or choose one of the examples.",
    search: "Looking for {word}…",
    near: "Nearest to “{word}” among {size} words.",
    later: "“{word}” is not among the first {size} words. Waiting for the rest…",
    unknown: "“{word}” is not among the {size} words.",
    alike: "“{word}” is not among the {size} words. Did you mean {others}?",
    relation: "{a} is to {b} as {c} is to … (among {size} words)",
    three: "An analogy needs three words.",
    map: "A map of the words nearest to {word}. Closest on it: {others}. The list shows all of them.",
    ask: "Neighbours of {word}",
    "sample-en": "A map of some English words: music in one place, rivers in another",
    "sample-zh": "A map of some Chinese words: music in one place, rivers in another",
  },
  zh: {
    first: "正在获取最常用的词……",
    some: "已有 {size} / {rows} 个词可以查询，其余的正在加载……",
    all: "全部 {rows} 个词已就绪。",
    asleep: "查询时才会加载词库。",
    nothing: "请输入一个词，或选一个例子。",
    search: "正在查找 {word}……",
    near: "在 {size} 个词中，与“{word}”意思最近的词。",
    later: "“{word}”不在最前面的 {size} 个词里，正在等待其余的词……",
    unknown: "{size} 个词里没有“{word}”。",
    alike: "{size} 个词里没有“{word}”。你是不是想找 {others}？",
    relation: "{a} 对于 {b}，正如 {c} 对于下面的词（在 {size} 个词中）。",
    three: "类比需要三个词。",
    map: "与 {word} 意思最近的词的地图，图上最近的有：{others}。全部的词见列表。",
    ask: "{word} 的近义词",
    "sample-en": "几个英文词的地图：音乐类的词聚在一处，河流类的词聚在另一处",
    "sample-zh": "几个中文词的地图：音乐类的词聚在一处，河流类的词聚在另一处",
  },
});

/** @type {Record<Tongue, { model: string, lang: string, map: string, words: string[], relations: string[][] }>} */
const tongues = {
  en: {
    model: "words-en",
    // Not plain "en": the stylesheet hides that in Chinese.
    lang: "en-US",
    map: "pictures/words.svg",
    words: ["music", "paris", "coffee", "river"],
    relations: [["man", "king", "woman"], ["france", "paris", "japan"], ["big", "bigger", "small"]],
  },
  zh: {
    model: "words-zh",
    lang: "zh-Hans",
    map: "pictures/words-zh.svg",
    words: ["招聘", "音乐", "春天", "医生"],
    relations: [["男人", "国王", "女人"], ["中国", "北京", "法国"], ["老师", "学校", "医生"]],
  },
};

const near = 12;
const line = new StatusLine(find("#status"));
const [map, nearest, analogy] = ["#map", "#nearest", "#analogy"].map((selector) => find(selector));
const [nearestSay, analogySay] = ["#nearest-say", "#analogy-say"].map((selector) => find(selector));
const fields = /** @type {HTMLInputElement[]} */ (["#word", "#a", "#b", "#c"].map((selector) => find(selector)));
const [field, ...three] = fields;

/** @type {Tongue} */
let tongue = language();
/** @type {Map<Tongue, { handle: any, vectors: any, ready: Promise<any> }>} */
const opened = new Map();
/** What was asked last, to ask it again among more words: the neighbours, the analogy. @type {(() => Promise<void>)[]} */
const asked = [async () => {}, async () => {}];
let work = [new AbortController(), new AbortController()];
/** @type {() => void} */
let redraw = () => {};

/** @param {number} count */
const number = (count) => () => count.toLocaleString(language());

/** Words are in lower case in English. @param {string} text */
const plain = (text) => (tongue === "en" ? text.trim().toLowerCase() : text.trim());

/** @param {"idle" | "working" | "done" | "failed"} state */
const enter = (state) => (document.body.dataset.state = state);

/** Loads the words of the chosen language, or gives them. @returns {Promise<any>} */
function open() {
  const mine = tongue;
  const known = opened.get(mine);
  if (known) return known.ready;
  /** @type {{ handle: any, vectors: any, ready: Promise<any> }} */
  const entry = { handle: undefined, vectors: undefined, ready: Promise.resolve() };
  entry.ready = bring(mine, entry);
  opened.set(mine, entry);
  entry.ready.catch(() => opened.delete(mine));
  return entry.ready;
}

/**
 * @param {Tongue} mine
 * @param {{ handle: any, vectors: any }} entry
 */
async function bring(mine, entry) {
  const { model } = tongues[mine];
  tell();
  const { models } = await bundle();
  if (!models[model]) throw new PageError("nomodel", { model });
  entry.handle = models[model].load({ priority: "high", onProgress: () => mine === tongue && tell() });
  entry.vectors = await entry.handle.ready;
  tell();
  entry.handle.full.then(
    () => {
      if (mine !== tongue) return;
      tell();
      for (const again of asked) again();
    },
    (/** @type {unknown} */ error) => {
      opened.delete(mine);
      if (mine === tongue) line.fail(error);
    },
  );
  return entry.vectors;
}

/** Says how much of the chosen language's words is here. */
function tell() {
  const entry = opened.get(tongue);
  const progress = entry?.handle?.progress;
  if (!entry?.vectors) {
    line.tell(words, entry || document.body.dataset.state === "working" ? "first" : "asleep");
    line.share(progress && progress.loaded / progress.total);
    return;
  }
  const { size, rows } = entry.vectors;
  line.tell(words, size < rows ? "some" : "all", { size: number(size), rows: number(rows) });
  line.share(size < rows ? progress.loaded / progress.total : undefined);
}

/**
 * Waits for a word that may come with the rest.
 *
 * @param {any} vectors
 * @param {string} word
 * @param {Element} say
 */
async function expect(vectors, word, say) {
  if (vectors.has(word)) return true;
  const { handle } = opened.get(tongue) ?? {};
  if (vectors.size < vectors.rows && handle) {
    words.put(say, "later", { word, size: number(vectors.size) });
    await handle.full;
    if (vectors.has(word)) return true;
  }
  let others = "";
  for (let length = word.length; length > 1 && !others; length--) others = vectors.complete(word.slice(0, length), 3).join(", ");
  words.put(say, others ? "alike" : "unknown", { word, others, size: number(vectors.size) });
  return false;
}

/**
 * Does one piece of work in the place of the one before it, and shows its failure.
 *
 * @param {number} place 0 neighbours, 1 analogy
 * @param {Element} say
 * @param {(signal: AbortSignal) => Promise<void>} action
 */
async function once(place, say, action) {
  work[place].abort();
  const { signal } = (work[place] = new AbortController());
  enter("working");
  try {
    await action(signal);
    if (!signal.aborted) enter("done");
  } catch (error) {
    if (signal.aborted) return;
    say.textContent = explain(error);
    line.fail(error);
    enter("failed");
  }
}

/** @param {string} text */
function findNear(text) {
  const word = plain(text);
  if (!word) return words.put(nearestSay, "nothing");
  field.value = word;
  asked[0] = () =>
    once(0, nearestSay, async (signal) => {
      words.put(nearestSay, "search", { word });
      const vectors = await open();
      if (signal.aborted) return;
      if (!(await expect(vectors, word, nearestSay))) return list(nearest, []);
      signal.throwIfAborted();
      const { size } = vectors;
      const found = await vectors.nearest(word, near, { signal });
      list(nearest, found);
      showMap(vectors, word, found);
      words.put(nearestSay, "near", { word, size: number(size) });
      document.body.dataset.rows = String(size);
    });
  asked[0]();
}

function relate() {
  const [a, b, c] = three.map(({ value }) => plain(value));
  if (!a || !b || !c) return words.put(analogySay, "three");
  asked[1] = () =>
    once(1, analogySay, async (signal) => {
      const vectors = await open();
      for (const word of [a, b, c]) if (!signal.aborted && !(await expect(vectors, word, analogySay))) return list(analogy, []);
      signal.throwIfAborted();
      const { size } = vectors;
      list(analogy, await vectors.analogy(a, b, c, 5, { signal }));
      words.put(analogySay, "relation", { a, b, c, size: number(size) });
      document.body.dataset.related = String(size);
    });
  asked[1]();
}

/**
 * @param {HTMLElement} place
 * @param {Neighbour[]} found
 */
function list(place, found) {
  place.lang = tongues[tongue].lang;
  place.replaceChildren(
    ...found.map(({ word, score }) => {
      const button = make("button", { type: "button" }, word);
      words.put(button, "ask", { word }, "aria-label");
      button.addEventListener("click", () => findNear(word));
      const item = make("li", {}, button, make("span", {}, score.toFixed(2)));
      item.style.setProperty("--share", String(Math.max(0, score)));
      return item;
    }),
  );
}

/**
 * @param {any} vectors
 * @param {string} word
 * @param {Neighbour[]} found
 */
function showMap(vectors, word, found) {
  const names = [word, ...found.map((item) => item.word)];
  const rows = names.map((name) => {
    const values = [...vectors.vector(name)];
    const length = Math.hypot(...values) || 1;
    return values.map((value) => value / length);
  });
  const points = project(rows);
  redraw = () => {
    const width = Math.max(280, Math.round(map.clientWidth));
    const height = Math.round(Math.max(340, width * 0.62));
    const places = layOut(names, points, width, height);
    draw(map, places, width, height, words.text("map", { word, others: names.slice(1, 4).join(", ") }));
  };
  redraw();
}

/** Shows the examples of the chosen language. */
function offer() {
  const { words: single, relations, lang } = tongues[tongue];
  for (const input of fields) input.lang = lang;
  const [examples, triples] = [find("#examples"), find("#relations")];
  examples.replaceChildren(
    ...single.map((word) => {
      const button = make("button", { type: "button", className: "quiet", lang }, word);
      button.addEventListener("click", () => findNear(word));
      return button;
    }),
  );
  triples.replaceChildren(
    ...relations.map((triple) => {
      const button = make("button", { type: "button", className: "quiet", lang }, `${triple[0]} : ${triple[1]} = ${triple[2]} : ?`);
      button.addEventListener("click", () => {
        for (const [i, input] of three.entries()) input.value = triple[i];
        relate();
      });
      return button;
    }),
  );
}

/** Shows a map of words of the chosen language, before one of what was asked. */
function showSample() {
  redraw = () => {};
  const picture = make("img", { src: tongues[tongue].map, width: 640, height: 440 });
  words.put(picture, `sample-${tongue}`, {}, "alt");
  map.replaceChildren(picture);
}

/** Puts the page back to where nothing was asked. */
function clear() {
  for (const controller of work) controller.abort();
  asked.fill(async () => {});
  for (const input of fields) input.value = "";
  for (const place of [nearest, analogy]) place.replaceChildren();
  words.put(nearestSay, "nothing");
  analogySay.textContent = "";
  // The picture of the page's own language is in the document.
  if (tongue !== language() || map.querySelector("svg") || map.children.length < 2) showSample();
  enter("idle");
  tell();
  offer();
}

for (const input of fields) {
  const { renew } = suggest(
    input,
    (text) => opened.get(tongue)?.vectors?.complete(plain(text), 8) ?? [],
    input === field ? findNear : undefined,
  );
  // The first letters may be typed before the first words are here.
  input.addEventListener("focus", () => open().then(renew, (error) => line.fail(error)), { passive: true });
}
find("#ask").addEventListener("submit", (event) => {
  event.preventDefault();
  findNear(field.value);
});
find("#relate").addEventListener("submit", (event) => {
  event.preventDefault();
  relate();
});
const radios = /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("input[name=tongue]"));

/** @param {Tongue} chosen */
function turnTo(chosen) {
  tongue = chosen;
  for (const radio of radios) radio.checked = radio.value === tongue;
  clear();
}
for (const radio of radios) radio.addEventListener("change", () => turnTo(radio.value === "zh" ? "zh" : "en"));
onLanguage(() => {
  // The words follow the page's language as long as nobody has asked for one.
  if (document.body.dataset.state === "idle") turnTo(language());
  redraw();
});
new ResizeObserver(() => redraw()).observe(map);
turnTo(language());
