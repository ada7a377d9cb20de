// What kernels take, by hand.

import assert from "node:assert/strict";
import test from "node:test";

import { Cost } from "../../builder/verify/harness/costs.mjs";

const of = (...shape) => ({ shape });
const counted = (kernel, inputs, attributes, out) => {
  const cost = new Cost();
  cost.add(kernel, inputs, attributes, out);
  return JSON.parse(JSON.stringify(cost));
};

test("convolutions, of either order of channels, count their windows", () => {
  const filter = of(3, 3, 16, 32);
  const inputs = { x: of(1, 20, 30, 16), filter };
  for (const [dataFormat, out] of [["NHWC", of(1, 10, 15, 32)], ["NCHW", of(1, 32, 10, 15)]]) {
    const { macs, heaviest } = counted("FusedConv2D", inputs, { dataFormat }, out);
    assert.equal(macs, 10 * 15 * 32 * 9 * 16);
    assert.deepEqual(heaviest, [{ kernel: "FusedConv2D", share: 1, sizes: [10, 15, 16, 32, 3, 3] }]);
    assert.equal(heaviest[0].sizes.reduce((product, size) => product * size), macs);
  }
});

test("convolutions by depth, in groups, of volumes and backwards", () => {
  const depth = counted("DepthwiseConv2dNative", { x: of(1, 8, 8, 4), filter: of(5, 5, 4, 2) }, {}, of(1, 8, 8, 8));
  assert.equal(depth.macs, 64 * 8 * 25);
  assert.deepEqual(depth.heaviest[0].sizes, [8, 8, 4, 2, 5, 5]);
  assert.equal(counted("Conv2D", { x: of(1, 8, 8, 8), filter: of(3, 3, 2, 8) }, {}, of(1, 8, 8, 8)).macs, 64 * 8 * 9 * 2);
  assert.equal(counted("Conv3D", { x: of(1, 4, 8, 8, 3), filter: of(3, 3, 3, 3, 5) }, {}, of(1, 4, 8, 8, 5)).macs, 256 * 5 * 81);
  assert.equal(counted("Conv2DBackpropInput", { dy: of(1, 8, 8, 6), filter: of(3, 3, 4, 6) }, {}, of(1, 16, 16, 4)).macs, 384 * 36);
  assert.equal(counted("Conv3DBackpropInputV2", { dy: of(1, 2, 4, 4, 6), filter: of(2, 2, 2, 3, 6) }, {}, of(1, 4, 8, 8, 3)).macs, 192 * 24);
});

test("products of matrices, whichever way they lie, and sums of Einstein", () => {
  const product = counted("_FusedMatMul", { a: of(7, 24), b: of(24, 10) }, { transposeA: false }, of(7, 10));
  assert.equal(product.macs, 7 * 24 * 10);
  assert.deepEqual(product.heaviest[0].sizes, [7, 24, 10]);
  assert.equal(counted("BatchMatMul", { a: of(2, 24, 7), b: of(2, 24, 10) }, { transposeA: true }, of(2, 7, 10)).macs, 2 * 7 * 24 * 10);
  assert.equal(counted("Einsum", { 0: of(2, 5, 8), 1: of(2, 6, 8) }, { equation: "bik, bjk -> bij" }, of(2, 5, 6)).macs, 2 * 5 * 6 * 8);
});

test("what only renames counts as nothing, and the two kinds that take most stand for all", () => {
  const cost = new Cost();
  cost.add("Reshape", { x: of(4) }, {}, of(2, 2));
  assert.equal(cost.ops, 0);
  cost.add("Relu", { x: of(4) }, undefined, of(4));
  for (const side of [4, 8, 2]) cost.add("Conv2D", { x: of(1, side, side, 1), filter: of(1, 1, 1, 9) }, {}, of(1, side, side, 9));
  cost.add("BatchMatMul", { a: of(1, 1, 3), b: of(1, 3, 1) }, {}, of(1, 1, 1));
  cost.add("DepthwiseConv2dNative", { x: of(1, 9, 9, 2), filter: of(3, 3, 2, 1) }, {}, of(1, 9, 9, 2));
  cost.add("NonMaxSuppressionV3", {}, {}, []);
  assert.deepEqual(JSON.parse(JSON.stringify(cost)), {
    elements: 0,
    macs: 9 * 84 + 3 + 81 * 18,
    ops: 7,
    heaviest: [
      { kernel: "DepthwiseConv2dNative", share: (81 * 18) / (9 * 84 + 3 + 81 * 18), sizes: [9, 9, 2, 1, 3, 3] },
      { kernel: "Conv2D", share: (9 * 84) / (9 * 84 + 3 + 81 * 18), sizes: [8, 8, 1, 9, 1, 1] },
    ],
  });
});
