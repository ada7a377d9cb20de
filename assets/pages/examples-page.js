/**
 * Loads each example's model by its policy, runs it as soon as it is usable, and again when it has been refined.
 *
 * A section's `data-state` goes from `waiting` over `loading` and `base` to `done`, or to `failed`.
 */
import { examples, findFace, run } from "./examples.js";

const runtimeUrl = new URL("../../node_modules/@tensorflow/tfjs/dist/tf.min.js", import.meta.url).href;
const loaderUrl = new URL("../../dist/cdn/loader.js", import.meta.url).href;

/** Brings in TensorFlow.js; the loader calls it when the first model needs it. */
function bringRuntime() {
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: runtimeUrl });
    script.onload = () => resolve(globalThis.tf);
    script.onerror = () => reject(new Error("TensorFlow.js is missing in node_modules. Run make build."));
    document.head.append(script);
  });
}

/** Gives a function that runs `make` at its first call and gives the same promise ever after. */
function once(make) {
  let made;
  return () => (made ??= make());
}

const kilobytes = (bytes) => `${Math.round(bytes / 1000).toLocaleString("en")} kB`;

function fill(template, example, entry) {
  const section = template.content.cloneNode(true).firstElementChild;
  section.id = example.name;
  const part = (name) => section.querySelector(`[data-part=${name}]`);
  part("title").textContent = example.title;
  part("text").textContent = example.text;
  part("facts").textContent = `${example.name}: ${entry.format}, ${kilobytes(entry.wireBytes)} as sent, loads when ${wording[entry.policy]}.`;
  return { section, part };
}

const wording = {
  now: "the page opens",
  idle: "it comes into view",
  visible: "it comes into view",
  interaction: "you ask for it",
  manual: "you ask for it",
};

async function runExample(example, entry, view, tools) {
  const { section, part } = view;
  const say = (text) => (part("status").textContent = text);
  section.dataset.state = "loading";
  say("Loading…");
  const handle = entry.load({
    onProgress({ loaded, total, phase }) {
      Object.assign(part("progress"), { value: loaded, max: total });
      part("bytes").textContent = `${kilobytes(loaded)} of ${kilobytes(total)} (${phase})`;
    },
  });
  const picture = await example.open();
  const context = { picture, labels: undefined, face: undefined };

  const answer = async (model, label) => {
    const tf = globalThis.tf;
    context.labels = handle.labels;
    const input = example.prepare?.(tf, context);
    const begun = performance.now();
    const outputs = input && run(model, input);
    const result = input ? await example.interpret(tf, outputs, context) : await handle.run(picture);
    const milliseconds = Math.round(performance.now() - begun);
    if (input) tf.dispose([input, outputs]);
    const { elements, sentence } = example.show(result, context);
    for (const canvas of elements.filter(({ tagName }) => tagName === "CANVAS")) {
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${example.title} ${sentence}`);
    }
    part("result").replaceChildren(...elements);
    part("answer").textContent = sentence;
    say(`${label}, computed in ${milliseconds} ms.`);
  };

  const begun = performance.now();
  const since = () => `${Math.round(performance.now() - begun)} ms`;
  const ready = await handle.ready;
  const readyAfter = since();
  if (example.needsFace) context.face = await tools.face(picture);
  if (handle.progress.phase !== "full") {
    await answer(ready, `Base precision, there after ${readyAfter}`);
    section.dataset.state = "base";
  }
  const full = await handle.full;
  await answer(full, `Full precision, there after ${since()}`);
  section.dataset.state = "done";
}

/** Calls back when the section comes near the screen, or when its button is pressed. */
function onDemand({ section, part }, policy, act) {
  const button = part("button");
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
  const status = document.querySelector("#status");
  const template = document.querySelector("#example");
  let loader;
  try {
    loader = await import(loaderUrl);
  } catch (error) {
    status.textContent = `There is no bundle yet: run make build, then reload this page. (${error.message})`;
    return;
  }
  const { models, configure } = loader;
  configure({ tf: once(bringRuntime) });
  let found;
  const tools = {
    face: (picture) => (found ??= models.face.load().full.then((model) => findFace(globalThis.tf, model, picture))),
  };
  const list = document.querySelector("#examples");
  for (const example of examples) {
    const entry = models[example.name];
    if (!entry) continue;
    const view = fill(template, example, entry);
    list.append(view.section);
    onDemand(view, entry.policy, () =>
      runExample(example, entry, view, tools).catch((error) => {
        view.section.dataset.state = "failed";
        view.part("status").textContent = `Failed: ${error.message}`;
        console.error(error);
      }),
    );
  }
  status.hidden = true;
}

await main();
