"""Word vectors against their float32 source: bytes, neighbours, analogies, time to answer.

    python bench/words.py [--questions FILE] [--fast]

It builds the examples ``words-en`` and ``words-zh`` (``make examples``) into a folder of its own; ``--fast`` compresses
less. ``--questions`` is a file of analogies as word2vec's ``questions-words.txt``, by itself that of gensim's package.
Questions are asked in lower case; those with a word that is not in the table are left out for both sides. The answers
of the page's own module, under Node, are compared on every twentieth question.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

root = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(root), str(root / "assets" / "recipes")]

from words_package import read_package  # noqa: E402

from builder.bundle.head import read_head, shard_urls  # noqa: E402
from builder.bundle.index import read_index  # noqa: E402
from builder.sources.word_vectors import read_vectors  # noqa: E402
from builder.words.answers import best_rows, unit_rows  # noqa: E402
from builder.words.decode import Decoded, decode_vectors  # noqa: E402

sources = {
    "words-en": ("vectors.npy", "words.txt"),
    "words-zh": ("vectors.bin", None),
}
member = "gensim/test/test_data/questions-words.txt"
digest = "8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36"
neighbours, asked = 10, 2000
every = 20

ask = """
import { readFileSync } from "node:fs";
const [module, head, queries, ...files] = process.argv.slice(2);
const { openVectors } = await import(module);
const content = JSON.parse(readFileSync(head));
const { model, add } = openVectors(content);
const took = {};
const time = async (name, action) => {
  const begun = performance.now();
  const answer = await action();
  (took[name] ??= []).push(performance.now() - begun);
  return answer;
};
const { analogies, words } = JSON.parse(readFileSync(queries));
for (const [i, file] of files.entries()) {
  const shard = content.shards[i];
  const segments = shard.segments.map(([weight, plane, from, to]) => ({ weight, plane, from, to }));
  const bytes = new Uint8Array(readFileSync(file));
  await time("take a block", () => add({ segments }, bytes));
  if (shard.stage === 0 && content.shards[i + 1]?.stage === 1) {
    for (const word of words) if (model.has(word)) await time("nearest in base", () => model.nearest(word, 10));
  }
}
for (const word of words) await time("nearest in all", () => model.nearest(word, 10));
for (const word of words) await time("complete", () => model.complete(word.slice(0, 2), 8));
const answers = [];
for (const [a, b, c] of analogies) answers.push((await model.analogy(a, b, c, 1))[0].word);
console.log(JSON.stringify({ answers, took }));
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=Path, help="a file of analogies")
    parser.add_argument("--fast", action="store_true", help="compress less")
    chosen = parser.parse_args()
    given = (
        chosen.questions.read_bytes() if chosen.questions else read_package("gensim", "4.4.0", {member: digest})[member]
    )
    with tempfile.TemporaryDirectory(prefix="shardpress-words-") as name:
        dist = Path(name) / "dist"
        only = [part for model in sources for part in ("--only", model)]
        fast = ["--fast"] if chosen.fast else []
        subprocess.run(
            [sys.executable, root / "build.py", "--quiet", *only, *fast, "--out", dist], cwd=root, check=True
        )
        manifest = json.loads((dist / "manifest.json").read_bytes())
        for model in sources:
            measure(model, dist / "cdn", manifest, analogies_of(given) if model == "words-en" else [])


def analogies_of(content: bytes) -> list[list[str]]:
    lines = content.decode().lower().splitlines()
    return [line.split() for line in lines if line and not line.startswith(":")]


def measure(name: str, cdn: Path, manifest: dict[str, Any], questions: list[list[str]]) -> None:
    file, vocabulary = sources[name]
    folder = root / "assets" / "models" / name
    batches = list(read_vectors(folder / file, folder / vocabulary if vocabulary else None))
    words = [word for batch in batches for word in batch.words]
    exact = np.concatenate([batch.rows for batch in batches])
    entry = manifest["models"][name]
    head = json.loads((cdn / entry["head"]["url"]).read_bytes())
    urls = shard_urls(name, read_head((cdn / entry["head"]["url"]).read_bytes()))
    found = decode_vectors(head, lambda number: (cdn / urls[number]).read_bytes())
    order = {word: row for row, word in enumerate(found.words)}
    found = Decoded(tuple(words), found.vectors[[order[word] for word in words]])
    first = sum(shard["stage"] == 0 for shard in head["shards"])
    print(f"\n{name}: {exact.shape[0]:,} x {exact.shape[1]}, {exact.nbytes:,} bytes of float32")
    sizes(cdn, manifest, entry, exact.nbytes)
    nearest(unit_rows(exact), unit_rows(found.vectors))
    picked = analogies(words, exact, found, questions) if questions else []
    node(cdn, entry["head"]["url"], urls, words, exact, picked)
    assert 0 < first < len(urls)


