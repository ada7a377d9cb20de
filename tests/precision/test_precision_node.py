"""Precision measured in TensorFlow.js under Node: against NumPy, against TensorFlow, and in builds without it."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from builder.cli.main import main
from builder.errors import ConversionError
from builder.model import TensorSpec
from builder.precision import node_process
from builder.precision.network import plain_nodes
from builder.precision.node_process import NodeProcess, require_runtime
from builder.precision.node_runner import NodeRunner, held, measure_in_node
from builder.precision.runner import BatchRunner
from builder.precision.types import MeasureResult
from builder.sources.tfjs import read_model
from builder.verify.run import find_node_modules
from builder.work import pool as pool_module
from builder.work.pool import ConversionPool
from tests.helpers import pool_tasks, tiny

modules = find_node_modules(Path(__file__).parent)
Arrays = dict[str, NDArray[Any]]


class Rows(BatchRunner):
    """Gives ``x @ kernel`` and notes the groups that it is asked for."""

    def __init__(self, cases: Sequence[Arrays], *, mixing: bool = False, open_batch: bool = True) -> None:
        super().__init__(cases)
        self.kernel = np.arange(6, dtype=np.float32).reshape(3, 2)
        self.groups: list[list[int]] = []
        self._mixing, self._open = mixing, open_batch
        self.join_batches()
        self.groups.clear()

    def takes_batches(self) -> bool:
        return self._open

    def _joined(self, group: Sequence[int]) -> NDArray[Any]:
        self.groups.append(list(group))
        return np.concatenate([self.cases[case]["x"] for case in group])

    def group_outputs(self, group: Sequence[int], feeds: Arrays) -> Arrays:
        rows = self._joined(group)
        return {"y": (rows - rows.mean() if self._mixing else rows) @ feeds.get("kernel", self.kernel)}

    def group_means(self, group: Sequence[int], feeds: Arrays, results: Sequence[str]) -> Arrays:
        return {name: self._joined(group).mean(axis=0) for name in results}

    def group_spreads(
        self, group: Sequence[int], results: Sequence[str]
    ) -> Mapping[str, tuple[int, NDArray[np.float64], NDArray[np.float64]]]:
        rows = self._joined(group).astype(np.float64)
        mean = rows.mean(axis=0)
        return {name: (len(rows), mean, (rows - mean).T @ (rows - mean)) for name in results}


def rows_of(*counts: int) -> list[Arrays]:
    generator = np.random.default_rng(4)
    return [{"x": generator.normal(100.0, 1.0, (count, 3)).astype(np.float32)} for count in counts]


def test_cases_of_like_shapes_run_together_and_are_taken_apart_again() -> None:
    cases = rows_of(2, 2, 2, 5, 2)
    runner = Rows(cases)
    found = runner.outputs([0, 1, 2, 3, 4], {})
    assert runner.groups == [[0, 1, 2], [3], [4]]
    for case, answer in zip(cases, found, strict=True):
        assert np.allclose(answer["y"], case["x"] @ runner.kernel)


@pytest.mark.parametrize("changes", [{"mixing": True}, {"open_batch": False}])
def test_cases_run_alone_where_a_batch_would_answer_otherwise(changes: dict[str, bool]) -> None:
    runner = Rows(rows_of(2, 2, 2), **changes)
    runner.outputs([0, 1, 2], {})
    assert runner.groups == [[0], [1], [2]]


def test_a_batch_has_no_more_elements_than_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builder.precision.runner.most_together", 12)
    runner = Rows(rows_of(2, 2, 2, 2, 2))
    runner.outputs(range(5), {})
    assert runner.groups == [[0, 1], [2, 3], [4]]


def test_means_and_covariances_are_those_of_all_joined() -> None:
    cases = rows_of(2, 2, 2)
    everything = np.concatenate([case["x"] for case in cases]).astype(np.float64)
    for runner in (Rows(cases), Rows(cases, open_batch=False)):
        assert np.allclose(runner.means([0, 1, 2], {}, ["x"])[0], everything.mean(axis=0))
        assert np.allclose(runner.covariances([0, 1, 2], ["x"])[0], np.cov(everything.T, bias=True), atol=1e-9)
    uneven = rows_of(1, 5, 3)
    everything = np.concatenate([case["x"] for case in uneven]).astype(np.float64)
    assert np.allclose(Rows(uneven).covariances([0, 1, 2], ["x"])[0], np.cov(everything.T, bias=True), atol=1e-9)
    assert Rows(uneven).covariances([0, 1, 2], []) == []


def test_inputs_have_the_types_that_tensorflow_js_holds() -> None:
    spec = TensorSpec("x", "float32", (None, 3))
    assert held(np.ones((2, 3), np.int64), spec).dtype == np.float32
    assert held(None, spec).tolist() == [[0.0, 0.0, 0.0]]
    assert held(np.ones(2, np.float64), TensorSpec("x", "int32", (2,))).dtype == np.int32


def test_what_is_missing_is_named_with_the_way_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConversionError, match=r"TensorFlow\.js is not installed for Node") as failure:
        require_runtime(None)
    assert failure.value.code == "SP-414"
    assert "npm install @tensorflow/tfjs" in failure.value.hint
    (tmp_path / "@tensorflow" / "tfjs").mkdir(parents=True)
    with pytest.raises(ConversionError, match="wasm backend is not installed") as failure:
        require_runtime(tmp_path)
    assert "tfjs-backend-wasm" in failure.value.hint
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ConversionError, match="Node is not installed") as failure:
        require_runtime(modules)
    assert "Install Node" in failure.value.hint


@pytest.fixture
def process(tmp_path: Path) -> Iterator[NodeProcess]:
    (tmp_path / "scratch").mkdir()
    with NodeProcess(*require_runtime(modules), tmp_path / "scratch") as running:
        yield running


def runner_of(process: NodeProcess, path: Path, cases: Sequence[Arrays], tensors: Sequence[str] = ()) -> NodeRunner:
    model = read_model(path)
    return NodeRunner(process, model, plain_nodes(model.artifacts["modelTopology"]), list(cases), tensors)


def features(*counts: int) -> list[Arrays]:
    generator = np.random.default_rng(5)
    return [{"x": generator.normal(2.0, 1.0, (count, tiny.features)).astype(np.float32)} for count in counts]


@pytest.mark.slow
def test_node_answers_as_numpy_does(tmp_path: Path, process: NodeProcess) -> None:
    cases, tensors = features(3, 3, 3, 1), tiny.weights()
    runner = runner_of(process, tiny.graph_model(tmp_path / "model"), cases, ["product:0"])
    other = {"kernel": np.round(tensors["kernel"], 1), "bias": tensors["bias"] + 1}
    for feeds in ({}, other, {}, {"bias": other["bias"]}):
        values = tensors | feeds
        for case, answer in zip(cases, runner.outputs(range(4), feeds), strict=True):
            product = case["x"] @ values["kernel"]
            assert set(answer) == {"probs", "logits", "product:0"}
            assert np.allclose(answer["product:0"], product, atol=1e-4)
            assert np.allclose(answer["logits"], product + values["bias"], atol=1e-4)
            assert np.allclose(answer["probs"], tiny.softmax(case["x"], values), atol=1e-5)
    everything = np.concatenate([case["x"] for case in cases[:3]]).astype(np.float64)
    (mean,) = runner.means(range(3), other, ["sum"])
    assert np.allclose(mean, everything.mean(axis=0) @ other["kernel"] + other["bias"], atol=1e-4)
    spreads = runner.covariances(range(3), ["x", "product"])
    products = everything @ tensors["kernel"]
    for found, rows in zip(spreads, (everything, products), strict=True):
        assert np.allclose(found, np.cov(rows.T, bias=True), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_graph_with_a_loop_runs_too(tmp_path: Path, process: NodeProcess) -> None:
    cases = [{"x": np.full((1, 80), number, np.float32)} for number in (1, 2)]
    runner = runner_of(process, tiny.loop_model(tmp_path / "model"), cases)
    for case, answer in zip(cases, runner.outputs([0, 1], {"offset": np.ones(80, np.float32)}), strict=True):
        assert np.allclose(answer["y"], case["x"] * 32 + 1)


@pytest.mark.slow
def test_kernels_that_wasm_lacks_are_lent_by_cpu(tmp_path: Path, process: NodeProcess) -> None:
    path = tiny.graph_model(tmp_path / "model")
    content = json.loads(path.read_text())
    for node in content["modelTopology"]["node"]:
        if node["name"] == "product":
            node |= {"op": "Einsum", "attr": {"equation": {"s": "YWIsYmMtPmFj"}, "N": {"i": "2"}}}  # ab,bc->ac
    path.write_text(json.dumps(content))
    cases, other = features(3, 3), tiny.weights(8)
    for feeds in ({}, other):
        answers = runner_of(process, path, cases).outputs([0, 1], feeds)
        for case, answer in zip(cases, answers, strict=True):
            assert np.allclose(answer["probs"], tiny.softmax(case["x"], tiny.weights() | feeds), atol=1e-5)


@pytest.mark.slow
def test_what_tensorflow_js_cannot_run_is_told(tmp_path: Path, process: NodeProcess) -> None:
    path = tiny.graph_model(tmp_path / "model")
    path.write_text(path.read_text().replace('"Softmax"', '"Softmaxes"'))
    with pytest.raises(ConversionError, match=r"Softmaxes") as failure:
        runner_of(process, path, features(1)).outputs([0], {})
    assert failure.value.code == "SP-413"
    assert "balanced" in failure.value.hint
    # The process is still there for another graph.
    assert runner_of(process, tiny.graph_model(tmp_path / "other"), features(1)).outputs([0], {})


@pytest.mark.slow
def test_a_process_that_dies_or_is_silent_fails_the_measurement_and_is_ended(tmp_path: Path) -> None:
    path = tiny.graph_model(tmp_path / "model")
    (scratch := tmp_path / "scratch").mkdir()
    with NodeProcess(*require_runtime(modules), scratch) as running:
        runner = runner_of(running, path, features(1))
        runner.outputs([0], {})
        os.kill(running.pid, signal.SIGKILL)
        with pytest.raises(ConversionError, match="Node ended by signal 9") as failure:
            runner.outputs([0], {})
        assert failure.value.code == "SP-413"
    with NodeProcess(*require_runtime(modules), scratch, timeout=0.001) as running:
        with pytest.raises(ConversionError, match=r"no answer within 0\.001 seconds"):
            runner_of(running, path, features(1)).outputs([0], {})
        with pytest.raises(ProcessLookupError):
            os.kill(running.pid, 0)


@pytest.mark.slow
def test_a_process_ends_when_nobody_asks_any_more(tmp_path: Path) -> None:
    with NodeProcess(*require_runtime(modules), tmp_path) as running:
        pid = running.pid
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.slow
def test_a_process_has_no_more_memory_than_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_process, "most_memory", 64 << 20)
    (scratch := tmp_path / "scratch").mkdir()
    with NodeProcess(*require_runtime(modules), scratch) as running, pytest.raises(ConversionError, match="Node ended"):
        runner_of(running, tiny.graph_model(tmp_path / "model"), features(1)).outputs([0], {})


@pytest.mark.slow
def test_an_answer_that_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    (scratch := tmp_path / "scratch").mkdir()
    with NodeProcess(*require_runtime(modules), scratch) as running:
        (scratch / "answer.bin").symlink_to(tmp_path / "secret")
        with pytest.raises(ConversionError, match="Node"):
            runner_of(running, tiny.graph_model(tmp_path / "model"), features(1)).outputs([0], {})
    assert not (tmp_path / "secret").exists()


@pytest.mark.slow
def test_the_process_reads_nothing_but_its_own_files(tmp_path: Path, process: NodeProcess) -> None:
    secret = tiny.graph_model(tmp_path / "secret")
    with pytest.raises(ConversionError, match="EACCES"):
        process.ask({"ask": "load", "model": str(secret)})
    with pytest.raises(ConversionError, match="EACCES"):
        process.ask({"ask": "feed", "data": str(secret), "tensors": []})
    assert runner_of(process, secret, features(1)).outputs([0], {})


def total_bits(result: MeasureResult) -> float:
    return sum(layer.bits * layer.size for layer in result.layers)


@pytest.mark.slow
def test_tensorflow_and_node_measure_the_same(tmp_path: Path) -> None:
    with ConversionPool(1, reads=(*pool_tasks.code,)) as pool:
        folder = tmp_path / "work"
        folder.mkdir()
        expected = pool.submit(pool_tasks.measure_network, folder).result()
    (scratch := tmp_path / "scratch").mkdir()
    known = dict(np.load(folder / "statistics.npz"))
    with NodeProcess(*require_runtime(modules), scratch) as running:
        found = pool_tasks.statistics_of(folder, in_tensorflow=False, process=running)
    assert set(found) == set(known)
    assert {name.split()[0] for name in found} == {"plain", "coarse", "again", "mean", "spread"}
    for name, array in found.items():
        scale = float(np.abs(known[name]).max())
        assert np.abs(array - known[name]).max() <= 1e-4 * scale, name
    request = pool_tasks.measure_request(folder)
    result = measure_in_node(request, read_model(request.model_json), modules, scratch)
    assert {layer.weight for layer in result.layers} == {layer.weight for layer in expected.layers}
    assert len(result.layers) == 6
    assert result.met is expected.met is True
    assert abs(total_bits(result) / total_bits(expected) - 1) < 0.02
    for ours, theirs in zip(result.stages, expected.stages, strict=True):
        assert ours.agreement == theirs.agreement
        assert ours.distance == pytest.approx(theirs.distance, rel=0.1)


def write_onnx(path: Path) -> None:
    """Write a network of a convolution, a pointwise one and a product, [n, 3, 16, 16] → 10 classes."""
    import onnx
    from onnx import helper, numpy_helper

    generator = np.random.default_rng(7)
    shapes = {"a": (24, 3, 3, 3), "b": (64, 24, 1, 1), "c": (64, 10), "d": (24,), "e": (64,), "f": (10,)}
    weights = {
        name: generator.normal(size=shape) / np.sqrt(np.prod(shape[1:]) if len(shape) == 4 else shape[0])
        for name, shape in shapes.items()
    }
    nodes = [
        helper.make_node("Conv", ["x", "a", "d"], ["1"], strides=[2, 2]),
        helper.make_node("Relu", ["1"], ["2"]),
        helper.make_node("Conv", ["2", "b", "e"], ["3"]),
        helper.make_node("Relu", ["3"], ["4"]),
        helper.make_node("GlobalAveragePool", ["4"], ["5"]),
        helper.make_node("Flatten", ["5"], ["6"]),
        helper.make_node("Gemm", ["6", "c", "f"], ["7"]),
        helper.make_node("Softmax", ["7"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, 16, 16])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["small", "auto"])
def test_an_onnx_model_is_measured_and_verified_without_tensorflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], precision: str
) -> None:
    # Whatever a build asks TensorFlow for fails at once.
    monkeypatch.setattr(pool_module, "needed_packages", ("no_tensorflow_here",))
    write_onnx(tmp_path / "net.onnx")
    for number in range(8):
        picture = np.random.default_rng(number).normal(size=(2, 3, 16, 16)).astype(np.float32)
        np.savez(tmp_path / f"{number}.npz", x=picture)
    (tmp_path / "node_modules").symlink_to(modules or "")
    (tmp_path / "build.toml").write_text(
        f'[models.net]\nsource = "net.onnx"\nprecision = "{precision}"\n'
        '[models.net.verify]\ninputs = "*.npz"\nmin_agreement = 0.9\n'
    )
    status = main(["--config", str(tmp_path / "build.toml")])
    assert status == 0, capsys.readouterr().err
    report = json.loads((tmp_path / "dist" / "report.json").read_text())["models"]["net"]
    facts = report["precision"]
    assert facts["met"]
    assert {weight["size"] for weight in facts["weights"]} >= {24 * 27, 64 * 24}
    assert all(0 < weight["bits"] < 9 for weight in facts["weights"])
    assert [stage["agreement"] for stage in facts["stages"]][-1] == 1.0


def test_a_build_that_cannot_measure_says_so_before_it_converts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.onnx").write_bytes(b"\x08\x08")
    config = tmp_path / "build.toml"
    config.write_text('[models.net]\nsource = "net.onnx"\nprecision = "small"\n')
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert main(["--config", str(config)]) == 1
    said = capsys.readouterr().err
    assert "SP-414" in said
    assert "Install Node 20 or later" in said
    assert not list((tmp_path / ".shardpress" / "trees").glob("converted-*"))
