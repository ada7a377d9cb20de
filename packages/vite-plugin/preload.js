/** Lines for a page's head that fetch what models of the policy `now` need together with the page, and after what it shows. */

/** @typedef {import("vite").HtmlTagDescriptor} Tag */

/**
 * A chunk of the app, as far as it matters here.
 *
 * @typedef {{ type: "chunk", fileName: string, imports: string[], dynamicImports: string[], moduleIds: string[] }} Chunk
 */

/** TensorFlow.js as npm installs it: the whole, or the part that all others need. */
const tensors = /[\\/]@tensorflow[\\/]tfjs(-core)?[\\/]/;

/**
 * Gives the chunks that a page runs or may run later, those that it runs first included.
 *
 * @param {Record<string, any>} output of the build, by file name
 * @param {string} entry
 */
function reached(output, entry) {
  /** @type {Map<string, { chunk: Chunk, first: boolean }>} */
  const found = new Map();
  const follow = (/** @type {string} */ name, /** @type {boolean} */ first) => {
    const chunk = output[name];
    if (chunk?.type !== "chunk" || found.has(name)) return;
    found.set(name, { chunk, first });
    for (const other of chunk.imports) follow(other, first);
  };
  follow(entry, true);
  for (const { chunk } of found.values()) for (const other of chunk.dynamicImports) follow(other, false);
  return found;
}

/**
 * Gives the chunks that hold what is wanted, and what they import, but not what the page runs first: it asks for that itself.
 *
 * @param {ReturnType<typeof reached>} chunks
 * @param {(id: string) => boolean} wanted whether a module is
 */
function holders(chunks, wanted) {
  /** @type {Set<string>} */
  const names = new Set();
  const add = (/** @type {string} */ name) => {
    const found = chunks.get(name);
    if (!found || found.first || names.has(name)) return;
    names.add(name);
    for (const other of found.chunk.imports) add(other);
  };
  for (const [name, { chunk }] of chunks) if (chunk.moduleIds.some(wanted)) add(name);
  return [...names];
}

/**
 * Gives the preload lines of a page: none where it has no way to the models, or none of them loads at once. What the first
 * answers need the build says; here it is found where the app has it.
 *
 * @param {object} page
 * @param {Record<string, any>} page.output of the build, by file name
 * @param {string} page.entry file name of the page's script
 * @param {string} page.id of the module that exports the models
 * @param {string[]} page.folders of the models' package, which modules are told by, with slashes
 * @param {import("./bundle.js").Manifest} page.manifest
 * @param {(file: string) => string} page.address of a file of the build, as the page needs it
 * @param {(file: string) => string} page.bundled the same for a file of the bundle
 * @returns {Tag[]}
 */
export function preloads({ output, entry, id, folders, manifest, address, bundled }) {
  const { preload, modules: files } = manifest;
  const chunks = reached(output, entry);
  const hasModels = [...chunks.values()].some(({ chunk }) => chunk.moduleIds.includes(id));
  if (!preload?.files.length || !hasModels) return [];
  const chunksOf = (/** @type {(id: string) => boolean} */ wanted) => holders(chunks, wanted).map(address);
  const inBundle = (/** @type {string} */ name) => (files[name] ? [bundled(files[name].url)] : []);
  const inApp = (/** @type {string} */ name) => {
    if (name === "tf") return files.tf ? inBundle(name) : chunksOf((one) => tensors.test(one));
    return chunksOf((one) => folders.some((folder) => one === `${folder}/${name}.js`));
  };
  // What a worker runs is never the app's: its address is the bundle's.
  const scripts = [...chunksOf((one) => one === id), ...preload.modules.flatMap(inApp), ...preload.worker.flatMap(inBundle), ...preload.ops.map(bundled)];
  return [
    ...[...new Set(scripts)].map((href) => ({ rel: "modulepreload", href })),
    ...preload.files.map((url) => ({ rel: "preload", as: "fetch", href: bundled(url) })),
  ].map((attrs) => ({ tag: "link", attrs: { ...attrs, crossorigin: true, fetchpriority: "low" }, injectTo: "head" }));
}
