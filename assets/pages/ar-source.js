/** Where the frames come from: the camera, or a sample clip that moves over a photo. */
import { PageError, make, texts } from "./page.js";
import { canvasOf, openCamera, sample } from "./pictures.js";

const words = texts({
  en: {
    denied: "The page is not allowed to use the camera. Allow it in the browser's address bar and try again; the sample clip plays meanwhile.",
    nocamera: "There is no camera, or another program is using it. Playing the sample clip instead.",
    insecure: "Browsers allow the camera only for pages over HTTPS or on localhost. Playing the sample clip instead.",
  },
  zh: {
    denied: "页面没有使用摄像头的权限。请在地址栏中允许后重试；现在先播放示例。",
    nocamera: "这里没有摄像头，或它正被其他程序使用。现在播放示例。",
    insecure: "浏览器只允许 HTTPS 页面和 localhost 使用摄像头。现在播放示例。",
  },
});
/** Errors of `getUserMedia` after which the sample clip plays. @type {Record<string, string>} */
const withoutCamera = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "nocamera", NotReadableError: "nocamera", OverconstrainedError: "nocamera" };
/**
 * @typedef {{
 *   element: HTMLVideoElement | HTMLCanvasElement,
 *   width: number,
 *   height: number,
 *   mirrored: boolean,
 *   stop: () => void,
 * }} Source
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
  let pending = 0;
  const draw = () => {
    pending = requestAnimationFrame(draw);
    const time = still.matches ? 0 : (performance.now() - begun) / 1000;
    const width = 420 + 40 * Math.cos(time / 3);
    const height = (width * canvas.height) / canvas.width;
    const x = (photo.width - width) * (0.42 + 0.4 * Math.sin(time / 2));
    context.drawImage(photo, x, 6 + 6 * Math.sin(time), width, height, 0, 0, canvas.width, canvas.height);
  };
  draw();
  return {
    element: canvas,
    width: canvas.width,
    height: canvas.height,
    mirrored: false,
    stop: () => cancelAnimationFrame(pending),
  };
}

/**
 * Opens a source; where there is no camera to be had, the sample clip, and says why.
 *
 * @param {() => Promise<Source>} open
 * @param {HTMLElement} notice
 * @returns {Promise<Source>}
 */
export async function openOrClip(open, notice) {
  try {
    return await open();
  } catch (error) {
    const key = error instanceof PageError ? error.key : withoutCamera[/** @type {Error} */ (error).name];
    if (!(key === "insecure" || key === "denied" || key === "nocamera")) throw error;
    words.put(notice, key);
    notice.hidden = false;
    return openClip();
  }
}
