/** Where sounds come from: the microphone, or a clip that plays. */
import { PageError } from "./page.js";

/** @typedef {{ start: number, end: number, answer: any }} Heard */

/** Opens the microphone; whoever gets the stream releases it. */
export async function openMicrophone() {
  if (!navigator.mediaDevices) throw new PageError("insecuremicrophone");
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    const denied = ["NotAllowedError", "SecurityError"].includes(/** @type {Error} */ (error).name);
    throw new PageError(denied ? "mute" : "nomicrophone", {}, error);
  }
}

/**
 * Gives what a model hears in a clip while the clip plays.
 *
 * @param {any} handle
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Heard>}
 */
export async function* playing(handle, url, signal) {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new PageError("nosample");
  const clip = await answer.blob();
  const address = URL.createObjectURL(clip);
  const player = new Audio(address);
  try {
    const windows = await handle.run(clip, { signal });
    // Where nothing can be heard it is shown in the same time.
    const began = performance.now();
    const sounds = await player.play().then(() => true, () => false);
    for (const heard of windows) {
      while (!player.ended && heard.end > (sounds ? player.currentTime : (performance.now() - began) / 1000)) {
        await new Promise((tell) => requestAnimationFrame(tell));
        signal.throwIfAborted();
      }
      yield heard;
    }
  } finally {
    player.pause();
    URL.revokeObjectURL(address);
  }
}
