/*! Shardpress listening */
// This file is both: the page imports it, and as a worklet it takes the samples off the audio thread. So a page's policy needs no blob:.

const name = "shardpress-listen";
const atOnce = 1024; // samples in a message
const longest = 30; // seconds that wait to be read; what is older goes

const scope = /** @type {any} */ (globalThis);
if (typeof scope.registerProcessor === "function") {
  scope.registerProcessor(
    name,
    class extends scope.AudioWorkletProcessor {
      #mixed = new Float32Array(atOnce);
      #count = 0;

      /** @param {Float32Array[][]} inputs */
      process([channels]) {
        for (let i = 0; i < (channels[0]?.length ?? 0); i++) {
          let sum = 0;
          for (const channel of channels) sum += channel[i];
          this.#mixed[this.#count++] = sum / channels.length;
          if (this.#count < atOnce) continue;
          this.port.postMessage(this.#mixed);
          this.#mixed = new Float32Array(atOnce);
          this.#count = 0;
        }
        return true;
      }
    },
  );
}

/**
 * Takes the samples of a stream as they come, as one channel.
 *
 * @param {MediaStream} stream its sound tracks end with `stop`, so that the microphone is released
 * @returns {Promise<{ rate: number, read: () => Promise<Float32Array | undefined>, stop: () => void }>} `read` gives nothing at the end
 */
export async function hear(stream) {
  const tracks = stream.getAudioTracks();
  const context = new AudioContext();
  /** @type {Float32Array[]} */
  const queue = [];
  let ended = false;
  /** @type {(() => void)[]} */
  let waiting = [];
  const wake = () => {
    for (const go of waiting.splice(0)) go();
  };
  const stop = () => {
    if (ended) return;
    ended = true;
    for (const track of tracks) track.stop();
    void context.close();
    wake();
  };
  const take = (/** @type {Float32Array} */ samples) => {
    queue.push(samples);
    if (queue.length * atOnce > longest * context.sampleRate) queue.shift();
    wake();
  };
  try {
    const source = context.createMediaStreamSource(stream);
    source.connect(await (worklet(context, take).catch(() => script(context, take))));
    for (const track of tracks) track.addEventListener("ended", () => tracks.every(({ readyState }) => readyState === "ended") && stop());
    if (tracks.every(({ readyState }) => readyState === "ended")) stop();
    else void context.resume();
  } catch (error) {
    stop();
    throw error;
  }
  const read = async () => {
    while (!queue.length && !ended) await /** @type {Promise<void>} */ (new Promise((go) => waiting.push(go)));
    return ended ? undefined : queue.shift();
  };
  return { rate: context.sampleRate, read, stop };
}

/** @param {AudioContext} context @param {(samples: Float32Array) => void} take */
async function worklet(context, take) {
  await context.audioWorklet.addModule(import.meta.url);
  const node = new AudioWorkletNode(context, name, { numberOfOutputs: 0 });
  node.port.onmessage = ({ data }) => take(data);
  return node;
}

/** Where the file cannot be a worklet, as in the middle of a bundle. @param {AudioContext} context @param {(samples: Float32Array) => void} take */
function script(context, take) {
  const node = context.createScriptProcessor(atOnce, 1, 1);
  node.onaudioprocess = ({ inputBuffer }) => take(inputBuffer.getChannelData(0).slice());
  node.connect(context.destination); // else it does not run; it gives silence
  return node;
}
