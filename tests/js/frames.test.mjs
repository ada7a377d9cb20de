// The newest frame of what moves: which frames are looked at, which are let go, when it rests, and when it ends.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { base, makeGate, makeModel, moduleUrl, openLoader, serve, until } from "./bundle.mjs";

const { run } = await import(moduleUrl("frames"));

/** Frames that nobody has closed. */
let open = new Set();
class Frame {
  constructor(screen, { timestamp } = {}) {
    if (screen.tainted) throw new DOMException("of another site", "SecurityError");
    const [displayWidth, displayHeight] = [screen.videoWidth ?? screen.width, screen.videoHeight ?? screen.height];
    Object.assign(this, { shows: screen.shows, timestamp, displayWidth, displayHeight });
    open.add(this);
  }
  close() {
    open.delete(this);
  }
}

/** A video that shows a frame when a test says so. */
class Video extends EventTarget {
  [Symbol.toStringTag] = "HTMLVideoElement";
  shows = 0;
  callbacks = new Map();
  constructor({ width = 640, height = 480, ...more } = {}) {
    super();
    Object.assign(this, { videoWidth: width, videoHeight: height, readyState: width ? 4 : 0, currentTime: 0, ended: false, ...more });
  }
  requestVideoFrameCallback(tell) {
    const id = Symbol("callback");
    this.callbacks.set(id, tell);
    return id;
  }
  cancelVideoFrameCallback(id) {
    this.callbacks.delete(id);
  }
  /** Shows frames; of those before the last one the page is told only if it is quick. */
  show(count = 1, quick = true) {
    for (let i = 0; i < count; i++) {
      this.shows++;
      this.currentTime = this.shows / 25;
      if (!quick && i < count - 1) continue;
      const told = [...this.callbacks.values()];
      this.callbacks.clear();
      for (const tell of told) tell(0, { mediaTime: this.currentTime, presentedFrames: this.shows });
    }
  }
  finish() {
    this.ended = true;
    this.dispatchEvent(new Event("ended"));
  }
}

const page = Object.assign(new EventTarget(), { hidden: false });
/** Callbacks of the screen's next frame. */
let ticks = new Map();
/** The screen's next frame. */
const tick = (time) => {
  const told = [...ticks.values()];
  ticks.clear();
  for (const tell of told) tell(time);
};

beforeEach(() => {
  open = new Set();
  ticks = new Map();
  page.hidden = false;
  Object.assign(globalThis, {
    VideoFrame: Frame,
    document: page,
    requestAnimationFrame: (tell) => ticks.set(ticks.size + 1, tell).size,
    cancelAnimationFrame: (id) => ticks.delete(id),
  });
});
afterEach(() => {
  for (const name of ["VideoFrame", "document", "requestAnimationFrame", "cancelAnimationFrame", "createImageBitmap"]) delete globalThis[name];
});

const idle = () => new Promise(setImmediate);
/** Several turns of the event loop: what could happen has happened. */
const settled = async () => {
  for (let i = 0; i < 5; i++) await idle();
};
const alive = () => ({ state: "waiting", promise: new Promise(() => {}) });
/** A handle whose answer is what the frame shows. */
const handleOf = (runs = async (frame) => frame.shows) => ({ ready: Promise.resolve(), run: runs });
const look = (video, options, { handle = handleOf(), life = alive() } = {}) => run(handle, video, options, life);
const facts = ({ value: { answer, time, width, height, dropped } }) => ({ answer, time, width, height, dropped });
const over = { done: true, value: undefined };

test("what is shown already is looked at, then each new frame, with its facts; the one before is closed", async () => {
  const video = new Video({ width: 320, height: 240 });
  const frames = look(video);
  const first = await frames.next();
  assert.deepEqual(facts(first), { answer: 0, time: 0, width: 320, height: 240, dropped: 0 });
  assert.ok(first.value.frame instanceof Frame && first.value.ms >= 0);
  assert.equal(open.size, 1, "open as long as the page works with it");
  const second = frames.next();
  await settled();
  assert.equal(open.size, 0);
  video.show();
  assert.deepEqual(facts(await second), { answer: 1, time: 0.04, width: 320, height: 240, dropped: 0 });
  await frames.return();
  assert.equal(open.size, 0);
  assert.equal(video.callbacks.size, 0);
  assert.deepEqual(await frames.next(), over);
});

