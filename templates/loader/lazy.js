import { asModelError } from "./errors.js";
import { form, index } from "./form.js";
import { whileOffline } from "./offline.js";
import { resolve, settings } from "./settings.js";
import { sleep } from "./wait.js";

/**
 * Gives a module that is only imported at first need.
 *
 * @param {string} name
 * @returns {Promise<any>}
 */
export async function lazy(name) {
  return form.modules[name]?.() ?? importFile(`${name}.${index.modules?.[name].slice(0, 16)}.js`);
}

/**
 * Imports a module of the bundle, from the first place that has it. It is run unchecked: its name holds its hash.
 *
 * @param {string} path
 * @param {string} [model]
 */
export async function importFile(path, model = "") {
  let asked = 0;
  for (let tries = 1; ; tries++) {
    /** @type {unknown} */
    let failure;
    for (const address of resolve(path, model)) {
      try {
        const url = (await settings.resolveUrl?.(address)) ?? address;
        // Some browsers keep failures: the next try needs another address.
        // A choice inside of import() would be split by esbuild, and bundlers no longer see that they are to leave it alone.
        const place = asked++ ? `${url}#${asked}` : url;
        return await import(/* webpackIgnore: true */ /* @vite-ignore */ place);
      } catch (error) {
        failure = error;
      }
    }
    if ("ServiceWorkerGlobalScope" in globalThis) {
      throw asModelError(failure, "runtime", "A service worker cannot import: use the package's inline.js", { model });
    }
    if (await whileOffline()) tries = 0;
    if (tries > 2) throw asModelError(failure, "network", `${path} cannot be imported`, { model, url: resolve(path, model)[0] });
    await sleep(Math.random() * 400 * 2 ** tries);
  }
}
