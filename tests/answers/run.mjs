// Answers many cases in one process: reads JSON, { kind, tensors: { name: { shape, data } }, spec, labels, frame, options, inputs }[], from
// standard input, and writes one answer a case, or { error } where it is refused. Floats are base64 of float32, so that NaN survives.
import { text } from "node:stream/consumers";

class ModelError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** A tensor, as far as answers need one; it notes how often it is read. */
function tensorOf({ shape, data }) {
  const bytes = Buffer.from(data, "base64");
  const values = new Float32Array(new Uint8Array(bytes).buffer);
  return { shape, data: async () => values };
}

const tensors = (group = {}) => Object.fromEntries(Object.entries(group).map(([name, one]) => [name, tensorOf(one)]));

const special = (_, value) => {
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  if (ArrayBuffer.isView(value)) return [...value];
  return value === undefined ? null : value;
};

const found = [];
for (const { kind, tensors: outputs, spec, labels, frame, options, inputs } of JSON.parse(await text(process.stdin))) {
  const { answer } = await import(new URL(`../../templates/modules/${kind}.js`, import.meta.url));
  try {
    found.push(await answer({ ModelError, outputs: tensors(outputs), spec, labels, frame, inputs: inputs && tensors(inputs) }, options ?? {}));
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    found.push({ error: error.message, code: error.code });
  }
}
process.stdout.write(JSON.stringify(found, special));
