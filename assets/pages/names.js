/** What the ids of a bundle are called on a page, so that none stands there as it is. A bundle's own ids may be more. */

/** @typedef {{ en: string, zh: string }} Both */

/** Fit for the middle of an English sentence, after "the". @type {Record<string, Both>} */
const models = {
  face: { en: "face finder", zh: "人脸检测模型" },
  mesh: { en: "face mesh", zh: "人脸网格模型" },
  emotion: { en: "expression classifier", zh: "表情识别模型" },
  faces: { en: "face detector", zh: "人脸定位模型" },
  people: { en: "person finder", zh: "人像分割模型" },
  speech: { en: "speech detector", zh: "语音检测模型" },
  pose: { en: "body tracker", zh: "姿态估计模型" },
  classify: { en: "image classifier", zh: "图像分类模型" },
  beautify: { en: "beautifier", zh: "美化模型" },
  enlarge: { en: "enlarger", zh: "放大模型" },
  upscale: { en: "super-resolution network", zh: "超分辨率模型" },
  denoise: { en: "noise remover", zh: "降噪模型" },
  style: { en: "style painter", zh: "画风模型" },
  drawing: { en: "drawing network", zh: "简笔画网络" },
  meaning: { en: "sentence encoder", zh: "句子编码器" },
  "words-en": { en: "English vocabulary", zh: "英文词库" },
  "words-zh": { en: "Chinese vocabulary", zh: "中文词库" },
};

/** @type {Record<string, Both>} */
const stages = {
  head: { en: "head", zh: "结构" },
  base: { en: "base", zh: "基础" },
  rest: { en: "rest", zh: "其余" },
  refine: { en: "refine", zh: "精化" },
  full: { en: "full", zh: "完整" },
  weights: { en: "weights", zh: "权重" },
};

/** @type {Record<string, Both>} */
const phases = {
  waiting: { en: "waiting", zh: "等待中" },
  offline: { en: "no network", zh: "没有网络" },
  head: { en: "fetching", zh: "正在获取" },
  refine: { en: "refining", zh: "正在提升精度" },
  full: { en: "complete", zh: "完整" },
  failed: { en: "failed", zh: "失败" },
  aborted: { en: "stopped", zh: "已停止" },
};

/** @type {Record<string, Both>} */
const formats = {
  "graph-model": { en: "graph model", zh: "图模型" },
  "layers-model": { en: "layers model", zh: "层模型" },
  vectors: { en: "word vectors", zh: "词向量" },
};

/** Of the loader's errors. @type {Record<string, Both>} */
const codes = {
  network: { en: "network", zh: "网络" },
  integrity: { en: "wrong content", zh: "内容有误" },
  quota: { en: "no room left", zh: "存储空间不足" },
  abort: { en: "stopped", zh: "已停止" },
  manifest: { en: "description", zh: "结构描述" },
  runtime: { en: "cannot run here", zh: "无法在此运行" },
  contract: { en: "another contract", zh: "接口不符" },
};

/** By the name of what a text has in braces. @type {Record<string, Record<string, Both>>} */
const kinds = { model: models, stage: stages, phase: phases, format: formats, code: codes };

/**
 * Gives what stands for an id in a text; `{Model}` begins with a capital letter.
 *
 * @param {string} kind what the text has in braces
 * @param {string} value an id, or any other value, which is given back as it is
 * @param {"en" | "zh"} language
 */
export function called(kind, value, language) {
  const names = kinds[kind.toLowerCase()];
  const name = (names && Object.hasOwn(names, value) && names[value][language]) || value;
  return kind[0] === kind[0].toLowerCase() ? name : name[0].toUpperCase() + name.slice(1);
}
