/** The service worker of a built site: which of its files are kept, found by glob. */
import { readdir } from "node:fs/promises";
import path from "node:path";

/** What a site shows itself with. */
export const usual = ["**/*.{html,js,mjs,css,json,webmanifest,wasm}", "**/*.{svg,png,webp,avif,ico,woff2}"];
/** Compressed copies and source maps have other endings. */
const never = ["**/*.map"];

/**
 * Gives the expression that a glob stands for: `**` any folders, `*` and `?` within a name, `{a,b}` one of several.
 *
 * @param {string} glob
 */
export function expression(glob) {
  let depth = 0;
  const parts = glob.replace(/^\.?\//, "").match(/\*\*\/|\*\*|[\s\S]/g) ?? [];
  const source = parts.map((part) => {
    if (part === "**/") return "(?:.*/)?";
    if (part === "**") return ".*";
    if (part === "*") return "[^/]*";
    if (part === "?") return "[^/]";
    if (part === "{") return depth++, "(?:";
    if (part === "}" && depth) return depth--, ")";
    if (part === "," && depth) return "|";
    return part.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
  });
  if (depth) throw new Error(`The glob ${glob} has a { without its }`);
  return new RegExp(`^${source.join("")}$`);
}

/**
 * Finds a site's files.
 *
 * @param {string} folder
 * @param {{ include?: string[], exclude?: string[] }} globs
 * @returns {Promise<string[]>} paths below the folder with slashes, in order
 */
export async function siteFiles(folder, { include = usual, exclude = [] }) {
  const [wanted, unwanted] = [include, [...never, ...exclude]].map((globs) => globs.map(expression));
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join("/"))
    .filter((name) => !name.split("/").some((part) => part.startsWith(".")))
    .filter((name) => wanted.some((one) => one.test(name)) && !unwanted.some((one) => one.test(name)))
    .sort();
}

/**
 * Writes the worker's script. Addresses are relative to it, so that the site may move.
 *
 * @param {object} site
 * @param {string[]} site.files as `siteFiles` gives them
 * @param {Set<string>} site.fixed those whose name changes with their content
 * @param {string} site.file of the worker itself
 * @param {string} site.base address of the bundle for the worker, with a closing slash
 * @param {string} site.assets address of the site's files other than pages: empty where it is the worker's own folder
 * @param {string | false} site.fallback page for all routes
 * @param {import("./bundle.js").Manifest} site.manifest
 */
export function workerScript({ files, fixed, file, base, assets, fallback, manifest }) {
  const up = "../".repeat(file.split("/").length - 1);
  const encoded = (/** @type {string} */ name) => name.split("/").map(encodeURIComponent).join("/");
  const address = (/** @type {string} */ name) => (name.endsWith(".html") || !assets ? up || "./" : assets) + encoded(name);
  const kept = files.filter((name) => name !== file);
  const binaries = (manifest.runtime?.wasm ?? []).map(({ url }) => url).filter((url) => url.startsWith("tf-simd."));
  const settings = {
    base,
    shell: kept.filter((name) => !fixed.has(name)).map(address),
    runtime: [...kept.filter((name) => fixed.has(name)).map(address), ...binaries.map((url) => base + url)],
    ...(fallback && files.includes(fallback) ? { fallback: address(fallback) } : {}),
  };
  return `// Written by vite-plugin-shardpress: the site's service worker.
self.shardpress = ${JSON.stringify(settings, null, 1)};
importScripts(${JSON.stringify(base + manifest.worker.url)});
`;
}
