"""Models as training leaves them are built: what a page does not need is left out, and is no reason to refuse them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from builder.config.tables import load_config
from builder.convert.requests import ConvertRequest, ReferenceRequest, SourceOptions
from builder.errors import ConversionError, SourceError
from builder.pipeline.check import check_models
from builder.sources.detect import detect
from builder.sources.tfjs import read_model
from builder.work.pool import ConversionPool
from tests.helpers import pool_tasks

pytestmark = pytest.mark.slow
root = Path(__file__).resolve().parents[2]
rows = np.ones((2, 4), np.float32)
models = {
    "signatures": rows,
    "functions": rows,
    "graph": rows,
    "graph_resource": rows,
    "graph_of_files": rows,
    "keras2_saved": rows,
    "keras2_exported": rows,
    "keras3_exported": rows,
    "keras2_lookups": np.array([1, 2], np.int32),  # words are cut at their ids
    "custom_gradient": rows,
    "keras2_nested.h5": rows,
    "frozen_of_files.pb": rows,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    subprocess.run([sys.executable, "-m", "tests.helpers.training_models", str(folder)], cwd=root, check=True)
    return folder


@pytest.fixture(scope="module")
def pool() -> Iterator[ConversionPool]:
    with ConversionPool(1) as found:
        yield found


def options(path: Path, *, trust: bool = False) -> SourceOptions:
    kind = detect(path)
    return SourceOptions(path, kind, trust=trust, outputs=("y",) if kind == "frozen-graph" else ())


@pytest.mark.parametrize("name", models)
def test_models_of_training_are_built(trained: Path, pool: ConversionPool, tmp_path: Path, name: str) -> None:
    source = options(trained / name)
    made = pool.submit("convert", ConvertRequest(source, tmp_path / "out"), name).result()
    model = read_model(made.model_json)
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, **{spec.name: models[name] for spec in model.inputs})
    pool.submit("reference", ReferenceRequest(source, inputs, tmp_path / "outputs.npz"), name).result()
    with np.load(tmp_path / "outputs.npz") as outputs:
        assert sorted(outputs) == sorted(spec.name for spec in model.outputs)
        assert all(np.isfinite(array).all() and array.any() for array in outputs.values())


def test_check_finds_nothing_in_them(trained: Path) -> None:
    outputs = {"frozen_of_files.pb": 'outputs = ["y"]'}
    tables = [f'[models.m{number}]\nsource = "{name}"\n{outputs.get(name, "")}\n' for number, name in enumerate(models)]
    (trained / "build.toml").write_text("\n".join(tables))
    found = check_models(load_config(trained / "build.toml"))
    assert {name: item.problem for name, item in zip(models, found, strict=True)} == dict.fromkeys(models, "")


def test_a_worker_that_ran_a_trusted_model_is_not_used_again(trained: Path, tmp_path: Path) -> None:
    with ConversionPool(1, reads=pool_tasks.code) as alone:
        first = alone.submit(pool_tasks.process, None).result()
        plain = options(trained / "custom_gradient")
        alone.submit("convert", ConvertRequest(plain, tmp_path / "plain")).result()
        assert alone.submit(pool_tasks.process, None).result() == first
        trusted = options(trained / "custom_gradient", trust=True)
        alone.submit("convert", ConvertRequest(trusted, tmp_path / "trusted")).result()
        second = alone.submit(pool_tasks.process, None).result()
        assert second != first
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)
        missing = options(trained / "signatures", trust=True)
        with pytest.raises((SourceError, ConversionError)):
            alone.submit("convert", ConvertRequest(missing, tmp_path / "none" / "\0")).result()
        assert alone.submit(pool_tasks.process, None).result() != second
