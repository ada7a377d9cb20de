// The tables of states, as they are, and what a load and a handle do in each of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { go, handleStates, loadStates } from "../../templates/loader/states.js";
import { base, bytesOf, floats, makeGate, makeModel, openLoader, serve } from "./bundle.mjs";

const ends = (table) => [...new Set(Object.values(table).flat())].filter((state) => !table[state]);

/** All states that can be reached, each by one way. */
function ways(table) {
  const found = { waiting: ["waiting"] };
  for (const state of Object.keys(found)) follow(state);
  function follow(state) {
    for (const next of table[state] ?? []) {
      if (found[next]) continue;
      found[next] = [...found[state], next];
      follow(next);
    }
  }
  return found;
}

for (const [name, table, last] of [["load", loadStates, ["aborted", "failed", "full"]], ["handle", handleStates, ["disposed"]]]) {
  test(`each state of a ${name} is reached, each has an end behind it, and nothing follows an end`, () => {
    const reached = ways(table);
    assert.deepEqual(ends(table).sort(), last);
    assert.deepEqual(Object.keys(table).filter((state) => !reached[state]), []);
    for (const state of Object.keys(table)) assert.ok(table[state].length, state);
  });

  test(`a ${name} goes on only as its table says`, () => {
    const states = Object.keys(ways(table));
    for (const from of states) {
      for (const to of states) {
        const one = { state: from };
        const may = table[from]?.includes(to) ?? false;
        assert.equal(!!go(one, table, to), may, `${from} to ${to}`);
        assert.equal(one.state, may ? to : from);
      }
    }
  });
}

const values = floats(100);
const faces = (edit) => makeModel("faces", { edit, weights: [{ name: "w", shape: [100], dtype: "float32", bytes: bytesOf(values) }] });

/** A load of a model whose head, or whose shards, wait at a gate. */
async function held(what, edit) {
  const built = faces(edit);
  const { configure, models } = await openLoader(built);
  const gate = makeGate();
  const { fetch } = serve(built, (path) => (path.endsWith(what) ? gate.pass() : undefined));
  const events = [];
  const tensors = { version_core: "4.22.0", ready: async () => {}, loadGraphModel: async () => tensors.fail() };
  tensors.fail = () => assert.fail("no model");
  configure({ baseUrl: base, fetch, cache: "none", tf: tensors, onEvent: (event) => events.push(event) });
  return { models, gate, events };
}

test("a load that waits for its moment fetches nothing; nobody waits any more, so it is aborted and says so once", async () => {
  const { models, events } = await held(".json");
  const stop = new AbortController();
  stop.abort(new Error("enough"));
  const handle = models.faces.load({ signal: stop.signal });
  await assert.rejects(handle.ready, { code: "abort" });
  assert.equal(handle.progress.phase, "aborted");
  handle.promote();
  handle.cancel();
  handle.dispose();
  assert.deepEqual(events.map(({ type, code, ms }) => [type, code, ms]), [["failure", "abort", 0]]);
  assert.equal(handle.progress.phase, "aborted");
});

for (const [state, what] of [["head", ".json"], ["base", ".bin"]]) {
  test(`a load that is cancelled in ${state} is aborted, and what comes later changes nothing`, async () => {
    const { models, gate, events } = await held(what);
    const handle = models.faces.load();
    const other = models.faces.load();
    await gate.arrived;
    assert.equal(handle.progress.phase, state);
    handle.cancel();
    assert.equal(other.progress.phase, state, "somebody else still waits");
    other.dispose();
    gate.open();
    for (const one of [handle.ready, handle.full, handle.until("base"), other.full]) await assert.rejects(one, { code: "abort" });
    assert.equal(handle.progress.phase, "aborted");
    assert.deepEqual(events.filter(({ type }) => type === "failure").map(({ code }) => code), ["abort"]);
    assert.notEqual(models.faces.load().progress.phase, "aborted", "the next load begins anew");
  });
}

test("a load that fails tells all that wait, also those that ask for a stage afterwards", async () => {
  const { models, events } = await held("nothing", (head) => (head.format = 2));
  const handle = models.faces.load();
  const early = handle.until("base");
  for (const one of [early, handle.ready, handle.full]) await assert.rejects(one, { code: "manifest" });
  assert.equal(handle.progress.phase, "failed");
  await assert.rejects(handle.until("base"), { code: "manifest" });
  handle.dispose();
  assert.equal(handle.progress.phase, "failed");
  assert.deepEqual(events.map(({ type, code }) => [type, code]), [["failure", "manifest"]]);
});
