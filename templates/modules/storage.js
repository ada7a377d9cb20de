/*! Shardpress storage, imported by the loader when a page asks for lasting room */

/**
 * The loader's place in Cache Storage, with a memory of what was put there: it tells what the browser has taken away.
 *
 * @typedef {object} LastingStore
 * @property {(key: string, model?: string) => Promise<ArrayBuffer | undefined>} get
 * @property {(key: string, bytes: Uint8Array<ArrayBuffer>, model?: string) => Promise<void>} put
 * @property {() => Promise<string[]>} keys
 * @property {(key: string) => Promise<boolean>} delete
 * @property {() => Promise<boolean>} persist asks the browser never to take the files away by itself; some ask their user,
 *   most say yes to pages that are used often or installed. Call it when the visitor wishes to use the page offline
 * @property {() => Promise<boolean>} persisted whether the browser has agreed
 */

/** @typedef {Record<string, Record<string, number>>} Kept bytes of each kept file, by model and key */

/**
 * Opens the store.
 *
 * @param {string | undefined} cacheName
 * @param {(model: string, record: any) => void} emit tells the page's `onEvent`
 * @returns {Promise<LastingStore>}
 * @throws where nothing may be kept, as in a sandboxed frame
 */
export async function open(cacheName = "shardpress", emit) {
  const place = "https://shardpress.invalid/";
  const journal = `${cacheName}-kept`;
  // Opened for each use: one that was opened before the visitor cleared all data leads nowhere.
  const box = () => caches.open(cacheName);
  const keys = async () => (await (await box()).keys()).map(({ url }) => url.slice(place.length));
  const manager = globalThis.navigator?.storage;

  /** What was kept, as this device remembers it: not in Cache Storage, which goes as a whole. @returns {Kept} */
  const remembered = () => {
    try {
      return JSON.parse(localStorage.getItem(journal) ?? "{}") ?? {};
    } catch {
      return {};
    }
  };

  /** @param {(kept: Kept) => void} change */
  const remember = (change) => {
    const kept = remembered();
    change(kept);
    try {
      localStorage.setItem(journal, JSON.stringify(kept));
    } catch {
      // Workers and private windows have no such memory: then nothing is told.
    }
  };

  /** Tells of each model that is not whole any more, once. */
  const compare = async () => {
    const here = new Set(await keys());
    const kept = remembered();
    const persisted = await isPersisted();
    for (const [model, files] of Object.entries(kept)) {
      const gone = Object.entries(files).filter(([key]) => !here.has(key));
      if (!gone.length) continue;
      remember((now) => gone.forEach(([key]) => delete now[model]?.[key]));
      const bytes = gone.reduce((sum, [, size]) => sum + size, 0);
      emit(model, { type: "eviction", files: gone.length, bytes, persisted });
    }
  };

  const isPersisted = async () => (await manager?.persisted?.().catch(() => false)) ?? false;

  await box();
  await compare();
  return {
    keys,
    async get(key, model = "") {
      const found = await (await box()).match(place + key);
      if (found) return found.arrayBuffer();
      if (remembered()[model]?.[key]) await compare();
    },
    async put(key, bytes, model = "") {
      try {
        await (await box()).put(place + key, new Response(bytes));
      } catch (error) {
        const { usage, quota } = (await manager?.estimate?.().catch(() => undefined)) ?? {};
        throw usage === undefined ? error : new Error(`${error} (${usage} of ${quota} bytes are used)`, { cause: error });
      }
      remember((kept) => ((kept[model] ??= {})[key] = bytes.length));
    },
    async delete(key) {
      // Wanted, and so nothing to tell of.
      remember((kept) => Object.values(kept).forEach((files) => delete files[key]));
      return (await box()).delete(place + key);
    },
    persist: async () => (await manager?.persist?.().catch(() => false)) ?? false,
    persisted: isPersisted,
  };
}

/**
 * Forgets all kept files that a release does not name.
 *
 * @typedef {{ sha256: string }} Spec
 * @typedef {{ file: () => any, older?: Model }} Model
 * @param {Model[]} models
 * @param {() => Promise<{ keys: () => Promise<string[]>, delete: (key: string) => Promise<unknown> } | undefined>} fileStore
 * @param {(spec: any) => Promise<Uint8Array | undefined>} readStored
 * @param {(bytes: Uint8Array, spec: any) => { shards: Spec[] }} readHead
 * @param {(spec: Spec) => string} keyOf
 * @returns {Promise<number>} how many
 */
export async function prune(models, fileStore, readStored, readHead, keyOf) {
  const store = await fileStore();
  if (!store) return 0;
  const named = new Set();
  for (const entry of models.flatMap((one) => [one, one.older ?? one])) {
    const head = await readStored(entry.file());
    if (!head) continue;
    for (const spec of [entry.file(), ...readHead(head, entry.file()).shards]) named.add(keyOf(spec));
  }
  const stale = (await store.keys()).filter((key) => !named.has(key));
  for (const key of stale) await store.delete(key);
  return stale.length;
}
