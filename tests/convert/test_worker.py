"""Conversions in real workers: every source gives the same answers in TensorFlow.js as in TensorFlow, or an error."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.convert.requests import ConvertRequest, ConvertResult, ReferenceRequest, SourceOptions
from builder.errors import ShardpressError, SourceError, UnsafeModelError, UnsupportedOpsError
from builder.sources.detect import detect
from builder.sources.tfjs import read_model
from builder.transforms.canonical import canonicalise
from builder.verify.run import find_node_modules, verify_all
from builder.verify.types import Check, Gate
from builder.work.pool import ConversionPool
from tests.helpers import pool_tasks, tiny

pytestmark = pytest.mark.slow
random = np.random.Generator(np.random.PCG64(3))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    program = Path(__file__).resolve().parents[1] / "helpers" / "tf_models.py"
    subprocess.run([sys.executable, str(program), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def pool() -> Iterator[ConversionPool]:
    with ConversionPool(1, reads=pool_tasks.code) as pool:
        yield pool


def options(path: Path, **changes: Any) -> SourceOptions:
    return SourceOptions(path, detect(path), **changes)


def convert(pool: ConversionPool, source: SourceOptions, out: Path) -> ConvertResult:
    result: ConvertResult = pool.submit("convert", ConvertRequest(source, out), source.path.name).result()
    return result


def reference(pool: ConversionPool, source: SourceOptions, inputs: dict[str, Any], work: Path) -> dict[str, Any]:
    np.savez(work / "inputs.npz", **inputs)
    request = ReferenceRequest(source, work / "inputs.npz", work / "outputs.npz")
    pool.submit("reference", request, "model").result()
    with np.load(request.outputs) as arrays:
        return dict(arrays)


def normal(*shape: int) -> np.ndarray:
    return random.normal(size=shape).astype(np.float32)


x8, x64, steps, image = normal(3, 8), normal(2, 64), normal(2, 7, 12), normal(2, 16, 16, 3)
cases: dict[str, tuple[str, dict[str, Any], dict[str, np.ndarray]]] = {
    "default": ("two", {}, {"x": x8}),
    "pair": ("two", {"signature": "pair"}, {"a": x8, "b": x8[::-1].copy(), "unused": np.ones(2, np.int32)}),
    "one-output": ("two", {"outputs": ("logits",)}, {"x": x8}),
    "no-variables": ("constant", {}, {"x": normal(2, 3)}),
    "words": ("words", {}, {"words": np.array(["b", "?", "a"])}),
    "loop": ("loop", {}, {"x": x64}),
    "odd-path": ("spaces [1] * ? é 模型", {}, {"x": -x64}),
    "tensorflow-1": ("old", {"signature": "predict", "tags": ("serve", "cpu")}, {"images": normal(2, 4)}),
    "frozen": ("one.pb", {}, {"x": normal(2, 4)}),
    "frozen-outputs": ("several.pb", {"outputs": ("first", "second")}, {"x": normal(2, 4)}),
    "large": ("large.pb", {}, {"x": normal(1, 1024)}),
    "frozen-loop": ("loop.pb", {}, {"x": x64}),
    "keras2-saved": ("keras2_saved", {}, {"image": image}),
    "keras2-capturing": ("keras2_capturing", {}, {"image": normal(2, 8, 8, 3)}),
    "keras2-h5": ("keras2.h5", {}, {"image": image}),
    "keras2-zip": ("keras2.keras", {}, {"image": image}),
    "keras3-h5": ("keras3.h5", {}, {"image": image}),
    "keras3-zip": ("keras3.keras", {}, {"image": image}),
    "old-names": ("duplicated.hdf5", {}, {"image": image}),
    "lstm2": ("lstm2.keras", {}, {"steps": steps}),
    "gru2": ("gru2.keras", {}, {"steps": steps}),
    "lstm3": ("lstm3.keras", {}, {"steps": steps}),
    "gru3": ("gru3.keras", {}, {"steps": steps}),
    "trusted-h5": ("lambda2.h5", {"trust": True}, {"twice": normal(2, 4)}),
    "trusted-zip": ("lambda3.keras", {"trust": True}, {"twice": normal(2, 4)}),
}


def test_a_saved_model_loses_the_functions_that_its_signature_does_not_need(
    pool: ConversionPool, sources: Path
) -> None:
    for name in ("keras2_saved", "keras2_capturing", "two"):
        before, after = pool.submit(pool_tasks.slimmed, sources / name).result()
        assert after < before / 2, name


def test_all_kinds_answer_in_tensorflow_js_as_in_tensorflow(
    pool: ConversionPool, sources: Path, tmp_path: Path
) -> None:
    checks = []
    for name, (file, changes, inputs) in cases.items():
        work = tmp_path / name
        source = options(sources / file, **changes)
        model = canonicalise(read_model(convert(pool, source, work / "out").model_json))
        fed = (
            dict(zip([spec.name for spec in model.inputs], inputs.values(), strict=True))
            if "lambda" in name
            else inputs
        )
        assert sorted(spec.name for spec in model.inputs) == sorted(fed)
        expected = reference(pool, source, fed, work)
        assert sorted(spec.name for spec in model.outputs) == sorted(expected)
        bundle = tiny.bundle(work / "bundle", {"model": model})
        checks.append(Check("model", bundle.loader, [inputs], Gate(1e-4), references=[expected]))
    found = verify_all(checks, work=tmp_path, node_modules=find_node_modules())
    assert {name: result.problem for name, result in zip(cases, found, strict=True)} == dict.fromkeys(cases, "")
    assert all(result.passed for result in found)


@pytest.mark.parametrize(
    ("file", "changes", "kind", "words"),
    [
        ("two", {"signature": "nope"}, SourceError, ["'nope'", "pair", "serving_default"]),
        ("two", {"tags": ("gpu",)}, SourceError, ["['gpu']", "['serve']"]),
        ("two", {"outputs": ("nope",)}, SourceError, ["'nope'", "logits", "scores"]),
        ("two", {"signature": "picture"}, UnsupportedOpsError, ["DecodeJpeg at '", "AsString"]),
        ("two", {"signature": "reads"}, UnsafeModelError, ["ReadFile", "reads files"]),
        ("hostile_writes", {}, UnsafeModelError, ["WriteFile", "writes files"]),
        ("hostile_loads", {}, UnsafeModelError, ["WriteFile", "_initializer_"]),
        ("hostile_calls", {}, UnsafeModelError, ["EagerPyFunc", "runs Python"]),
        ("hostile_prints", {}, UnsafeModelError, ["PrintV2", "writes files"]),
        ("several.pb", {}, SourceError, ["2 nodes", "first", "second"]),
        ("several.pb", {"outputs": ("third",)}, SourceError, ["'third'", "first"]),
        ("unfrozen.pb", {"outputs": ("Add",)}, SourceError, ["not frozen", "'v'"]),
        ("keras2.weights.h5", {}, SourceError, ["weights only", "model.save"]),
        ("keras3.weights.h5", {}, SourceError, ["weights only", "model.save"]),
        ("lambda2.h5", {}, UnsafeModelError, ["Lambda", "trust"]),
        ("lambda2.keras", {}, UnsafeModelError, ["Lambda", "trust"]),
        ("lambda3.h5", {}, UnsafeModelError, ["Lambda", "trust"]),
        ("lambda3.keras", {}, UnsafeModelError, ["Lambda", "trust"]),
        ("external.h5", {}, UnsafeModelError, ["another file"]),
        ("custom.keras", {}, SourceError, ["'Halve'", "export"]),
        ("truncated.h5", {}, SourceError, ["truncated"]),
        ("truncated.keras", {}, SourceError, ["truncated"]),
        ("slip.keras", {}, UnsafeModelError, ["outside"]),
    ],
)
def test_what_cannot_be_built_says_why_and_runs_nothing(
    pool: ConversionPool,
    sources: Path,
    tmp_path: Path,
    file: str,
    changes: dict[str, Any],
    kind: type[ShardpressError],
    words: list[str],
) -> None:
    with pytest.raises(ShardpressError) as caught:
        convert(pool, options(sources / file, **changes), tmp_path / "out")
    assert type(caught.value) is kind
    assert str(sources / file) in caught.value.where
    assert [word for word in words if word not in str(caught.value)] == []
    assert caught.value.hint
    assert not (sources / "canary.txt").exists()
    assert not (tmp_path / "out").exists()


def test_a_saved_model_without_its_variables_is_named(pool: ConversionPool, sources: Path, tmp_path: Path) -> None:
    folder = tmp_path / "part"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes((sources / "two" / "saved_model.pb").read_bytes())
    with pytest.raises(SourceError, match=r"variables\.index.*Copy the whole"):
        convert(pool, options(folder), tmp_path / "out")


def test_optimiser_state_stays_behind_and_is_noted(pool: ConversionPool, sources: Path, tmp_path: Path) -> None:
    for file in ("keras2.h5", "keras3.h5", "keras3.keras"):
        result = convert(pool, options(sources / file), tmp_path / file)
        assert any("optimiser" in note for note in result.notes)
        weights = read_model(result.model_json).weights
        assert sum(weight.data.nbytes for weight in weights) < 2000


def test_recurrent_weights_are_shipped_once(pool: ConversionPool, sources: Path, tmp_path: Path) -> None:
    """Three cells of 24 units (12 or 48 inputs) and a dense layer hold about 14,000 numbers."""
    for file in ("lstm2.keras", "lstm3.keras"):
        weights = read_model(convert(pool, options(sources / file), tmp_path / file).model_json).weights
        assert sum(weight.data.nbytes for weight in weights) == pytest.approx(4 * 14_200, rel=0.01)


def test_a_long_lived_worker_gives_the_same_bytes_as_a_fresh_one(
    pool: ConversionPool, sources: Path, tmp_path: Path
) -> None:
    def content(used: ConversionPool, file: str, out: Path) -> tuple[Any, list[tuple[str, bytes]]]:
        model = canonicalise(read_model(convert(used, options(sources / file), out).model_json))
        weights = [(weight.name, weight.data.read(0, weight.data.nbytes)) for weight in model.weights]
        return model.artifacts, weights

    with ConversionPool(1, reads=pool_tasks.code) as fresh:
        for file in ("loop", "lstm2.keras", "lstm3.keras", "words", "two", "keras2.h5"):
            assert content(pool, file, tmp_path / "a" / file) == content(fresh, file, tmp_path / "b" / file), file


def test_versions_name_what_took_part(pool: ConversionPool) -> None:
    assert set(pool.submit("versions", None).result()) == {"tensorflow", "tensorflowjs", "keras", "tf_keras"}
    assert "tensorflow" not in sys.modules


def test_collections_of_a_conversion_leave_the_modules_of_tensorflow_alone(pool: ConversionPool) -> None:
    assert pool.submit(pool_tasks.kept_from_collections, None).result() > 200_000  # else 0


def test_covariances_of_inputs_with_large_means_are_right(tmp_path: Path, pool: ConversionPool) -> None:
    tiny.graph_model(tmp_path)
    rows = (1e4 + normal(7, 5, tiny.features) * np.arange(1, tiny.features + 1)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    found = pool.submit(pool_tasks.covariances, tmp_path, "covariances").result()
    wanted = np.cov(rows.reshape(-1, tiny.features).astype(np.float64).T, bias=True)
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()
