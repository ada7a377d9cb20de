/** @type {Promise<any> | undefined} */
let runtimePromise;

/** Gives TensorFlow.js, ready to make tensors: the one configured, else the page's own, else the bundle's. */
export function runtime() {
  if (!runtimePromise) {
    const promise = (runtimePromise = findRuntime());
    promise.catch(() => {
      if (runtimePromise === promise) runtimePromise = undefined;
    });
  }
  return runtimePromise;
}

async function findRuntime() {
  try {
    const { tf } = settings;
    const give = async () => (typeof tf === "function" ? tf() : (tf ?? /** @type {any} */ (globalThis).tf ?? (CONFIG.modules?.tf && lazy("tf"))));
    let found = await give().catch(async (error) => {
      if (await whileOffline(new AbortController().signal)) return give();
      throw error;
    });
    found = found?.default?.tensor ? found.default : found;
    if (!found) {
      throw new ModelError("runtime", 'No TensorFlow.js: call configure({ tf: () => import("@tensorflow/tfjs") }) or load it with a script element');
    }
    const version = String(found.version_core ?? found.version?.["tfjs-core"]);
    const [major, minor] = version.split(".").map(Number);
    if (major !== 4 || !(minor >= 22)) {
      throw new ModelError("runtime", `TensorFlow.js ${version} does not fit: use a version from 4.22 and below 5`);
    }
    await found.ready();
    return found;
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
async function artifactsOf(head, weights, buffers) {
  await registerOps(head);
  if (head.kind === "layers-model" && !weights.length) return head.artifacts; // weights, even none, would be set
  return { ...head.artifacts, weightSpecs: specsOf(weights), weightData: dataOf(weights, buffers) };
}

/**
 * Registers the ops that a model brings with it.
 *
 * @param {Head} head
 */
async function registerOps({ ops, model }) {
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
async function buildModel(tf, head, weights, buffers, entry) {
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
