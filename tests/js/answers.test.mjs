// What only pages have of answers: masks as pictures, how alike vectors are, how often tensors are read, what is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { answer as boxes } from "../../templates/modules/boxes.js";
import { answer as classes } from "../../templates/modules/classes.js";
import { answer as mask } from "../../templates/modules/mask.js";
import { answer as points } from "../../templates/modules/points.js";
import { answer as vector } from "../../templates/modules/vector.js";

class ModelError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** A tensor that notes how often it is read, and that nobody disposes of it. */
function tensor(shape, values) {
  const made = {
    shape,
    reads: 0,
    data: async () => {
      made.reads++;
      return Float32Array.from(values);
    },
    dispose: () => assert.fail("an answer disposes of an output"),
  };
  return made;
}

const given = (spec, outputs, more = {}) => ({ ModelError, spec, outputs, ...more });
const contract = (words) => (error) => error instanceof ModelError && error.code === "contract" && words.test(error.message);

globalThis.ImageData ??= class {
  constructor(data, width, height) {
    Object.assign(this, { data, width, height });
  }
};

test("every output is read once", async () => {
  const outputs = { boxes: tensor([1, 2, 4], [0, 0, 9, 9, 1, 1, 9, 9]), scores: tensor([1, 2, 2], [0.9, 0, 0.8, 0]) };
  const found = await boxes(given({ boxes: ["boxes"], scores: ["scores"], iou: 0.5 }, outputs, { labels: ["cat"] }));
  assert.deepEqual(found, [{ label: "cat", index: 0, score: Math.fround(0.9), x: 0, y: 0, width: 9, height: 9 }]);
  assert.deepEqual([outputs.boxes.reads, outputs.scores.reads], [1, 1]);
});

test("a page's options come before those of build.toml", async () => {
  const outputs = { o: tensor([1, 3], [0.2, 0.5, 0.3]) };
  const spec = { top: 1, threshold: 0.9 };
  assert.equal((await classes(given(spec, outputs))).unsure, true);
  const found = await classes(given(spec, outputs, { labels: ["a", "b"] }), { threshold: 0.4, top: 3 });
  assert.deepEqual([found.label, found.unsure, found.top.map(({ label }) => label)], ["b", false, ["b", undefined, "a"]]);
  const rows = { o: tensor([1, 3, 5], [0, 0, 1, 1, 0.3, 2, 2, 3, 3, 0.2, 4, 4, 5, 5, 0.1]) };
  assert.equal((await boxes(given({ score: 0.5 }, rows))).length, 0);
  assert.equal((await boxes(given({ score: 0.5 }, rows), { score: 0, most: 2 })).length, 2);
});

test("what cannot be read is a ModelError that names the output", async () => {
  await assert.rejects(classes(given({}, { o: tensor([2, 3], Array(6).fill(1)) })), contract(/'o' has the shape \[2, 3\].*one row/));
  await assert.rejects(boxes(given({}, { o: tensor([2, 3, 6], Array(36).fill(1)) })), contract(/boxes of one picture/));
  await assert.rejects(mask(given({}, { o: tensor([2, 2, 2, 1], Array(8).fill(1)) })), contract(/scores of one picture/));
  await assert.rejects(points(given({}, { o: tensor([2, 5, 2], Array(20).fill(1)) })), contract(/of one picture/));
  await assert.rejects(vector(given({}, { o: tensor([2, 3], Array(6).fill(1)) })), contract(/one vector/));
  await assert.rejects(classes(given({ output: "p" }, { o: tensor([1], [1]) })), contract(/no tensor 'p'.*but o/));
  await assert.rejects(classes(given({}, { a: tensor([1], [1]), toString: tensor([1], [1]) })), contract(/no tensor ''/));
  await assert.rejects(classes(given({ output: "toString" }, { a: tensor([1], [1]) })), contract(/no tensor 'toString'/));
});

test("a soft mask is painted in one colour", async () => {
  const held = await mask(given({}, { o: tensor([1, 1, 3, 1], [0, 0.5, 1]) }));
  assert.deepEqual([held.soft, [...held.data], held.classes], [true, [0, 128, 255], []]);
  assert.deepEqual([...held.toImageData().data], [255, 255, 255, 0, 255, 255, 255, 128, 255, 255, 255, 255]);
  assert.deepEqual([...held.toImageData([1, 2, 3, 51]).data].slice(4), [1, 2, 3, 26, 1, 2, 3, 51]);
  assert.equal(held.alpha(), held.data);
});

test("a mask of classes has a colour for each, and none for the background", async () => {
  const held = await mask(given({ layout: "last" }, { o: tensor([1, 1, 2, 3], [1, 0, 0, 0, 0, 1]) }, { labels: ["none", "cat", "dog"] }));
  assert.deepEqual([...held.data], [0, 2]);
  assert.deepEqual(held.classes, [{ label: "dog", index: 2, share: 0.5 }]);
  const { data, width, height } = held.toImageData();
  assert.deepEqual([width, height, [...data].slice(0, 4), data[7]], [2, 1, [0, 0, 0, 0], 255]);
  assert.deepEqual([...held.toImageData((index) => [index, 5, 6]).data].slice(4), [2, 5, 6, 255]);
  assert.deepEqual([...held.alpha(2)], [0, 255]);
  assert.deepEqual([...held.alpha()], [0, 255]);
  assert.deepEqual([...held.alpha(1)], [0, 0]);
});

test("vectors are compared with vectors and with plain numbers", async () => {
  const one = await vector(given({ normalise: true }, { o: tensor([1, 2], [3, 4]) }));
  assert.deepEqual([...one.values], [Math.fround(0.6), Math.fround(0.8)]);
  assert.ok(Math.abs(one.similarity([4, 3]) - 24 / 25) < 1e-6);
  assert.ok(Math.abs(one.similarity(one) - 1) < 1e-6);
  assert.equal(one.similarity([0, 0]), 0);
  assert.throws(() => one.similarity([1]), contract(/1 numbers cannot be compared with one of 2/));
});

test("a mask has the size of the source picture", async () => {
  const values = Float32Array.from({ length: 256 * 256 * 21 }, (_, i) => Math.sin(i / 5000) + (i % 21));
  const frame = { width: 1920, height: 1080, scaleX: 256 / 1920, scaleY: 256 / 1080, left: 0, top: 0, inputWidth: 256, inputHeight: 256 };
  const held = await mask(given({ layout: "last" }, { o: tensor([1, 256, 256, 21], values) }, { frame }));
  assert.equal(held.data.length, 1920 * 1080);
});
