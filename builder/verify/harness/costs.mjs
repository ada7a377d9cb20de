// What a run takes: multiply-adds and ops, counted from the shapes of what the kernels are given and give.

/** Kernels that give what they got under another name. */
const free = new Set(["ExpandDims", "Identity", "Reshape"]);

const sizeOf = (shape) => shape.reduce((product, length) => product * length, 1);

/** Multiply-adds of a kernel, and, of those that a probe knows, the lengths that it works on. */
const kinds = {
  Conv2D: convolution,
  FusedConv2D: convolution,
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2D: depthwise,
  _FusedMatMul: product,
  BatchMatMul: product,
  Conv3D: ({ filter: { shape } }, _, out) => [sizeOf(out) * sizeOf(shape.slice(0, 4))],
  Conv2DBackpropInput: ({ dy, filter: { shape } }) => [sizeOf(dy.shape) * sizeOf(shape.slice(0, 3))],
  Conv3DBackpropInputV2: ({ dy, filter: { shape } }) => [sizeOf(dy.shape) * sizeOf(shape.slice(0, 4))],
  Einsum: einsum,
};

function convolution({ filter: { shape } }, { dataFormat }, out) {
  const [height, width] = dataFormat === "NCHW" ? out.slice(2) : out.slice(1);
  return [sizeOf(out) * sizeOf(shape.slice(0, 3)), [out[0] * height, width, shape[2], shape[3], shape[0], shape[1]]];
}

function depthwise({ filter: { shape } }, _, out) {
  return [sizeOf(out) * shape[0] * shape[1], [out[0] * out[1], out[2], shape[2], shape[3], shape[0], shape[1]]];
}

function product({ a }, { transposeA }, out) {
  const inner = a.shape.at(transposeA ? -2 : -1);
  const [columns] = out.slice(-1);
  return [sizeOf(out) * inner, [sizeOf(out) / columns, inner, columns]];
}

function einsum(inputs, { equation }) {
  const lengths = {};
  const terms = equation.split("->")[0].split(",");
  terms.forEach((term, i) => [...term.trim()].forEach((letter, axis) => (lengths[letter] = inputs[i].shape[axis])));
  return [sizeOf(Object.values(lengths))];
}

/** A run's cost, to which `add` adds a kernel; `heavy` has the heaviest kernel of each kind, and how much all of it take. */
export class Cost {
  elements = 0;
  macs = 0;
  ops = 0;
  heavy = {};

  add(kernel, inputs, attributes, outputs) {
    if (free.has(kernel)) return;
    this.ops++;
    const [out] = [outputs].flat();
    if (!Object.hasOwn(kinds, kernel) || !out) return;
    const [macs, sizes] = kinds[kernel](inputs, attributes ?? {}, out.shape);
    if (!Number.isSafeInteger(macs)) return;
    this.macs += macs;
    if (!sizes) return;
    const known = (this.heavy[kernel] ??= { macs: 0, most: 0, sizes });
    known.macs += macs;
    if (macs > known.most) Object.assign(known, { most: macs, sizes });
  }

  /** The heaviest kernel of each of the two kinds that take most. */
  get heaviest() {
    const kinds = Object.entries(this.heavy).sort(([, one], [, other]) => other.macs - one.macs);
    return kinds.slice(0, 2).map(([kernel, { macs, sizes }]) => ({ kernel, share: macs / this.macs, sizes }));
  }

  toJSON() {
    const { elements, macs, ops, heaviest } = this;
    return { elements, macs, ops, heaviest };
  }
}
