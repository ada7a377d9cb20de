/** A `fetch` that is as slow as a network: what the loader takes as `configure({ fetch })`. */

/** Bytes a second and milliseconds, as the developer tools of browsers have them. @type {Record<string, { rate: number, latency: number }>} */
export const networks = {
  "3g": { rate: 50_000, latency: 2000 },
  "slow-4g": { rate: 180_000, latency: 562.5 },
  "fast-4g": { rate: 1_012_500, latency: 165 },
};

/**
 * Gives such a function; its answers share one line. Bytes count as they were sent, compressed.
 *
 * @param {{ rate: number, latency: number }} network
 * @returns {(url: string, init: RequestInit) => Promise<Response>}
 */
export function slowFetch({ rate, latency }) {
  let free = 0;
  return async (url, init) => {
    const answer = await fetch(url, init);
    const body = await answer.arrayBuffer();
    const now = performance.now();
    const sent = Number(answer.headers.get("content-length")) || body.byteLength;
    free = Math.max(free, now + latency) + (sent / rate) * 1000;
    await new Promise((done) => setTimeout(done, free - now));
    init.signal?.throwIfAborted();
    const { status, statusText, headers } = answer;
    return new Response([204, 304].includes(status) ? null : body, { status, statusText, headers });
  };
}