for (const quick of [true, false]) {
  test(`frames that come during a run are let go, the newest is taken at once (${quick ? "told of each" : "too busy to be told"})`, async () => {
    const video = new Video();
    const gate = makeGate();
    const seen = [];
    const handle = handleOf(async (frame) => {
      seen.push(frame.shows);
      if (seen.length === 1) await gate.pass();
      return frame.shows;
    });
    const frames = look(video, {}, { handle });
    const first = frames.next();
    await gate.arrived;
    video.show();
    video.show(6, quick);
    await settled();
    assert.deepEqual(seen, [0], "one run at a time");
    gate.open();
    assert.equal((await first).value.answer, 0);
    assert.deepEqual(facts(await frames.next()), { answer: 7, time: 0.28, width: 640, height: 480, dropped: 6 });
    assert.deepEqual(seen, [0, 7]);
    await frames.return();
  });
}

test("a page that is slow with an answer has no frames waiting behind it", async () => {
  const video = new Video();
  let runs = 0;
  const frames = look(video, {}, { handle: handleOf(async (frame) => (runs++, frame.shows)) });
  await frames.next();
  video.show(30);
  await settled();
  assert.equal(runs, 1, "nothing runs ahead of the page");
  assert.equal(open.size, 1);
  const { value } = await frames.next();
  assert.deepEqual([value.answer, value.dropped], [30, 29]);
  const none = frames.next();
  await settled();
  assert.equal(runs, 2, "each frame once");
  await frames.return(video.finish());
  assert.deepEqual(await none, over);
});

test("every second frame, and those that it leaves out are not called dropped", async () => {
  const video = new Video();
  const frames = look(video, { every: 2 });
  await frames.next();
  const second = frames.next();
  video.show();
  await settled();
  video.show();
  assert.deepEqual(facts(await second), { answer: 2, time: 0.08, width: 640, height: 480, dropped: 0 });
  video.show(5);
  assert.equal((await frames.next()).value.dropped, 3);
  await frames.return();
  for (const every of [0, -1, NaN, "often"]) await assert.rejects(look(video, { every }).next(), RangeError);
});

test("options are those of run, without those of frames", async () => {
  const given = [];
  const frames = look(new Video(), { every: 3, signal: new AbortController().signal, threshold: 0.4 }, { handle: handleOf(async (_, options) => void given.push(options)) });
  await frames.next();
  assert.deepEqual(given, [{ threshold: 0.4 }]);
  await frames.return();
});

test("it rests while the tab is hidden, and takes what is the newest when it is seen again", async () => {
  const video = new Video();
  const frames = look(video);
  await frames.next();
  page.hidden = true;
  const next = frames.next();
  video.show(4);
  await settled();
  assert.equal(open.size, 0);
  page.hidden = false;
  page.dispatchEvent(new Event("visibilitychange"));
  assert.equal((await next).value.answer, 4);
  await frames.return();
});

test("a video without a frame is waited for, and a paused one shows nothing new", async () => {
  const video = new Video({ width: 0, height: 0 });
  const frames = look(video);
  const first = frames.next();
  await settled();
  Object.assign(video, { videoWidth: 64, videoHeight: 48, readyState: 4 });
  video.show();
  assert.deepEqual(facts(await first), { answer: 1, time: 0.04, width: 64, height: 48, dropped: 0 });
  let came = false;
  const second = frames.next().then((found) => ((came = true), found));
  await settled();
  assert.equal(came, false, "paused");
  video.show(); // goes on, or was moved to another place
  assert.equal((await second).value.answer, 2);
  await frames.return();
});

test("it waits for the model, and then begins with the newest frame", async () => {
  const video = new Video();
  const gate = makeGate();
  const frames = look(video, {}, { handle: { ...handleOf(), ready: gate.pass() } });
  const first = frames.next();
  await settled();
  video.show(9);
  gate.open();
  assert.deepEqual(facts(await first), { answer: 9, time: 0.36, width: 640, height: 480, dropped: 0 });
  await frames.return();
});

for (const [what, end] of [
  ["the signal", ({ control }) => control.abort()],
  ["the end of the video", ({ video }) => video.finish()],
  ["the end of the handle", ({ life, stop }) => ((life.state = "disposed"), stop(new Error("cancelled")))],
]) {
  const begin = (handle) => {
    const [control, video] = [new AbortController(), new Video()];
    let stop;
    const promise = new Promise((_, reject) => (stop = reject));
    promise.catch(() => {});
    const life = { state: "waiting", promise };
    return { control, video, life, stop, frames: look(video, { signal: control.signal }, { handle, life }) };
  };
  test(`${what} ends the wait for a frame`, async () => {
    const all = begin();
    await all.frames.next();
    const next = all.frames.next();
    await settled();
    end(all);
    assert.deepEqual(await next, over);
    assert.deepEqual([open.size, all.video.callbacks.size], [0, 0]);
  });
  test(`${what} during a run: nobody gets its answer, and its tensors go`, async () => {
    const gate = makeGate();
    const gone = [];
    const tensors = { boxes: { dispose: () => gone.push("boxes") }, scores: { dispose: () => gone.push("scores") } };
    const all = begin(handleOf(async () => (await gate.pass(), tensors)));
    const next = all.frames.next();
    await gate.arrived;
    end(all);
    gate.open();
    assert.deepEqual(await next, over);
    assert.deepEqual(gone, ["boxes", "scores"]);
    assert.deepEqual([open.size, all.video.callbacks.size], [0, 0]);
  });
  test(`${what} during a run that fails because of it is an end, too`, async () => {
    const gate = makeGate();
    const all = begin(handleOf(async () => {
      await gate.pass();
      throw new Error("it is gone");
    }));
    const next = all.frames.next();
    await gate.arrived;
    end(all);
    gate.open();
    assert.deepEqual(await next, over);
  });
  test(`after ${what} there is nothing`, async () => {
    const all = begin();
    end(all);
    assert.deepEqual(await all.frames.next(), over);
    assert.equal(all.video.callbacks.size, 0);
  });
}

