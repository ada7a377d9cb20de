/** Where the frames come from: the camera, or a sample clip that moves over a photo. */
import { make } from "./page.js";
import { canvasOf, openCamera, sample } from "./pictures.js";

/**
 * @typedef {{
 *   element: HTMLVideoElement | HTMLCanvasElement,
 *   width: number,
 *   height: number,
 *   mirrored: boolean,
 *   next: (tell: () => void) => void,
 *   stop: () => void,
 * }} Source `next` calls back once, at the next frame
 */

/**
 * Opens the camera.
 *
 * @returns {Promise<Source>}
 */
export async function openLive() {
  const stream = await openCamera({ facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } });
  const video = make("video", { muted: true, playsInline: true, srcObject: stream });
  const stop = () => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
  try {
    await video.play();
  } catch (error) {
    stop();
    throw error;
  }
  const facing = stream.getVideoTracks()[0]?.getSettings().facingMode;
  return {
    element: video,
    width: video.videoWidth,
    height: video.videoHeight,
    mirrored: facing !== "environment",
    next: (tell) => void ("requestVideoFrameCallback" in video ? video.requestVideoFrameCallback(tell) : requestAnimationFrame(tell)),
    stop,
  };
}

const still = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * Gives the sample clip. With reduced motion it stands still.
 *
 * @returns {Promise<Source>}
 */
export async function openClip() {
  const photo = await sample("astronaut");
  const { canvas, context } = canvasOf(640, 480);
  const begun = performance.now();
  const draw = () => {
    const time = still.matches ? 0 : (performance.now() - begun) / 1000;
    const width = 420 + 40 * Math.cos(time / 3);
    const height = (width * canvas.height) / canvas.width;
    const x = (photo.width - width) * (0.42 + 0.4 * Math.sin(time / 2));
    context.drawImage(photo, x, 6 + 6 * Math.sin(time), width, height, 0, 0, canvas.width, canvas.height);
  };
  draw();
  let stopped = false;
  return {
    element: canvas,
    width: canvas.width,
    height: canvas.height,
    mirrored: false,
    next: (tell) =>
      void requestAnimationFrame(() => {
        if (stopped) return;
        draw();
        tell();
      }),
    stop: () => {
      stopped = true;
    },
  };
}
