/** Lists the bundle's models: policy, sizes, what is kept here, and timings as they come. No model is fetched unasked. */
import { bundle, explain, find, kilobytes, make, onEvent, onLanguage, runtime, texts, timings } from "./page.js";
import { networks, slowFetch } from "./network.js";

const words = texts({
  en: {
    reading: "Reading the index…",
    ready: "{count} models. Nothing is fetched before you ask for it.",
    now: "with the page",
    idle: "when the page is idle",
    visible: "when in view",
    interaction: "on first interaction",
    manual: "on request",
    absent: "not cached",
    partial: "partly cached",
    cached: "cached",
    load: "Load",
    loading: "Loading",
    name: "{Model}",
    loadname: "Load the {model}",
    never: "not yet",
    failed: "failed: {code}",
    time: "{stage}: {seconds} s",
    size: "{stage}: {size} kB",
    done: "The {model} is loaded: {seconds} s to full precision.",
    started: "Loading the {model}…",
    forgotten: "The cache is cleared.",
  },
  zh: {
    reading: "正在读取索引……",
    ready: "共 {count} 个模型。在你需要之前不会下载。",
    now: "随页面",
    idle: "页面空闲时",
    visible: "进入视野时",
    interaction: "首次交互时",
    manual: "需要时",
    absent: "未下载",
    partial: "部分已下载",
    cached: "已缓存",
    load: "加载",
    loading: "加载中",
    name: "{Model}",
    loadname: "加载{model}",
    never: "尚未加载",
    failed: "失败：{code}",
    time: "{stage}：{seconds} 秒",
    size: "{stage}：{size} kB",
    done: "{model}已就绪：{seconds} 秒达到完整精度。",
    started: "正在加载{model}……",
    forgotten: "已清除所有缓存文件。",
  },
});

const status = find("#status");
const table = /** @type {HTMLTableElement} */ (find("table"));
const network = /** @type {HTMLSelectElement} */ (find("#network"));
words.put(status, "reading");

/** Gives the stages of each model with their bytes as sent, out of the build's manifest. @returns {Promise<Record<string, any>>} */
async function manifest() {
  try {
    const answer = await fetch(new URL("../../dist/manifest.json", import.meta.url));
    return answer.ok ? (await answer.json()).models : {};
  } catch {
    return {};
  }
}

/**
 * @param {any} entry of the loader
 * @param {{ name: string, wire_bytes: number }[]} stages
 */
function row(entry, stages) {
  const { name } = entry;
  const line = table.tBodies[0].insertRow();
  line.id = name;
  const head = make("th", { scope: "row" });
  words.put(head, "name", { model: name });
  line.append(head);
  const [policy, sizes, here, times, action] = [0, 1, 2, 3, 4].map(() => line.insertCell());
  [policy.className, sizes.className, here.className, times.className] = ["policy", "sizes", "here", "times"];
  words.put(policy, entry.policy);
  for (const stage of stages) {
    const size = make("div");
    words.put(size, "size", { stage: stage.name, size: () => kilobytes(stage.wire_bytes) });
    sizes.append(size);
  }
  const button = make("button", { type: "button", className: "quiet" });
  words.put(button, "load");
  words.put(button, "loadname", { model: name }, "aria-label");
  action.append(button);

  const tellState = async () => {
    const state = await entry.status();
    words.put(here, state);
    return state;
  };
  /** Files are kept a little later than they are used. */
  const settle = async (tries = 10) => {
    while ((await tellState()) !== "cached" && tries--) await new Promise((done) => setTimeout(done, 300));
  };
  const tellTimes = () => {
    const records = Object.values(timings()[name] ?? {}).sort((a, b) => a.at - b.at);
    const last = records.at(-1);
    times.replaceChildren(
      ...(last ? records : []).map((record) => {
        const time = make("div");
        if (record.type === "failure") words.put(time, "failed", { code: record.code });
        else words.put(time, "time", { stage: record.stage, seconds: () => (record.ms / 1000).toFixed(2) });
        return time;
      }),
    );
    if (!last) words.put(times.appendChild(make("span")), "never");
  };
  onEvent((record) => {
    if (record.model !== name) return;
    tellTimes();
    if (record.stage === "full") settle();
    else tellState();
  });
  button.addEventListener("click", async () => {
    button.disabled = true;
    words.put(status, "started", { model: name });
    const handle = entry.load({ priority: "high" });
    try {
      await handle.full;
      const seconds = (timings()[name]?.full?.ms ?? 0) / 1000;
      words.put(status, "done", { model: name, seconds: seconds.toFixed(2) });
    } catch (error) {
      status.textContent = explain(error);
    }
    handle.dispose();
    button.disabled = false;
  });
  tellTimes();
  tellState();
  return tellState;
}

async function list() {
  const loader = await bundle();
  const stages = await manifest();
  const entries = Object.values(loader.models);
  const tellers = entries.map((entry) => row(entry, stages[entry.name]?.stages ?? [{ name: "…", wire_bytes: entry.wireBytes }]));
  network.addEventListener("change", () => {
    const chosen = networks[network.value];
    // What is kept would hide the network.
    loader.configure({ fetch: chosen && slowFetch(chosen), cache: chosen ? "none" : "persistent", tf: runtime });
  });
  find("#forget").addEventListener("click", async () => {
    await caches.delete("shardpress");
    // The loader holds what it opened until its options are set anew.
    loader.configure({});
    words.put(status, "forgotten");
    for (const tell of tellers) tell();
  });
  words.put(status, "ready", { count: entries.length });
  find(".controls").hidden = false;
  table.hidden = false;
}

list().catch((error) => {
  status.textContent = explain(error);
  onLanguage(() => (status.textContent = explain(error)));
});
