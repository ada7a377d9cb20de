/**
 * Loads each example's model by its policy, runs it as soon as it is usable, and again when it has been refined.
 *
 * A section's `data-state` goes from `waiting` over `loading` and `base` to `done`, or to `failed`.
 */
import { examples, findFace } from "./examples.js";
import { bundle, explain, find, kilobytes, language, texts } from "./page.js";

/** @typedef {import("./examples.js").Example} Example */
/** @typedef {import("./examples.js").Both} Both */
/** @typedef {import("./examples.js").Context} Context */
/** @typedef {ReturnType<typeof fill>} View */
/** @typedef {{ face: (picture: HTMLCanvasElement) => Promise<import("./vision.js").Face> }} Tools */

const { put, text } = texts({
  en: {
    reading: "Reading the bundle's index…",
    facts: "{Model}: {format}, {size} kB to download, loads when {moment}.",
    now: "the page opens",
    idle: "it comes into view",
    visible: "it comes into view",
    interaction: "you ask for it",
    manual: "you ask for it",
    waiting: "Waiting.",
    loading: "Loading…",
    bytes: "{loaded} of {total} kB ({phase})",
    base: "Base precision: ready after {after} ms, computed in {took} ms.",
    full: "Full precision: ready after {after} ms, computed in {took} ms.",
    plain: "{text}",
  },
  zh: {
    reading: "正在读取索引……",
    facts: "{Model}：{format}，传输 {size} kB，{moment}加载。",
    now: "随页面",
    idle: "进入视野时",
    visible: "进入视野时",
    interaction: "需要时",
    manual: "需要时",
    waiting: "等待中。",
    loading: "加载中……",
    bytes: "{loaded} / {total} kB（{phase}）",
    base: "基础精度：{after} 毫秒后就绪，计算用时 {took} 毫秒。",
    full: "完整精度：{after} 毫秒后就绪，计算用时 {took} 毫秒。",
    plain: "{text}",
  },
});

/**
 * @param {HTMLTemplateElement} template
 * @param {Example} example
 * @param {any} entry
 */
function fill(template, example, entry) {
  const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
  const section = find("section", copy);
  section.id = example.name;
  const part = (/** @type {string} */ name) => find(`[data-part=${name}]`, section);
  const said = (/** @type {Both} */ text) => () => text[language()];
  put(part("title"), "plain", { text: said(example.title) });
  put(part("text"), "plain", { text: said(example.text) });
  put(part("status"), "waiting");
  const { name, format, wireBytes, policy } = entry;
  put(part("facts"), "facts", { model: name, format, size: () => kilobytes(wireBytes), moment: () => text(policy) });
  return { section, part, said };
}

/**
 * @param {Example} example
 * @param {any} entry
 * @param {View} view
 * @param {Tools} tools
 */
async function runExample(example, entry, view, tools) {
  const { section, part, said } = view;
  section.dataset.state = "loading";
  put(part("status"), "loading");
  const handle = entry.load({
    onProgress(/** @type {any} */ { loaded, total, phase }) {
      Object.assign(part("progress"), { value: loaded, max: total });
      put(part("bytes"), "bytes", { loaded: () => kilobytes(loaded), total: () => kilobytes(total), phase });
    },
  });
  const picture = await example.open();
  const context = /** @type {Context} */ ({ picture });

  /**
   * @param {"base" | "full"} stage
   * @param {number} after
   */
  const answer = async (stage, after) => {
    const begun = performance.now();
    const result = await (example.look?.(handle, picture, context.face) ?? handle.run(picture));
    const took = Math.round(performance.now() - begun);
    const { elements, sentence } = example.show(result, context);
    for (const canvas of elements.filter(({ tagName }) => tagName === "CANVAS")) {
      canvas.setAttribute("role", "img");
      put(canvas, "plain", { text: () => `${said(example.title)()} ${said(sentence)()}` }, "aria-label");
    }
    part("result").replaceChildren(...elements);
    put(part("answer"), "plain", { text: said(sentence) });
    put(part("status"), stage, { after, took });
  };

  const begun = performance.now();
  const since = () => Math.round(performance.now() - begun);
  await handle.ready;
  const readyAfter = since();
  if (example.look) context.face = await tools.face(picture);
  if (handle.progress.phase !== "full") {
    await answer("base", readyAfter);
    section.dataset.state = "base";
  }
  await handle.full;
  await answer("full", since());
  section.dataset.state = "done";
}

/**
 * Calls back when the section comes near the screen, or when its button is pressed.
 *
 * @param {View} view
 * @param {string} policy
 * @param {() => void} act
 */
function onDemand({ section, part }, policy, act) {
  const button = /** @type {HTMLButtonElement} */ (part("button"));
  if (policy === "interaction" || policy === "manual") {
    button.hidden = false;
    button.addEventListener("click", () => {
      button.hidden = true;
      act();
    });
    return;
  }
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      observer.disconnect();
      act();
    },
    { rootMargin: "100px" },
  );
  observer.observe(section);
}

async function main() {
  const status = find("#status");
  const template = /** @type {HTMLTemplateElement} */ (find("#example"));
  put(status, "reading");
  /** @type {Record<string, any>} */
  let models;
  try {
    ({ models } = await bundle());
  } catch (error) {
    put(status, "plain", { text: () => explain(error) });
    return;
  }
  /** @type {Promise<import("./vision.js").Face> | undefined} */
  let found;
  /** @type {Tools} */
  const tools = {
    async face(picture) {
      const detector = models.face.load();
      await detector.full;
      return (found ??= findFace(detector, picture));
    },
  };
  const list = find("#examples");
  for (const example of examples) {
    const entry = models[example.name];
    if (!entry) continue;
    const view = fill(template, example, entry);
    list.append(view.section);
    onDemand(view, entry.policy, () =>
      runExample(example, entry, view, tools).catch((error) => {
        view.section.dataset.state = "failed";
        put(view.part("status"), "plain", { text: () => explain(error) });
        console.error(error);
      }),
    );
  }
  status.hidden = true;
}

await main();
