// Feeds a bundle of word vectors to the module that pages import, shard by shard, and answers questions at each step.
//   node vectors.mjs MODULE HEAD.json QUESTIONS.json SHARD…   prints [{ size, answers }, …], one a step
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [module, head, questions, ...files] = process.argv.slice(2);
const { openVectors } = await import(pathToFileURL(module));
const content = JSON.parse(readFileSync(head, "utf8"));
const { model, add } = openVectors(content);

const ask = async ([name, ...rest]) => {
  try {
    const answer = await model[name](...rest);
    return answer instanceof Float32Array ? [...answer] : (answer ?? null);
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
};

const steps = [];
for (const number of JSON.parse(readFileSync(questions, "utf8")).order) {
  const segments = content.shards[number].segments.map(([weight, plane, from, to]) => ({ weight, plane, from, to }));
  // A page's bytes may lie anywhere in a buffer that others use as well.
  const bytes = readFileSync(files[number]);
  const wide = new Uint8Array(bytes.length + 3);
  wide.set(bytes, 3);
  add({ segments }, wide.subarray(3));
  wide.fill(0);
  const answers = [];
  for (const question of JSON.parse(readFileSync(questions, "utf8")).questions) answers.push(await ask(question));
  steps.push({ size: model.size, rows: model.rows, dim: model.dim, answers });
}
console.log(JSON.stringify(steps));
