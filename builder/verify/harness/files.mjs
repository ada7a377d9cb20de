// The files of a bundle, and of the stock artefact that it was made from.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** A `fetch` that reads the bundle's files and keeps those of all stages but the first back until they are asked for. */
export class Files {
  constructor(root, files) {
    this.root = path.resolve(root);
    this.files = files;
    this.requests = [];
    this.stages = [];
    this.held = new Map();
    this.gates = [];
    this.open = false; // whether no stage is kept back
    this.fetch = (input) => this.answer(String(input?.url ?? input));
  }

  get baseUrl() {
    return pathToFileURL(this.root + path.sep).href;
  }

  async answer(url) {
    const relative = path.relative(this.root, fileURLToPath(url)).split(path.sep).join("/");
    this.requests.push(relative);
    const place = this.files ? this.files[relative] : path.join(this.root, relative);
    const inside = relative && !relative.startsWith("../") && !path.isAbsolute(relative);
    if (!inside || !place) return new Response("", { status: 404 });
    await this.held.get(relative)?.opened;
    let bytes;
    try {
      bytes = await readFile(place);
    } catch (error) {
      if (error.code === "ENOENT") return new Response("", { status: 404 });
      throw new TypeError(`cannot read ${relative}: ${error.message}`);
    }
    if (relative.endsWith(".json")) this.hold(bytes);
    return new Response(bytes, { status: 200 });
  }

  /** Lets the files of a stage and all before it through. */
  release(name) {
    const number = name === undefined ? this.gates.length : this.stages.indexOf(name);
    for (const gate of this.gates.slice(0, number + 1)) gate.open();
  }

  /** Notes from a head which shards belong to which stage. */
  hold(bytes) {
    let head;
    try {
      head = JSON.parse(bytes.toString());
    } catch {
      return; // the loader has to find that out itself
    }
    if (!Array.isArray(head?.stages) || !Array.isArray(head.shards)) return;
    this.stages = head.stages;
    this.gates = head.stages.map(() => {
      const gate = { open: () => {} };
      gate.opened = new Promise((resolve) => (gate.open = resolve));
      return gate;
    });
    this.release(this.open ? undefined : head.stages[0]);
    const counts = {};
    for (const shard of head.shards) {
      const count = (counts[shard?.stage] ??= 0);
      counts[shard?.stage] += 1;
      const url = `assets/${head.name}-${head.stages[shard?.stage]}-${count}.${String(shard?.sha256).slice(0, 16)}.bin`;
      this.held.set(url, this.gates[shard?.stage]);
    }
  }
}

/** The stock artefact, as tf.io would load it, from files. */
function stockHandler(file) {
  return {
    load: async () => {
      const { weightsManifest = [], ...artifacts } = JSON.parse(await readFile(file, "utf8"));
      const folder = path.dirname(path.resolve(file));
      const weightSpecs = weightsManifest.flatMap((group) => group.weights);
      const names = weightsManifest.flatMap((group) => group.paths);
      const parts = [];
      for (const name of names) {
        const place = path.resolve(folder, name);
        if (path.relative(folder, place).startsWith("..")) throw new Error(`${name} lies outside the model's folder`);
        parts.push(await readFile(place));
      }
      const whole = parts.length === 1 ? parts[0] : Buffer.concat(parts);
      const alone = whole.byteLength === whole.buffer.byteLength;
      const weightData = alone ? whole.buffer : whole.buffer.slice(whole.byteOffset, whole.byteOffset + whole.byteLength);
      return weightSpecs.length ? { ...artifacts, weightSpecs, weightData } : artifacts;
    },
  };
}

export async function loadStock(tf, file) {
  const handler = stockHandler(file);
  const { format, modelTopology } = JSON.parse(await readFile(file, "utf8"));
  const isGraph = format === "graph-model" || Boolean(modelTopology?.node || modelTopology?.library);
  return isGraph ? tf.loadGraphModel(handler) : tf.loadLayersModel(handler);
}
