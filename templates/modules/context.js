/**
 * What the loader lends: a model that is alive, and how to bring its weights in once more.
 *
 * @typedef {{ tf: any, model: any, recover: (renewed: Promise<unknown>) => Promise<void> }} Living
 */

/** @type {WeakSet<object>} backends that are listened to */
const watched = new WeakSet();

/**
 * Brings models back when the graphics context that holds their weights is lost.
 *
 * @param {Set<Living>} alive
 */
export function watchContext(alive) {
  for (const { tf } of alive) {
    const backend = tf?.getBackend() === "webgl" && tf.backend();
    const canvas = backend?.gpgpu?.gl.canvas;
    if (!canvas || watched.has(backend)) continue;
    watched.add(backend);
    canvas.addEventListener(
      "webglcontextlost",
      () => {
        const renewed = renew(tf, backend).then(() => watchContext(alive));
        for (const living of alive) if (living.tf === tf) living.recover(renewed);
      },
      { once: true },
    );
  }
}

/**
 * Puts a new WebGL backend in place of one that has lost its context, or another backend where there is none to be had.
 *
 * @param {any} tf
 * @param {any} backend
 */
async function renew(tf, backend) {
  const { factory, priority } = tf.engine().registryFactory.webgl;
  backend.gpgpu.outputTexture = null;
  tf.removeBackend("webgl");
  tf.registerBackend("webgl", factory, priority);
  for (let tries = 1; tries < 6; tries++) {
    // The browser may need a while to bring its graphics process back.
    await new Promise((resolve) => setTimeout(resolve, 50 * 2 ** tries));
    try {
      if (await tf.setBackend("webgl")) return;
    } catch {
      // Not yet.
    }
  }
  for (const name of ["wasm", "cpu"]) if (tf.findBackendFactory(name) && (await tf.setBackend(name))) return;
}
