// As much of TensorFlow.js as the tests of workers need: it is loaded by each of them.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const core = require("@tensorflow/tfjs-core");
const converter = require("@tensorflow/tfjs-converter");
require("@tensorflow/tfjs-backend-cpu");

export default { ...core, ...converter };
