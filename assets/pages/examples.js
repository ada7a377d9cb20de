/**
 * The examples. Each says what its model is fed (`prepare`), how its outputs are read (`interpret`), and what is shown
 * of that (`show`, which gives elements and one sentence). `findFace` gives the face in the picture.
 */
import { blank, cut, fromView, greyFaceInput, loadPicture, colours, meshView, psnr, readFaces, squareInput, toPicture, viewInput, withNoise } from "./vision.js";

const sample = (name) => loadPicture(new URL(`../samples/${name}`, import.meta.url).href);
const faceSize = 256;
const meshSize = 192;
const emotionSize = 64;

/** Runs a model and gives its outputs as an array. */
export function run(model, input) {
  const outputs = model.predict(input);
  return Array.isArray(outputs) ? outputs : outputs.shape ? [outputs] : Object.values(outputs);
}

const face = {
  name: "face",
  title: "Where is a face?",
  text: "BlazeFace guesses 896 boxes at once; those that are sure and do not overlap are drawn.",
  open: () => sample("astronaut.png"),
  prepare: (tf, { picture }) => squareInput(tf, picture, faceSize),
  interpret: (tf, outputs, { picture }) => readFaces(outputs, picture, faceSize),
  show(faces, { picture }) {
    const { canvas, context } = copyOf(picture);
    for (const { box, points } of faces) {
      context.strokeRect(box.left, box.top, box.right - box.left, box.bottom - box.top);
      dots(context, points, 3);
    }
    const sure = faces.map(({ score }) => `${(100 * score).toFixed(1)} %`).join(", ");
    return { elements: [canvas], sentence: faces.length ? `Found ${faces.length}, sure to ${sure}.` : "Found no face." };
  },
};

const mesh = {
  name: "mesh",
  title: "The shape of a face",
  text: "FaceMesh places 468 points on the face that the first example has found.",
  needsFace: true,
  open: () => sample("astronaut.png"),
  prepare: (tf, { picture, face }) => viewInput(tf, picture, meshView(face), meshSize),
  async interpret(tf, outputs, { face }) {
    const points = outputs.find(({ shape }) => shape[1] === 1404);
    return fromView(await points.data(), meshView(face), meshSize);
  },
  show(points, { picture, face }) {
    const { x, y, side } = meshView(face);
    const { canvas, context } = copyOf(picture);
    dots(context, points, 0.9);
    const half = side / 2;
    return { elements: [enlarged(canvas, { x: x - half, y: y - half, side }, 512)], sentence: `${points.length} points.` };
  },
};

const emotion = {
  name: "emotion",
  title: "What does a face express?",
  text: "A classifier with 58 thousand weights looks at 64 x 64 grey pixels of the same face.",
  needsFace: true,
  open: () => sample("astronaut.png"),
  prepare: (tf, { picture, face }) => greyFaceInput(tf, picture, face.box, emotionSize),
  interpret: async (tf, [scores]) => [...(await scores.data())],
  show(scores, { picture, face, labels }) {
    const rows = scores.map((score, i) => ({ label: labels?.[i] ?? `class ${i}`, score })).sort((a, b) => b.score - a.score);
    const list = document.createElement("dl");
    list.className = "bars";
    for (const { label, score } of rows) {
      const [name, value] = [document.createElement("dt"), document.createElement("dd")];
      name.textContent = label;
      value.textContent = `${(100 * score).toFixed(1)} %`;
      value.style.setProperty("--share", String(score));
      list.append(name, value);
    }
    const { x, y, side } = meshView(face);
    const seen = enlarged(picture, { x: x - side / 2, y: y - side / 2, side }, 256);
    return { elements: [seen, list], sentence: `Mostly ${rows[0].label}.` };
  },
};

const upscale = {
  name: "upscale",
  title: "Twice the resolution",
  text: "A super-resolution network draws four pixels for each one. Left: enlarged by the browser. Right: by the model.",
  open: async () => cut(await sample("chelsea.png"), { left: 110, top: 60, right: 238, bottom: 188 }),
  prepare: (tf, { picture }) => tf.tidy(() => colours(tf, picture).expandDims(0)),
  interpret: (tf, [large]) => toPicture(tf, large),
  show(large, { picture }) {
    const before = enlarged(picture, { x: 0, y: 0, side: picture.width }, large.width);
    const sentence = `${picture.width} x ${picture.height} became ${large.width} x ${large.height}.`;
    return { elements: [before, large], sentence };
  },
};

const denoise = {
  name: "denoise",
  title: "Take the noise out",
  text: "A small network, trained in seconds by this repository's own recipe, on a picture it has never seen.",
  async open() {
    const clean = cut(await sample("coffee.png"), { left: 170, top: 90, right: 426, bottom: 282 });
    return Object.assign(withNoise(clean, 0.1), { clean });
  },
  prepare: (tf, { picture }) => tf.tidy(() => colours(tf, picture).expandDims(0)),
  interpret: (tf, [denoised]) => toPicture(tf, denoised),
  show(denoised, { picture }) {
    const [before, after] = [picture, denoised].map((one) => psnr(picture.clean, one).toFixed(1));
    return { elements: [copyOf(picture).canvas, denoised], sentence: `From ${before} dB to ${after} dB (more is better).` };
  },
};

/** Its graph took and gave JPEG; `run` does what was cut off, so nothing has to be prepared or read. */
const beautify = {
  name: "beautify",
  title: "A livelier photo",
  text: "The model was trained with JPEG decoding and encoding in its graph. It builds as it is: the loader's run takes the photo.",
  open: async () => cut(await sample("astronaut.png"), { left: 96, top: 0, right: 352, bottom: 256 }),
  show(after, { picture }) {
    const sentence = `${after.width} x ${after.height} pixels, ${psnr(picture, after).toFixed(1)} dB from the photo.`;
    return { elements: [copyOf(picture).canvas, after], sentence };
  },
};

export const examples = [face, mesh, emotion, upscale, denoise, beautify];

/** Gives the surest face of a picture. */
export async function findFace(tf, model, picture) {
  const input = face.prepare(tf, { picture });
  const outputs = run(model, input);
  const [best] = await readFaces(outputs, picture, faceSize);
  tf.dispose([input, outputs]);
  if (!best) throw new Error("There is no face in the picture.");
  return best;
}

function copyOf(picture) {
  const { canvas, context } = blank(picture.width, picture.height);
  context.drawImage(picture, 0, 0);
  Object.assign(context, { strokeStyle: "#7CFFB2", fillStyle: "#7CFFB2", lineWidth: 3 });
  return { canvas, context };
}

function dots(context, points, radius) {
  context.beginPath();
  for (const [x, y] of points) {
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
  }
  context.fill();
}

function enlarged(picture, { x, y, side }, size) {
  const { canvas, context } = blank(size, size);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, x, y, side, side, 0, 0, size, size);
  return canvas;
}
