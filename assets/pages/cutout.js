/** The page that takes the background away. */
import { live } from "./live.js";
import { find, texts } from "./page.js";

const words = texts({ en: { found: "Person: {share} % of the picture" }, zh: { found: "人像占画面 {share}%" } });

/** What lies over all that is no person: blue, green and red, as a canvas has them in a word. */
const veil = 0x545c18;

live("people", ({ answer: { data, width, height }, frame }, over) => {
  const pixels = new Uint32Array(data.length);
  let sum = 0;
  for (let i = 0; i < data.length; i++) {
    sum += data[i];
    pixels[i] = ((255 - data[i]) << 24) | veil;
  }
  over.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), width, height), 0, 0);
  // The very frame that was looked at: the video below has gone on.
  over.globalCompositeOperation = "destination-over";
  over.drawImage(frame, 0, 0);
  words.put(find("#found"), "found", { share: Math.round(sum / data.length / 2.55) });
});
