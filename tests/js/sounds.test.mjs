// Ladders that hear: a stream goes from window to window, and from rung to rung, and meets no model that is gone.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { base, bytesOf, makeGate, makeModel, openLoader, serve, until } from "./bundle.mjs";
import { graph as rungGraph, ladderOf, rung, withGlobals } from "./rungs.mjs";

const tf = createRequire(import.meta.url)("@tensorflow/tfjs");
tf.env().set("IS_TEST", true);
await tf.setBackend("cpu");
const before = tf.memory().numTensors;
const piece = 1024; // samples that a microphone gives at once

/** A rung that gives a window's sum of samples times its number. */
const ear = (name, factor, { samples, rate = 8000, hop = samples, modules = [], ...more }) =>
  rung(name, factor, {
    sides: samples,
    edit: (head) => {
      head.audio = { input: "x", rate, samples, hop, scale: 1, offset: 0, dtype: "float32", shape: [1, samples], ...more };
      head.modules = ["audio", "answers", "listen", ...modules];
    },
  });
const two = (first, last) => ladderOf([ear("ears-rung1", 1, first), ear("ears", 2, last)], { tensors: false });

/** A rung that counts its windows in its state, and gives the count times its number. */
function stateful(name, factor, state) {
  const float = { type: "DT_FLOAT" };
  const node = (own, op, input = [], attr = {}) => ({ name: own, op, input, attr: { T: float, ...attr } });
  const place = (own, length) => node(own, "Placeholder", [], { dtype: float, shape: { shape: { dim: [length].flat().map((size) => ({ size: String(size) })) } } });
  const nodes = [place("x", [1, 100]), place("s", 1), node("w", "Const", [], { dtype: float }), node("one", "Const", [], { dtype: float })];
  nodes.push(node("s1", "AddV2", ["s", "one"]), node("y", "Mul", ["s1", "w"]));
  const weights = [[factor, "w"], [1, "one"]].map(([value, own]) => ({ name: own, shape: [1], dtype: "float32", codec: "exact", bytes: bytesOf(Float32Array.of(value)) }));
  const edit = (head) => {
    head.audio = { input: "x", rate: 8000, samples: 100, hop: 100, scale: 1, offset: 0, dtype: "float32", shape: [1, 100], state };
    head.modules = ["audio", "answers", "listen"];
    const named = (names) => Object.fromEntries(names.map((one) => [one, { name: `${one}:0` }]));
    head.artifacts.signature = { inputs: named(["x", "s"]), outputs: named(["y", "s1"]) };
  };
  return makeModel(name, { artifacts: { modelTopology: { node: nodes, library: {}, versions: { producer: 1, minConsumer: 1 } } }, weights, edit });
}

/** A browser's microphone: `say` has it hear samples. */
function microphoneOf(rate = 8000) {
  const track = { readyState: "live", stop: () => (track.readyState = "ended"), addEventListener: () => {} };
  const node = { connect: () => {} };
  class AudioContext {
    sampleRate = rate;
    audioWorklet = { addModule: async () => assert.fail("Node has no worklets") };
    createMediaStreamSource = () => ({ connect: () => {} });
    createScriptProcessor = () => node;
    resume = async () => {};
    close = async () => {};
  }
  let count = 0;
  const say = (samples) => {
    count += samples.length;
    for (let at = 0; at < samples.length; at += piece) node.onaudioprocess({ inputBuffer: { getChannelData: () => samples.subarray(at, at + piece) } });
  };
  return { stream: { getAudioTracks: () => [track] }, AudioContext, say, track, said: () => count };
}

const isTop = (path) => /assets\/ears(-base|-refine|\.)/.test(path);
async function open(built, { answer, ...options } = {}) {
  const loader = await openLoader(...built);
  const server = serve(built, answer);
  loader.configure({ baseUrl: base, fetch: server.fetch, tf, cache: "none", ...options });
  return { ...loader, server };
}

