/**
 * Development only: one connection for all tabs of a browser, which has no more than six for each server.
 *
 * The tab that holds a lock listens to the server and passes on what it hears. When it is closed, the browser gives the lock
 * to the next one; when it does not answer, being frozen in the background, a tab that is looked at takes the lock away.
 * Where there are no locks (pages over plain HTTP from another machine, sandboxes) a tab listens by itself while it is seen.
 */

/**
 * @typedef {object} Message between tabs
 * @property {boolean} [ask] whether anybody leads, and what is new
 * @property {string} [data] the newest event; "" where there is none yet
 */

const patience = 2000;
const rhythm = 20_000;

/**
 * Listens to a stream of events until the page is left.
 *
 * @param {string} address of the stream
 * @param {(data: string) => void} tell called with the data of each event that differs from the one before
 */
export function listen(address, tell) {
  /** @type {EventSource | undefined} */
  let source;
  /** @type {string | undefined} */
  let last;
  let left = false;
  /** @type {() => void} */
  let release = () => {};
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;

  /** @param {string} data */
  const hear = (data) => {
    if (!data || data === last || left) return;
    last = data;
    tell(data);
  };

  const open = () => {
    if (source || left) return;
    source = new EventSource(address);
    source.addEventListener("message", ({ data }) => {
      hear(data);
      post({ data });
    });
  };
  const close = () => {
    source?.close();
    source = undefined;
  };

  const channel = openChannel(`shardpress ${address}`);
  /** @param {Message} message */
  const post = (message) => !left && channel?.postMessage(message);
  channel?.addEventListener("message", (/** @type {MessageEvent<Message>} */ { data: message }) => {
    if (message.ask) {
      if (source) post({ data: last ?? "" });
      return;
    }
    clearTimeout(waiting);
    hear(message.data ?? "");
  });

  /** Leads as soon as nobody else does, or at once. @param {boolean} steal */
  const lead = async (steal) => {
    try {
      await navigator.locks.request(`shardpress ${address}`, { steal }, () => {
        if (left) return undefined;
        clearTimeout(waiting);
        open();
        post({ data: last ?? "" });
        return new Promise((resolve) => (release = () => resolve(undefined)));
      });
    } catch (error) {
      close();
      if (left) return;
      if (/** @type {any} */ (error)?.name === "AbortError") lead(false); // another tab took the lock away
      else alone();
    }
  };
  const ask = () => {
    if (source || left || document.visibilityState !== "visible") return;
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (source) return;
      lead(true);
      waiting = setTimeout(alone, patience);
    }, patience);
    post({ ask: true });
  };

  let isAlone = false;
  const alone = () => {
    if (source || isAlone || left) return;
    isAlone = true;
    const follow = () => (document.visibilityState === "visible" ? open() : close());
    document.addEventListener("visibilitychange", follow);
    follow();
  };

  // A page that is left must not keep one of the few connections, nor others from the lock.
  addEventListener("pagehide", () => {
    left = true;
    clearTimeout(waiting);
    close();
    release();
    channel?.close();
  });

  if (!channel || !navigator.locks) {
    alone();
    return;
  }
  lead(false);
  ask();
  for (const event of ["visibilitychange", "resume"]) document.addEventListener(event, ask);
  addEventListener("focus", ask);
  setInterval(ask, rhythm);
}

/** @param {string} name */
function openChannel(name) {
  try {
    return new BroadcastChannel(name);
  } catch {
    return undefined;
  }
}
