import { form } from "../loader/form.js";

export * from "../loader/index.js";

form.modules = {
  answers: () => import("../modules/answers.js"),
  audio: () => import("../modules/audio.js"),
  boxes: () => import("../modules/boxes.js"),
  classes: () => import("../modules/classes.js"),
  device: () => import("../modules/device.js"),
  digest: () => import("../modules/digest.js"),
  fit: () => import("../modules/fit.js"),
  frames: () => import("../modules/frames.js"),
  glue: () => import("../modules/glue.js"),
  ladder: () => import("../modules/ladder.js"),
  listen: () => import("../modules/listen.js"),
  mask: () => import("../modules/mask.js"),
  mel: () => import("../modules/mel.js"),
  picture: () => import("../modules/picture.js"),
  points: () => import("../modules/points.js"),
  storage: () => import("../modules/storage.js"),
  thread: () => import("../thread/thread.js"),
  tokens: () => import("../modules/tokens.js"),
  vectorization: () => import("../modules/vectorization.js"),
  vector: () => import("../modules/vector.js"),
  vectors: () => import("../vectors/vectors.js"),
};