/** Listens to a stream; the last rung of a ladder waits for a gate. */
async function listening(built, microphone, action, options) {
  const gate = makeGate();
  const { models } = await open(built, { answer: (path) => (built.length > 1 && isTop(path) && path.endsWith(".bin") ? gate.pass() : undefined) });
  const handle = models.ears.load();
  await handle.ready;
  await withGlobals({ AudioContext: microphone.AudioContext }, async () => {
    const heard = await handle.run(microphone.stream, options);
    try {
      await action({ handle, heard, gate });
    } finally {
      gate.open();
      heard.stop();
      handle.dispose();
    }
  });
  await until("all tensors are gone", () => tf.memory().numTensors === before);
}

const valueOf = ({ answer }) => {
  const [value] = answer.dataSync();
  answer.dispose();
  return value;
};
const take = async (heard) => {
  const { done, value } = await heard.next();
  assert.equal(done, false);
  return { ...value, sum: valueOf(value) };
};
const ramp = (from, count) => Float32Array.from({ length: count }, (_, i) => Math.sin((from + i) / 7));
const sumOf = (from, to) => ramp(from, to - from).reduce((sum, value) => sum + value, 0);
const near = (got, wanted, what, slack) => assert.ok(Math.abs(got - wanted) <= slack, `${what}: ${got}, not ${wanted}`);

test("the next window is the next rung's, from where the last one would have gone on, with a length of its own", async () => {
  const microphone = microphoneOf();
  await listening(two({ samples: 800, hop: 400 }, { samples: 1600, hop: 600 }), microphone, async ({ handle, heard, gate }) => {
    microphone.say(ramp(0, 2048));
    for (const i of [0, 1]) {
      const { start, end, sum } = await take(heard);
      assert.deepEqual([start, end], [i * 0.05, i * 0.05 + 0.1]);
      const wanted = sumOf(400 * i, 400 * i + 800);
      near(sum, wanted, `window ${i} at base precision`, Math.abs(wanted) / 100);
    }
    gate.open();
    await handle.full;
    assert.equal(handle.rung, 2);
    await until("the first rung is gone", () => tf.memory().numTensors === before + 1);
    microphone.say(ramp(2048, 2048));
    for (const i of [0, 1, 2]) {
      const { start, end, sum } = await take(heard);
      near(start, 0.1 + i * 0.075, "start", 1e-9);
      near(end - start, 0.2, "length", 1e-9);
      near(sum, 2 * sumOf(800 + 600 * i, 800 + 600 * i + 1600), `window ${i} of the last rung`, 1e-3);
    }
    heard.stop();
    assert.equal((await heard.next()).done, true);
    assert.equal(microphone.track.readyState, "ended");
  });
});

test("a rung of another rate, with another lead, hears what it hears alone", async () => {
  const microphone = microphoneOf(48_000);
  const sound = Float32Array.from({ length: 48_000 }, (_, i) => Math.sin((i * i) / 1e5));
  const last = { samples: 1024, rate: 16_000, hop: 512, lead: 200 };
  await listening(two({ samples: 512, hop: 256 }, last), microphone, async ({ handle, heard, gate }) => {
    microphone.say(sound.subarray(0, 12 * piece));
    for (let i = 0; i < 4; i++) await take(heard);
    gate.open();
    await handle.full;
    microphone.say(sound.subarray(12 * piece));
    const whole = await handle.run({ samples: sound, rate: 48_000 });
    const alone = whole.map((one) => ({ ...one, sum: valueOf(one) }));
    for (let i = 4; i < 24; i++) {
      const { start, end, sum } = await take(heard);
      near(start, (4 * 256) / 8000 + ((i - 4) * 512) / 16_000, "it goes on where the first one was", 1e-9);
      near(end, alone[i].end, "end", 1e-9);
      near(sum, alone[i].sum, `window ${i}`, 1e-3);
    }
    heard.stop();
  });
});

