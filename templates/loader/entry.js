import { openDecoder, ownersOf } from "./decode.js";
import { ModelError } from "./errors.js";
import { index } from "./form.js";
import { Handle } from "./handle.js";
import { readHead } from "./head.js";
import { Job } from "./job.js";
import { lazy } from "./lazy.js";
import { prefetch, takeOver } from "./prefetch.js";
import { artifactsOf } from "./runtime.js";
import { found, settings } from "./settings.js";
import { fileStore, keyOf, readStored } from "./store.js";
import { works } from "./underway.js";
import { Work } from "./work.js";

/** @import { Decoder } from "./decode.js" */
/** @import { FileSpec } from "./files.js" */
/** @import { LoadOptions } from "./handle.js" */
/** @import { Priority } from "./settings.js" */

/** A model of the bundle. */
export class Entry {
  /**
   * @param {string} name
   * @param {any[]} item of the index
   * @param {string} [contract] where it is an older one
   */
  constructor(name, [sha256, headBytes, load, priority, format, bytes, wireBytes, ...rest], contract) {
    this.name = name;
    this.contract = contract;
    const { older, ladder, thread, fit = {} } = rest.at(-1) ?? {};
    /** The last model with another contract, for pages that were built against it. @type {Entry | undefined} */
    this.older = older && new Entry(name, [...older.slice(1), load, priority, format, 0, 0], older[0]);
    /**
     * Models that answer before this one, the first one first; its bytes; whether all take the same tensors.
     *
     * @type {{ rungs: string[], bytes: number, tensors?: boolean } | undefined}
     */
    this.ladder = ladder;
    /** Where it runs unless a load says something else. @type {"worker" | undefined} */
    this.thread = thread;
    /** The module that loads it, where the loader does not by itself. @type {string | undefined} */
    this.apart = ladder && "ladder";
    /** What a run of it takes, and what it may take on a device. @type {import("../modules/speed.js").Fit} */
    this.fit = fit;
    /** @type {string} */
    this.sha256 = sha256;
    /** @type {number} */
    this.headBytes = headBytes;
    /** @type {"now" | "idle" | "visible" | "interaction" | "manual"} */
    this.policy = load;
    /** @type {Priority} */
    this.priority = priority;
    /** @type {"graph-model" | "layers-model" | "word-vectors"} */
    this.format = format;
    /** @type {number} decoded bytes of all files */
    this.bytes = bytes;
    /** @type {number} the same as sent */
    this.wireBytes = wireBytes;
  }

  /** The model's head. @returns {FileSpec} */
  file() {
    const { name, sha256, headBytes } = this;
    return { model: name, path: `assets/${name}.${sha256.slice(0, 16)}.json`, bytes: headBytes, wire: headBytes, sha256, refines: false };
  }

  /**
   * Starts loading, or joins a load.
   *
   * @param {LoadOptions} [options]
   */
  load(options = {}) {
    const { older, thread } = this;
    /** `twin` is the same model off the page's thread. @type {Entry & { twin?: Entry }} */
    let entry = older && options.contract === older.contract ? older : this;
    if ((options.thread ?? thread) === "worker") entry = entry.twin ??= Object.create(entry, { apart: { value: "thread" } });
    return new Handle(works.get(entry) ?? new Work(entry), options);
  }

  /**
   * Fetches all files and keeps them for the next load, in the store or else in memory; needs no TensorFlow.js.
   *
   * @returns {Promise<void>}
   */
  prefetch() {
    const work = works.get(this);
    return work && work.state !== "waiting" ? work.full.promise.then(() => {}) : prefetch(this);
  }

  /**
   * Says how much of the model is kept from an earlier visit: it asks nothing of the network.
   *
   * @returns {Promise<"absent" | "partial" | "cached">}
   */
  async status() {
    const spec = this.file();
    const head = await readStored(spec);
    if (!head) return "absent";
    const keys = await (await fileStore())?.keys();
    return readHead(head, spec).shards.every((shard) => keys?.includes(keyOf(shard))) ? "cached" : "partial";
  }

  /** A TensorFlow.js IO handler with weights of full precision: `tf.loadGraphModel(models.NAME.ioHandler())`. */
  ioHandler() {
    return {
      load: async () => {
        const { head, buffers } = await this.whole(new Job(this));
        return artifactsOf(head, head.weights, buffers);
      },
    };
  }

  /**
   * Reads all of the model at full precision.
   *
   * @param {Job} job
   */
  async whole(job) {
    /** @type {Decoder | undefined} */
    let decoder;
    try {
      const head = await job.head();
      if (head.kind === "word-vectors") throw new ModelError("contract", `${this.name} is no TensorFlow.js model: use load()`, { model: this.name });
      takeOver(this);
      decoder = await openDecoder(head);
      for (const stage of head.stages.keys()) await job.stage(head, stage, decoder.add);
      return { head, buffers: await decoder.take(ownersOf(head.weights), false) };
    } finally {
      decoder?.close();
      job.end();
    }
  }

  /**
   * Says whether the device has the memory for this model, as far as it tells: 16 times its bytes, and half a gigabyte; and
   * whether it is fast enough, once that is known.
   */
  canRun() {
    const { deviceMemory = Infinity } = /** @type {any} */ (globalThis.navigator ?? {});
    const { slow, memory = 1 / 16 } = this.fit;
    return !slow && deviceMemory * 0x40000000 >= Math.max(0x20000000, (this.ladder?.bytes ?? this.bytes) / memory);
  }

  /**
   * Tells what of the model this device would be given now, and why.
   *
   * @param {Work} [work] whose runs are to be measured
   * @returns {Promise<import("../modules/rungs.js").Step[]>}
   */
  plan(work) {
    return lazy("ladder").then(({ plan }) => plan(this, lazy, index, settings, found, work));
  }
}
