/** The pages, in the order of the header. @type {{ file: string, en: string, zh: string }[]} */
export const pages = [
  { file: "beautify.html", en: "Beautify", zh: "AI 美图" },
  { file: "classify.html", en: "Classify", zh: "识图" },
  { file: "ar.html", en: "AR", zh: "AR" },
  { file: "find.html", en: "Find", zh: "找人脸" },
  { file: "cutout.html", en: "Cut out", zh: "抠像" },
  { file: "listen.html", en: "Listen", zh: "听声音" },
  { file: "style.html", en: "Style", zh: "风格迁移" },
  { file: "words.html", en: "Words", zh: "词语" },
  { file: "understand.html", en: "Understand", zh: "懂句意" },
  { file: "retrain.html", en: "Retrain", zh: "再训练" },
  { file: "create.html", en: "Create", zh: "从零创建" },
  { file: "examples.html", en: "Examples", zh: "示例" },
];
