// Heads that do not follow docs/format.md: each is a manifest error, none a crash or a wait without end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { base, bytesOf, floats, makeModel, openLoader, serve } from "./bundle.mjs";

const weights = [
  { name: "a", shape: [4, 5], dtype: "float32", codec: "exact", bytes: bytesOf(floats(20)) },
  { name: "b", shape: [3], dtype: "int32", bytes: bytesOf(Int32Array.of(1, 2, 3)) },
  { name: "c", shape: [3], dtype: "int32", same: 1 },
  { name: "s", shape: [1], dtype: "string", bytes: Uint8Array.of(2, 0, 0, 0, 104, 105) },
];

async function load(edit) {
  const built = makeModel("faces", { weights, edit, shardBytes: 16 });
  const { models, configure } = await openLoader(built);
  configure({ baseUrl: base, fetch: serve(built).fetch });
  return models.faces.ioHandler().load();
}

test("the untouched head is fine", async () => {
  const { weightData, weightSpecs } = await load();
  assert.deepEqual(weightSpecs.map(({ name }) => name), ["a", "b", "c", "s"]);
  assert.deepEqual(new Float32Array(weightData[0]), floats(20));
  assert.deepEqual(new Int32Array(weightData[2]), Int32Array.of(1, 2, 3));
  assert.deepEqual(new Uint8Array(weightData[3]), weights[3].bytes);
});

const broken = {
  "a newer format": (head) => (head.format = 2),
  "no format": (head) => delete head.format,
  "another model's head": (head) => (head.name = "hands"),
  "an unknown kind": (head) => (head.kind = "onnx"),
  "no artifacts": (head) => delete head.artifacts,
  "no topology": (head) => (head.artifacts = {}),
  "no stages": (head) => (head.stages = []),
  "a stage without name": (head) => (head.stages[0] = 7),
  "weights that are no list": (head) => (head.weights = null),
  "a weight that is none": (head) => (head.weights[0] = null),
  "a weight without name": (head) => delete head.weights[0].name,
  "two weights of one name": (head) => (head.weights[1].name = "a"),
  "a negative length": (head) => (head.weights[0].shape = [-4, -5]),
  "a broken length": (head) => (head.weights[1].shape = [1.5, 2]),
  "a length beyond numbers": (head) => (head.weights[0].shape = [2 ** 40, 2 ** 40]),
  "a shape that is none": (head) => (head.weights[0].shape = "4,5"),
  "a larger shape than its bytes": (head) => (head.weights[0].shape = [2 ** 30]),
  "an unknown dtype": (head) => (head.weights[1].dtype = "float64"),
  "a dtype of the language": (head) => (head.weights[1].dtype = "constructor"),
  "an unknown quantization": (head) => (head.weights[1].quantization = { dtype: "uint4" }),
  "an unknown codec": (head) => (head.weights[0].codec = "zip"),
  "an exact integer": (head) => (head.weights[1].codec = "exact"),
  "a reference to itself": (head) => (head.weights[2].same = 2),
  "a reference forward": (head) => (head.weights[2].same = 3),
  "a reference to nowhere": (head) => (head.weights[2].same = -1),
  "a reference to other lengths": (head) => (head.weights[2].same = 0),
  "a reference to a property": (head) => (head.weights[2].same = "length"),
  "strings without length": (head) => delete head.weights[3].bytes,
  "more strings than bytes": (head) => (head.weights[3].shape = [1e15]),
  "shards that are no list": (head) => (head.shards = 3),
  "a shard of an unknown stage": (head) => (head.shards.at(-1).stage = 2),
  "shards out of order": (head) => head.shards.reverse(),
  "a shard without hash": (head) => (head.shards[0].sha256 = "../../secret"),
  "a shard of negative length": (head) => (head.shards[0].bytes = -1),
  "segments that do not add up": (head) => head.shards[0].bytes++,
  "a weight out of range": (head) => (head.shards[0].segments[0][0] = 9),
  "a plane out of range": (head) => (head.shards[0].segments[0][1] = 4),
  "a plane of a weight without bytes": (head) => (head.shards[0].segments[0][0] = 2),
  "a plane that is a property": (head) => (head.shards[0].segments[0][1] = "length"),
  "a segment that is none": (head) => (head.shards[0].segments[0] = 5),
  "a gap": (head) => (head.shards[0].segments[0][2] = 1),
  "an overlap": (head) => (head.shards[1].segments[0][2] = 0),
  "a segment backwards": (head) => (head.shards[1].segments[0][3] = -1),
  "a missing shard": (head) => head.shards.pop(),
  "a refinement in the base": (head) => head.shards.forEach((shard) => (shard.stage = 0)),
  "a base in the refinement": (head) => head.shards.forEach((shard) => (shard.stage = 1)),
  "no JSON": (head) => (head.text = '{"format":1'),
  "JSON that is no object": (head) => (head.text = "null"),
};

for (const [what, edit] of Object.entries(broken)) {
  test(what, async () => {
    await assert.rejects(load(edit), (error) => {
      assert.equal(error.code, "manifest", error.stack);
      assert.match(error.url, /assets\/faces\.[0-9a-f]{16}\.json$/);
      return true;
    });
  });
}

test("the message names a newer format", async () => {
  await assert.rejects(load(broken["a newer format"]), { message: /format 2/ });
});
