/** What a loader knows of its bundle, told by the page: in a worker this takes the place of the module of the same name. */

/** @type {{ format: number, release: string, models: Record<string, any[]>, modules?: Record<string, string> }} */
export const index = { format: 1, release: "", models: {} };

export const form = {
  /** @type {() => string | URL | undefined} */
  base: () => undefined,
  /** @type {Record<string, () => Promise<any>>} */
  modules: {},
};
