import { answer, runAnyway, zeros } from "./running.js";

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
