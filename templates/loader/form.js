/**
 * What a loader knows of its bundle: the index, which the line before this code declares as CONFIG, and what differs
 * between the forms that the loader has.
 */

/** @type {{ format: number, release: string, models: Record<string, any[]>, modules?: Record<string, string> }} */
export const index = CONFIG;

/** Filled in by the entry of each form, before anything can be loaded. */
export const form = {
  /** The folder that holds `assets/`, unless the page names one. @type {() => string | URL | undefined} */
  base: () => undefined,
  /** Modules that a bundler has already. @type {Record<string, () => Promise<any>>} */
  modules: {},
};
