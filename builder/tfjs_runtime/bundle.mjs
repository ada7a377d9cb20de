// Makes one ES module of TensorFlow.js' npm packages with esbuild.
//
//   node bundle.mjs JOB.json
//
// A job, as builder/tfjs_runtime/bundle.py writes it:
//   { nodeModules: "dir",                  where esbuild and @tensorflow/tfjs-* are installed
//     entry: "…",                          the module's source; in it "kernels:BACKEND" registers that backend's kernels
//                                          and "turn:…" waits for the event loop's next turn
//     banner: "…",                         its first line
//     gradients: false,                    whether models are trained with it
//     kernels: null | {                    null: all; else only those that these need
//       ops: ["Conv2D", …],                ops of TensorFlow graphs
//       names: ["FusedConv2D", …],         kernels that were seen at work
//       functions: ["topk", …] },          functions of TensorFlow.js, as after "tf."
//     out: "file" }
//
// It writes `out`, and beside it result.json: { kernels: [names…] | null, unknown: [functions that do not exist] }.

import { readFile, readdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const job = JSON.parse(await readFile(process.argv[2], "utf8"));
const require = createRequire(path.join(path.resolve(job.nodeModules), "index.js"));
const { build } = await import(pathToFileURL(require.resolve("esbuild")).href);

const folderOf = (name) => path.dirname(require.resolve(`@tensorflow/${name}/package.json`));
const core = path.join(folderOf("tfjs-core"), "dist");

/** Kernel names as strings, by the names that the sources import. */
const kernelNames = Object.fromEntries(
  [...(await readFile(path.join(core, "kernel_names.js"), "utf8")).matchAll(/^export const (\w+) = '(\w+)'/gm)].map(
    ([, variable, name]) => [variable, name],
  ),
);

/** All files of a folder and those below it that are not tests. */
async function filesBelow(folder) {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = await Promise.all(
    entries.map((entry) => {
      const place = path.join(folder, entry.name);
      if (entry.isDirectory()) return filesBelow(place);
      return entry.name.endsWith(".js") && !entry.name.includes("_test") ? [place] : [];
    }),
  );
  return found.flat().sort();
}

const imports = (text) => [...text.matchAll(/^import\s+(?:\*\s+as\s+\w+|\{([^}]*)\})\s+from\s+'([^']+)'/gm)];

/** What each file of tfjs-core's ops needs: kernels by name, and other files of ops. */
async function readOps() {
  const ops = path.join(core, "ops");
  /** @type {Map<string, { kernels: string[], files: string[], functions: string[], listed: string[] }>} */
  const needs = new Map();
  for (const file of await filesBelow(ops)) {
    const text = await readFile(file, "utf8");
    const need = { kernels: [], files: [], functions: [], listed: [] };
    for (const [, names, from] of imports(text)) {
      const target = `${path.join(path.dirname(file), from)}.js`;
      if (from.endsWith("/kernel_names")) {
        need.kernels.push(...names.split(",").map((name) => kernelNames[name.trim().split(" ")[0]]).filter(Boolean));
      } else if (target.startsWith(ops + path.sep)) need.files.push(target);
    }
    // Some kernels are named in the call itself.
    for (const [, name] of text.matchAll(/runKernel\('(\w+)'/g)) need.kernels.push(name);
    need.functions = [...text.matchAll(/^export (?:const|function|async function) (\w+)/gm)].map(([, name]) => name);
    need.listed = [...text.matchAll(/^export \{([^}]*)\};/gm)].flatMap(([, names]) => names.split(",").map((name) => name.trim()));
    needs.set(file, need);
  }
  return needs;
}

/** The file that gives a function of TensorFlow.js, or undefined. "fused.conv2d" is another one than "conv2d". */
function fileOf(needs, name) {
  const parts = name.split(".");
  const last = parts.at(-1);
  const having = (key) => [...needs].filter(([, need]) => need[key].includes(last)).map(([file]) => file);
  const homes = [...having("functions"), ...having("listed")];
  const inside = (file) => path.basename(path.dirname(file));
  const group = parts.length > 1 ? parts[0] : "ops";
  return homes.find((file) => inside(file) === group) ?? homes.find((file) => group === "ops" || inside(file) === "ops");
}

