"""Rewriting of graphs around wrong kernels, without TensorFlow or Node."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from builder.graphs.bands import band_note
from builder.graphs.wasm_rewrites import rewrite_for_wasm
from builder.model import BytesData, Model, Weight

Node = dict[str, Any]


def weight(name: str, values: Any, dtype: str) -> Weight:
    array = np.asarray(values, {"float32": "<f4", "int32": "<i4"}[dtype])
    return Weight(name, array.shape, dtype, BytesData(array.tobytes()))


def node(name: str, op: str, inputs: list[str], /, **types: Any) -> Node:
    attr = {key: {"type": value} if isinstance(value, str) else value for key, value in types.items()}
    return {"name": name, "op": op, "input": inputs, "attr": attr}


def model(nodes: list[Node], *weights: Weight, functions: list[Node] | None = None) -> Model:
    topology: dict[str, Any] = {"node": nodes}
    if functions:
        topology["library"] = {"function": functions}
    return Model("graph-model", {"modelTopology": topology}, weights, (), ())


def nodes_of(changed: Model) -> dict[str, Node]:
    return {node["name"]: node for node in changed.artifacts["modelTopology"]["node"]}


def ops_of(changed: Model) -> list[str]:
    return sorted(node["op"] for node in nodes_of(changed).values() if node["op"] != "Const")


def one_hot(kind: str, axis: int = -1) -> Model:
    attributes = {"T": kind, "TI": "DT_INT32", "axis": {"i": str(axis)}}
    nodes = [node("hot", "OneHot", ["ids", "depth", "on", "off"], **attributes)]
    dtype = "float32" if kind == "DT_FLOAT" else "int32"
    return model(nodes, weight("depth", 4, "int32"), weight("on", 1, dtype), weight("off", 0, dtype))


def test_a_float_one_hot_becomes_one_of_whole_numbers_and_a_cast() -> None:
    changed = rewrite_for_wasm(one_hot("DT_FLOAT"))
    assert ops_of(changed) == ["Cast", "Identity", "OneHot"]
    assert nodes_of(changed)["hot"]["op"] == "Identity"
    hot = next(node for node in nodes_of(changed).values() if node["op"] == "OneHot")
    assert hot["attr"]["T"] == {"type": "DT_INT32"}
    added = {one.name: one for one in changed.weights}
    assert [int.from_bytes(added[name].data.read(0, 4), "little") for name in hot["input"][2:]] == [1, 0]


def test_what_is_right_stays_as_it_is() -> None:
    for untouched in (
        one_hot("DT_INT32"),
        model([node("back", "ReverseV2", ["x", "axes"], T="DT_FLOAT")]),
        model([node("cast", "Cast", ["x"], SrcT="DT_BOOL", DstT="DT_FLOAT")]),
        model([node("part", "StridedSlice", ["x", "a", "b", "steps"], T="DT_INT32")], weight("steps", [1, 1], "int32")),
        model([node("sum", "Cumsum", ["x", "axis"], T="DT_FLOAT")], weight("axis", 1, "int32")),
        model([node("dense", "_FusedMatMul", ["x", "w", "b"], T="DT_FLOAT", fused_ops=texts("BiasAdd", "Relu"))],
              weight("b", [1, 2], "float32")),
    ):  # fmt: skip
        assert rewrite_for_wasm(untouched) is untouched


def texts(*values: str) -> dict[str, Any]:
    return {"list": {"s": [base64.b64encode(value.encode()).decode() for value in values]}}


def test_a_bias_of_one_row_is_flattened_and_one_of_several_is_added_by_itself() -> None:
    fused = node("dense", "_FusedMatMul", ["x", "w", "b"], T="DT_FLOAT", fused_ops=texts("BiasAdd", "Relu"))
    row = rewrite_for_wasm(model([fused], weight("b", [[1, 2]], "float32")))
    assert ops_of(row) == ["_FusedMatMul"]
    added = {one.name: one for one in row.weights}
    assert added[nodes_of(row)["dense"]["input"][2]].shape == (2,)
    table = rewrite_for_wasm(model([fused], weight("b", [[1, 2], [3, 4]], "float32")))
    assert ops_of(table) == ["AddV2", "Identity", "MatMul", "Relu"]
    turned = {**fused, "attr": {**fused["attr"], "transpose_b": {"b": True}}}
    assert ops_of(rewrite_for_wasm(model([turned], weight("b", [1, 2], "float32"))))[-2:] == ["MatMul", "Relu"]
    computed = rewrite_for_wasm(model([fused]))
    assert ops_of(computed) == ["AddV2", "Identity", "MatMul", "Relu"]


def test_inside_functions_tensors_and_constants_are_named_as_there() -> None:
    body = {
        "signature": {"name": "function_0"},
        "nodeDef": [
            node("mask", "Cast", ["x"], SrcT="DT_FLOAT", DstT="DT_BOOL"),
            node("use", "LogicalNot", ["mask:y:0"]),
        ],
        "ret": {"out": "mask:y:0"},
    }
    changed = rewrite_for_wasm(model([], functions=[body]))
    (function,) = changed.artifacts["modelTopology"]["library"]["function"]
    nodes = {node["name"]: node for node in function["nodeDef"]}
    assert function["ret"] == {"out": "mask:output:0"}
    assert nodes["use"]["input"] == ["mask:output:0"]
    (result,) = nodes["mask"]["input"]
    assert result.endswith(":z:0")
    _, zero = nodes[result.split(":")[0]]["input"]
    assert zero.split(":")[0] in {one.name for one in changed.weights}
    assert zero.startswith("function_0/")


def test_an_equation_that_is_no_product_of_two_stays() -> None:
    for equation in ("ab->a", "abc,cd,de->abe", "...a,ab->...b", "ab,bc->a", "aab,bc->ac"):
        made = model([node("sum", "Einsum", ["x", "y"], T="DT_FLOAT",
                           equation={"s": base64.b64encode(equation.encode()).decode()})])  # fmt: skip
        assert rewrite_for_wasm(made) is made, equation


def test_layers_models_are_left_alone() -> None:
    made = Model("layers-model", {"modelTopology": {"node": [node("c", "Cast", ["x"], DstT="DT_BOOL")]}}, (), (), ())
    assert rewrite_for_wasm(made) is made


def test_bands_that_others_converted_are_told_of() -> None:
    bands = [node("mask", "MatrixBandPart", ["x", "lower", "upper"], T="DT_BOOL")]
    bounds = [weight("lower", -1, "int32"), weight("upper", 0, "int32")]
    assert "causal masks hide nothing" in band_note(model(bands, *bounds))
    assert "'mask'" in band_note(model([], *bounds, functions=[{"signature": {"name": "f"}, "nodeDef": bands}]))
    assert band_note(model(bands, bounds[0])), "a bound that is computed"
    assert not band_note(model(bands, bounds[0], weight("upper", -1, "int32")))
    assert not band_note(model([node("x", "Relu", [])]))
