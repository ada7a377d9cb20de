/** Lines for a page's head that fetch what models of the policy `now` need together with the page, and after what it shows. */

/** @typedef {import("vite").HtmlTagDescriptor} Tag */

/**
 * A chunk of the app, as far as it matters here.
 *
 * @typedef {{ type: "chunk", fileName: string, imports: string[], dynamicImports: string[], moduleIds: string[] }} Chunk
 */

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
  return [...found.values()];
}

/**
 * Whether nothing answers before a model: of a ladder only the first rung is urgent.
 *
 * @param {string} name
 * @param {import("./bundle.js").Manifest["models"][string]} model
 * @param {import("./bundle.js").Manifest} manifest
 */
function answersFirst(name, { ladder, rung_of: top }, manifest) {
  return top ? manifest.models[top]?.ladder?.rungs[0] === name : !ladder;
}

/**
 * Gives the preload lines of a page: none where it has no way to the models, or none of them loads at once.
 *
 * @param {object} page
 * @param {Record<string, any>} page.output of the build, by file name
 * @param {string} page.entry file name of the page's script
 * @param {string} page.id of the module that exports the models
 * @param {import("./bundle.js").Manifest} page.manifest
 * @param {(file: string) => string} page.address of a file of the build, as the page needs it
 * @param {(file: string) => string} page.bundled the same for a file of the bundle
 * @returns {Tag[]}
 */
export function preloads({ output, entry, id, manifest, address, bundled }) {
  const chunks = reached(output, entry).filter(({ chunk }) => chunk.moduleIds.includes(id));
  const models = Object.entries(manifest.models).flatMap(([name, model]) => (model.load === "now" && answersFirst(name, model, manifest) ? [model] : []));
  if (!chunks.length || !models.length) return [];
  const modules = chunks.filter(({ first }) => !first).map(({ chunk }) => address(chunk.fileName));
  if (manifest.runtime && manifest.modules.tf) modules.push(bundled(manifest.modules.tf.url));
  const files = models.flatMap(({ head, stages, shards }) => [head, ...shards.filter(({ stage }) => stage === stages[0].name)]);
  return [
    ...modules.map((href) => ({ rel: "modulepreload", href })),
    ...files.map(({ url }) => ({ rel: "preload", as: "fetch", href: bundled(url) })),
  ].map((attrs) => ({ tag: "link", attrs: { ...attrs, crossorigin: true, fetchpriority: "low" }, injectTo: "head" }));
}
