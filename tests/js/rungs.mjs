// Rungs of a ladder for tests: models that answer with the sum of what they are fed, times their own number.
import { bytesOf, floats, makeModel } from "./bundle.mjs";

const node = (name, op, input = [], attr = {}) => ({ name, op, input, attr: { T: { type: "DT_FLOAT" }, ...attr } });
export const graph = (sides) => ({
  modelTopology: {
    node: [
      { name: "x", op: "Placeholder", attr: { dtype: { type: "DT_FLOAT" }, shape: { shape: { dim: [-1, sides].map((size) => ({ size: String(size) })) } } } },
      { name: "w", op: "Const", attr: { dtype: { type: "DT_FLOAT" } } },
      node("y", "MatMul", ["x", "w"], { transpose_a: { b: false }, transpose_b: { b: false } }),
    ],
    library: {},
    versions: { producer: 1, minConsumer: 1 },
  },
});

/** A rung; `extra` makes it large, `fit` goes into its entry of the index. */
export function rung(name, factor, { sides = 4, edit, extra = 0, fit } = {}) {
  const weights = [{ name: "w", shape: [sides, 2], dtype: "float32", codec: "exact", bytes: bytesOf(new Float32Array(2 * sides).fill(factor)) }];
  if (extra) weights.push({ name: "more", shape: [extra], dtype: "float32", codec: "exact", bytes: bytesOf(floats(extra)) });
  const made = makeModel(name, { artifacts: graph(sides), weights, edit });
  return fit ? withExtras(made, { fit }) : made;
}

/** Puts more into the last object of a model's entry of the index. */
export function withExtras(built, extras) {
  const { item } = built;
  const before = typeof item.at(-1) === "object" ? item.at(-1) : undefined;
  built.item = [...(before ? item.slice(0, -1) : item), { ...before, ...extras }];
  return built;
}

/** A ladder of some rungs; the last one has its name. */
export function ladderOf(built, { tensors = true } = {}) {
  const ladder = { rungs: built.slice(0, -1).map((one) => one.name), bytes: built[0].item[5], ...(tensors && { tensors }) };
  withExtras(built.at(-1), { ladder });
  return built;
}

/** A store that is full of some models already. */
export function storeOf(...built) {
  const kept = new Map(built.flatMap(({ files }) => [...files]).map(([path, bytes]) => [/([0-9a-f]{16})[.](?:json|bin)$/.exec(path)[1], new Uint8Array(bytes).buffer]));
  return { get: async (key) => kept.get(key), put: async (key, bytes) => void kept.set(key, bytes.slice().buffer), keys: async () => [...kept.keys()], delete: async (key) => kept.delete(key) };
}

/** Changes globals for a while. */
export async function withGlobals(values, action) {
  const before = Object.keys(values).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
  for (const [name, value] of Object.entries(values)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  try {
    return await action();
  } finally {
    for (const [name, own] of before) {
      if (own) Object.defineProperty(globalThis, name, own);
      else delete globalThis[name];
    }
  }
}
