/** How long a run of a model, and its way over the network, would take here. */
import { computedBy, nameOf, note, recall } from "./memory.js";
import { costOf, probe, timeRuns } from "./speed.js";

/** @import { Entry } from "../loader/entry.js" */
/** @import { Settings } from "../loader/settings.js" */

/**
 * What is known of a run on the backend of the page: from runs of models, `sure`, of the model itself, `seen`, or from a probe.
 *
 * @typedef {{ ms?: number, sure?: boolean, seen?: boolean }} Forecast
 */

/** What a probe found in this page: milliseconds for each multiply-add, by backend. @type {WeakMap<Settings, Record<string, number>>} */
const probed = new WeakMap();

/** The best throughput that loads of this page had, in bytes a millisecond. @type {WeakMap<Settings, number>} */
const throughputs = new WeakMap();

/**
 * Foretells the time of a run.
 *
 * @param {Entry} entry
 * @param {Settings} settings
 * @param {any} [tf] where it is there: else it is taken that the page will use what it used last
 * @returns {Forecast}
 */
export function forecast(entry, settings, tf) {
  const memory = recall(settings);
  const backend = tf?.getBackend?.() || memory.backend;
  if (!backend) return {};
  const speed = memory.speeds[backend];
  const fresh = speed && (!tf || speed.on === computedBy(tf)) ? speed : undefined;
  const seen = fresh?.runs[nameOf(entry)];
  if (seen) return { ms: seen, sure: true, seen: true };
  const rate = fresh?.rate ?? probed.get(settings)?.[backend];
  const ms = rate && rate * costOf(entry.fit, backend);
  return { ms: ms || undefined, sure: !!fresh?.rate };
}

/**
 * Times the runs of a model that is there, for this visit and later ones.
 *
 * @param {Entry} entry
 * @param {any} tf
 * @param {any} model
 * @param {Settings} settings
 * @param {() => void} news
 */
export function learn(entry, tf, model, settings, news) {
  return timeRuns(tf, model, entry.fit.size ?? 0, (ms) => {
    const backend = tf.getBackend();
    const cost = costOf(entry.fit, backend);
    const on = computedBy(tf);
    note(settings, (memory) => {
      const known = memory.speeds[backend];
      const { [nameOf(entry)]: _, ...others } = known?.on === on ? known.runs : {};
      memory.backend = backend;
      memory.speeds[backend] = { rate: cost ? ms / cost : known?.rate, on, runs: { ...others, [nameOf(entry)]: ms } };
    });
    news();
  });
}

/**
 * Times a few kernels that stand for a model, where nothing else tells how fast the device is.
 *
 * @param {Entry} entry whose index names them
 * @param {any} tf
 * @param {Settings} settings
 */
export async function guess({ fit }, tf, settings) {
  const backend = tf.getBackend();
  const known = probed.get(settings) ?? {};
  if (!fit.probe?.length || known[backend] || fit.avoid?.includes(backend)) return;
  const rate = await probe(tf, fit.probe);
  if (rate) probed.set(settings, { ...known, [backend]: rate });
}

/** What has come over the network since a load began, so that the time of what is still to come can be foretold. */
export class Arrivals {
  #start = performance.now();
  #wire = 0;
  /** When the first file was there, and its bytes: until then the network was only waited for. */
  #first = [0, 0];

  /** @param {Settings} settings */
  constructor(settings) {
    this.settings = settings;
  }

  /**
   * @param {number} wire
   * @param {string} source
   */
  file(wire, source) {
    if (source !== "network" || !wire) return;
    const now = performance.now();
    if (!this.#wire) this.#first = [now, wire];
    this.#wire += wire;
    const [at, bytes] = this.#first;
    const rates = [this.#wire / (now - this.#start), (this.#wire - bytes) / (now - at)].filter((rate) => rate > 0 && rate < Infinity);
    throughputs.set(this.settings, Math.max(throughputs.get(this.settings) ?? 0, ...rates));
  }

  /** Milliseconds since the load began. */
  get ms() {
    return performance.now() - this.#start;
  }
}

/**
 * Foretells how long files take, by the best of what is known of the network; 0 where nothing is.
 *
 * @param {number} wire
 * @param {Settings} settings
 */
export function downloadTime(wire, settings) {
  const { downlink } = /** @type {any} */ (globalThis.navigator ?? {}).connection ?? {};
  const rate = throughputs.get(settings) ?? (downlink > 0 ? downlink * 125 : 0);
  return rate ? wire / rate : 0;
}

/** @param {number} ms */
const shown = (ms) => (ms < 9.95 ? String(Math.round(10 * ms) / 10) : Math.round(ms).toLocaleString("en"));

/**
 * Says in words what is too slow about a model; "" where nothing is known to be.
 *
 * @param {import("./speed.js").Fit} limits
 * @param {Forecast} forecast
 * @param {number} wait milliseconds until its files are there
 */
export function slowness({ frame = Infinity, answer = Infinity }, { ms = 0, seen }, wait) {
  const run = `${seen ? "took" : "takes about"} ${shown(ms)} ms a run here`;
  if (ms > frame) return `${run}, more than the ${frame} ms of frame_ms`;
  if (wait + ms > answer) return `would answer about ${shown(wait + ms)} ms after the load began, more than the ${answer} ms of answer_ms`;
  return "";
}

/** Tells in words how long a run takes. @param {Forecast} forecast */
export const pace = ({ ms, seen }) => (ms ? `; ${seen ? "took" : "takes about"} ${shown(ms)} ms a run here` : "");
