// Pages opened from a disk may not start workers. The search then runs in a frame of its own, which speaks as a worker
// would: the theme knows this by the name IFrameWorker and loads its scripts accordingly.
if (location.protocol === "file:") {
  class IFrameWorker extends EventTarget {
    onmessage = null;
    #frame = document.createElement("iframe");
    #queue = [];

    constructor(url) {
      super();
      const address = new URL(url, document.baseURI).href;
      this.#frame.hidden = true;
      document.documentElement.append(this.#frame);
      const scope = this.#frame.contentWindow;
      scope.postMessage = undefined;
      const inner = this.#frame.contentDocument;
      const bring = (src) =>
        new Promise((resolve, reject) => {
          const script = inner.createElement("script");
          Object.assign(script, { src, async: false, onload: resolve, onerror: reject });
          inner.head.append(script);
        });
      scope.importScripts = async (...scripts) => {
        for (const src of scripts) await bring(src);
      };
      scope.postMessage = (data) => {
        const event = new MessageEvent("message", { data });
        this.onmessage?.(event);
        this.dispatchEvent(event);
      };
      bring(address).then(() => {
        this.#queue.forEach((data) => this.#tell(data));
        this.#queue = undefined;
      });
    }

    #tell(data) {
      const { contentWindow } = this.#frame;
      contentWindow.dispatchEvent(new contentWindow.MessageEvent("message", { data }));
    }

    postMessage(data) {
      if (this.#queue) this.#queue.push(data);
      else this.#tell(data);
    }

    terminate() {
      this.#frame.remove();
    }
  }
  window.IFrameWorker = IFrameWorker;
  window.Worker = IFrameWorker;
}
