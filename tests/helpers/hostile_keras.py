"""Configurations of Keras, and its files, that try to get at files, the network or code."""

from __future__ import annotations

import base64
import json
import marshal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.helpers.hostile_configs import (
    Layer,
    compiled,
    constant,
    dense,
    h5_case,
    json_case,
    keras2,
    keras2_layer,
    keras3,
    keras3_layer,
    keras_object,
    nested,
    op_lambda,
    packed,
    sequential,
    write_h5,
    write_keras,
    zip_case,
)
from tests.helpers.hostile_nouns import Case, Target


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
