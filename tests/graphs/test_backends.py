"""Models that TensorFlow.js' wasm backend got wrong answer rightly on both backends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from builder.graphs.wasm_rewrites import rewrite_for_wasm
from builder.sources.tfjs import read_model
from builder.transforms.canonical import canonicalise
from builder.verify.compare import Gate
from builder.verify.run import Check, find_node_modules, verify_all
from tests.helpers import tiny

pytestmark = pytest.mark.slow
program = Path(__file__).resolve().parents[1] / "helpers" / "backend_corpus.py"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backends")
    done = subprocess.run([sys.executable, str(program), str(folder)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def check_of(folder: Path, work: Path, *, rewrite: bool) -> Check:
    with np.load(folder / "inputs.npz") as inputs, np.load(folder / "outputs.npz") as outputs:
        fed, expected = dict(inputs), dict(outputs)
    model = canonicalise(read_model(folder / "model.json"))
    bundle = tiny.bundle(work / folder.name, {"model": rewrite_for_wasm(model) if rewrite else model})
    return Check("model", bundle.loader, [fed], Gate(1e-5), references=[expected])


def test_all_answer_as_tensorflow_on_both_backends(corpus: Path, tmp_path: Path) -> None:
    folders = sorted(folder for folder in corpus.iterdir() if folder.is_dir())
    assert len(folders) > 45
    found = verify_all(
        [check_of(folder, tmp_path, rewrite=True) for folder in folders],
        work=tmp_path,
        node_modules=find_node_modules(),
    )
    problems = {
        folder.name: (result.problem, result.wrong, result.runtime)
        for folder, result in zip(folders, found, strict=True)
        if result.problem or result.wrong or result.runtime != "tfjs 4.22.0 wasm, cpu"
    }
    assert problems == {}


def test_without_the_rewrites_the_build_finds_out(corpus: Path, tmp_path: Path) -> None:
    names = ("one-hot", "reverse-bool", "cast-float", "steps-int", "einsum-heads", "two-ways-gru")
    found = verify_all(
        [check_of(corpus / name, tmp_path, rewrite=False) for name in names],
        work=tmp_path,
        node_modules=find_node_modules(),
        timeout=20,
    )
    wrong = {name: dict(result.wrong) for name, result in zip(names, found, strict=True)}
    assert all(result.passed for result in found), [result.problem for result in found]
    assert all(set(one) == {"wasm"} for one in wrong.values()), wrong
    assert "the kernel Reverse writes outside of its memory" in wrong["reverse-bool"]["wasm"]
    assert "the kernel Reverse writes outside of its memory" in wrong["two-ways-gru"]["wasm"]
    assert "'Einsum' not registered" in wrong["einsum-heads"]["wasm"]
