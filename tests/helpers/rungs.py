"""Models of one purpose and several sizes, to be rungs of a ladder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers import tiny

labels = ("red", "green", "blue")


def write_classifier(folder: Path, *, side: int = 8, hidden: int = 16, answers: int = 3) -> Path:
    """Write a model that says which colour a picture has most of: exactly so, whatever its size."""
    chance = np.random.Generator(np.random.PCG64(hidden))
    spread = np.abs(chance.normal(size=hidden)).astype(np.float32) + 0.1
    owner = np.arange(hidden) % 3
    first = np.zeros((3, hidden), np.float32)
    first[owner, np.arange(hidden)] = spread
    second = np.zeros((hidden, answers), np.float32)
    second[np.arange(hidden), owner % answers] = 3 / (spread * hidden)
    float_type = {"type": "DT_FLOAT"}
    constant = {"dtype": float_type}
    whole = {"dtype": {"type": "DT_INT32"}, "value": {"tensor": {"dtype": "DT_INT32", "tensorShape": {}}}}
    index = {"Tidx": {"type": "DT_INT32"}, "keep_dims": {"b": False}}
    plain = {"transpose_a": {"b": False}, "transpose_b": {"b": False}}
    shape = tiny.dimensions(1, side, side, 3)
    nodes = [
        tiny.node("x", "Placeholder", dtype=float_type, shape={"shape": shape}),
        tiny.node("axes", "Const", **whole),
        *(
            tiny.node(name, "Const", **constant, value={"tensor": {"dtype": "DT_FLOAT"}})
            for name in ("first", "second")
        ),
        tiny.node("mean", "Mean", "x", "axes", **index),
        tiny.node("middle", "MatMul", "mean", "first", **plain),
        tiny.node("scores", "MatMul", "middle", "second", **plain),
        tiny.node("Identity", "Softmax", "scores"),
    ]
    output = tiny.dimensions(1, answers)
    content: dict[str, Any] = {
        "format": "graph-model",
        "signature": {
            "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": shape}},
            "outputs": {"probs": {"name": "Identity:0", "dtype": "DT_FLOAT", "tensorShape": output}},
        },
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1882}},
    }
    tensors = {"axes": np.array([1, 2], np.int32), "first": first, "second": second}
    return tiny.write(folder, content, tensors)


def write_convolver(folder: Path, *, side: int, channels: int) -> Path:
    """Write a model that takes many multiply-adds for its bytes: one convolution, and what becomes of it on average."""
    chance = np.random.Generator(np.random.PCG64(channels))
    float_type = {"type": "DT_FLOAT"}
    whole = {"dtype": {"type": "DT_INT32"}, "value": {"tensor": {"dtype": "DT_INT32", "tensorShape": {}}}}
    tensors = {
        "axes": np.array([1, 2], np.int32),
        "filter": chance.normal(scale=0.1, size=(3, 3, 3, channels)).astype(np.float32),
        "last": chance.normal(scale=0.1, size=(channels, 3)).astype(np.float32),
    }
    shape = tiny.dimensions(1, side, side, 3)
    ones = {"list": {"i": ["1", "1", "1", "1"]}}
    form = {"padding": {"s": "U0FNRQ=="}, "data_format": {"s": "TkhXQw=="}, "strides": ones, "dilations": ones}
    nodes = [
        tiny.node("x", "Placeholder", dtype=float_type, shape={"shape": shape}),
        tiny.node("axes", "Const", **whole),
        *(
            tiny.node(name, "Const", dtype=float_type, value={"tensor": {"dtype": "DT_FLOAT"}})
            for name in ("filter", "last")
        ),
        tiny.node("wide", "Conv2D", "x", "filter", **form),
        tiny.node("mean", "Mean", "wide", "axes", Tidx={"type": "DT_INT32"}, keep_dims={"b": False}),
        tiny.node("scores", "MatMul", "mean", "last", transpose_a={"b": False}, transpose_b={"b": False}),
        tiny.node("Identity", "Softmax", "scores"),
    ]
    content: dict[str, Any] = {
        "format": "graph-model",
        "signature": {
            "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": shape}},
            "outputs": {"probs": {"name": "Identity:0", "dtype": "DT_FLOAT", "tensorShape": tiny.dimensions(1, 3)}},
        },
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1882}},
    }
    return tiny.write(folder, content, tensors)


def ladder_of(*rungs: str, more: str = "") -> str:
    """Return the table of the model ``what``, a ladder of these items."""
    return f"[models.what]\nladder = [{', '.join(f'{{ {rung} }}' for rung in rungs)}]\n{more}\n"
