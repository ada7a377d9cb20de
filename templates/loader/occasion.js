import { ModelError } from "./errors.js";
import { settings } from "./settings.js";
import { happens, idle } from "./wait.js";

/**
 * When a load begins: at once, when the page is idle, when an element comes near the screen, or when the visitor turns to it.
 *
 * @typedef {"now" | "idle" | "visible" | "interaction"} When
 */

/**
 * Waits for the moment to begin. Nothing but `now` begins before the page's `load` event, nothing at all while the page
 * is only rendered in advance; Save-Data and 2g hold back what nobody asked for.
 *
 * @param {string} model
 * @param {{ when?: When, target?: Element }} options
 * @param {AbortSignal} signal ends the waiting; the promise then stays as it is
 */
export async function occasion(model, { when = "now", target }, signal) {
  const { document: page, navigator: device } = /** @type {any} */ (globalThis);
  if (!page) return;
  if (page.prerendering) await happens(page, ["prerenderingchange"], signal);
  if (when === "now") return;
  const place = target ?? page.querySelector(`[data-model="${model}"]`);
  if (!place && when !== "idle") throw new ModelError("runtime", `load({ when: "${when}" }) needs a target`, { model });
  if (when === "interaction") await happens(place, ["pointerenter", "focusin", "touchstart"], signal);
  if (page.readyState !== "complete") await happens(globalThis, ["load"], signal);
  if (when === "visible") await seen(place, signal);
  if (when === "idle") await idle();
  const { connection } = device;
  const frugal = () => settings.respectSaveData !== false && (connection?.saveData || /2g/.test(connection?.effectiveType));
  while (when !== "interaction" && connection?.addEventListener && frugal()) await happens(connection, ["change"], signal);
}

/**
 * Waits until an element is less than half a screen away.
 *
 * @param {Element} element
 * @param {AbortSignal} signal
 */
function seen(element, signal) {
  return new Promise((resolve) => {
    if (!globalThis.IntersectionObserver) return resolve(undefined);
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
        observer.disconnect();
        resolve(undefined);
      },
      { rootMargin: "50%" },
    );
    observer.observe(element);
    signal.addEventListener("abort", () => observer.disconnect());
  });
}
