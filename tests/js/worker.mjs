// A thread of Node as a module worker of a browser.
import { register } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";

const place = pathToFileURL(join(workerData.folder, "/")).href;
register(`data:text/javascript,${encodeURIComponent(`export const resolve = async (name, context, next) => {
  const found = /^https:..cdn.test.models.([a-z]+).0{16}.js$/.exec(name);
  return found ? { url: "${place}" + found[1] + ".mjs", shortCircuit: true } : next(name, context);
}`)}`);
const { default: tf } = await import("./runtime.mjs");
tf.env().set("IS_TEST", true);
await tf.setBackend("cpu");
const { start } = await import(`${place}worker.mjs`);
const port = {
  onmessage: null,
  postMessage: (data, transfer) => parentPort.postMessage(data, Array.isArray(transfer) ? transfer : transfer?.transfer),
};
parentPort.on("message", (data) => {
  if (data.count) parentPort.postMessage({ tensors: tf.memory().numTensors });
  else if (data.crash) process.exit(1);
  else port.onmessage?.({ data });
});
// It holds its lock for as long as it lives; the page's end sees to that.
start(port, { request: async (name, then) => then() });
