"""What Keras 3 would load as another model is refused by its configuration, for builds and ``check``."""

from __future__ import annotations

from typing import Any

import pytest

from builder.errors import SourceError
from builder.sources.keras_limits import check_keras_limits


def model(kind: str, **config: Any) -> dict[str, Any]:
    inner = {"class_name": kind, "config": {"name": "inner", **config}}
    outer = {"class_name": "TimeDistributed", "config": {"name": "outer", "layer": inner}}
    return {"class_name": "Sequential", "config": {"name": "net", "layers": [outer]}}


@pytest.mark.parametrize(
    ("kind", "axis"),
    [
        ("LayerNormalization", [-2, -1]),
        ("UnitNormalization", [1, 2]),
        ("Softmax", [1, 2]),
        ("Normalization", []),
        ("Normalization", None),
    ],
)
def test_axes_that_hdf5_files_lose_are_refused_there_only(kind: str, axis: Any) -> None:
    with pytest.raises(SourceError, match=rf"layer inner \({kind}\).*Save the model as a \.keras file"):
        check_keras_limits(model(kind, axis=axis), "net.h5", is_hdf5=True)
    check_keras_limits(model(kind, axis=axis), "net.keras")


@pytest.mark.parametrize("config", [{"axis": -1}, {"axis": [3]}, {"axis": None}, {}])
def test_a_single_axis_stays(config: dict[str, Any]) -> None:
    check_keras_limits(model("BatchNormalization", **config), "net.h5", is_hdf5=True)