test("a handle that only stopped waiting goes on", async () => {
  let stop;
  const promise = new Promise((_, reject) => (stop = reject));
  promise.catch(() => {});
  const video = new Video();
  const frames = look(video, {}, { life: { state: "cancelled", promise } });
  stop(new Error("cancelled"));
  await frames.next();
  const next = frames.next();
  video.show();
  assert.equal((await next).value.answer, 1);
  await frames.return();
});

test("a run that fails ends it with the failure", async () => {
  const video = new Video();
  const frames = look(video, {}, { handle: handleOf(async () => Promise.reject(new Error("no answer"))) });
  await assert.rejects(frames.next(), /no answer/);
  assert.deepEqual([open.size, video.callbacks.size], [0, 0]);
  assert.deepEqual(await frames.next(), over);
});

test("a frame may be lost with a worker that ends, but not two in a row", async () => {
  const video = new Video();
  const ends = [true, false, true, true];
  const ended = Object.assign(new Error("the worker ended"), { code: "runtime" });
  const frames = look(video, {}, { handle: handleOf(async (frame) => (ends.shift() ? Promise.reject(ended) : frame.shows)) });
  const first = frames.next();
  await settled();
  assert.equal(open.size, 0);
  video.show();
  assert.equal((await first).value.answer, 1);
  const second = frames.next();
  video.show();
  await settled();
  video.show();
  await assert.rejects(second, /the worker ended/);
  assert.deepEqual([open.size, video.callbacks.size], [0, 0]);
});

test("a picture that goes just when it is taken is left out", async () => {
  const video = new Video();
  delete globalThis.VideoFrame;
  globalThis.createImageBitmap = async () => {
    globalThis.VideoFrame = Frame;
    throw new DOMException("nothing to be seen", "InvalidStateError");
  };
  const frames = look(video);
  const next = frames.next();
  await until("it was asked for", () => globalThis.VideoFrame);
  await settled();
  video.show();
  assert.equal((await next).value.answer, 1);
  await frames.return();
});

test("a new source counts from the start", async () => {
  const video = new Video();
  video.show(50);
  const frames = look(video);
  await frames.next();
  let next = frames.next();
  video.show();
  assert.equal((await next).value.dropped, 0);
  video.shows = 0;
  next = frames.next();
  video.show();
  assert.deepEqual([(await next).value.answer, video.shows], [1, 1]);
  await frames.return();
});

test("without callbacks of frames, a video's time tells of them", async () => {
  const video = Object.assign(new EventTarget(), { videoWidth: 8, videoHeight: 6, readyState: 4, currentTime: 0, ended: false, shows: 0 });
  const frames = look(video);
  await frames.next();
  let came = false;
  const next = frames.next().then((found) => ((came = true), found));
  tick(1);
  await settled();
  assert.equal(came, false);
  Object.assign(video, { currentTime: 2, shows: 5 });
  tick(2);
  assert.deepEqual(facts(await next), { answer: 5, time: 2, width: 8, height: 6, dropped: 0 });
  await frames.return();
  assert.equal(ticks.size, 0);
});

test("a canvas moves with the screen", async () => {
  const canvas = Object.assign(new EventTarget(), { width: 4, height: 3, getContext: () => null, shows: "drawing" });
  const frames = look(canvas);
  assert.equal((await frames.next()).value.answer, "drawing");
  const next = frames.next();
  tick(1000);
  assert.deepEqual(facts(await next), { answer: "drawing", time: 1, width: 4, height: 3, dropped: 0 });
  for (const time of [1100, 1200, 1300]) tick(time);
  assert.deepEqual(facts(await frames.next()), { answer: "drawing", time: 1.3, width: 4, height: 3, dropped: 2 });
  await frames.return();
  assert.equal(ticks.size, 0);
});

