/**
 * Development only, served by `build.py --watch`: keeps a page up to date.
 *
 * New weights go into the live models; a page or anything else that changed reloads the page; what a build failed
 * with lies over it until it is fixed.
 */

import { listen } from "./news.js";
import { showErrors } from "./overlay.js";
import { guard, isAlive, transplant } from "./swap.js";

/**
 * What the server tells, whole, at every change.
 *
 * @typedef {object} State
 * @property {string} pages
 * @property {string} release
 * @property {Record<string, { head: string, policy: string, priority: string }>} models
 * @property {Record<string, string>} shapes for each head a hash of all but its weights' values
 * @property {Record<string, string>} contents for each head a hash of all but how well it is compressed
 * @property {{ model: string, code: string, what: string, where: string, hint: string }[]} errors
 * @property {boolean} served there is a bundle
 */

/**
 * A loader that a page uses, with the heads that it was made with or that were swapped in since.
 *
 * @typedef {object} Attached
 * @property {any} loader
 * @property {Map<string, string>} heads
 * @property {Map<string, { policy: string, priority: string }>} policies
 * @property {Map<string, Set<any>>} live TensorFlow.js models by name
 * @property {Set<any>} handles that are not settled yet
 * @property {Set<string>} opaque names of models that were loaded past the loader
 */

/** @type {Attached[]} */
const attached = [];
/** @type {object[]} */
const options = [];
/** @type {State | undefined} */
let state;
let leaving = false;

/** Whatever the page configures, the loader of the next release needs too. @param {object} some */
export function remember(some) {
  options.push(some);
}

/**
 * Takes note of every model that a loader loads.
 *
 * @param {any} loader
 * @param {Record<string, string>} heads
 */
export function attach(loader, heads) {
  /** @type {Attached} */
  const one = { loader, heads: new Map(Object.entries(heads)), policies: new Map(), live: new Map(), handles: new Set(), opaque: new Set() };
  attached.push(one);
  const entries = /** @type {any[]} */ (Object.values(loader.models));
  for (const { name, policy, priority } of entries) one.policies.set(name, { policy, priority });
  const kind = entries.length ? Object.getPrototypeOf(entries[0]) : {};
  const { load, ioHandler } = kind;
  if (load) {
    kind.load = function (/** @type {any[]} */ ...args) {
      // The rungs of a ladder come and go: when one of them changes, the page climbs anew.
      for (const rung of this.ladder ? [this.name, ...this.ladder.rungs] : []) one.opaque.add(rung);
      // What is in a worker has no weights here.
      if ((args[0]?.thread ?? this.thread) === "worker") one.opaque.add(this.name);
      const handle = load.apply(this, args);
      follow(one, this.name, handle);
      return handle;
    };
  }
  if (ioHandler) {
    kind.ioHandler = function (/** @type {any[]} */ ...args) {
      one.opaque.add(this.name);
      return ioHandler.apply(this, args);
    };
  }
  update();
}

/**
 * @param {Attached} one
 * @param {string} name
 * @param {any} handle
 */
function follow(one, name, handle) {
  one.handles.add(handle);
  handle.ready.then(
    (/** @type {any} */ model) => {
      guard(model);
      const models = one.live.get(name) ?? new Set();
      one.live.set(name, models.add(model));
    },
    () => {},
  );
  handle.full.then(
    () => one.handles.delete(handle),
    (/** @type {any} */ error) => {
      one.handles.delete(handle);
      // A build has taken the files away that this load was after.
      if (error?.code !== "abort" && state?.release && state.models[name]?.head !== one.heads.get(name)) reload();
    },
  );
}

function reload() {
  if (leaving) return;
  leaving = true;
  location.reload();
}

let work = Promise.resolve();

/** Brings the page to the newest state; one after the other. */
function update() {
  work = work.then(reconcile).catch((error) => {
    console.warn("Shardpress: the new weights could not be swapped in, so the page loads again.", error);
    reload();
  });
}

async function reconcile() {
  const now = state;
  if (!now || leaving) return;
  const page = /** @type {HTMLElement | null} */ (document.querySelector("script[data-shardpress-pages]"));
  pages ??= page?.dataset.shardpressPages ?? now.pages;
  if (now.pages !== pages) return reload();
  if (!now.release || now.errors.length) return;
  for (const one of attached) await refresh(one, now);
}

/** @type {string | undefined} */
let pages;

/**
 * @param {Attached} one
 * @param {State} now
 */
async function refresh(one, now) {
  /** @type {string[]} */
  const names = [];
  /** @type {Set<string>} */
  const changed = new Set();
  for (const [name, head] of one.heads) {
    const model = now.models[name];
    const known = one.policies.get(name);
    if (!model || !known || known.policy !== model.policy || known.priority !== model.priority) return reload();
    if (model.head === head) continue;
    names.push(name);
    if (now.contents[head] && now.contents[head] === now.contents[model.head]) continue;
    if (one.opaque.has(name) || !now.shapes[head] || now.shapes[head] !== now.shapes[model.head]) return reload();
    changed.add(name);
  }
  if (Object.keys(now.models).some((name) => !one.heads.has(name))) return reload();
  if (!names.length) return;
  const fresh = await import(new URL(`../cdn/loader.js?pinned=${now.release}`, import.meta.url).href);
  for (const some of options) fresh.configure(some);
  for (const name of names) {
    // Loads that are under way end first, whether well or not.
    if (changed.has(name)) await Promise.allSettled([...one.handles].filter((handle) => handle.progress?.loaded).map((handle) => handle.full));
    if (leaving) return;
    Object.assign(one.loader.models[name], fresh.models[name]);
    if (changed.has(name)) await swap(one, name, fresh.models[name]);
    one.heads.set(name, now.models[name].head);
  }
}

/**
 * @param {Attached} one
 * @param {string} name
 * @param {any} entry of the newest release
 */
async function swap(one, name, entry) {
  const alive = [...(one.live.get(name) ?? [])].filter(isAlive);
  one.live.set(name, new Set(alive));
  if (!alive.length) return;
  if (alive.length > 1 || alive[0].initializer) return reload();
  const handle = entry.load({ priority: "high" });
  const next = await handle.full;
  await transplant(alive[0], next);
  if (!alive[0].executor) handle.dispose();
  console.info(`Shardpress: new weights are in ${name}.`);
  document.dispatchEvent(new CustomEvent("shardpress:swap", { detail: { name, model: alive[0] } }));
}

if (typeof document !== "undefined") {
  listen(new URL("events", import.meta.url).href, (data) => {
    state = /** @type {State} */ (JSON.parse(data));
    showErrors(state);
    update();
  });
  addEventListener("pageshow", ({ persisted }) => persisted && reload());
}
