"""Small TensorFlow.js models for tests, made of nothing but JSON and bytes."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

from builder.graphs.graphdef import messages

frozen_width = 64  # inputs and outputs of ``write_frozen_graph``


def tensor_shape(*lengths: int) -> dict[str, Any]:
    return {"dim": [{"size": str(length)} for length in lengths]}


def constant(name: str, *lengths: int) -> dict[str, Any]:
    value = {"tensor": {"dtype": "DT_FLOAT", "tensorShape": tensor_shape(*lengths)}}
    return {"name": name, "op": "Const", "attr": {"dtype": {"type": "DT_FLOAT"}, "value": value}}


def graph_json(width: int = 8) -> dict[str, Any]:
    """``y = x · w + b`` for x of shape [n, width], w [width, 8], b [8]."""
    float_type = {"type": "DT_FLOAT"}
    plain = {"transpose_a": {"b": False}, "transpose_b": {"b": False}}
    nodes = [
        constant("w", width, 8),
        constant("b", 8),
        {"name": "x", "op": "Placeholder", "attr": {"dtype": float_type, "shape": {"shape": tensor_shape(-1, width)}}},
        {"name": "product", "op": "MatMul", "input": ["x", "w"], "attr": {"T": float_type, **plain}},
        {"name": "y", "op": "AddV2", "input": ["product", "b"], "attr": {"T": float_type}},
    ]
    return {
        "format": "graph-model",
        "generatedBy": "2.19.0",
        "convertedBy": "TensorFlow.js Converter v4.22.0",
        "signature": {
            "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": tensor_shape(-1, width)}},
            "outputs": {"y": {"name": "y:0", "dtype": "DT_FLOAT", "tensorShape": tensor_shape(-1, 8)}},
        },
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1}},
    }


def write_model(folder: Path, *, shard_bytes: int = 1 << 20, width: int = 8, seed: int = 0) -> Path:
    """Write that model; weights are counted bytes for seed 0 at width 8, small numbers otherwise.

    Numbers of wide models do not repeat: what repeats is kept together in one shard.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = width * 8
    chance = random.Random(seed)
    weights = bytes(range(256))
    if seed or width != 8:
        ramp = (((i * 37 + seed * 101) % 997) / 997 - 0.5 for i in range(count))
        numbers = ramp if width < 10_000 else (chance.random() - 0.5 for _ in range(count))
        weights = struct.pack(f"<{count}f", *numbers)
    content = weights + struct.pack("<8f", *(0.25 * i for i in range(8)))
    paths = []
    for number, start in enumerate(range(0, len(content), shard_bytes)):
        paths.append(f"shard{number}.bin")
        (folder / paths[-1]).write_bytes(content[start : start + shard_bytes])
    specs = [
        {"name": "w", "shape": [width, 8], "dtype": "float32"},
        {"name": "b", "shape": [8], "dtype": "float32"},
    ]
    path = folder / "model.json"
    path.write_text(json.dumps({**graph_json(width), "weightsManifest": [{"paths": paths, "weights": specs}]}))
    return path


def write_frozen_graph(path: Path) -> None:
    """``y = relu(x · w)`` as TensorFlow freezes it, made without TensorFlow."""
    graph = messages().GraphDef()
    graph.versions.producer = 1882
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 1  # DT_FLOAT
    x.attr["shape"].shape.dim.add(size=-1)
    x.attr["shape"].shape.dim.add(size=frozen_width)
    w = graph.node.add(name="w", op="Const")
    w.attr["dtype"].type = 1  # DT_FLOAT
    tensor = w.attr["value"].tensor
    tensor.dtype = 1  # DT_FLOAT
    tensor.tensor_shape.dim.add(size=frozen_width)
    tensor.tensor_shape.dim.add(size=frozen_width)
    numbers = (((i * 37) % 997) / 997 - 0.5 for i in range(frozen_width * frozen_width))
    tensor.tensor_content = struct.pack(f"<{frozen_width * frozen_width}f", *numbers)
    graph.node.add(name="product", op="MatMul", input=["x", "w"]).attr["T"].type = 1  # DT_FLOAT
    graph.node.add(name="y", op="Relu", input=["product"]).attr["T"].type = 1  # DT_FLOAT
    path.write_bytes(graph.SerializeToString())
