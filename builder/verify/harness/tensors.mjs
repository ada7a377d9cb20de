// Tensors in files: little-endian arrays; strings each as a uint32 length and that many bytes.

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array, complex64: Float32Array };

function decodeStrings(bytes, count) {
  const strings = [];
  for (let at = 0; strings.length < count; ) {
    const length = bytes.readUInt32LE(at);
    strings.push(new Uint8Array(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return strings;
}

export function readTensor(tf, data, { dtype, shape, offset, bytes }) {
  const part = data.subarray(offset, offset + bytes);
  const size = shape.reduce((product, length) => product * length, 1);
  if (dtype === "string") return tf.tensor(decodeStrings(part, size), shape, "string");
  const copy = part.buffer.slice(part.byteOffset, part.byteOffset + part.byteLength);
  return tf.tensor(new arrays[dtype](copy), shape, dtype);
}

/** Collects the tensors of all answers in one file. */
export class Output {
  constructor() {
    this.parts = [];
    this.length = 0;
  }

  async add(name, tensor) {
    const { dtype, shape } = tensor;
    let bytes;
    if (dtype === "string") {
      const pieces = (await tensor.bytes()).flatMap((value) => {
        const prefix = Buffer.alloc(4);
        prefix.writeUInt32LE(value.length);
        return [prefix, Buffer.from(value)];
      });
      bytes = Buffer.concat(pieces);
    } else {
      const values = new arrays[dtype](await tensor.data());
      // Some kernels of TensorFlow.js give other shapes than they fill.
      const wanted = shape.reduce((product, length) => product * length, dtype === "complex64" ? 2 : 1);
      if (values.length !== wanted) {
        throw new Error(`output ${name} has ${values.length} numbers, its shape [${shape}] needs ${wanted}`);
      }
      bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    }
    const offset = this.length;
    this.parts.push(bytes);
    this.length += bytes.length;
    return { name, dtype, shape, offset, bytes: bytes.length };
  }
}
