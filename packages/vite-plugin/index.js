/** Models built by Shardpress as an import of a Vite app. */
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { Bundle } from "./bundle.js";
import { Development } from "./development.js";
import { siteFiles, workerScript } from "./offline.js";
import { preloads } from "./preload.js";

/** @typedef {import("./index.js").Options} Options */
/** @typedef {import("vite").Plugin} Plugin */

const virtual = "\0shardpress:models";
const place = "__SHARDPRESS_BASE__";

/** @param {string} address */
const isAddress = (address) => /^(https?:)?\/\//.test(address);

/** @param {string} name */
const withSlash = (name) => name.replace(/\/*$/, "/");

/**
 * @param {Options} [options]
 * @returns {Plugin}
 */
export default function shardpress(options = {}) {
  const published = isAddress(options.base ?? "") ? withSlash(String(options.base)) : undefined;
  const folder = published ? "models/" : withSlash((options.base ?? "models/").replace(/^\.?\/+/, ""));
  if (folder === "/" || folder.split("/").includes("..")) {
    throw new Error(`shardpress({ base: ${JSON.stringify(options.base)} }) is no folder of the site: give one such as "models/", or a full address`);
  }
  const offline = options.offline === true ? {} : options.offline || undefined;
  const worker = { file: "sw.js", fallback: /** @type {string | false} */ ("index.html"), ...offline };
  /** @type {import("vite").ResolvedConfig} */
  let config;
  /** @type {Bundle} */
  let bundle;
  /** @type {Development | undefined} */
  let development;
  /** Files whose names change with what is in them. @type {Set<string>} */
  const fixed = new Set();
  let copied = false;

  /** What pages run, where models come with the app's own code. */
  const packaged = () => {
    const { base } = config;
    const relative = !published && (base === "" || base === "./");
    const address = relative ? place : JSON.stringify(published ?? base + folder);
    const module = JSON.stringify(bundle.module.split(path.sep).join("/"));
    return `import { configure } from ${module};\nconfigure({ baseUrl: ${address} });\nexport * from ${module};\n`;
  };

  /** @returns {Promise<string[]>} what a loader exports */
  const exported = async () => {
    const text = await readFile(bundle.module, "utf8").catch(() => "");
    const names = [...text.matchAll(/^export (?:async )?(?:class|function|const) (\w+)/gm)].map(([, name]) => name);
    return names.length ? names : ["models", "configure", "observe", "prune", "runtime", "ModelError"];
  };

  return {
    name: "shardpress",
    enforce: "pre",

    config({ root = "." }) {
      bundle = new Bundle(path.resolve(root), options);
      const left = [bundle.folder, bundle.cache].map((one) => one.split(path.sep).join("/"));
      const ignored = (/** @type {string} */ file) => left.some((one) => file === one || file.startsWith(`${one}/`));
      // The bundle is looked at by the plugin; a page of a report that Vite saw change would load every page again.
      return {
        optimizeDeps: { exclude: [bundle.name] },
        server: { watch: { ignored: [/** @type {any} */ (ignored)] } },
      };
    },

    configResolved(resolved) {
      config = resolved;
      const out = path.resolve(config.root, config.build.outDir);
      const inside = path.relative(out, bundle.folder);
      if (!inside.startsWith("..") && !path.isAbsolute(inside)) {
        const settings = options.dist ? "give shardpress({ dist }) and build.toml" : "give [build] in build.toml";
        throw new Error(
          `vite build empties ${out}, and the bundle of models lies in it (${bundle.folder}): ${settings} another folder, such as out = "models-dist"`,
        );
      }
    },

    configureServer(server) {
      const { base } = config;
      development = new Development(bundle, base.startsWith("/") ? base : "/", folder, () => server.ws.send({ type: "full-reload" }));
      const { answer } = development;
      server.middlewares.use((request, response, next) => void answer.call(development, request, response, next).catch(next));
      server.httpServer?.once("close", () => development?.close());
    },

    resolveId(source) {
      return source === bundle.name ? virtual : undefined;
    },

    async load(id, { ssr } = {}) {
      if (id !== virtual) return undefined;
      // Tests and servers have no page into which weights could be swapped.
      if (development && !ssr && !process.env.VITEST) return development.module(await exported());
      await bundle.check();
      return packaged();
    },

    renderChunk(code, chunk, { format }) {
      if (!code.includes(place)) return undefined;
      const up = "../".repeat(chunk.fileName.split("/").length - 1) || "./";
      const address = format === "es" ? `new URL(${JSON.stringify(up + folder)}, import.meta.url).href` : JSON.stringify(`./${folder}`);
      return { code: code.replaceAll(place, address), map: null };
    },

    transformIndexHtml: {
      order: "post",
      async handler(html, { bundle: output, chunk, path: page }) {
        if (!output || !chunk || options.preload === false) return html;
        const manifest = await bundle.manifest();
        const base = config.base === "" || config.base === "./" ? "../".repeat(page.split("/").length - 2) || "./" : config.base;
        const bundled = (/** @type {string} */ file) => (published ?? base + folder) + file;
        const address = (/** @type {string} */ file) => base + file;
        const folders = await bundle.packageFolders();
        const tags = preloads({ output, entry: chunk.fileName, id: virtual, folders, manifest, address, bundled });
        return { html, tags };
      },
    },

    buildStart() {
      fixed.clear();
      copied = false;
    },

    generateBundle({ entryFileNames, chunkFileNames, assetFileNames }, output) {
      for (const [name, file] of Object.entries(output)) {
        const pattern = file.type === "asset" ? assetFileNames : file.isEntry ? entryFileNames : chunkFileNames;
        // A pattern that is a function may say anything; those files are then asked for anew, which is always right.
        if (typeof pattern === "string" && pattern.includes("[hash") && !name.endsWith(".html")) fixed.add(name);
      }
    },

    writeBundle: {
      sequential: true,
      order: "post",
      async handler() {
        if (config.build.ssr || /** @type {any} */ (this).environment?.name === "ssr") return;
        const out = path.resolve(config.root, config.build.outDir);
        const manifest = await bundle.manifest();
        if (!published && !copied) {
          const count = await bundle.copy(path.join(out, folder));
          config.logger.info(`shardpress: ${count} files of ${bundle.name} in ${path.relative(config.root, path.join(out, folder))}/`);
          copied = true;
        }
        if (!offline) return;
        if (config.publicDir && (await access(path.join(config.publicDir, worker.file)).then(() => true, () => false))) {
          throw new Error(`${path.join(config.publicDir, worker.file)} is a service worker already: give shardpress({ offline: { file } }) another name, or bring the models' worker into it (docs/loader.md, Offline)`);
        }
        const exclude = [...(worker.exclude ?? []), `${folder}**`];
        const files = await siteFiles(out, { include: worker.include, exclude });
        const up = "../".repeat(worker.file.split("/").length - 1) || "./";
        const target = path.join(out, worker.file);
        await mkdir(path.dirname(target), { recursive: true });
        const assets = isAddress(config.base) ? config.base : "";
        const base = published ?? (assets || up) + folder;
        await writeFile(target, workerScript({ files, fixed, ...worker, base, assets, manifest }));
        config.logger.info(`shardpress: ${worker.file} keeps ${files.length} files for visits without a network`);
      },
    },
  };
}
