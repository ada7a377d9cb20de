"""SavedModels of TensorFlow 2 that attack, and models whose files lie elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers.hostile_configs import dense, keras2, write_layers_json
from tests.helpers.hostile_graphs import plain_graph, saved_model_of, string, write_saved
from tests.helpers.hostile_nouns import Case, Target


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
    raw = tf.raw_ops

    def serve(x: Any) -> Any:
        table = raw.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
        path = str(target.secret)
        put = raw.InitializeTableFromTextFileV2(table_handle=table, filename=path, key_index=-2, value_index=-1)
        with tf.control_dependencies([put]):
            return {"y": raw.LookupTableFindV2(table_handle=table, keys=x, default_value=tf.constant(-1, tf.int64))}

    module = tf.Module()
    module.serve = tf.function(serve, input_signature=[tf.TensorSpec([None], tf.string, name="x")])
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
        Case("tf2-table", "reads a file as a table", _text_table, "InitializeTableFromTextFile", **tf2),
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
