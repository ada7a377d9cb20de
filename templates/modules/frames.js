/*! Shardpress frames */
// Between two runs a frame is taken, and the ones that came meanwhile are let go: nothing waits in a row.

/** What moves: a video, a canvas that somebody draws on, or the video of a stream. @typedef {HTMLVideoElement | HTMLCanvasElement | OffscreenCanvas | MediaStream | MediaStreamTrack} Moving */

/**
 * `every` is how many frames there are from one that is looked at to the next (1); all else is for `run`.
 *
 * @typedef {{ every?: number, signal?: AbortSignal } & Record<string, any>} FrameOptions
 */

/**
 * An answer, and the frame it belongs to, which is closed when the next one is asked for. `time` is the video's, in seconds,
 * or the page's where a canvas moves; `dropped` frames came since the one before and were not looked at, beyond those that
 * `every` leaves out; `ms` is how long the run took.
 *
 * @typedef {{ answer: any, frame: VideoFrame | ImageBitmap, time: number, width: number, height: number, dropped: number, ms: number }} Looked
 */

/** @typedef {{ state: string, promise: Promise<unknown> }} Life of the handle: the promise rejects when it is cancelled or disposed */
/** @typedef {HTMLVideoElement | HTMLCanvasElement | OffscreenCanvas} Screen */
/** @typedef {(time: number, shown?: number) => void} Tell a new frame is there; `shown` counts all that were */

/**
 * Gives the answers to the newest frame, one after the other, until the signal or the video ends or the handle is disposed.
 *
 * @param {{ ready: Promise<any>, run: (picture: any, options: any) => Promise<any> }} handle
 * @param {Moving} source
 * @param {FrameOptions | undefined} options
 * @param {Life} life
 * @returns {AsyncGenerator<Looked, void>}
 */
export async function* run(handle, source, { every = 1, signal, ...options } = {}, life) {
  if (!(every >= 1)) throw new RangeError(`every is ${every}: it is a number of frames, 1 or more`);
  const eye = open(screenOf(source), every, life, signal);
  try {
    // A handle with a fallback answers without its model; what else went wrong the first run says.
    await Promise.race([eye.closed, handle.ready.catch(() => {})]);
    for (let failed = false; ; ) {
      const facts = await eye.next();
      if (!facts) return;
      const frame = await taken(eye.screen, facts.time).catch(async (error) => {
        // The picture went just now; or it may not be read, which a run says in words.
        if (error.name !== "SecurityError") return undefined;
        await handle.run(eye.screen, options);
        throw error;
      });
      if (!frame) continue;
      try {
        const begun = performance.now();
        let answer;
        try {
          answer = await handle.run(frame, options);
          failed = false;
        } catch (error) {
          if (eye.over()) return;
          // A worker that ended takes its frame with it; the handle goes on.
          if (failed || /** @type {any} */ (error).code !== "runtime") throw error;
          failed = true;
          continue;
        }
        if (eye.over()) return dispose(answer);
        const [width, height] = "displayWidth" in frame ? [frame.displayWidth, frame.displayHeight] : [frame.width, frame.height];
        yield { answer, frame, ...facts, width, height, ms: performance.now() - begun };
      } finally {
        frame.close();
      }
    }
  } finally {
    eye.close();
  }
}

/** An answer that nobody gets may be tensors. @param {any} answer */
function dispose(answer) {
  for (const one of [answer, ...Object.values(answer ?? {})]) one?.dispose?.();
}

/**
 * Gives what can be drawn: tracks and streams play in a video of their own.
 *
 * @param {Moving} source
 * @returns {{ screen: Screen, close: () => void, gone?: () => boolean }} `gone`: no more of a stream will come
 */
function screenOf(source) {
  const given = /** @type {any} */ (source);
  if (typeof given?.videoWidth === "number" || typeof given?.getContext === "function") return { screen: given, close: () => {} };
  if (given?.kind !== "video" && !given?.getVideoTracks) throw new TypeError("frames takes a video, a canvas, or a stream or track of video");
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  video.srcObject = given.getVideoTracks ? given : new MediaStream([given]);
  // What keeps it from playing also keeps frames from coming; the page's own video would say why.
  video.play().catch(() => {});
  let had = false;
  const gone = () => {
    const tracks = given.getVideoTracks?.() ?? [given];
    const live = tracks.some((/** @type {MediaStreamTrack} */ { readyState }) => readyState !== "ended");
    had ||= live;
    return !live && (had || tracks.length > 0);
  };
  return { screen: video, close: () => (video.srcObject = null), gone };
}

