/** @typedef {import("./glue.js").Glue} Glue */
/** @typedef {import("./glue.js").Picture} Picture */
/** @typedef {import("./glue.js").PictureForm} PictureForm */
/** @typedef {import("./device.js").Sample} Sample */
/** @typedef {import("./device.js").SelfTest} SelfTest */

/**
 * Gives a module that is only imported at first need.
 *
 * @param {string} name
 * @returns {Promise<any>}
 */
async function lazy(name) {
  return beside[name]?.() ?? importFile(`${name}.${CONFIG.modules?.[name].slice(0, 16)}.js`);
}

/**
 * Imports a module of the bundle, from the first place that has it. It is run unchecked: its name holds its hash.
 *
 * @param {string} path
 * @param {string} [model]
 */
async function importFile(path, model = "") {
  for (let tries = 1; ; tries++) {
    /** @type {unknown} */
    let failure;
    for (const address of resolve(path, model)) {
      try {
        const url = (await settings.resolveUrl?.(address)) ?? address;
        // Some browsers keep failures: the next try needs another address.
        return await import(/* webpackIgnore: true */ /* @vite-ignore */ tries > 1 ? `${url}#${tries}` : url);
      } catch (error) {
        failure = error;
      }
    }
    if (tries > 2) throw asModelError(failure, "network", `${path} cannot be imported`, { model, url: resolve(path, model)[0] });
    await sleep(Math.random() * 400 * 2 ** tries, new AbortController().signal);
  }
}