test("a window under way keeps its rung, and the next one is the next rung's", async () => {
  const microphone = microphoneOf();
  const probe = await tf.loadGraphModel({
    load: () => ({ ...rungGraph(4), weightSpecs: [{ name: "w", shape: [4, 2], dtype: "float32" }], weightData: new Float32Array(8).buffer }),
  });
  const kind = Object.getPrototypeOf(probe.executor);
  probe.dispose();
  const { execute, executeAsync } = kind;
  const calling = makeGate();
  kind.execute = () => {
    throw new Error("as of a graph with loops");
  };
  kind.executeAsync = async function (...args) {
    await calling.pass();
    return execute.apply(this, args);
  };
  try {
    await listening(two({ samples: 800 }, { samples: 800 }), microphone, async ({ handle, heard, gate }) => {
      microphone.say(ramp(0, 2048));
      const first = take(heard);
      await calling.arrived;
      gate.open();
      await handle.full;
      assert.equal(tf.memory().numTensors, before + 3, "the weights of both, and a window");
      Object.assign(kind, { execute, executeAsync });
      calling.open();
      const wanted = sumOf(0, 800);
      near((await first).sum, wanted, "the first rung", Math.abs(wanted) / 100);
      await until("the first rung is gone", () => tf.memory().numTensors === before + 1);
      near((await take(heard)).sum, 2 * sumOf(800, 1600), "the last rung", 1e-3);
      heard.stop();
    });
  } finally {
    Object.assign(kind, { execute, executeAsync });
  }
});

test("state of a window goes to the next one of its rung, and begins anew with the rung", async () => {
  const microphone = microphoneOf();
  const state = { s: { output: "s1", shape: [1], dtype: "float32" } };
  const built = ladderOf([stateful("ears-rung1", 1, state), stateful("ears", 100, state)], { tensors: false });
  await listening(built, microphone, async ({ handle, heard, gate }) => {
    microphone.say(new Float32Array(8 * piece));
    const found = [];
    for (let i = 0; i < 3; i++) found.push(Math.round((await take(heard)).sum));
    gate.open();
    await handle.full;
    for (let i = 0; i < 3; i++) found.push(Math.round((await take(heard)).sum));
    assert.deepEqual(found, [1, 2, 3, 100, 200, 300]);
    heard.stop();
  });
});

test("a stream on a handle that is disposed ends in words, and releases the microphone", async () => {
  const [disposed, alone] = [microphoneOf(), microphoneOf()];
  await listening(two({ samples: 800 }, { samples: 800 }), disposed, async ({ handle, heard, gate }) => {
    disposed.say(ramp(0, 2048));
    await take(heard);
    gate.open();
    handle.dispose();
    await assert.rejects(handle.full, { code: "abort" });
    await assert.rejects(heard.next(), { code: "abort", message: /disposed/ });
    assert.equal(disposed.track.readyState, "ended");
    assert.equal((await heard.next()).done, true);
  });
  await listening([ear("ears", 1, { samples: 800 })], alone, async ({ handle, heard }) => {
    handle.dispose();
    await assert.rejects(heard.next(), { code: "abort", message: /disposed/ });
    assert.equal(alone.track.readyState, "ended");
  });
});

test("a signal ends a stream in mid-climb; the climb goes on, and nothing is left", async () => {
  const microphone = microphoneOf();
  const control = new AbortController();
  const action = async ({ handle, heard, gate }) => {
    microphone.say(ramp(0, 1024));
    await take(heard);
    const waiting = heard.next();
    gate.open();
    control.abort();
    assert.equal((await waiting).done, true);
    await handle.full;
    assert.equal(handle.rung, 2);
    assert.equal(microphone.track.readyState, "ended");
  };
  await listening(two({ samples: 800 }, { samples: 800 }), microphone, action, { signal: control.signal });
});

