"""A model whose output is as large as its picture: for answers that are pictures or masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers import tiny


def write_tint(folder: Path, *, side: int = 8, share: float = 0.5) -> Path:
    """Write a model that gives its picture of [1, side, side, 3] back, darker."""
    float_type = {"type": "DT_FLOAT"}
    shape = tiny.dimensions(1, side, side, 3)
    nodes = [
        tiny.node("x", "Placeholder", dtype=float_type, shape={"shape": shape}),
        tiny.node("share", "Const", dtype=float_type, value={"tensor": {"dtype": "DT_FLOAT"}}),
        tiny.node("Identity", "Mul", "x", "share"),
    ]
    content: dict[str, Any] = {
        "format": "graph-model",
        "signature": {
            "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": shape}},
            "outputs": {"y": {"name": "Identity:0", "dtype": "DT_FLOAT", "tensorShape": shape}},
        },
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1882}},
    }
    return tiny.write(folder, content, {"share": np.full(3, share, np.float32)})
