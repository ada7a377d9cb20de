/** @import { Entry } from "./entry.js" */
/** @import { Work } from "./work.js" */

/** The work that is shared by the handles of each model. @type {Map<Entry, Work>} */
export const works = new Map();
