/** How fast this device is: timed around real runs, or by a few of the heaviest kernels of a model that is not there yet. */

/** A kernel, the share of the multiply-adds of its model that are its kind's, and the lengths it works on. @typedef {[string, ...number[]]} Kernel */

/**
 * What a run of a model takes, and may take, as the index says: multiply-adds, kernels, elements of its inputs; backends on
 * which it is wrong; most of the memory that its bytes may be, most milliseconds of a run and from the load to an answer;
 * kernels that stand for it. `slow` is what was found out of this device.
 *
 * @typedef {{ macs?: number, ops?: number, size?: number, avoid?: string[], memory?: number, frame?: number, answer?: number,
 *   probe?: Kernel[], slow?: boolean }} Fit
 */

/**
 * A kernel takes some time whatever its size: as much as so many multiply-adds. On graphics processors, giving one its work
 * often takes longer than the work.
 *
 * @type {Record<string, number>}
 */
const kernelMacs = { webgpu: 1e6, webgl: 1e6, wasm: 2e5, cpu: 3e5 };
const shading = ["webgl", "webgpu"];
const enough = 3; // runs that say something
const all = 7; // runs after which a device is known
const slowest = 50; // milliseconds of a kernel that is not run again
const tries = 40; // runs of a clock that stands still

/**
 * @param {Fit} fit
 * @param {string} backend
 */
export const costOf = ({ macs = 0, ops = 0 }, backend) => macs + ops * (kernelMacs[backend] ?? kernelMacs.wasm);

/**
 * Gives the typical time of some runs; nothing where they say nothing.
 *
 * @param {number[]} times
 * @param {number} [least] how many there must be
 */
export function typical(times, least = enough) {
  const some = times.filter((ms) => ms >= 0 && ms < Infinity).sort((one, other) => one - other);
  if (some.length < least || !some.length) return;
  // A clock that browsers have made coarse gives 0 or one of its steps: only the sum is right.
  const ms = some[0] > 0 ? some[some.length >> 1] : some.reduce((sum, one) => sum + one, 0) / some.length;
  return ms > 0 ? ms : undefined;
}

/**
 * Waits until a graphics processor has computed some tensors: one number of the smallest is read, as work is done in order.
 *
 * @param {any} tf
 * @param {any} tensors
 */
async function computed(tf, tensors) {
  const numbers = [tensors].flat().filter((one) => one?.size && one.dtype !== "string");
  const smallest = numbers.sort((one, other) => one.size - other.size)[0];
  if (!smallest) return;
  // Kept, as the page may have opened a scope.
  const one = tf.tidy(() => tf.keep(tf.slice(tf.reshape(smallest, [-1]), [0], [1])));
  try {
    await one.data();
  } finally {
    one.dispose();
  }
}

/** @param {any} inputs tensors, in whatever way a model takes them */
const elementsOf = (inputs) => (inputs?.shape ? [inputs] : Object.values(inputs ?? {})).reduce((sum, one) => sum + (one?.size ?? 0), 0);

/**
 * Times the runs of a model from now on, the first one on each backend left out, until the device is known.
 *
 * @param {any} tf
 * @param {any} model
 * @param {number} size elements of the inputs of the run that counts; of more or fewer, a share of the time counts
 * @param {(ms: number) => void} tell gets the typical time, each time that it is better known
 * @returns {{ readonly known: boolean, settle: () => void }} whether it is known; `settle` tells of fewer runs than are enough
 */
