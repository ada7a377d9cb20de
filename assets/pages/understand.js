/** The page that finds sentences by their meaning. `body.dataset.state` goes from `idle` over `working` to `done` or `failed`. */
import { StatusLine, find, load, make, texts } from "./page.js";

const words = texts({
  en: { first: "Type something, or choose an example.", near: "Nearest in meaning to “{text}”, among {count} sentences." },
  zh: { first: "请输入一句话，或选一个例子。", near: "在 {count} 个句子中，与“{text}”意思最近的：" },
});
const [field, list] = [/** @type {HTMLInputElement} */ (find("#text")), /** @type {HTMLTextAreaElement} */ (find("#sentences"))];
const [say, nearest] = [find("#say"), find("#nearest")];
const line = new StatusLine(find("#status"));
/** What sentences mean, by their text. @type {Map<string, any>} */
const known = new Map();
let turn = 0;

async function answer() {
  const [text, mine] = [field.value.trim(), ++turn];
  const sentences = [...new Set(list.value.split("\n").map((one) => one.trim()))].filter(Boolean);
  if (!text || !sentences.length) return words.put(say, "first");
  document.body.dataset.state = "working";
  try {
    const handle = await load("meaning", line, { priority: "high" });
    const fresh = sentences.filter((one) => !known.has(one));
    const [asked, ...vectors] = await handle.run([text, ...fresh]);
    for (const [i, one] of fresh.entries()) known.set(one, vectors[i]);
    if (mine !== turn) return;
    const found = sentences.map((one) => ({ one, score: asked.similarity(known.get(one)) })).sort((a, b) => b.score - a.score);
    words.put(say, "near", { text, count: sentences.length });
    nearest.replaceChildren(
      ...found.slice(0, 6).map(({ one, score }) => {
        const item = make("li", {}, make("b", { dir: "auto" }, one), make("span", {}, score.toFixed(2)));
        item.style.setProperty("--share", String(Math.max(0, score)));
        return item;
      }),
    );
    document.body.dataset.state = "done";
  } catch (error) {
    if (mine !== turn) return;
    line.fail(error);
    document.body.dataset.state = "failed";
  }
}

find("#ask").addEventListener("submit", (event) => {
  event.preventDefault();
  answer();
});
for (const button of find("#examples").querySelectorAll("button")) {
  button.addEventListener("click", () => {
    field.value = button.innerText; // in the page's language
    answer();
  });
}
words.put(say, "first");
