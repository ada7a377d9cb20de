/*! Shardpress device tests, warm-up and recovery */
/**
 * A run whose answer is known: `inputs` are `[name, dtype, shape, below]`, filled as docs/format.md says; `outputs` are
 * `[name or number, elements, places, values]`.
 *
 * @typedef {{ inputs: [string, string, number[], number][], outputs: [string | number, number, number[], number[]][],
 *   tolerance: number, base: number }} Sample
 */

/**
 * How a device answers: the error is `|got - expected| / max(1, |expected|)` at its largest, undefined for a model
 * without a sample, of which only finite numbers are asked.
 *
 * @typedef {{ passed: boolean, backend: string, error: number | undefined, tolerance: number | undefined, ms: number }} SelfTest
 */

/**
 * What the loader lends: a model that is alive, and how to bring its weights in once more.
 *
 * @typedef {{ tf: any, model: any, recover: (renewed: Promise<unknown>) => Promise<void> }} Living
 */

/**
 * Gives numbers that are the same everywhere: whole ones below `below`, or from 0 to 1 where that is 0.
 *
 * @param {number} size
 * @param {number} below
 * @param {number} salt
 */
function numbers(size, below, salt) {
  return Float32Array.from({ length: size }, (_, i) => {
    let x = Math.imul(i + 1 + 0x10000 * salt, 0x9e3779b1);
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    const unit = ((x ^ (x >>> 13)) >>> 0) / 0x100000000;
    return below ? Math.floor(unit * below) : unit;
  });
}

/**
 * Runs a model as far as it runs at once; gives the tensors of some outputs, or of all.
 *
 * @param {any} model
 * @param {any[]} inputs
 * @param {string[]} [names] of the inputs, where they are not in the model's order
 * @param {(string | number)[]} [outputs]
 * @returns {any[]}
 */
function answer(model, inputs, names, outputs) {
  if (model.executor) {
    const feeds = names ? Object.fromEntries(inputs.map((tensor, i) => [names[i], tensor])) : inputs;
    return [model.execute(feeds, outputs ?? model.outputNodes)].flat();
  }
  const known = names && model.inputNames?.length === inputs.length && model.inputNames.every((/** @type {string} */ name) => names.includes(name));
  const order = known ? model.inputNames.map((/** @type {string} */ name) => inputs[names.indexOf(name)]) : inputs;
  return [model.predict(order.length > 1 ? order : order[0])].flat();
}

/**
 * Runs a model on zeros, whatever it takes.
 *
 * @param {any} model
 * @param {any[]} made
 * @returns {Promise<any[]>}
 */
async function runAnyway(model, made) {
  try {
    return answer(model, made);
  } catch (error) {
    if (!model.executor) throw error;
    // Loops and branches of the graph need the slower way.
    return [await model.executeAsync(made, model.outputNodes)].flat();
  }
}

/**
 * Zeros for all inputs of a model: an unknown first length is a batch, another one a side of a picture.
 *
 * @param {any} tf
 * @param {any} model
 * @returns {any[]}
 */
const zeros = (tf, model) =>
  model.inputs.map((/** @type {any} */ { shape, dtype }) => {
    return tf.zeros(shape.map((/** @type {number} */ n, /** @type {number} */ i) => (n > 0 ? n : i ? 64 : 1)), dtype);
  });

/**
 * Runs a model's sample on the backend as it is.
 *
 * @param {any} tf
 * @param {any} model
 * @param {Sample | undefined} sample
 * @param {boolean} refined whether the model has its final precision
 * @param {string[]} [avoid] backends on which the model is known to be wrong: it may never end there, so it is not run
 * @returns {Promise<SelfTest>}
 */