export function timeRuns(tf, model, size, tell) {
  const target = model.executor ?? model;
  /** @type {string | undefined} */
  let backend;
  let busy = false;
  let over = false;
  /** @type {number[]} */
  let times = [];
  const news = (/** @type {number} */ least) => {
    const ms = typical(times, least);
    // A page that has changed the backend since begins anew with its next run.
    if (ms && tf.getBackend() === backend) tell(ms);
    return ms;
  };
  /** @param {(...args: any[]) => any} call @param {any[]} args */
  const run = (call, args) => {
    // Shaders that are compiled beside the page are not run.
    if (over || busy || tf.env?.().flags?.ENGINE_COMPILE_ONLY) return call.apply(target, args);
    busy = true;
    const here = tf.getBackend();
    const counts = here === backend;
    if (!counts) [backend, times] = [here, []];
    const start = performance.now();
    const end = async (/** @type {any} */ answer) => {
      if (shading.includes(here)) await computed(tf, answer);
      busy = false;
      if (!counts || over) return;
      times.push((performance.now() - start) * (size ? size / (elementsOf(args[0]) || size) : 1));
      if ((times.length >= enough && news(enough) && times.length >= all) || times.length >= tries) stop();
    };
    const fail = () => (busy = false);
    try {
      const answer = call.apply(target, args);
      // Whoever called gets the very promise.
      if (typeof answer?.then === "function") answer.then(end).catch(fail);
      else end(answer).catch(fail);
      return answer;
    } catch (error) {
      fail();
      throw error;
    }
  };
  const undo = (model.executor ? ["execute", "executeAsync"] : ["predict"]).map((method) => {
    const own = Object.hasOwn(target, method);
    const call = target[method];
    const timed = (/** @type {any[]} */ ...args) => run(call, args);
    target[method] = timed;
    return () => {
      if (target[method] !== timed) return;
      if (own) target[method] = call;
      else delete target[method];
    };
  });
  const stop = () => {
    over = true;
    for (const one of undo) one();
  };
  return {
    get known() {
      return times.length >= enough;
    },
    settle: () => void (times.length < enough && news(1)),
  };
}

/**
 * Says what a kernel takes.
 *
 * @param {Kernel} kernel
 * @param {(shape: number[]) => any} zeros
 */
function kernelOf([name, , ...sizes], zeros) {
  const [rows, columns, before, after, height, width] = sizes;
  if (/MatMul/.test(name)) {
    const inputs = { a: zeros([1, rows, columns]), b: zeros([1, columns, before]) };
    return { inputs, attributes: { transposeA: false, transposeB: false, activation: "linear" } };
  }
  const inputs = { x: zeros([1, rows, columns, before]), filter: zeros([height, width, before, after]) };
  return { inputs, attributes: { strides: [1, 1], pad: "same", dilations: [1, 1], dataFormat: "NHWC", activation: "linear" } };
}

/**
 * Times a few kernels on zeros, for a few milliseconds; gives milliseconds for each multiply-add, or nothing.
 *
 * @param {any} tf
 * @param {Kernel[]} kernels
 * @returns {Promise<number | undefined>}
 */
export async function probe(tf, kernels) {
  const backend = tf.getBackend();
  /** @type {any[]} */
  const made = [];
  let rate = 0;
  let shares = 0;
  try {
    for (const [name, share, ...sizes] of kernels) {
      const { inputs, attributes } = kernelOf([name, share, ...sizes], (shape) => {
        const tensor = tf.zeros(shape);
        made.push(tensor);
        return tensor;
      });
      const macs = sizes.reduce((product, size) => product * size, 1);
      const runs = async (/** @type {number} */ count) => {
        const start = performance.now();
        let answer;
        for (let i = 0; i < count; i++) made.push((answer = tf.engine().runKernel(name, inputs, attributes)));
        await computed(tf, answer);
        return performance.now() - start;
      };
      // The first run compiles, or lays the weights out; on the slowest devices it has to do.
      let count = 1;
      let time = await runs(1);
      if (time < slowest || shading.includes(backend)) {
        time = await runs(1);
        while (time < 2 && count < 30) time = await runs((count *= 4));
      }
      rate += (share * time) / count / costOf({ macs, ops: 1 }, backend);
      shares += share;
    }
    return rate > 0 && rate < Infinity ? rate / shares : undefined;
  } catch {
    // A runtime that lacks a kernel: real runs will tell.
  } finally {
    tf.dispose(made);
  }
}
