"""Quantised models: codes stay codes in the bundle, and graphs multiply no weights by scales."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnx.helper import make_node, make_tensor
from onnx.reference import ReferenceEvaluator

from builder.codecs.multiples import multiples
from builder.errors import UnsupportedOpsError
from builder.lowering.artefact import write_graph
from builder.lowering.codes import Codes, unsigned
from builder.model import Grid
from builder.onnx.steps import largest_step
from builder.sources.tfjs import read_model
from tests.helpers.numpy_graphs import run_graph, run_model
from tests.helpers.onnx_cases import check, lower, model, ops_of

rng = np.random.default_rng(5)
narrow = {
    TensorProto.INT4: (-8, 7),
    TensorProto.UINT4: (0, 15),
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT8: (0, 255),
    TensorProto.INT16: (-32768, 32767),
    TensorProto.UINT16: (0, 65535),
}


def tensor(name: str, kind: int, array: Any) -> Any:
    """Give a constant of a type that NumPy lacks, too."""
    return make_tensor(name, kind, array.shape, array.ravel().tolist())


def codes_of(kind: int, *shape: int) -> Any:
    """Give random codes, from the least to the largest."""
    low, high = narrow[kind]
    found = rng.integers(low, high, shape, endpoint=True)
    found.flat[0], found.flat[-1] = low, high
    return found


@pytest.mark.parametrize("kind", narrow)
@pytest.mark.parametrize("form", ["tensor", "axis", "axis without zeros", "blocks"])
def test_weights_stay_codes(kind: int, form: str) -> None:
    """A weight is stored as its codes, a byte or two each, or as multiples of a step for each channel."""
    codes = codes_of(kind, 64, 96)
    shape = {"tensor": (), "blocks": (2, 96)}.get(form, (96,))
    scale = rng.uniform(0.01, 0.1, shape).astype(np.float32)
    weights = {"codes": tensor("codes", kind, codes), "scale": scale}
    zero = np.zeros(shape, np.int64)
    if form != "axis without zeros":
        zero = np.asarray(codes_of(kind, 2, 96).ravel()[: scale.size]).reshape(shape)
        weights["zero"] = tensor("zero", kind, zero)
    attributes = {"axis": 0, "block_size": 32} if form == "blocks" else {"axis": 1}
    nodes = [
        make_node("DequantizeLinear", ["codes", "scale", "zero"][: len(weights)], ["w"], **attributes),
        make_node("MatMul", ["x", "w"], ["y"]),
    ]
    x = rng.normal(size=(2, 64)).astype(np.float32)
    graph = check(nodes, {"x": x}, weights, opset=21)
    stored = next(name for name, array in graph.weights.items() if array.size == codes.size)
    if form.startswith("axis") and np.abs(codes - zero + 0.5).max() < 128:
        np.testing.assert_array_equal(graph.weights[stored], (codes - zero).astype(np.float32) * scale)
        np.testing.assert_array_equal(graph.steps[stored], [scale])
        assert ops_of(graph) == ["MatMul"]
        return
    assert graph.weights[stored].dtype == (np.uint16 if narrow[kind][1] > 255 else np.uint8)
    assert all(array.nbytes <= 2 * 96 * 4 for name, array in graph.weights.items() if name != stored)


@pytest.mark.parametrize("axis", [0, 1])
def test_graphs_multiply_no_weights(axis: int) -> None:
    """Whatever reads a weight with a scale for each channel reads its values; what is added and activated is fused."""
    weights = {
        "codes": codes_of(TensorProto.INT8, 50, 8).astype(np.int8),
        "scale": rng.uniform(1, 2, (50, 8)[axis]).astype(np.float32),
        "bias": rng.normal(size=8).astype(np.float32),
    }
    nodes = [make_node("DequantizeLinear", ["codes", "scale"], ["w"], axis=axis)]
    taken = check([*nodes, make_node("Gather", ["w", "ids"], ["y"])], {"ids": np.array([[3, -1], [0, 7]])}, weights)
    assert "Mul" not in ops_of(taken)
    product = [*nodes, make_node("Gemm", ["x", "w", "bias"], ["y"])]
    graph = check(product, {"x": rng.normal(size=(2, 50)).astype(np.float32)}, weights)
    assert ops_of(graph) == ["MatMul", "BiasAdd"]


@pytest.mark.parametrize("group", [1, 8])
def test_kernels_keep_a_scale_for_each_output(tmp_path: Path, group: int) -> None:
    """The manifest gives the steps of a kernel that was moved to have its channels last."""
    codes = codes_of(TensorProto.INT8, 8, 8 // group, 3, 3).astype(np.int8)
    scale = rng.uniform(0.1, 0.2, 8).astype(np.float32)
    nodes = [
        make_node("DequantizeLinear", ["codes", "scale"], ["w"], axis=0),
        make_node("Conv", ["x", "w"], ["c"], group=group),
        make_node("Add", ["c", "bias"], ["y"]),
    ]
    weights = {"codes": codes, "scale": scale, "bias": rng.normal(size=(8, 1, 1)).astype(np.float32)}
    check(nodes, {"x": rng.normal(size=(1, 8, 5, 5)).astype(np.float32)}, weights)
    path = write_graph(*lower(model(nodes, {"x": (np.float32, [1, 8, 5, 5])}, ["y"], weights)), tmp_path, "test")
    read = read_model(path)
    (weight,) = [weight for weight in read.weights if weight.grid]
    assert weight.grid == Grid(tuple(scale.tolist()), 1)
    codec = multiples(weight)
    assert codec is not None
    moved = codes.transpose(2, 3, 0, 1) if group == 8 else codes.transpose(2, 3, 1, 0)
    assert next(iter(codec.planes(weight))).read(0, weight.size) == moved.tobytes()
    assert {node["op"] for node in read.artifacts["modelTopology"]["node"]} >= {
        "FusedDepthwiseConv2dNative" if group == 8 else "_FusedConv2D"
    }


@pytest.mark.parametrize("axis", [0, 1])
def test_steps_follow_turned_rows(tmp_path: Path, axis: int) -> None:
    """Rows that are put into a picture's order take their steps along."""
    weights = {
        "kernel": rng.normal(size=(3, 2, 1, 1)).astype(np.float32),
        "codes": codes_of(TensorProto.INT8, 60, 7).astype(np.int8),
        "scale": rng.uniform(0.1, 0.2, (60, 7)[axis]).astype(np.float32),
    }
    nodes = [
        make_node("Conv", ["x", "kernel"], ["c"]),
        make_node("Flatten", ["c"], ["f"]),
        make_node("DequantizeLinear", ["codes", "scale"], ["w"], axis=axis),
        make_node("MatMul", ["f", "w"], ["y"]),
    ]
    made = model(nodes, {"x": (np.float32, [1, 2, 4, 5])}, ["y"], weights)
    path = write_graph(*lower(made), tmp_path, "test")
    feeds = {"x": rng.normal(size=(1, 2, 4, 5)).astype(np.float32)}
    with np.errstate(all="ignore"):
        (wanted,) = ReferenceEvaluator(made).run(None, feeds)
    (got,) = run_model(path, {"x": feeds["x"]}).values()
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    (weight,) = [weight for weight in read_model(path).weights if weight.grid]
    codec = multiples(weight)
    assert codec is not None
    stored = np.frombuffer(next(iter(codec.planes(weight))).read(0, 420), np.int8)
    assert sorted(stored.tolist()) == sorted(weights["codes"].ravel().tolist())
    assert stored.tolist() != weights["codes"].ravel().tolist()