test("a rung whose modules are not to be had does not take over: the stream goes on with the one that answers", async () => {
  const microphone = microphoneOf();
  await listening(two({ samples: 800 }, { samples: 800, modules: ["nowhere"] }), microphone, async ({ handle, heard, gate }) => {
    microphone.say(ramp(0, 2048));
    await take(heard);
    gate.open();
    await assert.rejects(handle.full);
    assert.equal(handle.rung, 1);
    const wanted = sumOf(800, 1600);
    near((await take(heard)).sum, wanted, "the first rung", Math.abs(wanted) / 100);
    heard.stop();
  });
});

test("wherever three rungs come, in whatever pieces sound does, no window is wrong and nothing is left unheard", async () => {
  const sound = ramp(0, 24_000);
  const sums = new Float64Array(sound.length + 1);
  for (const [i, value] of sound.entries()) sums[i + 1] = sums[i] + value;
  for (let seed = 1; seed <= 12; seed++) {
    let state = seed;
    const chance = (most) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % most;
    const sizes = [1, 2, 3].map((number) => ({ samples: 256 * number + chance(200), lead: chance(2) * chance(100) }));
    const names = ["ears-rung1", "ears-rung2", "ears"];
    const built = ladderOf(sizes.map((one, i) => ear(names[i], i + 1, { ...one, hop: one.samples - one.lead - chance(150) })), { tensors: false });
    const gates = [undefined, makeGate(), makeGate()];
    const { models } = await open(built, { answer: (path) => (path.endsWith(".bin") ? gates[names.findIndex((name) => path.startsWith(`assets/${name}-`))]?.pass() : undefined) });
    const handle = models.ears.load();
    await handle.ready;
    const microphone = microphoneOf();
    await withGlobals({ AudioContext: microphone.AudioContext }, async () => {
      const heard = await handle.run(microphone.stream);
      const times = [4 + chance(20), 30 + chance(20)];
      let [at, reached] = [0, 0];
      const feeding = (async () => {
        for (let pieces = 0; at < sound.length; pieces++) {
          if (pieces === times[0]) gates[1].open();
          if (pieces === times[1]) gates[2].open();
          // A rung may come between any two pieces, or in the middle of a window.
          if (chance(3) === 0) await handle.until(`rung:${1 + times.filter((time) => pieces >= time).length}`);
          const length = Math.min(1 + chance(900), sound.length - at);
          microphone.say(sound.subarray(at, at + length));
          at += length;
          // A page that is two seconds behind leaves windows out.
          await until("most of it is heard", () => at / 8000 - reached < 1);
          await new Promise(setImmediate);
        }
        await handle.full;
        microphone.say(new Float32Array(4 * piece));
      })();
      const rungs = new Set();
      while (reached < sound.length / 8000) {
        const { start, end, sum } = await take(heard);
        const number = sizes.findIndex(({ samples, lead }) => Math.abs((samples - lead) / 8000 - (end - start)) < 1e-9) + 1;
        assert.ok(number >= Math.max(...rungs, 1), `seed ${seed}: rung ${number} after ${[...rungs]}`);
        rungs.add(number);
        assert.ok(start <= reached + 1e-9, `seed ${seed}: nothing heard from ${reached} to ${start}`);
        reached = end;
        const [from, to] = [Math.round(start * 8000) - sizes[number - 1].lead, Math.round(end * 8000)];
        const wanted = number * (sums[Math.min(to, sound.length)] - sums[Math.max(0, from)]);
        near(sum, wanted, `seed ${seed}, rung ${number} at ${start}`, Math.abs(wanted) / 200 + 2e-3);
      }
      await feeding;
      assert.ok(rungs.size >= 2, `seed ${seed}: ${[...rungs]}`);
      heard.stop();
      handle.dispose();
    });
    await until("all tensors are gone", () => tf.memory().numTensors === before);
  }
});
