/** The page that takes the background away. */
import { live } from "./live.js";
import { find, texts } from "./page.js";

const words = texts({ en: { found: "Person: {share} % of the picture" }, zh: { found: "人像占画面 {share}%" } });

live("people", async (handle, frame, over) => {
  const { data } = await handle.run(frame);
  const { width, height } = frame;
  const pixels = /** @type {CanvasRenderingContext2D} */ (frame.getContext("2d")).getImageData(0, 0, width, height);
  let sum = 0;
  for (let i = 0; i < data.length; i++) {
    sum += data[i];
    const away = 1 - data[i] / 255;
    for (const [c, colour] of [24, 92, 84].entries()) pixels.data[4 * i + c] += away * (colour - pixels.data[4 * i + c]);
  }
  over.putImageData(pixels, 0, 0);
  words.put(find("#found"), "found", { share: Math.round(sum / data.length / 2.55) });
});
