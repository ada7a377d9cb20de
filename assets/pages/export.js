/** A model that was trained in the page, as files that `python build.py` takes as a source. */
import { make } from "./page.js";

/**
 * Gives the files of a layers model.
 *
 * @param {any} tf
 * @param {any} model
 * @param {string[]} names of its classes
 * @returns {Promise<File[]>} model.json, weights.bin and labels.txt
 */
async function filesOf(tf, model, names) {
  /** @type {File[]} */
  const files = [];
  const collect = tf.io.withSaveHandler(async (/** @type {any} */ { weightData, weightSpecs, ...rest }) => {
    const weightsManifest = [{ paths: ["weights.bin"], weights: weightSpecs }];
    const content = tf.io.concatenateArrayBuffers([weightData].flat());
    files.push(
      new File([JSON.stringify({ ...rest, weightsManifest })], "model.json", { type: "application/json" }),
      new File([content], "weights.bin", { type: "application/octet-stream" }),
      new File([`${names.join("\n")}\n`], "labels.txt", { type: "text/plain" }),
    );
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } };
  });
  await model.save(collect);
  return files;
}

/**
 * Hands the files of a layers model to the visitor.
 *
 * @param {any} tf
 * @param {any} model
 * @param {string[]} names of its classes
 */
export async function saveFiles(tf, model, names) {
  for (const file of await filesOf(tf, model, names)) {
    const link = make("a", { href: URL.createObjectURL(file), download: file.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
}
