// Runs many sounds in one process: reads JSON, { audio, sound: { wav } | { channels, rate }, outputs? }[], from standard input, and writes one
// result a case: { windows: [{ start, end, values, shape }], states, left } or { error }. Bytes are base64.
import { text } from "node:stream/consumers";

import { run } from "../../templates/modules/audio.js";

class ModelError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

class Tensor {
  static alive = 0;
  constructor(values, shape, dtype) {
    if (values.length !== shape.reduce((a, b) => a * b, 1)) throw new Error(`${values.length} values for [${shape}]`);
    Object.assign(this, { values, shape, dtype });
    Tensor.alive++;
  }
  reshape(shape) {
    return new Tensor(this.values, shape, this.dtype);
  }
  cast(dtype) {
    return new Tensor(this.values, this.shape, dtype);
  }
  clone() {
    return new Tensor(this.values, this.shape, this.dtype);
  }
  async data() {
    return this.values;
  }
  dispose() {
    if (!this.gone) Tensor.alive--;
    this.gone = true;
  }
}

/** As much of TensorFlow.js as sounds need. */
const tf = {
  Tensor,
  tensor: (values, shape, dtype) => new Tensor(values, shape, dtype),
  zeros: (shape, dtype) => new Tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape, dtype),
  dispose: (tensors) => Object.values(tensors).forEach((tensor) => tensor.dispose()),
  tidy: (make) => {
    const made = make();
    Tensor.alive -= 2; // reshaped and cast
    return made;
  },
};

const base64 = (values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");
const floats = (data) => new Float32Array(new Uint8Array(Buffer.from(data, "base64")).buffer);

/** A model that counts in its state, and tells what it was given. */
function modelOf(audio, seen, states) {
  return {
    executor: true,
    modelSignature: { outputs: { y: {}, next: {} } },
    execute(fed) {
      seen.push({ values: base64(fed[audio.input].values), shape: fed[audio.input].shape });
      const before = fed.state?.values ?? new Float32Array(1);
      states.push(before[0]);
      return [new Tensor(Float32Array.of(seen.length), [1, 1], "float32"), new Tensor(before.map((value) => value + 1), [before.length], "float32")];
    },
  };
}

/** A microphone that gives pieces of a sound, and what notes that it was released. */
function microphoneOf(samples, rate, pieces) {
  const released = [];
  const queue = [];
  for (let at = 0, i = 0; at < samples.length; at += pieces[i++ % pieces.length]) queue.push(samples.slice(at, at + pieces[i % pieces.length]));
  const stream = { getAudioTracks: () => [{ stop: () => released.push("track") }] };
  const hear = async () => {
    let over = false;
    return { rate, read: async () => (over ? undefined : queue.shift()), stop: () => ((over = true), released.push("microphone")) };
  };
  return { stream, hear, released };
}

/** Listens to the end of a stream, or to some windows of it. */
async function overhear(listening, most) {
  const heard = [];
  for await (const one of listening) {
    heard.push(one);
    if (heard.length === most) break;
  }
  return heard;
}

const found = [];
for (const { audio, sound, answer, pieces, most } of JSON.parse(await text(process.stdin))) {
  const given = sound.wav !== undefined ? new Uint8Array(Buffer.from(sound.wav, "base64")) : { samples: sound.channels.map(floats), rate: sound.rate };
  const [seen, states] = [[], []];
  Tensor.alive = 0;
  const microphone = pieces && microphoneOf(given.samples[0], sound.rate, pieces);
  const lazy = async (name) => (name === "listen" ? microphone : import(`../../templates/modules/${name}.js`));
  try {
    const lent = { tf, model: modelOf(audio, seen, states), head: { audio, answer } };
    const made = await run(lent, microphone?.stream ?? given, {}, lazy, ModelError);
    const windows = microphone ? await overhear(made, most) : made;
    await new Promise((go) => setTimeout(go)); // what is held goes when the last window is done
    for (const { answer: one } of windows) for (const tensor of one.values ? [one] : Object.values(one)) tensor?.dispose?.();
    found.push({ windows: windows.map(({ start, end, answer: one }, i) => ({ start, end, ...seen[i], score: one.score })), states, left: Tensor.alive, released: microphone?.released });
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    found.push({ error: error.message, code: error.code, left: Tensor.alive, released: microphone?.released });
  }
}
process.stdout.write(JSON.stringify(found));
