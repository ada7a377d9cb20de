// Workers and locks as browsers have them, of Node's threads: for the loader, which looks for them in the global scope.
import { dirname } from "node:path";
import { Worker as Thread } from "node:worker_threads";

/** All that were started, the newest one last. */
export const workers = [];

/** What a browser's `Worker` is to a page. It runs the module of the bundle, wherever it is said to be. */
class Worker {
  constructor(address, options) {
    if (Worker.forbidden) throw new DOMException("forbidden", "SecurityError");
    this.address = address;
    this.options = options;
    this.log = [];
    this.thread = new Thread(new URL("./worker.mjs", import.meta.url), { workerData: { folder: dirname(process.env.SHARDPRESS_LOADER) } });
    this.thread.on("message", (data) => {
      if (data?.tensors !== undefined) return this.counted(data.tensors);
      this.log.push(data);
      this.onmessage?.({ data });
    });
    this.thread.on("exit", () => {
      this.gone = true;
      for (const end of this.ends ?? []) end();
    });
    this.thread.on("error", (error) => this.onerror?.({ message: error.message }));
    workers.push(this);
  }
  postMessage(data, transfer) {
    this.thread.postMessage(data, Array.isArray(transfer) ? transfer : transfer?.transfer);
  }
  terminate() {
    return this.thread.terminate();
  }
  /** How many tensors it holds. */
  tensors() {
    return new Promise((resolve) => {
      this.counted = resolve;
      this.thread.postMessage({ count: true });
    });
  }
}

/** Has the loader find workers, and locks that are free when their worker is gone. */
export function install() {
  globalThis.Worker = Worker;
  // A worker holds what it says it holds, until it ends.
  const locks = {
    async request(name, options, then = options) {
      const holder = workers.at(-1);
      if (name.startsWith("shardpress worker")) await new Promise((resolve) => (holder.gone ? resolve() : (holder.ends ??= []).push(resolve)));
      return then();
    },
  };
  Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
  return Worker;
}

export { Worker };
