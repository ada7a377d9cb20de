/**
 * The examples. Each opens a picture, which its model runs on, and says what is shown of the answer (`show`, which gives elements
 * and one sentence); `look` runs a model that is for faces. Texts are in English and Chinese. `findFace` gives the face in the picture.
 */
import { emotionName, findFaces, isClear, readEmotion } from "./emotion.js";
import { PageError, make } from "./page.js";
import { blank, cut, cutOut, loadPicture, meshView, psnr, readMesh, sizeOf, withNoise } from "./vision.js";

/** @typedef {import("./vision.js").Picture} Picture */
/** @typedef {import("./vision.js").Face} Face */
/** @typedef {import("./vision.js").Point} Point */
/** @typedef {import("./bars.js").Row} Row */
/** @typedef {import("./page.js").Language} Language */
/** @typedef {Record<Language, string>} Both a text in both languages */
/** @typedef {HTMLCanvasElement & { clean?: HTMLCanvasElement }} Photo `clean` is the picture before noise came in */
/** @typedef {{ picture: Photo, face: Face }} Context */
/**
 * @typedef {object} Example the context has `face` where there is `look`
 * @property {string} name of the model
 * @property {Both} title
 * @property {Both} text
 * @property {() => Promise<Photo>} open
 * @property {(handle: any, picture: Photo, face: Face) => Promise<any>} [look]
 * @property {(result: any, context: Context) => { elements: HTMLElement[], sentence: Both }} show
 */

/** @param {string} name */
const sample = (name) => loadPicture(new URL(`../samples/${name}`, import.meta.url).href);

/** @satisfies {Example} */
const face = {
  name: "face",
  title: { en: "Where is a face?", zh: "人脸在哪里？" },
  text: {
    en: "BlazeFace guesses 896 boxes at once; those that are sure and do not overlap are drawn.",
    zh: "BlazeFace 一次给出 896 个候选框，只画出有把握且互不重叠的。",
  },
  open: () => sample("astronaut.png"),
  show(/** @type {Face[]} */ faces, { picture }) {
    const { canvas, context } = copyOf(picture);
    for (const { x, y, width, height, points } of faces) {
      context.strokeRect(x, y, width, height);
      dots(context, points, 3);
    }
    const sure = faces.map(({ score }) => `${(100 * score).toFixed(1)} %`).join(", ");
    const sentence = faces.length
      ? { en: `Found ${faces.length}, sure to ${sure}.`, zh: `找到 ${faces.length} 张脸，把握 ${sure}。` }
      : { en: "Found no face.", zh: "没有找到人脸。" };
    return { elements: [canvas], sentence };
  },
};

/** @satisfies {Example} */
const mesh = {
  name: "mesh",
  title: { en: "The shape of a face", zh: "人脸的形状" },
  text: {
    en: "FaceMesh places 468 points on the face that the first example has found.",
    zh: "FaceMesh 在第一个示例找到的脸上标出 468 个点。",
  },
  open: () => sample("astronaut.png"),
  look: readMesh,
  show(/** @type {Point[]} */ points, { picture, face }) {
    const { x, y, side } = meshView(face);
    const { canvas, context } = copyOf(picture);
    dots(context, points, 0.9);
    const half = side / 2;
    return { elements: [enlarged(canvas, { x: x - half, y: y - half, side }, 512)], sentence: { en: `${points.length} points.`, zh: `${points.length} 个点。` } };
  },
};

/** @satisfies {Example} */
const emotion = {
  name: "emotion",
  title: { en: "What does a face express?", zh: "表情如何？" },
  text: {
    en: "A classifier with 58 thousand weights looks at 64 x 64 grey pixels of the same face.",
    zh: "一个 5.8 万权重的分类器观察同一张脸的 64 x 64 灰度像素。",
  },
  open: () => sample("astronaut.png"),
  look: readEmotion,
  show(/** @type {Row[]} */ rows, { picture, face }) {
    const list = document.createElement("dl");
    list.className = "bars";
    for (const { label, score } of rows) {
      const [name, value] = [document.createElement("dt"), document.createElement("dd")];
      name.append(...["en", "zh"].map((lang) => make("span", { lang }, emotionName(label, /** @type {Language} */ (lang)))));
      value.textContent = `${(100 * score).toFixed(1)} %`;
      value.style.setProperty("--share", String(score));
      list.append(name, value);
    }
    const { x, y, side } = meshView(face);
    /** @param {string} en @param {string} zh */
    const said = (en, zh) => ({ en: `${en}${emotionName(rows[0].label, "en")}.`, zh: `${zh}${emotionName(rows[0].label, "zh")}。` });
    const seen = enlarged(picture, { x: x - side / 2, y: y - side / 2, side }, 256);
    return { elements: [seen, list], sentence: isClear(rows) ? said("Mostly ", "看起来") : said("Hard to say: perhaps ", "不好判断，也许是") };
  },
};

