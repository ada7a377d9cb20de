"""Writes models of Keras from configurations, without Keras."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers.hostile_nouns import Case, Target

Layer = dict[str, Any]


def keras2_layer(kind: str, config: dict[str, Any], *calls: Any, name: str = "evil") -> Layer:
    """Give a layer of a Keras 2 functional model; ``calls`` are its calls' arguments, by default the input."""
    return {
        "class_name": kind,
        "config": {"name": name, "trainable": True, "dtype": "float32", **config},
        "name": name,
        "inbound_nodes": list(calls) or [[["x", 0, 0, {}]]],
    }


def constant(value: Any, **keywords: Any) -> list[Any]:
    """Give the call of a ``TFOpLambda`` with a first argument that is no tensor."""
    return ["_CONSTANT_VALUE", -1, value, keywords]


def op_lambda(function: str, *calls: Any, kind: str = "TFOpLambda", **more: Any) -> Layer:
    """Give a layer that calls a function of TensorFlow's API."""
    return keras2_layer(kind, {"function": function, **more}, *calls)


def keras2(*layers: Layer, output: str = "x_out") -> dict[str, Any]:
    """Give a Keras 2 functional model: x → Flatten → output, and layers beside it."""
    start = {
        "class_name": "InputLayer",
        "config": {"batch_input_shape": [None, 4], "dtype": "float32", "sparse": False, "ragged": False, "name": "x"},
        "name": "x",
        "inbound_nodes": [],
    }
    flat = keras2_layer("Flatten", {"data_format": "channels_last"}, name="x_out")
    return {
        "class_name": "Functional",
        "config": {
            "name": "model",
            "trainable": True,
            "layers": [start, *layers, flat],
            "input_layers": [["x", 0, 0]],
            "output_layers": [[output, 0, 0]],
        },
    }


def sequential(*layers: Layer) -> dict[str, Any]:
    """Give a Keras 2 Sequential model of layers."""
    return {
        "class_name": "Sequential",
        "config": {
            "name": "sequential",
            "layers": [
                {
                    "class_name": "InputLayer",
                    "config": {"batch_input_shape": [None, 4], "dtype": "float32", "name": "inner"},
                },
                *layers,
            ],
        },
    }


def nested(*layers: Layer) -> Layer:
    """Give a Keras 2 functional model as a layer of another."""
    inside = keras2(*layers)
    inside["config"]["name"] = "inside"
    return {**inside, "name": "inside", "inbound_nodes": [[["x", 0, 0, {}]]]}


def packed(config: dict[str, Any]) -> dict[str, Any]:
    """Give a Keras 2 functional model as ``.keras`` files have it."""
    return {**config, "module": "keras.src.engine.functional", "registered_name": "Functional"}


def compiled(compile_config: dict[str, Any], *, inside: bool) -> dict[str, Any]:
    """Give a Keras 3 functional model with a Sequential in it, one of which is compiled."""
    start = keras3_layer("InputLayer", {"batch_shape": [None, 4], "dtype": "float32"}, name="x")
    tensor = keras_object(
        None, "__keras_tensor__", {"shape": [None, 4], "dtype": "float32", "keras_history": ["x", 0, 0]}
    )
    inner = keras3(**({"compile_config": compile_config} if inside else {}))
    config = {
        "name": "model",
        "trainable": True,
        "layers": [
            {**start, "name": "x", "inbound_nodes": []},
            {**inner, "name": "sequential", "inbound_nodes": [{"args": [tensor], "kwargs": {}}]},
        ],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["sequential", 0, 0]],
    }
    more = {} if inside else {"compile_config": compile_config}
    return {**keras_object("keras.src.models.functional", "Functional", config, "Functional"), **more}


def keras3(*layers: Layer, **more: Any) -> dict[str, Any]:
    """Give a Keras 3 Sequential model of layers."""
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {
            "name": "sequential",
            "trainable": True,
            "dtype": policy(),
            "layers": [
                {
                    "module": "keras.layers",
                    "class_name": "InputLayer",
                    "config": {"batch_shape": [None, 4], "dtype": "float32", "sparse": False, "name": "x"},
                    "registered_name": None,
                },
                *layers,
                keras3_layer("Flatten", {}, name="x_out"),
            ],
        },
        "registered_name": None,
        **more,
    }


def keras3_layer(
    kind: str, config: dict[str, Any], *, module: Any = "keras.layers", name: str = "evil", **more: Any
) -> Layer:
    """Give a layer, or anything that claims to be one, as Keras 3 saves it."""
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": name, "trainable": True, "dtype": policy(), **config},
        "registered_name": None,
        **more,
    }


def keras_object(module: Any, kind: str, config: Any, registered: Any = None) -> dict[str, Any]:
    """Give an object as Keras 3 saves it."""
    return {"module": module, "class_name": kind, "config": config, "registered_name": registered}


def policy() -> dict[str, Any]:
    return keras_object("keras", "DTypePolicy", {"name": "float32"})


def write_h5(path: Path, config: Any, version: str = "2.15.0", backend: str = "tensorflow") -> Path:
    """Write a model without weights into an HDF5 file."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = version
        file.attrs["backend"] = backend
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = np.array([], "S1")
        weights.attrs["keras_version"] = version
        weights.attrs["backend"] = backend
    return path


def write_keras(path: Path, config: Any, version: str = "3.5.0", extra: dict[str, bytes] | None = None) -> Path:
    """Write a model without weights into a ``.keras`` file."""
    import h5py

    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file.create_group("layers")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": version, "date_saved": "2026-11-28@00:00:00"}))
        archive.writestr("model.weights.h5", weights.getvalue())
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return path


def write_layers_json(folder: Path, config: Any) -> Path:
    """Write a TensorFlow.js layers model without weights."""
    path = folder / "model.json"
    topology = {"keras_version": "2.15.0", "backend": "tensorflow", "model_config": config}
    path.write_text(
        json.dumps({"format": "layers-model", "modelTopology": topology, "weightsManifest": [dense_weights(folder)]})
    )
    return path


def dense_weights(folder: Path) -> dict[str, Any]:
    (folder / "weights.bin").write_bytes(np.eye(4, dtype=np.float32).tobytes())
    return {
        "paths": ["weights.bin"],
        "weights": [{"name": "dense/kernel", "shape": [4, 4], "dtype": "float32"}],
    }


def dense() -> Layer:
    config = {"units": 4, "use_bias": False, "activation": "linear"}
    return keras2_layer("Dense", config, name="dense")


MakeConfig = Callable[[Target], Any]
measured = 'precision = "small"'


def h5_case(name: str, tries: str, config: MakeConfig, says: str, **more: Any) -> Case:
    return Case(name, tries, lambda folder, target: write_h5(folder / "m.h5", config(target)), says, **more)


def zip_case(name: str, tries: str, config: MakeConfig, says: str, version: str = "3.5.0", **more: Any) -> Case:
    return Case(
        name, tries, lambda folder, target: write_keras(folder / "m.keras", config(target), version), says, **more
    )


def json_case(name: str, tries: str, config: MakeConfig, says: str, **more: Any) -> Case:
    return Case(
        name,
        tries,
        lambda folder, target: write_layers_json(folder, config(target)),
        says,
        settings=measured,
        **more,
    )
