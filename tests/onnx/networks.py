"""Small ONNX models, written with onnx' own helper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

types = {"float32": onnx.TensorProto.FLOAT, "int64": onnx.TensorProto.INT64, "bool": onnx.TensorProto.BOOL}


def network(
    nodes: Sequence[Any],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Sequence[str],
    weights: Mapping[str, Any] | None = None,
    opset: int = 17,
) -> Any:
    """Give a model whose inputs are float32 of these shapes."""
    return helper.make_model(
        helper.make_graph(
            list(nodes),
            "network",
            [helper.make_tensor_value_info(name, types["float32"], list(shape)) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, types["float32"], None) for name in outputs],
            [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )


def classifier() -> Any:
    """Give a network of a convolution, a batch normalisation, a pool and a product, with seeded weights."""
    rng = np.random.default_rng(7)
    nodes = [
        helper.make_node("Conv", ["picture", "kernel"], ["felt"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["felt", "gamma", "beta", "mean", "variance"], ["normal"]),
        helper.make_node("Relu", ["normal"], ["bright"]),
        helper.make_node("MaxPool", ["bright"], ["small"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["small"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix", "offsets"], ["scores"], transB=1),
        helper.make_node("Softmax", ["scores"], ["classes"]),
    ]
    weights = {
        "kernel": rng.normal(size=(6, 3, 3, 3)).astype(np.float32),
        "gamma": rng.uniform(0.5, 1.5, 6).astype(np.float32),
        "beta": rng.normal(size=6).astype(np.float32),
        "mean": rng.normal(size=6).astype(np.float32),
        "variance": rng.uniform(0.5, 1.5, 6).astype(np.float32),
        "matrix": rng.normal(size=(5, 6 * 4 * 4)).astype(np.float32) / 10,
        "offsets": rng.normal(size=5).astype(np.float32),
    }
    return network(nodes, {"picture": ["n", 3, 8, 8]}, ["classes"], weights)


def write(model: Any, path: Path, *, external: bool = False) -> Path:
    """Write a model, with its weights in a file beside it if asked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if external:
        onnx.save(model, path, save_as_external_data=True, location=f"{path.name}.data", size_threshold=0)
    else:
        onnx.save(model, path)
    return path
