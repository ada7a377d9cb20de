// Pictures to inputs: node framing.mjs FOLDER. jobs.json: [{ picture, spec }], pictures.json: [{ width, height }], N.bin: RGBA.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [folder, root, code] = process.argv.slice(2);
const tf = createRequire(path.join(root, "package.json"))("@tensorflow/tfjs");
const { toInput } = await import(pathToFileURL(code).href);
await tf.setBackend("cpu");
const read = (name) => JSON.parse(readFileSync(path.join(folder, name), "utf8"));
const pictures = read("pictures.json").map((size, i) => ({ ...size, data: new Uint8ClampedArray(readFileSync(path.join(folder, `${i}.bin`))) }));
const results = [];
for (const { picture, spec } of read("jobs.json")) {
  const { tensor, frame } = await toInput(tf, pictures[picture], spec);
  results.push({ shape: tensor.shape, dtype: tensor.dtype, frame });
  writeFileSync(path.join(folder, `${results.length - 1}.out`), new Uint8Array((await tensor.data()).buffer));
  tensor.dispose();
}
writeFileSync(path.join(folder, "results.json"), JSON.stringify({ results, left: tf.memory().numTensors }));
