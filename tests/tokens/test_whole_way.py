"""A build with a tokenizer: its vocabulary is a shard of the model, and ``run`` takes texts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.tiny import dimensions, node, write
from tests.helpers.token_cases import reference
from tests.tokens.test_tokens import trained

root = Path(__file__).resolve().parents[2]
width = 4


def text_model(folder: Path, rows: int, names: tuple[str, ...], length: int = -1) -> Path:
    """Write a graph model that gives the mean of the rows that ids and types stand for, over what is no filling."""
    shape = dimensions(-1, length)
    floats, whole = {"T": {"type": "DT_FLOAT"}}, {"type": "DT_INT32"}
    places = [node(name, "Placeholder", dtype=whole, shape={"shape": shape}) for name in names]
    nodes = [
        *places,
        node("table", "Const", dtype={"type": "DT_FLOAT"}, value={"tensor": {"dtype": "DT_FLOAT"}}),
        node("zero", "Const", dtype=whole, value={"tensor": {"dtype": "DT_INT32"}}),
        node("one", "Const", dtype=whole, value={"tensor": {"dtype": "DT_INT32"}}),
        node("rows", "GatherV2", names[0], "zero", Tindices=whole, Tparams={"type": "DT_FLOAT"}, Taxis=whole),
        node("mask", "Cast", names[1], SrcT=whole, DstT={"type": "DT_FLOAT"}),
        node("wide", "ExpandDims", "mask", "two", **floats, Tdim=whole),
        node("two", "Const", dtype=whole, value={"tensor": {"dtype": "DT_INT32"}}),
        node("kept", "Mul", "rows", "wide", **floats),
        node("Identity", "Sum", "kept", "one", **floats, Tidx=whole, keep_dims={"b": False}),
    ]
    nodes[len(names) + 3]["input"] = ["table", names[0], "zero"]
    content = {
        "format": "graph-model",
        "signature": {
            "inputs": {name: {"name": f"{name}:0", "dtype": "DT_INT32", "tensorShape": shape} for name in names},
            "outputs": {"sum": {"name": "Identity:0", "dtype": "DT_FLOAT", "tensorShape": dimensions(-1, width)}},
        },
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1882}},
    }
    table = np.random.Generator(np.random.PCG64(5)).normal(size=(rows, width)).astype(np.float32)
    scalars = {name: np.array(value, np.int32) for name, value in (("zero", 0), ("one", 1), ("two", 2))}
    return write(folder, content, {"table": table, **scalars})


def build(folder: Path, table: str = "", source: Path = Path("source/model.json")) -> subprocess.CompletedProcess[str]:
    (folder / "build.toml").write_text(f'[models.meaning]\nsource = "{source}"\n{table}\n')
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(root / "node_modules")
    command = [sys.executable, str(root / "build.py")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


page = """
import { readFile } from "node:fs/promises";
import * as tf from "@tensorflow/tfjs";
await tf.setBackend("cpu");
const fetchFile = async (url) => new Response(await readFile(new URL(url)));
const { configure, models } = await import(new URL("dist/cdn/loader.js", import.meta.url));
configure({ tf, fetch: fetchFile, baseUrl: new URL("dist/cdn/", import.meta.url).href });
const handle = models.meaning.load();
const model = await handle.full;
const seen = [];
const execute = model.execute;
model.execute = (fed, names) => {
  seen.push(Object.fromEntries(Object.entries(fed).map(([name, tensor]) => [name, tensor.arraySync()])));
  return execute.call(model, fed, names);
};
const given = JSON.parse(await readFile(new URL("given.json", import.meta.url), "utf8"));
const before = tf.memory().numTensors;
const answers = [];
for (const one of given) {
  try {
    const found = await handle.run(one);
    answers.push(found.array ? await found.array() : found);
    found.dispose?.();
  } catch (error) {
    answers.push(String(error));
  }
}
console.log(JSON.stringify({ seen, answers, left: tf.memory().numTensors - before }));
"""


def run(folder: Path, given: list[Any], name: str = "meaning") -> dict[str, Any]:
    (folder / "given.json").write_text(json.dumps(given))
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "page.mjs").write_text(page.replace("models.meaning", f"models.{name}"))
    done = subprocess.run(["node", "page.mjs"], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_texts_pairs_and_batches(tmp_path: Path) -> None:
    tokenizer = trained("bert_cased")
    text_model(tmp_path / "source", tokenizer.get_vocab_size(), ("input_ids", "attention_mask", "token_type_ids"))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    done = build(tmp_path, 'tokenizer = "tokenizer.json"')
    assert done.returncode == 0, done.stderr
    head = json.loads(next((tmp_path / "dist/cdn/assets").glob("meaning.*.json")).read_bytes())
    assert head["modules"] == ["answers", "tokens"]
    assert head["weights"][0]["dtype"] == "string"
    assert head["shards"][0]["segments"][0] == [0, 0]
    given = ["Hallo Welt", ["日本語", "", "x" * 999], {"text": "a", "pair": "b"}, [{"text": "ж", "pair": "я"}, "z"]]
    found = run(tmp_path, [*given, [], 7])
    batches: list[Any] = [["Hallo Welt"], given[1], [("a", "b")], [("ж", "я"), "z"]]
    for batch, seen, answer in zip(batches, found["seen"], found["answers"], strict=False):
        wanted = reference(tokenizer, batch)
        names = {"ids": "input_ids", "mask": "attention_mask", "types": "token_type_ids"}
        assert seen == {name: [one[key] for one in wanted] for key, name in names.items()}
        assert np.shape(answer) == (len(batch), width)
    assert len(found["seen"]) == 4
    assert "There is no text" in found["answers"][4]
    assert "pictures" in found["answers"][5] or "text" in found["answers"][5]
    assert found["left"] == 0


@pytest.mark.slow
def test_inputs_of_other_names_and_a_fixed_length(tmp_path: Path) -> None:
    tokenizer = trained("llama2")
    text_model(tmp_path / "source", tokenizer.get_vocab_size(), ("words", "seen"), length=12)
    tokenizer.save(str(tmp_path / "t.json"))
    refused = build(tmp_path, 'tokenizer = "t.json"')
    assert (refused.returncode, "SP-426" in refused.stderr) == (2, True), refused.stderr
    done = build(tmp_path, 'tokenizer = { file = "t.json", ids = "words", mask = "seen" }')
    assert done.returncode == 0, done.stderr
    found = run(tmp_path, ["kurz", "lang " * 40])
    assert [np.shape(one["words"]) for one in found["seen"]] == [(1, 12), (1, 12)]
    assert [sum(one["seen"][0]) for one in found["seen"]] == [len(tokenizer.encode("kurz").ids), 12]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "table", "code"),
    [
        (100, 'tokenizer = "t.json"', "SP-426"),
        (100, 'tokenizer = "no.json"', "SP-216"),
        (100, 'tokenizer = { file = "t.json", ids = "no" }', "SP-426"),
        (100, 'tokenizer = { file = "bad.json" }', "SP-422"),
    ],
)
def test_what_does_not_fit(rows: int, table: str, code: str, tmp_path: Path) -> None:
    text_model(tmp_path / "source", rows, ("input_ids", "attention_mask"))
    content = json.loads(trained("wordlevel").to_str())
    (tmp_path / "t.json").write_text(json.dumps(content))
    (tmp_path / "bad.json").write_text(json.dumps(content | {"normalizer": {"type": "Rot13"}}))
    done = build(tmp_path, table)
    assert done.returncode
    assert f"[{code}]" in done.stderr


@pytest.mark.slow
def test_the_users_texts_are_verified(tmp_path: Path) -> None:
    tokenizer = trained("bert")
    text_model(tmp_path / "source", tokenizer.get_vocab_size(), ("input_ids", "attention_mask"), length=20)
    tokenizer.save(str(tmp_path / "t.json"))
    (tmp_path / "a.txt").write_text(
        "Hallo Welt\r\n\n  日本語のテキスト\n" + "long " * 90 + "\n👍🏽 ½\n", encoding="utf-8"
    )
    table = 'tokenizer = "t.json"\nanswer = "vector"\nverify.inputs = "*.txt"\nverify.min_agreement = 1'
    done = build(tmp_path, table)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "dist/report.json").read_text())["models"]["meaning"]
    assert report["verification"]["passed"]
    assert report["verification"]["stages"][-1]["max_error"] == 0
    assert report["verification"]["answers"] == [4, 4]
    found = run(tmp_path, [["a", "b", "a"]])
    assert [set(answer) for answer in found["answers"][0]] == [{"values"}] * 3
    assert found["answers"][0][0] == found["answers"][0][2] != found["answers"][0][1]
    assert found["left"] == 0


@pytest.mark.slow
def test_other_ids_than_the_reference_fail_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = trained("bert")
    text_model(tmp_path / "source", tokenizer.get_vocab_size(), ("input_ids", "attention_mask"), length=20)
    tokenizer.save(str(tmp_path / "t.json"))
    (tmp_path / "a.txt").write_text("good\nthe answer\n", encoding="utf-8")
    (tmp_path / "sitecustomize.py").write_text(
        "import builder.answers.texts as t\nkept = t.texts_of\n"
        "t.texts_of = lambda *a: {**kept(*a), 'prefix': '@@'}\n"
        "import builder.answers.describe as d\nd.texts_of = t.texts_of\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{root}")
    done = build(tmp_path, 'tokenizer = "t.json"\nverify.inputs = "*.txt"')
    assert done.returncode == 1
    assert "run makes other ids of" in done.stderr
