import { form } from "../loader/form.js";
import * as answers from "../modules/answers.js";
import * as audio from "../modules/audio.js";
import * as boxes from "../modules/boxes.js";
import * as classes from "../modules/classes.js";
import * as device from "../modules/device.js";
import * as digest from "../modules/digest.js";
import * as fit from "../modules/fit.js";
import * as frames from "../modules/frames.js";
import * as glue from "../modules/glue.js";
import * as ladder from "../modules/ladder.js";
import * as listen from "../modules/listen.js";
import * as mask from "../modules/mask.js";
import * as mel from "../modules/mel.js";
import * as picture from "../modules/picture.js";
import * as points from "../modules/points.js";
import * as storage from "../modules/storage.js";
import * as thread from "../thread/thread.js";
import * as tokens from "../modules/tokens.js";
import * as vectorization from "../modules/vectorization.js";
import * as vector from "../modules/vector.js";
import * as vectors from "../vectors/vectors.js";

export * from "../loader/index.js";

form.modules = {
  answers: async () => answers,
  audio: async () => audio,
  boxes: async () => boxes,
  classes: async () => classes,
  device: async () => device,
  digest: async () => digest,
  fit: async () => fit,
  frames: async () => frames,
  glue: async () => glue,
  ladder: async () => ladder,
  listen: async () => listen,
  mask: async () => mask,
  mel: async () => mel,
  picture: async () => picture,
  points: async () => points,
  storage: async () => storage,
  thread: async () => thread,
  tokens: async () => tokens,
  vectorization: async () => vectorization,
  vector: async () => vector,
  vectors: async () => vectors,
};
