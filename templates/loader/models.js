import { Entry } from "./entry.js";
import { index } from "./form.js";
import { readHead } from "./head.js";
import { lazy } from "./lazy.js";
import { fileStore, keyOf, readStored } from "./store.js";

/**
 * The models of this release, by name.
 *
 * @type {Readonly<Record<string, Entry>>}
 */
export const models = Object.freeze(Object.fromEntries(Object.entries(index.models).map(([name, item]) => [name, new Entry(name, item)])));

/**
 * Wires elements that name a model in `data-model` to that model's load policy.
 *
 * @param {ParentNode} [root]
 * @returns the handles of the loads, those that still wait included
 */
export function observe(root = document) {
  return /** @type {HTMLElement[]} */ ([...root.querySelectorAll("[data-model]")]).flatMap((target) => {
    const name = String(target.dataset.model);
    if (!Object.hasOwn(models, name)) {
      console.error(`No model ${name}: see ${Object.keys(models)}`);
      return [];
    }
    const { policy } = models[name];
    return policy === "manual" ? [] : [models[name].load({ when: policy, target, contract: target.dataset.contract })];
  });
}

/**
 * Forgets all kept files that this release does not name.
 *
 * @returns {Promise<number>} how many
 */
export const prune = () => lazy("storage").then(({ prune: forget }) => forget(Object.values(models), fileStore, readStored, readHead, keyOf));