/** Every kernel that some functions may run, also those that only other shapes or a gradient would ask for. */
function kernelsOf(needs, start) {
  const seen = new Set();
  const kernels = new Set();
  const waiting = [...start];
  while (waiting.length) {
    const file = waiting.pop();
    if (seen.has(file) || !needs.has(file)) continue;
    seen.add(file);
    const { kernels: own, files } = needs.get(file);
    for (const name of own) kernels.add(name);
    waiting.push(...files);
  }
  return kernels;
}

/** The kernels to register, and the functions that nobody knows. */
async function choose({ ops, names, functions }) {
  const table = JSON.parse(await readFile(path.join(folderOf("tfjs-converter"), "metadata", "kernel2op.json"), "utf8"));
  const needs = await readOps();
  const called = ops.flatMap((op) => table[op] ?? []);
  const unknown = functions.filter((name) => !fileOf(needs, name));
  const files = [...called, ...functions].map((name) => fileOf(needs, name)).filter(Boolean);
  const kernels = kernelsOf(needs, files);
  // Some kernels are ops of the same name.
  for (const name of [...names, ...ops]) kernels.add(name);
  const known = new Set(Object.values(kernelNames));
  return { kernels: [...kernels].filter((name) => known.has(name)).sort(), unknown };
}

/** The module that registers a backend's kernels: those wanted of those it has. */
async function registerKernels(backend, wanted) {
  const folder = path.join(folderOf(`tfjs-backend-${backend}`), "dist");
  const all = "./register_all_kernels";
  if (!wanted) return { contents: `import "${all}";`, resolveDir: folder };
  const lines = ['import { registerKernel } from "@tensorflow/tfjs-core";'];
  const configs = [];
  for (const [, names, from] of imports(await readFile(path.join(folder, `${all}.js`), "utf8"))) {
    if (!from.startsWith("./kernels/")) continue;
    const text = await readFile(path.join(folder, `${from}.js`), "utf8");
    const name = kernelNames[/kernelName: (\w+)/.exec(text)?.[1] ?? ""];
    // One whose name cannot be read costs its bytes rather than a failure in the page.
    if (name && !wanted.includes(name)) continue;
    lines.push(`import { ${names.trim()} } from "${from}";`);
    configs.push(...names.split(",").map((part) => part.trim()));
  }
  lines.push(`for (const config of [${configs.join(", ")}]) registerKernel(config);`);
  return { contents: lines.join("\n"), resolveDir: folder };
}

const turn = `export const turn = () => (globalThis.scheduler?.yield ? scheduler.yield() : new Promise((next) => setTimeout(next)));
await turn();`;

const chosen = job.kernels ? await choose(job.kernels) : { kernels: null, unknown: [] };
const ours = {
  name: "shardpress",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^kernels:/ }, ({ path: name }) => ({ path: name, namespace: "kernels" }));
    onLoad({ filter: /.*/, namespace: "kernels" }, ({ path: name }) => registerKernels(name.slice(8), chosen.kernels));
    onResolve({ filter: /^turn:/ }, ({ path: name }) => ({ path: name, namespace: "turn" }));
    onLoad({ filter: /.*/, namespace: "turn" }, () => ({ contents: turn }));
    // One thread needs no second copy of the wasm backend, and models that are only run no gradients.
    const unneeded = job.gradients ? /wasm-threaded-simd/ : /wasm-threaded-simd|register_all_gradients$/;
    onResolve({ filter: unneeded }, ({ path: name }) => ({ path: name, namespace: "nothing" }));
    onLoad({ filter: /.*/, namespace: "nothing" }, () => ({ contents: 'export default undefined; export const wasmWorkerContents = "";' }));
  },
};
await build({
  stdin: { contents: job.entry, resolveDir: path.dirname(path.resolve(job.nodeModules)), sourcefile: "entry.js" },
  bundle: true,
  format: "esm",
  platform: "browser",
  mainFields: ["module", "main"],
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  banner: { js: job.banner },
  outfile: job.out,
  plugins: [ours],
  logLevel: "warning",
});
await writeFile(path.join(path.dirname(job.out), "result.json"), JSON.stringify(chosen));