test("a stream and a track play in a video of their own, which lets go of them", async () => {
  const made = [];
  page.createElement = () => {
    const video = Object.assign(new Video(), { play: async () => {} });
    made.push(video);
    return video;
  };
  globalThis.MediaStream = class {
    constructor(tracks) {
      this.tracks = tracks;
    }
  };
  const track = { kind: "video" };
  const stream = { getVideoTracks: () => [track] };
  for (const source of [stream, track]) {
    const frames = look(source);
    await frames.next();
    const video = made.at(-1);
    assert.deepEqual(source === stream ? video.srcObject : video.srcObject.tracks, source === stream ? stream : [track]);
    assert.deepEqual([video.muted, video.playsInline], [true, true]);
    await frames.return();
    assert.equal(video.srcObject, null);
  }
  for (const wrong of [undefined, "video", { kind: "audio" }, {}]) await assert.rejects(look(wrong).next(), TypeError);
  delete page.createElement;
  delete globalThis.MediaStream;
});

test("it ends with a stream whose video was stopped, taken away or never alive, though nothing tells of it; one without video is waited for", async (context) => {
  let pulse;
  context.mock.method(globalThis, "setInterval", (run) => ((pulse = run), 7));
  const cleared = context.mock.method(globalThis, "clearInterval", () => {});
  page.createElement = () => Object.assign(new Video(), { play: async () => {} });
  globalThis.MediaStream = class {};
  const trackOf = (readyState = "live") => ({ kind: "video", readyState });
  const streamOf = (...tracks) => ({ tracks, getVideoTracks() { return this.tracks; } });
  const [track, first, second] = [trackOf(), streamOf(trackOf()), streamOf(trackOf())];
  for (const [source, stop] of [[track, () => (track.readyState = "ended")], [first, () => (first.tracks[0].readyState = "ended")], [second, () => (second.tracks = [])]]) {
    const frames = look(source);
    assert.equal((await frames.next()).done, false);
    const last = frames.next();
    await settled();
    pulse();
    stop();
    pulse();
    assert.deepEqual(await last, over);
  }
  assert.deepEqual(await look(streamOf(trackOf("ended"))).next(), over);
  const late = streamOf();
  const frames = look(late);
  const next = frames.next();
  pulse();
  assert.equal((await next).done, false, "its track is still to come");
  late.tracks = [trackOf()];
  pulse();
  late.tracks = [];
  assert.deepEqual(await frames.next(), over);
  assert.equal(cleared.mock.callCount(), 5);
  delete page.createElement;
  delete globalThis.MediaStream;
});

test("where there are no video frames, or they may not be had, it takes bitmaps", async () => {
  const asked = [];
  globalThis.createImageBitmap = async (screen) => {
    asked.push(screen);
    if (screen.tainted) throw new DOMException("of another site", "SecurityError");
    return { shows: screen.shows, width: 640, height: 480, close: () => asked.push("closed") };
  };
  delete globalThis.VideoFrame;
  const video = new Video();
  const frames = look(video);
  assert.deepEqual(facts(await frames.next()), { answer: 0, time: 0, width: 640, height: 480, dropped: 0 });
  await frames.return();
  assert.deepEqual(asked, [video, "closed"]);
  globalThis.VideoFrame = Frame;
  const foreign = new Video({ tainted: true });
  const saying = handleOf(async (given) => Promise.reject(new Error(`${given === foreign} of another site`)));
  await assert.rejects(look(foreign, {}, { handle: saying }).next(), /true of another site/, "in the words of run");
  await assert.rejects(look(foreign).next(), { name: "SecurityError" });
  assert.equal(foreign.callbacks.size, 0);
});

test("a handle of the loader has it: with a fallback from the first frame to its end", async () => {
  const built = makeModel("faces", { weights: [{ name: "w", shape: [1], dtype: "float32", bytes: new Uint8Array(4) }] });
  const { models, configure } = await openLoader(built);
  configure({ baseUrl: base, fetch: serve(built).fetch, cache: "none" });
  const navigator = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { deviceMemory: 0.25 }, configurable: true });
  try {
    const handle = models.faces.load({ fallback: async (frame) => frame.shows });
    const video = new Video();
    const found = [];
    for await (const { answer } of handle.frames(video)) {
      found.push(answer);
      if (found.length < 3) video.show();
      else handle.dispose();
    }
    assert.deepEqual(found, [0, 1, 2]);
    assert.equal(video.callbacks.size, 0);
  } finally {
    delete globalThis.navigator;
    if (navigator) Object.defineProperty(globalThis, "navigator", navigator);
  }
});
