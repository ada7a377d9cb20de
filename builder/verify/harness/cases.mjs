// One model on the cases of a job.

import { wholeMessage } from "./failures.mjs";
import { readTensor } from "./tensors.mjs";
import { alive, running, watch } from "./watch.mjs";

const list = (value) => (Array.isArray(value) ? value : [value]);

/** Runs a graph model, for some of its outputs or all; gives [output name, tensor] pairs. */
async function runGraph(model, feeds, wanted) {
  const signed = Object.keys(model.modelSignature?.outputs ?? {});
  const names = wanted ?? (signed.length ? signed : model.outputNodes);
  let outputs;
  try {
    outputs = model.execute(feeds, names);
  } catch (error) {
    // TensorFlow.js has no public question for this; its error is the answer.
    if (!String(error?.message).includes("executeAsync")) throw error;
    outputs = await model.executeAsync(feeds, names);
  }
  return list(outputs).map((tensor, index) => [names[index], tensor]);
}

/** Runs a layers model, by input name where the names agree, else in order; gives [output name, tensor] pairs. */
function runLayers(model, feeds, order) {
  // A Sequential that has not run yet knows no names.
  const named = model.inputNames.length && model.inputNames.every((name) => Object.hasOwn(feeds, name));
  const inputs = (named ? model.inputNames : order).map((name) => feeds[name]);
  if (model.stateful) model.resetStates();
  const outputs = list(model.predict(inputs.length === 1 ? inputs[0] : inputs));
  const taken = new Map();
  return outputs.map((tensor, index) => {
    const name = model.outputNames[index];
    const times = taken.get(name) ?? 0;
    taken.set(name, times + 1);
    return [times ? `${name}:${times}` : name, tensor];
  });
}

export async function runCases(tf, model, job, data, output, wanted) {
  const isGraph = typeof model.executeAsync === "function";
  const answers = [];
  for (const tensors of job.short ? job.cases.slice(0, 1) : job.cases) {
    const began = performance.now();
    answers.push(await runCase(tf, model, isGraph, tensors, data, output, wanted));
    running.cost = undefined; // of the first case alone
    if (answers.length === 1 && watch.result) watch.result.caseSeconds = (performance.now() - began) / 1000;
  }
  return answers;
}

async function runCase(tf, model, isGraph, tensors, data, output, wanted) {
  alive("case");
  const feeds = Object.fromEntries(tensors.map((item) => [item.name, readTensor(tf, data, item)]));
  const order = tensors.map((item) => item.name);
  if (running.cost) running.cost.elements = Object.values(feeds).reduce((sum, { size }) => sum + size, 0);
  const pairs = isGraph ? await runGraph(model, { ...feeds }, wanted) : runLayers(model, feeds, order);
  const answer = [];
  for (const [name, tensor] of pairs) answer.push(await output.add(name, tensor));
  watch.checkMemory();
  tf.dispose([Object.values(feeds), pairs.map(([, tensor]) => tensor)]);
  return answer;
}

/** Runs the case of other sizes, unless one alone takes long; a failure is an answer. */
export async function runExtra(tf, model, job, data, output) {
  if (!job.extra || job.short || watch.result.caseSeconds > longCase) return null;
  try {
    return await runCase(tf, model, typeof model.executeAsync === "function", job.extra, data, output);
  } catch (error) {
    return { message: wholeMessage(error).split("\n")[0] };
  }
}

const longCase = 5; // seconds

/** Runs the golden sample; gives nothing where the model needs another way than a page's test has. */
export async function runSample(tf, model, job, data, output) {
  alive("sample");
  const feeds = Object.fromEntries(job.sample.map((item) => [item.name, readTensor(tf, data, item)]));
  let pairs = [];
  try {
    if (typeof model.executeAsync === "function") {
      const names = Object.keys(model.modelSignature?.outputs ?? {});
      pairs = list(model.execute({ ...feeds }, names)).map((tensor, index) => [names[index], tensor]);
    } else pairs = runLayers(model, feeds, Object.keys(feeds));
    const answer = [];
    for (const [name, tensor] of pairs) answer.push(await output.add(name, tensor));
    return answer;
  } catch {
    return undefined;
  } finally {
    tf.dispose([Object.values(feeds), pairs.map(([, tensor]) => tensor)]);
  }
}