def test_shared_codes_are_stored_once() -> None:
    """A table that is read by rows and multiplied with too is in the files once."""
    codes = codes_of(TensorProto.INT8, 50, 8).astype(np.int8)
    nodes = [
        make_node("DequantizeLinear", ["codes", "scale"], ["table"], axis=1),
        make_node("Gather", ["table", "ids"], ["rows"]),
        make_node("MatMul", ["x", "table"], ["product"]),
        make_node("Concat", ["rows", "product"], ["y"], axis=0),
    ]
    feeds = {"ids": np.array([3, 1]), "x": rng.normal(size=(2, 50)).astype(np.float32)}
    graph = check(nodes, feeds, {"codes": codes, "scale": rng.uniform(1, 2, 8).astype(np.float32)})
    assert sum(array.size == codes.size for array in graph.weights.values()) == 1


def test_moved_codes_stay_codes() -> None:
    """Axes of a quantised weight are moved at build time, its scales with them."""
    weights = {"codes": codes_of(TensorProto.INT8, 8, 32).astype(np.int8), "scale": rng.uniform(1, 2, 8).astype("f4")}
    nodes = [
        make_node("DequantizeLinear", ["codes", "scale"], ["w"], axis=0),
        make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
        make_node("MatMul", ["x", "t"], ["y"]),
    ]
    graph = check(nodes, {"x": rng.normal(size=(2, 32)).astype(np.float32)}, weights)
    assert ops_of(graph) == ["MatMul"]
    assert [steps.shape for steps in graph.steps.values()] == [(1, 8)]


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16"])
def test_activations_are_rounded(kind: str) -> None:
    """Rounded and back again is four ops: nothing is cast, and no zero point is added to be taken off."""
    weights = {"scale": np.float32(0.037), "zero": np.array(3, kind)}
    nodes = [
        make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    x = rng.normal(size=(4, 25)).astype(np.float32) * 6
    x[0, :3] = 0.037 * np.array([0.5, 1.5, -2.5])  # halves go to even
    graph = check(nodes, {"x": x}, weights, opset=21)
    made = lower(model(nodes, {"x": (np.float32, [4, 25])}, ["y"], weights, 21))
    assert reached(*made) == ["RealDiv", "Round", "ClipByValue", "Mul"]
    assert graph.weights


def reached(graph: Any, outputs: Any) -> list[str]:
    """List the ops that the outputs need."""
    by_name = {node.name: node for node in graph.nodes}
    waiting, found = [value.name for value in outputs.values()], set()
    while waiting:
        name = waiting.pop().partition(":")[0]
        if name not in found:
            found.add(name)
            waiting += by_name[name].inputs
    return [node.op for node in graph.nodes if node.name in found and node.op not in {"Const", "Placeholder"}]


def test_products_of_codes() -> None:
    """What ONNX computes with whole numbers, floats compute exactly, with zero points for rows and columns."""
    a, b = (rng.integers(0, 256, shape).astype(np.uint8) for shape in ((4, 20), (20, 6)))
    weights = {"b": b, "az": np.uint8(7), "bz": np.uint8(131)}
    check([make_node("MatMulInteger", ["a", "b", "az", "bz"], ["y"])], {"a": a}, weights)
    scales = {"as": np.float32(0.02), "bs": np.float32(0.03), "ys": np.float32(0.9), "yz": np.uint8(110)}
    names = ["a", "as", "az", "b", "bs", "bz", "ys", "yz"]
    check([make_node("QLinearMatMul", names, ["y"])], {"a": a}, {**weights, **scales})
    names = ["y", "scale", "zero"]
    for x in (rng.normal(size=(3, 4)), rng.uniform(1, 2, (3, 4)), rng.uniform(-2, -1, (3, 4))):
        check([make_node("DynamicQuantizeLinear", ["x"], names)], {"x": x.astype(np.float32)}, outputs=names)


def test_zeros_are_quantised() -> None:
    """Nothing but zeros has no range to divide by: ONNX Runtime takes 1 for the scale."""
    made = model(
        [make_node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"])], {"x": (np.float32, [3])}, ["y", "s", "z"]
    )
    graph, outputs = lower(made)
    found = run_graph(graph, outputs, {"x": np.zeros(3, np.float32)})
    assert (found["y"].tolist(), float(found["s"]), int(found["z"])) == ([0, 0, 0], 1.0, 0)


def test_longest_step() -> None:
    """What a last bit may change by one step is told: the longest one that is not of a weight."""
    nodes = [
        make_node("QuantizeLinear", ["w", "large"], ["wq"]),
        make_node("QuantizeLinear", ["x", "small"], ["xq"]),
        make_node("Constant", [], ["middle"], value=make_tensor("middle", TensorProto.FLOAT, [], [0.5])),
        make_node("DequantizeLinear", ["xq", "small"], ["floats"]),
        make_node("QuantizeLinear", ["floats", "middle"], ["y"]),
    ]
    weights = {"w": np.ones(2, np.float32), "large": np.float32(9), "small": np.float32(0.1)}
    assert largest_step(model(nodes, {"x": (np.float32, [2])}, ["y"], weights)) == 0.5
    assert largest_step(model([make_node("Relu", ["x"], ["y"])], {"x": (np.float32, [2])}, ["y"])) == 0


def test_refused_types() -> None:
    """Codes of 4 bits that the model computes, and floats of 8 bits, have no type in TensorFlow.js."""
    for kind in (TensorProto.INT4, TensorProto.FLOAT8E4M3FN):
        node = make_node("QuantizeLinear", ["x", "scale"], ["y"], output_dtype=kind)
        with pytest.raises(UnsupportedOpsError, match=r"int4|float8_e4m3fn"):
            lower(model([node], {"x": (np.float32, [2])}, ["y"], {"scale": np.float32(1)}, 23))


def test_manifest(tmp_path: Path) -> None:
    """The manifest says how TensorFlow.js decodes codes; narrow whole numbers stay whole numbers."""
    weights = {
        "codes": codes_of(TensorProto.INT8, 20, 8).astype(np.int8),
        "scale": np.float32(0.25),
        "zero": np.int8(3),
        "ids": codes_of(TensorProto.UINT8, 20, 8).astype(np.uint8),
    }
    nodes = [
        make_node("DequantizeLinear", ["codes", "scale", "zero"], ["w"]),
        make_node("MatMul", ["x", "w"], ["y"]),
        make_node("Gather", ["ids", "places"], ["z"]),
    ]
    made = model(nodes, {"x": (np.float32, [2, 20]), "places": (np.int64, [1])}, ["y", "z"], weights)
    graph, outputs = lower(made)
    specs = json.loads(write_graph(graph, outputs, tmp_path, "test").read_text())["weightsManifest"][0]["weights"]
    found = {spec["name"]: (spec["dtype"], spec["quantization"]) for spec in specs if "quantization" in spec}
    assert sorted(found.values(), key=str) == [
        ("float32", {"dtype": "uint8", "scale": 0.25, "min": -131 * 0.25, "original_dtype": "float32"}),
        ("int32", {"dtype": "uint8", "scale": 1.0, "min": 0.0, "original_dtype": "int32"}),
    ]


def test_codes() -> None:
    """Codes start at 0 in one byte or two; scales that would be as many as the codes are not kept."""
    assert unsigned(np.array([-128, 127], np.int8))[1] == -128
    stored, least = unsigned(np.array([-200, 20], np.int16))
    assert (stored.dtype, least) == (np.uint8, -200)
    codes = Codes.of(np.arange(6, dtype=np.int8).reshape(2, 3), np.array([[1.0], [2.0]]))
    assert codes.zero.shape == (1, 1)
    turned = codes.changed(np.transpose)
    assert turned is not None
    assert turned.scale.tolist() == [[1.0, 2.0]]
    assert codes.changed(lambda array: array.reshape(6)) is None
    np.testing.assert_array_equal(codes.values(), [[0, 1, 2], [6, 8, 10]])