def sizes(cdn: Path, manifest: dict[str, Any], entry: dict[str, Any], whole: int) -> None:
    index = read_index((cdn / "loader.js").read_bytes())
    assert index.modules["vectors"] == manifest["modules"]["vectors"]["sha256"]
    code = sum(part["encodings"]["br"] for part in (manifest["loader"]["pinned"], manifest["modules"]["vectors"]))
    head = entry["head"]["encodings"].get("br", entry["head"]["bytes"])
    stages = {stage["name"]: stage["wire_bytes"] for stage in entry["stages"]}
    first = code + head + stages["base"]
    print(f"  first nearest  {first:>11,} bytes ({code:,} of it code)  {first / whole:6.2%} of float32; target 3 %")
    print(f"  all            {first + stages['rest']:>11,} bytes  {(first + stages['rest']) / whole:6.2%}")


def nearest(exact: Any, coarse: Any) -> None:
    rows = np.linspace(0, len(exact) - 1, asked).astype(int)
    without = [[row] for row in rows]
    one, _ = best_rows(exact, exact[rows], without, neighbours)
    other, _ = best_rows(coarse, coarse[rows], without, neighbours)
    same = np.mean([len(set(a) & set(b)) / neighbours for a, b in zip(one, other, strict=True)])
    print(f"  {asked} words: {np.mean(one[:, 0] == other[:, 0]):.1%} have the same nearest word, of the ten {same:.1%}")


def analogies(words: list[str], exact: Any, found: Decoded, questions: list[list[str]]) -> list[list[str]]:
    rows = {word: row for row, word in enumerate(words)}
    known = [question for question in questions if all(word in rows for word in question)]
    answers = [solve(unit_rows(table), rows, known) for table in (exact, found.vectors)]
    truth = np.array([rows[question[3]] for question in known])
    right = [float(np.mean(answer == truth)) for answer in answers]
    print(
        f"  {len(known):,} of {len(questions):,} analogies: float32 {right[0]:.2%}, int8 {right[1]:.2%} right", end=""
    )
    print(f" ({100 * (right[1] - right[0]):+.2f} points; target within 1)")
    return [[*question[:3], words[answer]] for question, answer in zip(known, answers[1], strict=True)][::every]


def solve(units: Any, rows: dict[str, int], questions: list[list[str]], size: int = 256) -> Any:
    found = []
    for start in range(0, len(questions), size):
        ids = np.array([[rows[word] for word in question[:3]] for question in questions[start : start + size]])
        targets = units[ids[:, 1]] - units[ids[:, 0]] + units[ids[:, 2]]
        found.append(best_rows(units, targets, ids.tolist(), 1)[0][:, 0])
    return np.concatenate(found)


def node(cdn: Path, head: str, urls: list[str], words: list[str], exact: Any, picked: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        script, module, queries = (Path(place) / file for file in ("ask.mjs", "vectors.mjs", "queries.json"))
        script.write_text(ask)
        module.write_bytes(next(cdn.glob("vectors.*.js")).read_bytes())
        sample = [words[row] for row in range(0, 4000, 100) if exact[row].any()]
        queries.write_text(json.dumps({"analogies": [question[:3] for question in picked], "words": sample}))
        command = ["node", script, module, cdn / head, queries, *(cdn / url for url in urls)]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if picked:
        same = np.mean([one == question[3] for one, question in zip(said["answers"], picked, strict=True)])
        print(f"  {len(picked)} of them asked of the page's module under Node: {same:.1%} the same as NumPy from int8")
    for what, times in said["took"].items():
        print(f"  {what:15} {np.median(times):7.2f} ms (median of {len(times)}, under Node)")


if __name__ == "__main__":
    main()
