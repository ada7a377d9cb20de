import { form } from "../loader/form.js";

export * from "../loader/index.js";

form.modules = {
  device: () => import("../modules/device.js"),
  digest: () => import("../modules/digest.js"),
  glue: () => import("../modules/glue.js"),
  storage: () => import("../modules/storage.js"),
  tokens: () => import("../modules/tokens.js"),
  vectors: () => import("../vectors/vectors.js"),
};