/**
 * Watches what is shown, and knows which frame is the newest.
 *
 * @param {ReturnType<typeof screenOf>} source
 * @param {number} every
 * @param {Life} life
 * @param {AbortSignal} [signal]
 */
function open({ screen, close, gone }, every, life, signal) {
  const ending = new AbortController();
  const listen = { signal: ending.signal };
  const page = /** @type {Document | undefined} */ (globalThis.document);
  let [came, before, looked, time, closed] = [0, 0, 0, 0, false];
  let wake = () => {};
  const over = () => closed || signal?.aborted || life.state === "disposed" || ("ended" in screen && screen.ended) || gone?.();
  /** @type {any} */
  let pulse;
  /** @type {Promise<void>} */
  const end = new Promise((resolve) => {
    const check = () => over() && resolve(wake());
    // Nothing tells of a track that the page itself has stopped.
    if (gone) pulse = setInterval(check, 500);
    life.promise.catch(check);
    signal?.addEventListener("abort", check, listen);
    screen.addEventListener("ended", check, listen);
    page?.addEventListener("visibilitychange", () => wake(), listen);
    check();
  });
  const watched = watch(screen, (at, shown) => {
    // Those that the thread was too busy to be told of count as well; a new source begins anew.
    came += shown && shown > before ? (before ? shown - before : 1) : 1;
    [before, time] = [shown ?? 0, at];
    wake();
  });
  return {
    screen,
    over,
    closed: end,
    /** The facts of a frame that is to be looked at now, or nothing at the end. @returns {Promise<{ time: number, dropped: number } | undefined>} */
    async next() {
      while (!over()) {
        const since = came - looked;
        if (since >= (looked ? every : 1) && isOpen(screen) && !page?.hidden) {
          const dropped = looked ? since - every : 0;
          looked = came;
          return { time, dropped };
        }
        await /** @type {Promise<void>} */ (new Promise((go) => (wake = go)));
      }
    },
    close() {
      closed = true;
      ending.abort();
      clearInterval(pulse);
      watched();
      close();
    },
  };
}

/** Whether there is something to be seen. @param {any} screen */
const isOpen = (screen) => (screen.videoWidth === undefined ? screen.width * screen.height > 0 : screen.videoWidth > 0 && screen.readyState > 1);

/**
 * Tells of each new frame; of the one that is there already it tells at once.
 *
 * @param {Screen} screen
 * @param {Tell} tell
 * @returns {() => void} ends it
 */
function watch(screen, tell) {
  let pending = 0;
  if (!("videoWidth" in screen)) {
    const step = (/** @type {number} */ now) => {
      pending = requestAnimationFrame(step);
      tell(now / 1000);
    };
    step(performance.now());
    return () => cancelAnimationFrame(pending);
  }
  if (isOpen(screen)) tell(screen.currentTime);
  if ("requestVideoFrameCallback" in screen) {
    const step = (/** @type {number} */ _, /** @type {VideoFrameCallbackMetadata} */ facts) => {
      pending = screen.requestVideoFrameCallback(step);
      tell(facts.mediaTime, facts.presentedFrames);
    };
    pending = screen.requestVideoFrameCallback(step);
    return () => screen.cancelVideoFrameCallback(pending);
  }
  const video = /** @type {HTMLVideoElement} */ (screen);
  let last = video.currentTime;
  const step = () => {
    pending = requestAnimationFrame(step);
    if (video.currentTime === last || !isOpen(video)) return;
    last = video.currentTime;
    tell(last);
  };
  pending = requestAnimationFrame(step);
  return () => cancelAnimationFrame(pending);
}

/**
 * Takes what is on the screen, without copying it where the browser can do so.
 *
 * @param {Screen} screen
 * @param {number} time in seconds
 * @returns {Promise<VideoFrame | ImageBitmap>}
 */
async function taken(screen, time) {
  if ("VideoFrame" in globalThis) {
    try {
      return new VideoFrame(/** @type {HTMLVideoElement} */ (screen), { timestamp: Math.round(time * 1e6) });
    } catch {
      // Videos of other sites cannot be read in the other way either: that way says so.
    }
  }
  return createImageBitmap(screen);
}
