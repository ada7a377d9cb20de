"""Models that begin with text: cut where the ids come out, with the words in the head, and equal in TensorFlow.js."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.convert.requests import ConvertRequest, ConvertResult, ReferenceRequest, SourceOptions
from builder.convert.side_files import read_texts, read_vocabulary
from builder.errors import UnsupportedOpsError
from builder.sources.detect import detect
from builder.sources.tfjs import read_model
from builder.transforms.canonical import canonicalise
from builder.verify.ids import ids_below
from builder.verify.inputs import seeded_inputs
from builder.verify.run import find_node_modules, verify_all
from builder.verify.types import Check, Gate
from builder.work.pool import ConversionPool
from tests.helpers import tiny

pytestmark = pytest.mark.slow
learned = ["", "", "the", "sat", "on", "mat", "foo", "dogs", "day", "cat", "baz", "bar", "a"]
colours = ["", "red", "green", "blue"]
# The vocabulary of each model that is built; None for one that takes no ids of words.
built: dict[str, dict[str, Any] | None] = {
    "int": {"text": {"words": learned, "unknown": 1}},
    "int.keras": {"text": {"words": learned, "unknown": 1}},
    "int2.keras": {"text": {"words": learned, "unknown": 1}},
    "saved2": {"text": {"words": learned, "unknown": 1}},
    "words": {"word": {"words": colours, "unknown": 0}},
    "one_hot": {"color": {"words": colours, "unknown": 0}},
    "old": {"words": {"words": ["", "red", "blue"], "unknown": 0}},
    "asset": {"words": {"words": ["red", "green", "blue"]}},
    "old_asset": {"words": {"words": ["red", "green", "blue"], "unknown": 0}},
    "unused": {"words": {"words": ["", "", "", "", "a", "b"], "unknown": 0}},
    "numbers": None,
    "numbers.keras": None,
    "hashed": None,
    "words_out": None,
    "categories": None,
}


told = {"int", "int.keras", "int2.keras", "saved2", "one_hot"}  # whose texts run takes; a colour is a text, too


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    program = Path(__file__).resolve().parents[1] / "helpers" / "text_models.py"
    subprocess.run([sys.executable, str(program), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def pool() -> Iterator[ConversionPool]:
    with ConversionPool(1) as pool:
        yield pool


def options(path: Path, **changes: Any) -> SourceOptions:
    return SourceOptions(path, detect(path), **changes)


def convert(pool: ConversionPool, source: SourceOptions, out: Path) -> ConvertResult:
    result: ConvertResult = pool.submit("convert", ConvertRequest(source, out), source.path.name).result()
    return result


def test_text_is_cut_at_its_ids_and_the_rest_is_equal(pool: ConversionPool, sources: Path, tmp_path: Path) -> None:
    checks = []
    for name, words in built.items():
        work = tmp_path / name
        source = options(sources / name)
        result = convert(pool, source, work)
        vocabulary = read_vocabulary(result.model_json)
        assert vocabulary == words, name
        assert bool(read_texts(result.model_json)) == (name in told), name
        assert bool(vocabulary) == any("handle.vocabulary" in note for note in result.notes), name
        model = replace(canonicalise(read_model(result.model_json)), vocabulary=vocabulary)
        inputs = seeded_inputs(model.inputs, ids_below=ids_below(model))
        np.savez(work / "inputs.npz", **inputs)
        pool.submit("reference", ReferenceRequest(source, work / "inputs.npz", work / "out.npz"), name).result()
        with np.load(work / "out.npz") as arrays:
            expected = dict(arrays)
        bundle = tiny.bundle(work / "bundle", {"model": model})
        assert bundle.models[0].content.vocabulary == words
        checks.append(Check("model", bundle.loader, [inputs], Gate(1e-4), references=[expected]))
    found = verify_all(checks, work=tmp_path, node_modules=find_node_modules())
    assert {name: result.problem for name, result in zip(built, found, strict=True)} == dict.fromkeys(built, "")


def test_every_way_to_split_text_is_cut(pool: ConversionPool, sources: Path, tmp_path: Path) -> None:
    usual = {"lower": True, "strip": True, "split": "whitespace"}
    texts = {
        "open": usual,
        "characters": {"lower": True, "strip": False, "split": "character", "length": 12},
        "pairs": usual | {"ngrams": [1, 2], "length": 8},
        "whole": {"lower": False, "strip": True, "split": "none", "length": 1},
    }
    for name, steps in texts.items():
        result = convert(pool, options(sources / name), tmp_path / name)
        model = read_model(result.model_json)
        assert [(spec.name, spec.dtype) for spec in model.inputs] == [("text", "int32")], name
        assert read_texts(result.model_json) == {"text": steps}
    result = convert(pool, options(sources / "two"), tmp_path / "two")
    vocabulary = read_vocabulary(result.model_json) or {}
    assert sorted(vocabulary) == ["body", "title"]
    assert sorted(vocabulary["body"]["words"]) == ["", "", "blue", "green", "red"]


def test_counts_of_words_are_refused_by_op_with_a_cut_that_builds(
    pool: ConversionPool, sources: Path, tmp_path: Path
) -> None:
    for name in ("count", "tf_idf", "tf_idf2"):
        with pytest.raises(UnsupportedOpsError, match="RaggedBincount") as caught:
            convert(pool, options(sources / name), tmp_path / name)
        assert "feed the counts" in str(caught.value)
        assert "cut = { inputs" in caught.value.hint
    cut = (caught.value.hint.split('"')[1],)
    result = convert(pool, options(sources / "tf_idf2", cut_inputs=cut), tmp_path / "counts")
    assert read_vocabulary(result.model_json)