export async function selfTest(tf, model, sample, refined, avoid) {
  const start = performance.now();
  const backend = tf.getBackend();
  if (avoid?.includes(backend)) return { passed: false, backend, error: Infinity, tolerance: sample?.tolerance, ms: 0 };
  /** @type {any[]} */
  let made = [];
  /** @type {any[]} */
  let answers = [];
  let error = 0;
  try {
    if (sample) {
      const { inputs, outputs } = sample;
      made = inputs.map(([, dtype, shape, below], salt) => {
        const size = shape.reduce((product, length) => product * length, 1);
        return tf.tensor(numbers(size, below, salt), shape, dtype);
      });
      answers = answer(model, made, inputs.map(([name]) => name), outputs.map(([output]) => output));
      for (const [i, [output, size, places, values]] of outputs.entries()) {
        const data = await answers[typeof output === "number" ? output : i].data();
        const scale = Math.max(1, ...values.map(Math.abs));
        if (data.length !== size) error = Infinity;
        for (const [j, place] of places.entries()) {
          const distance = Math.abs(data[place] - values[j]) / scale;
          // NaN is no number to go on with.
          error = distance <= error ? error : distance >= 0 ? distance : Infinity;
        }
      }
    } else {
      made = zeros(tf, model);
      answers = await runAnyway(model, made);
      for (const tensor of answers) {
        if (tensor.dtype === "float32" && !(await tensor.data()).every(Number.isFinite)) error = Infinity;
      }
    }
  } catch {
    error = Infinity;
  } finally {
    tf.dispose([made, answers]);
  }
  const tolerance = sample && sample.tolerance + (refined ? 0 : sample.base);
  const ms = Math.round(performance.now() - start);
  return { passed: error <= (tolerance ?? 0), backend, error: sample && error, tolerance, ms };
}

/**
 * Takes the first backend on which a model passes its test.
 *
 * @param {any} tf
 * @param {() => Promise<SelfTest>} test
 * @param {() => Promise<unknown>} reload brings the weights onto another backend
 * @param {boolean} [stay] whether the backend as it is comes first
 * @param {string[]} [avoid] backends that are not to be tried
 * @returns {Promise<SelfTest | undefined>}
 */
export async function pickBackend(tf, test, reload, stay, avoid) {
  const names = new Set([...(stay ? [tf.getBackend()] : []), "webgpu", "webgl", "wasm", "cpu"]);
  for (const name of names) {
    if (avoid?.includes(name) || !tf.findBackendFactory(name)) continue;
    try {
      if (name !== tf.getBackend()) {
        if (!(await tf.setBackend(name))) continue;
        // What one backend has rounded, another one must not take over.
        await reload();
      }
      const result = await test();
      if (result.passed) return result;
    } catch {
      // What does not even start is not the one.
    }
  }
}

/**
 * Runs a model once on zeros, in idle time, so that its first real answer does not wait for shaders or memory; before that
 * it has the shaders compiled beside the page, where that is possible.
 *
 * @param {any} tf
 * @param {any} model
 * @param {() => Promise<unknown>} idle
 * @param {string[]} [avoid] backends on which the model is not to be run
 */
export async function warmUp(tf, model, idle, avoid) {
  await idle();
  if (avoid?.includes(tf.getBackend())) return;
  /** @type {any[]} */
  let made = [];
  try {
    made = zeros(tf, model);
    if (await compile(tf, model, made)) await idle();
    made = made.concat(await runAnyway(model, made));
  } catch {
    // What zeros cannot go through will tell its reason to whoever runs it.
  } finally {
    tf.dispose(made);
  }
}

/**
 * Has WebGL compile all shaders of a model without waiting for them; whatever runs meanwhile does not see them.
 *
 * @param {any} tf
 * @param {any} model
 * @param {any[]} made
 * @returns {Promise<boolean>} whether it did
 */
async function compile(tf, model, made) {
  const backend = tf.backend();
  if (!backend.gpgpu?.parallelCompilationExtension || !backend.checkCompileCompletionAsync || !backend.getUniformLocations) return false;
  const known = backend.binaryCache;
  /** @type {Record<string, any>} what is new; the others are seen through it */
  const fresh = Object.create(known);
  /** @type {Promise<unknown>} */
  let done;
  backend.binaryCache = fresh;
  tf.env().set("ENGINE_COMPILE_ONLY", true);
  try {
    tf.dispose(answer(model, made));
    done = backend.checkCompileCompletionAsync();
  } catch {
    // A graph with loops cannot run at once.
    done = Promise.reject();
  } finally {
    tf.env().set("ENGINE_COMPILE_ONLY", false);
    backend.binaryCache = known;
  }
  const complete = await done.then(() => true, () => false);
  const use = complete && tf.backend() === backend && !backend.gpgpu.gl.isContextLost();
  if (use) {
    backend.binaryCache = fresh;
    backend.getUniformLocations();
    backend.binaryCache = known;
  }
  for (const [key, binary] of Object.entries(fresh)) {
    if (use && !(key in known)) known[key] = binary;
    else backend.gpgpu.deleteProgram(binary.webGLProgram);
  }
  return use;
}

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
