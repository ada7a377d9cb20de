// What a page does with word vectors through the loader, without TensorFlow.js.   node words.mjs FOLDER FIRST ROWS
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [folder, first, rows] = process.argv.slice(2);
const { configure, models } = await import(pathToFileURL(join(folder, "loader.js")));
let asked = [];
let hold;
const kept = new Map();
const events = [];
configure({
  baseUrl: pathToFileURL(folder + "/").href,
  tf: () => assert.fail("TensorFlow.js was asked for"),
  worker: false,
  store: {
    get: async (key) => kept.get(key)?.slice().buffer,
    put: async (key, bytes) => kept.set(key, bytes.slice()),
    keys: async () => [...kept.keys()],
    delete: async (key) => kept.delete(key),
  },
  fetch: async (url) => {
    asked.push(String(url).split("/").at(-1));
    if (String(url).includes("-rest-")) await hold;
    return new Response(readFileSync(fileURLToPath(url)));
  },
  onEvent: ({ type, stage, code }) => events.push(stage ?? `${type} ${code}`),
});

// Whoever stops waiting gets an abort, and what was loaded goes on being of use.
const given = models.w.load();
given.cancel();
await assert.rejects(given.ready, { code: "abort" });

let open;
hold = new Promise((resolve) => (open = resolve));
const handle = models.w.load({ warmup: true });
const words = await handle.ready;
assert.equal(words.size, Number(first));
assert.equal(await handle.until("base"), words);
assert.equal(await models.w.status(), "partial");
const [some] = words.complete("", 1);
const few = await words.nearest(some, 3);
assert.ok(few[0].score >= few[1].score && few.every(({ word }) => words.has(word) && word !== some));
const other = models.w.load();
assert.equal(await other.ready, words);
open();
assert.equal(await handle.full, words);
assert.equal(words.size, Number(rows));
assert.equal(await models.w.status(), "cached");
assert.deepEqual(events.slice(-3), ["head", "base", "full"]);
assert.equal(new Set(asked).size, asked.length);
await assert.rejects(words.nearest(some, 3, { signal: AbortSignal.abort() }), { name: "AbortError" });
await assert.rejects(models.w.ioHandler().load(), { code: "contract" });
handle.dispose();
assert.equal(words.size, Number(rows));
other.dispose();
assert.equal(words.size, 0);

// All of it is kept: nothing is asked for again.
asked = [];
const again = await models.w.load().full;
assert.equal(again.size, Number(rows));
assert.deepEqual(asked, []);
console.log("done");