/** @satisfies {Example} */
const upscale = {
  name: "upscale",
  title: { en: "Twice the resolution", zh: "两倍分辨率" },
  text: {
    en: "A super-resolution network draws four pixels for each one. Left: enlarged by the browser. Right: by the model.",
    zh: "超分辨率网络把每个像素画成四个。左：浏览器放大；右：模型放大。",
  },
  open: async () => cut(await sample("chelsea.png"), { x: 110, y: 60, width: 128, height: 128 }),
  show(large, { picture }) {
    const before = enlarged(picture, { x: 0, y: 0, side: picture.width }, large.width);
    const [from, to] = [picture, large].map(({ width, height }) => `${width} x ${height}`);
    const sentence = { en: `${from} became ${to}.`, zh: `${from} 变成了 ${to}。` };
    return { elements: [before, large], sentence };
  },
};

/** @satisfies {Example} */
const people = {
  name: "people",
  title: { en: "Where is a person?", zh: "人在哪里？" },
  text: {
    en: "A TensorFlow Lite file of MediaPipe, built as it is, tells for each pixel whether it belongs to a person.",
    zh: "MediaPipe 的 TensorFlow Lite 文件，按原样构建；它判断每个像素是否属于人。",
  },
  open: () => sample("astronaut.png"),
  show(mask, { picture }) {
    const sum = mask.data.reduce((/** @type {number} */ all, /** @type {number} */ one) => all + one, 0);
    const percent = ((100 * sum) / mask.data.length / 255).toFixed(0);
    const sentence = { en: `A person covers ${percent} % of the picture.`, zh: `人占画面的 ${percent} %。` };
    return { elements: [copyOf(picture).canvas, cutOut(picture, mask)], sentence };
  },
};

/** @satisfies {Example} */
const denoise = {
  name: "denoise",
  title: { en: "Take the noise out", zh: "去除噪点" },
  text: {
    en: "A small network, trained in seconds by this repository's own recipe, on a picture it has never seen.",
    zh: "本仓库自带脚本几秒训练出的小网络，用在它从未见过的图片上。",
  },
  async open() {
    const clean = cut(await sample("coffee.png"), { x: 170, y: 90, width: 256, height: 192 });
    return Object.assign(withNoise(clean, 0.1), { clean });
  },
  show(denoised, { picture }) {
    const [before, after] = [picture, denoised].map((one) => psnr(/** @type {HTMLCanvasElement} */ (picture.clean), one).toFixed(1));
    const sentence = { en: `From ${before} dB to ${after} dB (more is better).`, zh: `从 ${before} dB 提高到 ${after} dB。` };
    return { elements: [copyOf(picture).canvas, denoised], sentence };
  },
};

/** Its graph took and gave JPEG; `run` does what was cut off. @satisfies {Example} */
const beautify = {
  name: "beautify",
  title: { en: "A livelier photo", zh: "更鲜活的照片" },
  text: {
    en: "The model was trained with JPEG decoding and encoding in its graph. It builds as it is: the loader's run takes the photo.",
    zh: "该模型的计算图自带 JPEG 解码和编码，按原样构建；加载器的 run 直接接收照片。",
  },
  open: async () => cut(await sample("astronaut.png"), { x: 96, y: 0, width: 256, height: 256 }),
  show(after, { picture }) {
    const [size, change] = [`${after.width} x ${after.height}`, psnr(picture, after).toFixed(1)];
    const sentence = { en: `${size} pixels, ${change} dB from the photo.`, zh: `${size} 像素，与原图相差 ${change} dB。` };
    return { elements: [copyOf(picture).canvas, after], sentence };
  },
};

/** @type {Example[]} */
export const examples = [face, mesh, emotion, people, upscale, denoise, beautify];

/**
 * Gives the surest face of a picture.
 *
 * @param {any} detector a handle
 * @param {Photo} picture
 */
export async function findFace(detector, picture) {
  const [best] = await findFaces(detector, picture);
  if (!best) throw new PageError("noface");
  return best;
}

/** @param {Picture} picture */
function copyOf(picture) {
  const { width, height } = sizeOf(picture);
  const { canvas, context } = blank(width, height);
  context.drawImage(picture, 0, 0);
  Object.assign(context, { strokeStyle: "#7CFFB2", fillStyle: "#7CFFB2", lineWidth: 3 });
  return { canvas, context };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point[]} points
 * @param {number} radius
 */
function dots(context, points, radius) {
  context.beginPath();
  for (const { x, y } of points) {
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
  }
  context.fill();
}

/**
 * Gives a square of a picture, drawn larger.
 *
 * @param {Picture} picture
 * @param {{ x: number, y: number, side: number }} square
 * @param {number} size
 */
function enlarged(picture, { x, y, side }, size) {
  const { canvas, context } = blank(size, size);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, x, y, side, side, 0, 0, size, size);
  return canvas;
}
