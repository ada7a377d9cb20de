// Asks a bundle of word vectors, through the loader and without TensorFlow.js, what pages ask.
//
//   node harness.mjs JOB.json
//
// A job: { loader: "dir/loader.js", files: { "assets/x.bin": "path" }, model: "name", k: 10,
//   questions: { base: [["word"] | ["a", "b", "c"], …], full: […] }, out: "file" }
// The file gets { stages: [{ name: "base", size: 5000, answers: [[{ word, score }, …], …] }, …],
//   error: null | { stage, message } }.

import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const job = JSON.parse(await readFile(process.argv[2], "utf8"));
const root = path.dirname(path.resolve(job.loader));
const result = { stages: [], error: null };
let open = () => {};
const opened = new Promise((resolve) => (open = resolve));
const later = new Set();

/** Keeps all stages but the first back until they are asked for. */
async function answer(url) {
  const relative = path.relative(root, fileURLToPath(url)).split(path.sep).join("/");
  const place = Object.hasOwn(job.files, relative) && job.files[relative];
  if (!place) return new Response("", { status: 404 });
  if (later.has(relative)) await opened;
  const bytes = await readFile(place);
  if (relative.endsWith(".json")) {
    const { name, stages, shards } = JSON.parse(bytes.toString());
    let number = 0;
    for (const [i, { stage, sha256 }] of shards.entries()) {
      number = i && stage === shards[i - 1].stage ? number + 1 : 0;
      if (stage) later.add(`assets/${name}-${stages[stage]}-${number}.${sha256.slice(0, 16)}.bin`);
    }
  }
  return new Response(bytes);
}

async function ask(name, vectors, questions) {
  const answers = [];
  for (const words of questions) answers.push(await vectors[words.length > 1 ? "analogy" : "nearest"](...words, job.k));
  result.stages.push({ name, size: vectors.size, answers });
}

let stage = "load";
try {
  const { configure, models } = await import(pathToFileURL(job.loader));
  configure({ baseUrl: pathToFileURL(root + path.sep).href, fetch: (url) => answer(String(url)), cache: "none", worker: false });
  const handle = models[job.model].load();
  handle.full.catch(() => {});
  const vectors = await handle.ready;
  stage = "base";
  await ask("base", vectors, job.questions.base);
  open();
  stage = "full";
  if ((await handle.full) !== vectors) throw new Error("full is another object than ready");
  if (vectors.size !== vectors.rows) throw new Error(`only ${vectors.size} of ${vectors.rows} words came`);
  await ask("full", vectors, job.questions.full);
  handle.dispose();
} catch (error) {
  const causes = [error, error?.cause].flatMap((found) => (found ? [found.message || String(found)] : []));
  result.error = { stage, message: [...new Set(causes)].join(": ") };
}
await writeFile(job.out, JSON.stringify(result));
process.exit(0);
