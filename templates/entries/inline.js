import { form } from "../loader/form.js";
import * as answers from "../modules/answers.js";
import * as device from "../modules/device.js";
import * as digest from "../modules/digest.js";
import * as glue from "../modules/glue.js";
import * as picture from "../modules/picture.js";
import * as storage from "../modules/storage.js";
import * as vectors from "../vectors/vectors.js";

export * from "../loader/index.js";

form.modules = {
  answers: async () => answers,
  device: async () => device,
  digest: async () => digest,
  glue: async () => glue,
  picture: async () => picture,
  storage: async () => storage,
  vectors: async () => vectors,
};
