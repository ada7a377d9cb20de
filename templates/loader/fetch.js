/**
 * A file of the bundle: its address and the proof of its content.
 *
 * @typedef {object} FileSpec
 * @property {string} model
 * @property {string} url absolute
 * @property {number} bytes decoded length
 * @property {string} sha256
 * @property {number} rank place in the queue: lower is sooner
 * @property {boolean} low whether the browser may put it behind everything else
 */

/**
 * A file that somebody needs; it is fetched once for all of them and forgotten when the last one lets go.
 *
 * @typedef {object} SharedFile
 * @property {number} claims
 * @property {AbortController} controller
 * @property {boolean} here
 * @property {Promise<Uint8Array<ArrayBuffer>>} [content]
 */

/** @type {Map<string, SharedFile>} */
const files = new Map();

/** @type {{ rank: number, run: () => Promise<void> }[]} */
const queue = [];
let running = 0;

/** @param {string} url */
function claim(url) {
  let file = files.get(url);
  if (!file) files.set(url, (file = { claims: 0, controller: new AbortController(), here: false }));
  file.claims++;
  return file;
}

/**
 * @param {string} url
 * @param {SharedFile} file
 */
function release(url, file) {
  if (--file.claims) return;
  if (files.get(url) === file) files.delete(url);
  if (!file.here) file.controller.abort();
}

/**
 * Gives the checked bytes of a claimed file.
 *
 * @param {SharedFile} file
 * @param {FileSpec} spec
 */
function read(file, spec) {
  return (file.content ??= quiet(
    inTurn(spec.rank, () => download(spec, file.controller.signal)).then(
      (bytes) => {
        file.here = true;
        return bytes;
      },
      (error) => {
        // The next one to ask tries again.
        if (files.get(spec.url) === file) files.delete(spec.url);
        throw error;
      },
    ),
  ));
}

/**
 * Runs a task in one of the few slots that all models share, lowest rank first.
 *
 * @template T
 * @param {number} rank
 * @param {() => Promise<T>} task
 * @returns {Promise<T>}
 */
function inTurn(rank, task) {
  return new Promise((resolve, reject) => {
    queue.push({ rank, run: () => task().then(resolve, reject) });
    queue.sort((a, b) => a.rank - b.rank);
    fillSlots();
  });
}

function fillSlots() {
  const slots = Math.max(1, settings.concurrency ?? 4);
  while (running < slots && queue.length) {
    running++;
    queue.shift()?.run().finally(() => {
      running--;
      fillSlots();
    });
  }
}

/**
 * Fetches and checks one file: up to four tries when the network or the server fails, one more past the HTTP cache
 * when what came is not what the hash says.
 *
 * @param {FileSpec} spec
 * @param {AbortSignal} signal
 */
async function download(spec, signal) {
  const { model, url } = spec;
  let reload = false;
  const request = settings.fetch ?? fetch;
  for (let tries = 1; ; tries++) {
    /** @type {ModelError} */
    let failure;
    let again = true;
    if (signal.aborted) throw new ModelError("abort", `Loading of ${model} was cancelled`, { model, url });
    try {
      const response = await request(url, { signal, ...(spec.low && { priority: "low" }), ...(reload && { cache: "reload" }) });
      if (response.ok) {
        const bytes = new Uint8Array(await response.arrayBuffer());
        if (bytes.length === spec.bytes && (await sha256(bytes)) === spec.sha256) return bytes;
        const found = bytes.length === spec.bytes ? "other content" : `${bytes.length} bytes instead of ${spec.bytes}`;
        failure = new ModelError("integrity", `${url} has ${found}: publish the bundle again or clear the cache before it`, { model, url });
        if (reload) throw failure;
        reload = true;
        tries--;
        continue;
      }
      again = response.status >= 500 || response.status === 429;
      const advice = again ? "try again later" : "see that the bundle is published and the page is not older than it";
      failure = new ModelError("network", `${url} answers ${response.status}: ${advice}`, { model, url });
    } catch (error) {
      failure = asModelError(error, "network", `${url} cannot be fetched, see the connection and CORS`, { model, url });
      again = failure !== error;
    }
    if (!again || tries > 3) throw failure;
    await sleep(Math.random() * 400 * 2 ** tries, signal);
  }
}
