import { dataOf, specsOf } from "./decode.js";
import { ModelError, asModelError } from "./errors.js";
import { index } from "./form.js";
import { importFile, lazy } from "./lazy.js";
import { whileOffline } from "./offline.js";
import { found, settings } from "./settings.js";

/** @import { Entry } from "./entry.js" */
/** @import { Head, Weight } from "./head.js" */

/** Gives TensorFlow.js, ready to make tensors: the one configured, else the page's own, else the bundle's. */
export function runtime() {
  if (!found.runtime) {
    const promise = (found.runtime = findRuntime());
    promise.catch(() => {
      if (found.runtime === promise) found.runtime = undefined;
    });
  }
  return found.runtime;
}

async function findRuntime() {
  try {
    const { tf } = settings;
    const give = async () => (typeof tf === "function" ? tf() : (tf ?? /** @type {any} */ (globalThis).tf ?? (index.modules?.tf && lazy("tf"))));
    let tfjs = await give().catch(async (error) => {
      if (await whileOffline()) return give();
      throw error;
    });
    tfjs = tfjs?.default?.tensor ? tfjs.default : tfjs;
    if (!tfjs) {
      throw new ModelError("runtime", 'No TensorFlow.js: call configure({ tf: () => import("@tensorflow/tfjs") }) or load its script');
    }
    const version = String(tfjs.version_core ?? tfjs.version?.["tfjs-core"]);
    const [major, minor] = version.split(".").map(Number);
    if (major !== 4 || !(minor >= 22)) {
      throw new ModelError("runtime", `TensorFlow.js ${version} does not fit: use >=4.22 <5`);
    }
    await tfjs.ready();
    return tfjs;
  } catch (error) {
    throw asModelError(error, "runtime", "TensorFlow.js cannot be loaded");
  }
}

/**
 * What a TensorFlow.js IO handler gives.
 *
 * @param {Head} head
 * @param {Weight[]} weights those that are there
 * @param {Map<number, ArrayBuffer>} buffers
 */
export async function artifactsOf(head, weights, buffers) {
  await registerOps(head);
  if (head.kind === "layers-model" && !weights.length) return head.artifacts; // weights, even none, would be set
  return { ...head.artifacts, weightSpecs: specsOf(weights), weightData: dataOf(weights, buffers) };
}

/**
 * Registers the ops that a model brings with it.
 *
 * @param {Head} head
 */
export async function registerOps({ ops, model }) {
  if (ops) (await importFile(ops, model)).default(await runtime());
}

/**
 * Makes the TensorFlow.js model from weights as they are now.
 *
 * @param {any} tf
 * @param {Head} head
 * @param {Weight[]} weights
 * @param {Map<number, ArrayBuffer>} buffers emptied
 * @param {Entry} entry
 */
export async function buildModel(tf, head, weights, buffers, entry) {
  const isGraph = head.kind === "graph-model";
  try {
    const model = await tf[isGraph ? "loadGraphModel" : "loadLayersModel"]({ load: () => artifactsOf(head, weights, buffers) });
    if (isGraph) {
      // It would hold what it was made of for as long as it lives, only to save that; whoever saves it gets all of it anew.
      const { save, artifacts } = model;
      delete artifacts.weightData;
      model.save = async (/** @type {any[]} */ ...args) =>
        save.apply(Object.create(model, { artifacts: { value: await entry.ioHandler().load() } }), args);
    }
    return model;
  } catch (error) {
    throw asModelError(error, "runtime", `TensorFlow.js cannot build ${entry.name}`, { model: entry.name });
  } finally {
    // It holds its handler as well, and with it all that the handler knows.
    buffers.clear();
  }
}
