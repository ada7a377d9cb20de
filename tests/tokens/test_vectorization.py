"""Keras' TextVectorization: pages and the reference make the ids that the layer makes, and builds prove it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from builder.bundle.render import render_module
from builder.tokens.vectorization import TextSteps, ids_of
from tests.helpers.rungs import ladder_of
from tests.helpers.tellers import write_text_classifier
from tests.helpers.vectorized import layers, lines
from tests.tokens.test_whole_way import build, root, run

pytestmark = pytest.mark.slow
texts = [
    *lines,
    "",
    " \t\n\v\f\r ",
    "a\u00a0cat\u2003on\u3000the\u0085mat\x1csat\x00x\x7f",
    "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'",
    "The CAT, the (mat)! dog's",
    "ÀÉ ẞ İstanbul ΑΣ ПРИВЕТ",
    "👩🏽‍🚀 e\u0301 ﬁ ½ \ufeff \ufffd",
    "متى يصل الطرد؟ \u202eabc\u202c",
    "今天 天气 真 好，今天天气真好",
    "the cat " * 130_000,
]
runner = """
import { readFile, writeFile } from "node:fs/promises";
const [module, job, out] = process.argv.slice(2);
const { idsOf } = await import(module);
const { texts, layers } = JSON.parse(await readFile(job, "utf8"));
const found = {};
for (const [name, { steps, vocabulary }] of Object.entries(layers)) {
  found[name] = texts.map((text) => idsOf([text], steps, vocabulary)[0]);
}
await writeFile(out, JSON.stringify(found));
"""


def steps_of(options: dict[str, Any]) -> TextSteps:
    """What the layer's settings are called in a head."""
    standardize = options.get("standardize", "lower_and_strip_punctuation") or ""
    widths = options.get("ngrams")
    return TextSteps(
        lower="lower" in standardize,
        strip="strip" in standardize,
        split=options.get("split", "whitespace") or "none",
        **({"ngrams": list(range(1, widths + 1)) if isinstance(widths, int) else list(widths)} if widths else {}),
        **({"length": options["output_sequence_length"]} if "output_sequence_length" in options else {}),
    )


climb = """
import { readFile } from "node:fs/promises";
import * as tf from "@tensorflow/tfjs";
await tf.setBackend("cpu");
let open;
const answered = new Promise((resolve) => (open = resolve));
const fetchFile = async (url) => {
  if (/(what|mixed)-(base|refine)-.*bin$/.test(url)) await answered;
  return new Response(await readFile(new URL(url)));
};
const { configure, models } = await import(new URL("dist/cdn/loader.js", import.meta.url));
configure({ tf, fetch: fetchFile, cache: "none", baseUrl: new URL("dist/cdn/", import.meta.url).href });
const texts = ["The cat", "a dog's day", "red green"];
const found = {};
const handles = ["what", "mixed"].map((name) => [name, models[name].load()]);
for (const [name, handle] of handles) {
  const low = await handle.run(texts);
  found[name] = [Object.keys(handle.vocabulary), low];
}
open();
for (const [name, handle] of handles) {
  await handle.full;
  const [words, low] = found[name];
  const high = await handle.run(texts);
  const single = await handle.run(texts[1]);
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  found[name] = [words, Object.keys(handle.vocabulary ?? {}), !same(low, high), same(high[1], single)];
  handle.dispose();
}
console.log(JSON.stringify(found));
"""


