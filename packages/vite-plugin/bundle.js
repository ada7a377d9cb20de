/** What a build by Shardpress has left on the disk: where it is, what it holds, and which files belong to it. */
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, readdir, realpath } from "node:fs/promises";
import { readFileSync } from "node:fs";
import path from "node:path";

/**
 * The index of a loader, as far as it matters here.
 *
 * @typedef {object} Index
 * @property {string} release
 * @property {Record<string, [string, number, string, string, ...unknown[]]>} models hash and bytes of the head, policy, priority
 */

/**
 * What is told of a file in `manifest.json`.
 *
 * @typedef {{ url: string }} Listed
 */

/**
 * As far as it matters here.
 *
 * @typedef {object} Manifest
 * @property {string} release
 * @property {Listed} worker
 * @property {Record<string, Listed>} modules
 * @property {{ wasm: Listed[] } | null} runtime
 * @property {{ modules: string[], worker: string[], ops: string[], files: string[] } | null} [preload] what comes before the first answers of models
 *   that load at once: names of modules, addresses of the rest
 */

/** Names of the files that make a bundle, and of their compressed copies. */
const bundled = /^(loader\.js|[a-z-]+\.[0-9a-f]{16}\.(js|wasm)|assets\/[a-z][a-z0-9-]*\.[0-9a-f]{16}\.(json|bin|js))(\.(br|gz))?$/;

/**
 * Reads a key of the table `[build]`, which is all that is wanted of build.toml.
 *
 * @param {string} text
 * @param {string} key
 */
export function buildKey(text, key) {
  const [, table = ""] = /^[ \t]*\[build\][ \t]*(?:#.*)?$([\s\S]*?)(?=^[ \t]*\[|$(?![\s\S]))/m.exec(text.replaceAll("\r", "")) ?? [];
  const value = new RegExp(`^\\s*${key}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|'([^']*)')`, "m").exec(table);
  return value?.[2] ?? (value ? String(JSON.parse(`"${value[1]}"`)) : undefined);
}

/** The build's folder, from where `vite` runs. */
export class Bundle {
  /**
   * @param {string} root Vite's
   * @param {{ config?: string, dist?: string }} options
   */
  constructor(root, { config = "build.toml", dist }) {
    const settings = path.resolve(root, config);
    let text = "";
    try {
      text = readFileSync(settings, "utf8");
    } catch {
      // A bundle alone is enough.
    }
    /** Absolute; `cdn/` and `package/` are in it. */
    this.folder = dist ? path.resolve(root, dist) : path.resolve(path.dirname(settings), buildKey(text, "out") ?? "dist");
    this.cdn = path.join(this.folder, "cdn");
    /** The module that exports the models, for bundlers. */
    this.module = path.join(this.folder, "package", "index.js");
    /** The name by which an app imports it. */
    this.name = this.#packageName() ?? buildKey(text, "package") ?? "models";
    /** Earlier work, which nobody else needs to look at. */
    this.cache = path.resolve(path.dirname(settings), buildKey(text, "cache") ?? ".shardpress");
  }

  #packageName() {
    try {
      return String(JSON.parse(readFileSync(path.join(this.folder, "package", "package.json"), "utf8")).name);
    } catch {
      return undefined;
    }
  }

  /** Gives the paths by which a bundler may know the package's folder, with slashes: as it is named, and where links lead. */
  async packageFolders() {
    const folder = path.dirname(this.module);
    const real = await realpath(folder).catch(() => folder);
    return [...new Set([folder, real])].map((one) => one.split(path.sep).join("/"));
  }

  /** @returns {Promise<Manifest>} */
  async manifest() {
    const place = path.join(this.folder, "manifest.json");
    try {
      return JSON.parse(await readFile(place, "utf8"));
    } catch (cause) {
      throw new Error(`There is no bundle of models (${place}): build it with shardpress, or name its folder with shardpress({ dist })`, { cause });
    }
  }

  /** Makes sure that what the app's code will ask for is there. */
  async check() {
    await this.manifest();
    const { models } = readIndex(await readFile(this.module, "utf8"));
    const names = new Set(await this.files());
    const missing = Object.entries(models).map(([name, [head]]) => `assets/${name}.${head.slice(0, 16)}.json`).find((name) => !names.has(name));
    if (missing) throw new Error(`${path.join(this.cdn, missing)} is missing, which ${this.module} needs: build the models again with shardpress`);
  }

  /**
   * Gives the paths of a bundle's files below `cdn/`, with slashes; what else lies there is nobody's.
   *
   * @returns {Promise<string[]>}
   */
  async files() {
    const names = await readdir(this.cdn, { recursive: true });
    return names.map((name) => name.split(path.sep).join("/")).filter((name) => bundled.test(name)).sort();
  }

  /**
   * Copies the bundle, the loader last: whatever it names is there before it.
   *
   * @param {string} target
   */
  async copy(target) {
    const names = await this.files();
    const order = [...names.filter((name) => !name.startsWith("loader.js")), ...names.filter((name) => name.startsWith("loader.js"))];
    for (const name of order) {
      await mkdir(path.dirname(path.join(target, name)), { recursive: true });
      await copyFile(path.join(this.cdn, name), path.join(target, name));
    }
    return order.length;
  }
}

/** @param {string} name of a file below `cdn/` */
export const isBundled = (name) => bundled.test(name);

/**
 * Reads the index out of a loader.
 *
 * @param {string} loader
 * @returns {Index}
 */
export function readIndex(loader) {
  const line = /^const CONFIG=(\{.*\});?$/m.exec(loader);
  if (!line) throw new Error("This is no loader of Shardpress");
  return JSON.parse(line[1]);
}

/** @param {string | Buffer} content */
export const hash = (content) => createHash("sha256").update(content).digest("hex");
