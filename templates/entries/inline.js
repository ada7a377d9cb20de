import { form } from "../loader/form.js";
import * as device from "../modules/device.js";
import * as digest from "../modules/digest.js";
import * as glue from "../modules/glue.js";
import * as storage from "../modules/storage.js";
import * as tokens from "../modules/tokens.js";
import * as vectors from "../vectors/vectors.js";

export * from "../loader/index.js";

form.modules = {
  device: async () => device,
  digest: async () => digest,
  glue: async () => glue,
  storage: async () => storage,
  tokens: async () => tokens,
  vectors: async () => vectors,
};