def climbed(folder: Path) -> Any:
    """Say of each ladder the words of its rungs, whether these answer differently, and alone as in a list."""
    (folder / "climb.mjs").write_text(climb)
    done = subprocess.run(["node", "climb.mjs"], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectorized")
    (folder / "texts.json").write_text(json.dumps(texts))
    program = root / "tests" / "helpers" / "vectorized.py"
    done = subprocess.run([sys.executable, str(program), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_page_and_the_reference_make_the_layers_ids(made: Path, tmp_path: Path) -> None:
    kept = json.loads((made / "ids.json").read_text())
    (tmp_path / "module.mjs").write_bytes(render_module("vectorization"))
    (tmp_path / "run.mjs").write_text(runner)
    job = {}
    for name, options in layers.items():
        # As the graph has it: the layer's own "" and [UNK] are no words.
        words = ["", "", *kept[name]["words"][2:]]
        job[name] = {"steps": steps_of(options), "vocabulary": {"words": words, "unknown": 1}}
        for text, wanted in zip(texts, kept[name]["ids"], strict=True):
            assert ids_of([text], job[name]["steps"], words, 1) == [wanted], (name, text[:40])
    (tmp_path / "job.json").write_text(json.dumps({"texts": texts, "layers": job}))
    command = ["node", "run.mjs", "./module.mjs", "job.json", "out.json"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    found = json.loads((tmp_path / "out.json").read_text())
    for name in layers:
        for text, wanted, got in zip(texts, kept[name]["ids"], found[name], strict=True):
            assert got == wanted, (name, text[:40])


def test_run_takes_texts_and_the_build_counts_them(made: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The CAT sat!\n今天 天气\n👍🏽 a dog's\n", encoding="utf-8")
    others = "".join(f'\n[models.{name}]\nsource = "{made / name}"' for name in ("pair", "own"))
    table = 'answer = "classes"\nverify.inputs = "*.txt"\nverify.min_agreement = 1'
    write_text_classifier(tmp_path / "ids", hidden=3000)
    first, last = (f'source = "{made / name}"' for name in ("model", "large"))
    others += "\n" + ladder_of(first, last, more=table)
    third = 'source = "ids/model.json", tokenizer = "ids/tokenizer.json"'
    others += ladder_of(first, third, more='answer = "classes"').replace("models.what", "models.mixed")
    done = build(tmp_path, table + others, made / "model")
    assert done.returncode == 0, done.stderr
    assert "run makes them of text as the model did" in done.stderr
    assert "pattern of its own" in done.stderr
    report = json.loads((tmp_path / "dist/report.json").read_text())["models"]
    assert report["meaning"]["verification"]["answers"] == [3, 3]
    manifest = json.loads((tmp_path / "dist/manifest.json").read_text())["models"]
    assert [manifest[name]["ladder"]["tensors"] for name in ("what", "mixed")] == [False, False]
    assert manifest["what"]["contract"] == manifest["mixed"]["contract"], "to a page both are a text, and its classes"
    assert 0 <= manifest["what"]["ladder"]["agreement"][0] <= 1
    assert manifest["mixed"]["ladder"]["agreement"] == [None], "nobody named texts for it"
    heads = {}
    for name in report:
        (path,) = (tmp_path / "dist/cdn/assets").glob(f"{name}.*.json")
        heads[name] = json.loads(path.read_bytes())
    assert heads["meaning"]["modules"] == ["answers", "vectorization", "classes"]
    assert "tokenizer" not in heads["own"]
    assert heads["own"]["vocabulary"]["text"]["words"]
    words, steps = heads["meaning"]["vocabulary"]["text"], heads["meaning"]["tokenizer"]["texts"]["text"]
    found = run(tmp_path, ["the cat", ["a", "b \ud800"], {"text": "the cat"}, [], 7, {"text": 7}])
    wanted = [ids_of([text], steps, **words) for text in ("the cat", "a", "b \ufffd", "the cat")]
    assert [one["text"] for one in found["seen"]] == wanted
    assert found["answers"][0] == found["answers"][2]
    assert [len(answer) for answer in (found["answers"][1], found["answers"][3])] == [2, 0]
    assert [type(answer) for answer in found["answers"][4:]] == [str, str]
    assert found["left"] == 0
    found = run(tmp_path, [{"title": "the cat", "body": "cat"}, [{"title": "a", "body": "b"}] * 2, "a", []], "pair")
    assert [sorted(one) for one in found["seen"]] == [["body", "title"]] * 2
    assert [len(answer) for answer in found["answers"][:2]] == [1, 2]
    assert ["2 texts" in found["answers"][2], "no text" in found["answers"][3]] == [True, True]
    assert found["left"] == 0
    assert climbed(tmp_path) == {
        "what": [["text"], ["line"], True, True],
        "mixed": [["text"], [], True, True],
    }
