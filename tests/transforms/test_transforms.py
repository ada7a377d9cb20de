"""Order of execution and canonical names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.model import BytesData, Model, TensorSpec, Weight
from builder.transforms.canonical import canonicalise
from builder.transforms.channels import _layer_uses
from builder.transforms.inspect import find_non_finite
from builder.transforms.order import order_weights

ant = {"class_name": "DepthwiseConv2D", "config": {"name": "ant"}}


def node(name: str, op: str = "Relu", *inputs: str, **attr: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "input": list(inputs), "attr": attr}


def weights(*names: str) -> tuple[Weight, ...]:
    return tuple(Weight(name, (1,), "float32", BytesData(bytes(4))) for name in names)


def graph(nodes: list[dict[str, Any]], *names: str, **topology: Any) -> Model:
    return Model("graph-model", {"modelTopology": {"node": nodes, **topology}}, weights(*names), (), ())


def order(model: Model) -> list[str]:
    return [weight.name for weight in order_weights(model).weights]


def test_weights_follow_the_graph_not_the_file() -> None:
    nodes = [
        node("z", "Const"),
        node("a", "Const"),
        node("x", "Placeholder"),
        node("last", "MatMul", "first", "a"),
        node("first", "MatMul", "x", "z"),
    ]
    assert order(graph(nodes, "a", "z")) == ["z", "a"]


def test_loops_end_and_unknown_weights_come_last() -> None:
    nodes = [
        node("k", "Const"),
        node("merge", "Merge", "x", "next"),
        node("next", "NextIteration", "body"),
        node("body", "Mul", "merge", "k"),
        node("x", "Placeholder"),
        node("late", "Const"),
        node("out", "Add", "body:0", "late", "^k"),
    ]
    assert order(graph(nodes, "stray", "late", "k")) == ["k", "late", "stray"]


def call(name: str, *inputs: str, function: str) -> dict[str, Any]:
    return node(name, "While", *inputs, body={"func": {"name": function}})


def library(**functions: list[dict[str, Any]]) -> dict[str, Any]:
    return {"function": [{"signature": {"name": name}, "nodeDef": body} for name, body in functions.items()]}


def test_weights_inside_functions_come_where_the_function_is_called() -> None:
    nodes = [
        node("after", "Const"),
        node("x", "Placeholder"),
        call("loop", "x", function="body_7"),
        node("y", "Add", "loop", "after"),
    ]
    body = [node("body_7/k", "Const"), node("mul", "Mul", "arg", "body_7/k:output:0")]
    assert order(graph(nodes, "after", "body_7/k", library=library(body_7=body))) == ["body_7/k", "after"]


def test_the_initializer_runs_first() -> None:
    model = graph([node("w", "Const"), node("y", "Relu", "w")], "w", "keys")
    model.artifacts["modelInitializer"] = {"node": [node("keys", "Const")]}
    assert order(model) == ["keys", "w"]


@pytest.mark.parametrize(
    "inner",
    [
        {"class_name": "Model", "config": {"name": "inner", "layers": [ant]}},
        {"class_name": "Sequential", "config": {"name": "inner", "layers": [ant]}},
        {"class_name": "Sequential", "config": [ant], "name": "inner"},  # as Keras before 2.2.3 wrote it
    ],
)
def test_layers_follow_the_layers_not_the_alphabet(inner: dict[str, Any]) -> None:
    layers = [
        {"class_name": "Dense", "config": {"name": "zebra"}},
        inner,
        {"class_name": "Dense", "config": {"name": "bee"}},
    ]
    topology = {"model_config": {"class_name": "Sequential", "config": {"layers": layers}}}
    names = ("ant/kernel", "bee/bias", "bee/kernel", "unknown", "zebra/kernel")
    model = Model("layers-model", {"modelTopology": topology}, weights(*names), (), ())
    assert order(model) == ["zebra/kernel", "ant/kernel", "bee/bias", "bee/kernel", "unknown"]
    assert dict(_layer_uses(model))["ant/kernel"] == (-2, -1)


@given(st.permutations(["body_564", "cond_3"]), st.integers(0, 5000))
def test_names_of_functions_do_not_depend_on_the_process(names: list[str], number: int) -> None:
    def build(first: str, second: str) -> Model:
        nodes = [call("one", "x", function=first), call("two", "one", function=second), node("x", "Placeholder")]
        functions = library(
            **{name: [node(f"{name}/k", "Const"), node("m", "Mul", f"{name}/k:output:0")] for name in names_of}
        )
        return graph(nodes, f"{first}/k", f"{second}/k", library=functions)

    names_of = ["body", "cond"]
    plain = canonicalise(build("body", "cond"))
    names_of = [f"{names[0]}_{number}", f"{names[1]}_{number}"]
    other = canonicalise(build(*names_of))
    assert other.artifacts == plain.artifacts
    assert [weight.name for weight in other.weights] == ["function_0/k", "function_1/k"]


def test_inputs_and_outputs_are_sorted() -> None:
    specs = (TensorSpec("b", "float32", None), TensorSpec("a", "float32", None))
    model = Model("graph-model", {"modelTopology": {"node": []}}, (), specs, specs)
    assert [spec.name for spec in canonicalise(model).inputs] == ["a", "b"]


def test_non_finite_weights_are_named() -> None:
    bad = Weight("bad", (1,), "float32", BytesData(b"\x00\x00\xc0\x7f"))
    integer = Weight("integer", (1,), "int32", BytesData(b"\x00\x00\xc0\x7f"))
    assert find_non_finite((*weights("good"), bad, integer)) == ("bad",)
