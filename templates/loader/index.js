/** What a page can import. */
export { ModelError } from "./errors.js";
export { models, observe, prune } from "./models.js";
export { runtime } from "./runtime.js";
export { configure } from "./settings.js";
export { storage } from "./store.js";
