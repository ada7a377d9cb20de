import { isRight } from "./hash.js";
import { lazy } from "./lazy.js";
import { emit, found, settings } from "./settings.js";

/** @import { LastingStore } from "../modules/storage.js" */
/** @import { FileSpec, SharedFile } from "./files.js" */

/**
 * Where checked files are kept between visits, by the first 16 digits of their hashes.
 *
 * @typedef {object} FileStore
 * @property {(key: string, model?: string) => Promise<ArrayBuffer | undefined>} get
 * @property {(key: string, bytes: Uint8Array<ArrayBuffer>, model?: string) => Promise<unknown>} put
 * @property {() => Promise<string[]>} keys
 * @property {(key: string) => Promise<unknown>} delete
 */

/** @param {{ sha256: string }} spec */
export const keyOf = ({ sha256 }) => sha256.slice(0, 16);

/** Gives the store, if files are to be kept and the page may. */
export async function fileStore() {
  if ((settings.cache ?? "persistent") === "persistent") return settings.store ?? (found.store ??= openCacheStorage());
}

/** @returns {Promise<FileStore | undefined>} */
async function openCacheStorage() {
  // Never asked for over the network: keys have to look like addresses.
  const place = "https://shardpress.invalid/";
  try {
    const box = await caches.open(settings.cacheName ?? "shardpress");
    return {
      get: async (key) => (await box.match(place + key))?.arrayBuffer(),
      put: (key, bytes) => box.put(place + key, new Response(bytes)),
      keys: async () => (await box.keys()).map(({ url }) => url.slice(place.length)),
      delete: (key) => box.delete(place + key),
    };
  } catch {
    // No secure page, or one that may not keep anything.
  }
}

/**
 * Gives a kept file; what is not what its hash says is forgotten.
 *
 * @param {FileSpec} spec
 */
export async function readStored(spec) {
  try {
    const store = await fileStore();
    const content = await store?.get(keyOf(spec), spec.model);
    if (!content) return;
    const bytes = new Uint8Array(content);
    if (await isRight(bytes, spec)) return bytes;
    await store?.delete(keyOf(spec));
  } catch {
    // A store that fails is as good as an empty one.
  }
}

/**
 * Keeps a checked file, if there is room.
 *
 * @param {SharedFile} file
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
export async function keep(file, bytes) {
  const { spec } = file;
  try {
    const store = await fileStore();
    await store?.put(keyOf(spec), bytes, spec.model);
    file.kept = !!store;
  } catch (error) {
    emit(spec.model, { type: "failure", code: "quota", message: `${spec.path} cannot be kept: ${error}`, ms: 0 });
  }
}

/**
 * Gives a store that can ask for lasting room and tells what the browser has taken away: `configure({ store: storage() })`.
 * Where it cannot be had it is the usual one, if there is one.
 *
 * @returns {Promise<Partial<LastingStore> | undefined>}
 */
export const storage = () => lazy("storage").then(({ open }) => open(settings.cacheName, emit)).catch(openCacheStorage);
