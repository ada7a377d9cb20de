// Makes the scripts of a bundle of the modules in templates/, with esbuild and terser.
//
//   node scripts.mjs TEMPLATES NODE_MODULES MODULES
//
// MODULES is JSON, { name: file }: what the loader imports at need, below TEMPLATES. It prints JSON, { name: code }: small ones for pages ("loader.js", "sw.js", "modules/NAME.js"), and readable ones for the
// ES package ("package/NAME.js", "package/NAME.cjs"). The loader's own leave open where CONFIG comes from: the index is put
// before them when a bundle is written.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [templates, nodeModules] = process.argv.slice(2, 4).map((place) => path.resolve(place));
const every = JSON.parse(process.argv[4]);
const require = createRequire(path.join(nodeModules, "index.js"));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const [{ build }, { minify }] = await Promise.all([load("esbuild"), load("terser")]);

/** esbuild keeps comments only where they are legal ones; those that begin lines, or end them, become such and again plain ones. */
const marked = (text) => text.replace(/^(\s*)\/\*\*/gm, "$1/*!@*").replace(/(^|\s)\/\/ /gm, "$1//!@ ");
const unmarked = (text) => text.replaceAll("/*!@*", "/**").replaceAll("//!@ ", "// ");

/**
 * Names of properties that only the loader and its modules know, and the short ones that take their place: the same in all
 * scripts, as the loader lends its objects to modules. A test holds that nothing else has such names.
 */
const internal = { apart: "b", attained: "v", came: "c", claims: "f", halt: "d", headBytes: "l", leave: "q", listeners: "h", owner: "a", refines: "u", reports: "r", soon: "p", stopped: "n" };

/** @param {boolean} readable @param {string} extension of the modules beside the ES package @param {boolean} work whether it is for the worker */
const ours = (readable, extension, work) => ({
  name: "shardpress",
  setup({ onResolve, onLoad }) {
    // A module that the loader imports at need is a file of its own.
    onResolve({ filter: /^\.\.\/(modules|thread|vectors)\// }, ({ path: name, importer }) => {
      const entry = path.basename(path.dirname(importer)) === "entries";
      return entry ? { path: `./${path.basename(name, ".js")}${extension}`, external: true } : undefined;
    });
    // In the worker the page stands for them: those of thread/ have the same names.
    onResolve({ filter: /^\.\.?\/(loader\/)?(files|form)\.js$/ }, ({ path: name, importer }) => {
      return work ? { path: path.join(templates, "thread", path.basename(name)) } : undefined;
    });
    onLoad({ filter: /\.js$/ }, async ({ path: file }) => {
      const text = (await readFile(file, "utf8")).replace(/^\/\*!.*\n/, "");
      return { contents: readable ? marked(text) : text };
    });
  },
});

/** The first line of a script says what it is. */
const titleOf = async (file) => /^\/\*!.*\n/.exec(await readFile(path.join(templates, file), "utf8"))?.[0] ?? "";

/**
 * Bundles several scripts in the same way.
 *
 * @param {Record<string, string>} files by name of the script
 * @param {"esm" | "cjs" | "iife"} format
 * @param {boolean} readable
 * @param {boolean} [work] whether they run in the worker
 * @returns {Promise<[string, string][]>} names and code
 */
async function bundle(files, format, readable, work = false) {
  const { outputFiles } = await build({
    absWorkingDir: templates,
    entryPoints: Object.entries(files).map(([out, file]) => ({ in: file, out })),
    outdir: "out",
    bundle: true,
    write: false,
    format,
    target: "es2022",
    charset: "utf8",
    minify: !readable,
    mangleProps: readable ? undefined : new RegExp(`^(${Object.keys(internal).join("|")})$`),
    mangleCache: readable ? undefined : { ...internal },
    legalComments: readable ? "inline" : "none",
    // Jest and service workers cannot import anything later, but require it.
    supported: { "dynamic-import": format !== "cjs" },
    plugins: [ours(readable, format === "cjs" ? ".cjs" : ".js", work)],
    logLevel: "error",
  });
  return Promise.all(
    Object.entries(files).map(async ([name, file]) => {
      const made = outputFiles.find((one) => one.path === path.join(templates, "out", `${name}.js`));
      const title = await titleOf(file);
      if (readable) return [name, title + unmarked(made.text).replace(/^"use strict";\n/, "")];
      const options = { module: format === "esm", toplevel: true, ecma: 2020, compress: { passes: 2, hoist_funs: true, sequences: false, conditionals: false } };
      return [name, `${title}${(await minify(made.text, options)).code}\n`];
    }),
  );
}

/** @param {[string, string][]} made @param {(name: string) => string} nameOf */
const named = (made, nameOf) => made.map(([name, code]) => [nameOf(name), code]);

const form = "entries/package.js";
const { worker, ...modules } = every;
const made = await Promise.all([
  bundle({ loader: "entries/page.js" }, "esm", false).then((one) => named(one, () => "loader.js")),
  bundle({ sw: "sw.js" }, "iife", false).then((one) => named(one, () => "sw.js")),
  bundle(modules, "esm", false).then((each) => named(each, (name) => `modules/${name}.js`)),
  bundle({ worker }, "esm", false, true).then((one) => named(one, () => "modules/worker.js")),
  bundle({ ...modules, index: form, inline: "entries/inline.js" }, "esm", true).then((each) => named(each, (name) => `package/${name}.js`)),
  bundle({ ...modules, index: form }, "cjs", true).then((each) => named(each, (name) => `package/${name}.cjs`)),
]);
process.stdout.write(JSON.stringify(Object.fromEntries(made.flat())));
