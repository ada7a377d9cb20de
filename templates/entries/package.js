import { form } from "../loader/form.js";

export * from "../loader/index.js";

form.modules = {
  answers: () => import("../modules/answers.js"),
  device: () => import("../modules/device.js"),
  digest: () => import("../modules/digest.js"),
  glue: () => import("../modules/glue.js"),
  picture: () => import("../modules/picture.js"),
  storage: () => import("../modules/storage.js"),
  vectors: () => import("../vectors/vectors.js"),
};
