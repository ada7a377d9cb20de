/** Calls between the page and its worker: each has a number, and what belongs to none is passed over. */

/** @typedef {(...args: any[]) => any} Handler gets a signal of its own as the last argument if it is asked for something */
/** @typedef {{ postMessage: (message: any, transfer?: any) => void, onmessage: ((event: any) => void) | null }} Port */
/** @typedef {{ value: any, transfer: any[] }} Parcel */
/** @typedef {new (code: any, message: string, details?: object) => Error} Failure */

/** What carries its own buffers: a handler that gives one gives them away. */
export class Sent {
  /** @param {any} value @param {any[]} transfer */
  constructor(value, transfer) {
    this.value = value;
    this.transfer = transfer;
  }
}

/** One end of the line between the page and its worker. */
export class Channel {
  #port;
  #ModelError;
  #last = 0;
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: unknown) => void }>} */
  #asked = new Map();
  /** Those that the other end waits for. @type {Map<number, AbortController>} */
  #running = new Map();
  /** @type {unknown} */
  #closed;

  /**
   * @param {Port} port
   * @param {Record<string, Handler>} handlers of what the other end says or asks
   * @param {Failure} ModelError
   */
  constructor(port, handlers, ModelError) {
    this.#port = port;
    this.#ModelError = ModelError;
    port.onmessage = ({ data }) => {
      const { number, what, args, stop, done } = data ?? {};
      if (done) return this.#settle(number, done);
      if (stop) return this.#running.get(number)?.abort(stop.reason);
      if (!Object.hasOwn(handlers, what) || !Array.isArray(args)) return;
      if (number) void this.#answer(number, handlers[what], args);
      else handlers[what](...args);
    };
  }

  /**
   * Says something that needs no answer.
   *
   * @param {string} what
   * @param {any[]} args
   */
  say(what, ...args) {
    if (!this.#closed) this.#port.postMessage({ what, args });
  }

  /**
   * Asks for something.
   *
   * @param {string} what
   * @param {any[]} args
   * @param {{ transfer?: any[], signal?: AbortSignal }} [options]
   * @returns {Promise<any>}
   */
  ask(what, args, { transfer = [], signal } = {}) {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw this.#closed;
      signal?.throwIfAborted();
      const number = ++this.#last;
      const stop = () => {
        this.#asked.delete(number);
        this.#port.postMessage({ number, stop: {} });
        reject(signal?.reason);
      };
      const over = () => {
        signal?.removeEventListener("abort", stop);
      };
      this.#port.postMessage({ number, what, args }, transfer);
      signal?.addEventListener("abort", stop);
      this.#asked.set(number, {
        resolve: (value) => (over(), resolve(value)),
        reject: (error) => (over(), reject(error)),
      });
    });
  }

  /**
   * Ends all that is asked for, and all that will be.
   *
   * @param {unknown} error
   */
  close(error) {
    this.#closed ??= error;
    for (const { reject } of this.#asked.values()) reject(error);
    for (const control of this.#running.values()) control.abort(error);
    this.#asked.clear();
  }

  /** @param {number} number @param {Handler} handler @param {any[]} args */
  async #answer(number, handler, args) {
    const control = new AbortController();
    this.#running.set(number, control);
    try {
      const found = await handler(...args, control.signal);
      const { value, transfer } = found instanceof Sent ? found : new Sent(found, []);
      this.#port.postMessage({ number, done: { value } }, transfer);
    } catch (error) {
      const plain = plainError(error, this.#ModelError);
      try {
        this.#port.postMessage({ number, done: { error: plain } });
      } catch {
        this.#port.postMessage({ number, done: { error: { message: String(error) } } });
      }
    } finally {
      this.#running.delete(number);
    }
  }

  /** @param {number} number @param {{ value?: any, error?: any }} done */
  #settle(number, { value, error }) {
    const one = this.#asked.get(number);
    this.#asked.delete(number);
    if (error) one?.reject(realError(error, this.#ModelError));
    else one?.resolve(value);
  }
}

/**
 * Gives an error as it can be sent: those of the loader by their fields, the browser's own as they are.
 *
 * @param {any} error
 * @param {Failure} ModelError
 */
export function plainError(error, ModelError) {
  const { code, message, model, url, status, cause } = error ?? {};
  if (error instanceof ModelError) return { code, message, details: { model, url, status, ...(cause instanceof Error && { cause: `${cause}` }) } };
  return error instanceof Error ? { native: error, message } : { message: String(error) };
}

/** @param {any} error @param {Failure} ModelError */
export function realError({ code, message, details, native }, ModelError) {
  return code ? new ModelError(code, message, details) : (native ?? new Error(message));
}
