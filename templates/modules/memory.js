/** What a device was found to be, kept between visits: a note of a few hundred bytes in the page's `localStorage`. */

/** @import { Settings } from "../loader/settings.js" */

/** How a backend answered a model's sample. @typedef {{ passed: boolean, error?: number, tolerance?: number, refined: boolean, on: string }} Verdict */

/**
 * How fast a backend is: milliseconds for each multiply-add, and of a run of each model that was timed, by the first digits
 * of its head's hash; `on` is what computes there.
 *
 * @typedef {{ rate?: number, on: string, runs: Record<string, number> }} Speed
 */

/** @typedef {{ device: string, backend?: string, speeds: Record<string, Speed>, verdicts: Record<string, Record<string, Verdict>> }} Memory */

/** Where the note is; a worker may be lent the page's. @typedef {{ getItem: (key: string) => string | null, setItem: (key: string, text: string) => void }} Notes */

/** Models that are remembered: those that were seen last. */
const most = 24;

/** What was found in this page, for where nothing may be kept. @type {WeakMap<Settings, Memory>} */
const found = new WeakMap();

/** Those whose last note was not taken: an older one may be there still. @type {WeakSet<Settings>} */
const refused = new WeakSet();

/** @param {Settings} settings */
export const keyOf = ({ cacheName = "shardpress" }) => `${cacheName}-device`;

/** @param {Settings & { notes?: Notes }} settings @returns {Notes | undefined} */
export function notesOf({ notes, cache }) {
  // Whoever wants nothing stored means this, too. The browser may throw at the mere name.
  return notes ?? (cache === "none" ? undefined : globalThis.localStorage);
}

/** What tells this device and browser from others, as far as pages are told: after an update all is measured anew. */
function deviceName() {
  const { userAgent, hardwareConcurrency, deviceMemory } = /** @type {any} */ (globalThis.navigator ?? {});
  return [userAgent, hardwareConcurrency, deviceMemory].join(" ");
}

/** @param {unknown} value @returns {value is number} */
const isTime = (value) => Number.isFinite(value) && Number(value) > 0;

/**
 * @param {any} table that anything may have written
 * @param {(value: any) => any} read gives nothing for what is not one
 * @returns {Record<string, any>}
 */
function readAll(table, read) {
  const entries = Object.entries(typeof table === "object" && table ? table : {}).map(([key, value]) => [key, read(value)]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** @param {any} value @returns {Speed | undefined} */
function readSpeed(value) {
  const { rate, on, runs } = value ?? {};
  if (typeof on === "string") return { rate: isTime(rate) ? rate : undefined, on, runs: readAll(runs, (ms) => (isTime(ms) ? ms : undefined)) };
}

/** @param {any} value @returns {Verdict | undefined} */
function readVerdict(value) {
  const { passed, error, tolerance, refined, on } = value ?? {};
  if (typeof passed !== "boolean" || typeof on !== "string") return;
  const number = (/** @type {unknown} */ one) => (typeof one === "number" ? one : undefined);
  return { passed, error: number(error), tolerance: number(tolerance), refined: refined === true, on };
}

/**
 * Gives what is known of this device.
 *
 * @param {Settings} settings
 * @returns {Memory}
 */
export function recall(settings) {
  const device = deviceName();
  /** @type {Memory} */
  const empty = { device, speeds: {}, verdicts: {} };
  try {
    const text = notesOf(settings)?.getItem(keyOf(settings));
    const kept = text && !refused.has(settings) ? JSON.parse(text) : found.get(settings);
    if (kept?.device !== device) return empty;
    const { backend } = kept;
    const speeds = readAll(kept.speeds, readSpeed);
    const verdicts = readAll(kept.verdicts, (one) => readAll(one, readVerdict));
    return { ...empty, backend: typeof backend === "string" ? backend : undefined, speeds, verdicts };
  } catch {
    return found.get(settings) ?? empty;
  }
}

/**
 * Notes something more.
 *
 * @param {Settings} settings
 * @param {(memory: Memory) => void} change
 */
export function note(settings, change) {
  const memory = recall(settings);
  change(memory);
  const last = (/** @type {Record<string, any>} */ table) => Object.fromEntries(Object.entries(table).slice(-most));
  memory.verdicts = last(memory.verdicts);
  for (const speed of Object.values(memory.speeds)) speed.runs = last(speed.runs);
  found.set(settings, memory);
  try {
    notesOf(settings)?.setItem(keyOf(settings), JSON.stringify(memory));
    refused.delete(settings);
  } catch {
    // Private windows and full disks: this page knows it all the same.
    refused.add(settings);
  }
}

/** First digits of the hash of a model's head, by which it is remembered. @param {{ sha256: string }} entry */
export const nameOf = ({ sha256 }) => sha256.slice(0, 16);

/** @param {any} tf */
export const versionOf = (tf) => String(tf.version_core ?? tf.version?.["tfjs-core"]);

/**
 * Says what computes: another version or graphics processor may answer otherwise, or at another speed.
 *
 * @param {any} tf on the backend that is meant
 */
export function computedBy(tf) {
  const version = versionOf(tf);
  try {
    const { gpgpu, adapterInfo } = tf.backend();
    const gl = gpgpu?.gl;
    const names = gl?.getExtension("WEBGL_debug_renderer_info");
    const half = gl && tf.env().getBool("WEBGL_FORCE_F16_TEXTURES");
    const gpu = gl ? [gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER), half ? "half" : ""] : [adapterInfo?.vendor, adapterInfo?.architecture];
    return [version, ...gpu].filter(Boolean).join(" ");
  } catch {
    return version;
  }
}
