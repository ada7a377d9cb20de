"""Tiny real models in stock TensorFlow.js form, and bundles of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from builder.bundle.files import ModelBundle
from builder.bundle.index import Index, make_index
from builder.cache.local import Cache
from builder.model import Model
from builder.packing.compress import Compressed, Compressor
from builder.pipeline.assemble import assemble
from builder.sources.tfjs import read_model

features, classes = 24, 10


def weights(seed: int = 7) -> dict[str, np.ndarray]:
    """Give a kernel of 24x10 and a bias of 10."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return {
        "kernel": generator.normal(size=(features, classes)).astype(np.float32),
        "bias": generator.normal(size=classes).astype(np.float32),
    }


def node(name: str, op: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    """Give one node of a GraphDef in JSON."""
    return {"name": name, "op": op, "input": list(inputs), "attr": {"T": {"type": "DT_FLOAT"}, **attributes}}


def dimensions(*lengths: int) -> dict[str, Any]:
    """Give a TensorShapeProto in JSON."""
    return {"dim": [{"size": str(length)} for length in lengths]}


def graph_model(folder: Path, tensors: dict[str, np.ndarray] | None = None, **changes: Any) -> Path:
    """Write ``softmax(x @ kernel + bias)`` as a graph model with signature x → probs, logits."""
    tensors = weights() if tensors is None else tensors
    constant = {"dtype": {"type": "DT_FLOAT"}}
    nodes = [
        node("x", "Placeholder", dtype={"type": "DT_FLOAT"}, shape={"shape": dimensions(-1, features)}),
        *(node(name, "Const", **constant, value={"tensor": {"dtype": "DT_FLOAT"}}) for name in tensors),
        node("product", "MatMul", "x", "kernel"),
        node("sum", "BiasAdd", "product", "bias"),
        node("softmax", "Softmax", "sum"),
        node("Identity", "Identity", "softmax"),
        node("Identity_1", "Identity", "sum"),
    ]
    content = {
        "format": "graph-model",
        "generatedBy": "2.19.0",
        "convertedBy": "TensorFlow.js Converter v4.22.0",
        "signature": {
            "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": dimensions(-1, features)}},
            "outputs": {
                "probs": {"name": "Identity:0", "dtype": "DT_FLOAT", "tensorShape": dimensions(-1, classes)},
                "logits": {"name": "Identity_1:0", "dtype": "DT_FLOAT", "tensorShape": dimensions(-1, classes)},
            },
        },
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1882}},
    }
    return write(folder, content | changes, tensors)


def loop_offset() -> np.ndarray:
    """Give what ``loop_model`` adds."""
    return np.random.Generator(np.random.PCG64(3)).normal(scale=0.1, size=80).astype(np.float32)


def loop_model(folder: Path) -> Path:
    """Write a graph model whose While loop doubles x five times, then adds a constant: it needs ``executeAsync``."""
    tensors = {"offset": loop_offset()}
    shape = dimensions(-1, 80)

    def argument(name: str, kind: str) -> dict[str, str]:
        return {"name": name, "type": kind}

    number = {"dtype": {"type": "DT_INT32"}, "value": {"tensor": {"dtype": "DT_INT32", "tensorShape": {}}}}
    functions = [
        {
            "signature": {
                "name": "condition",
                "inputArg": [argument("i", "DT_INT32"), argument("v", "DT_FLOAT")],
                "outputArg": [argument("go", "DT_BOOL")],
            },
            "nodeDef": [node("less", "Less", "i", "limit:output:0"), node("limit", "Const", **number)],
            "ret": {"go": "less:z:0"},
        },
        {
            "signature": {
                "name": "body",
                "inputArg": [argument("i", "DT_INT32"), argument("v", "DT_FLOAT")],
                "outputArg": [argument("next", "DT_INT32"), argument("twice", "DT_FLOAT")],
            },
            "nodeDef": [
                node("one", "Const", **number),
                node("plus", "AddV2", "i", "one:output:0"),
                node("double", "AddV2", "v", "v"),
            ],
            "ret": {"next": "plus:z:0", "twice": "double:z:0"},
        },
    ]
    loop = {
        "T": {"list": {"type": ["DT_INT32", "DT_FLOAT"]}},
        "cond": {"func": {"name": "condition"}},
        "body": {"func": {"name": "body"}},
    }
    nodes = [
        node("x", "Placeholder", dtype={"type": "DT_FLOAT"}, shape={"shape": shape}),
        node("zero", "Const", **number),
        node("offset", "Const", dtype={"type": "DT_FLOAT"}, value={"tensor": {"dtype": "DT_FLOAT"}}),
        node("loop", "StatelessWhile", "zero", "x", **loop),
        node("Identity", "AddV2", "loop:1", "offset"),
    ]
    content = {
        "format": "graph-model",
        "signature": {
            "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": shape}},
            "outputs": {"y": {"name": "Identity:0", "dtype": "DT_FLOAT", "tensorShape": shape}},
        },
        "modelTopology": {"node": nodes, "library": {"function": functions}, "versions": {"producer": 1882}},
    }
    # The converter keeps constants of functions among the model's weights, by their names alone.
    integers = {name: np.array(value, np.int32) for name, value in {"zero": 0, "one": 1, "limit": 5}.items()}
    return write(folder, content, integers | tensors)


def layers_model(folder: Path, tensors: dict[str, np.ndarray] | None = None) -> Path:
    """Write ``softmax(x @ kernel + bias)`` as a functional Keras model with the layers image → scores."""
    tensors = weights() if tensors is None else tensors
    layers = [
        {
            "class_name": "InputLayer",
            "name": "image",
            "config": {"name": "image", "batch_input_shape": [None, features], "dtype": "float32", "sparse": False},
            "inbound_nodes": [],
        },
        {
            "class_name": "Dense",
            "name": "scores",
            "config": {"name": "scores", "units": classes, "activation": "softmax", "use_bias": True},
            "inbound_nodes": [[["image", 0, 0, {}]]],
        },
    ]
    config = {
        "name": "tiny",
        "layers": layers,
        "input_layers": [["image", 0, 0]],
        "output_layers": [["scores", 0, 0]],
    }
    content = {
        "format": "layers-model",
        "modelTopology": {
            "keras_version": "2.15.0",
            "backend": "tensorflow",
            "model_config": {"class_name": "Functional", "config": config},
        },
    }
    return write(folder, content, {f"scores/{name}": array for name, array in tensors.items()})


def write(folder: Path, content: dict[str, Any], tensors: dict[str, np.ndarray]) -> Path:
    """Write ``model.json`` and one weights file beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    specs = [{"name": name, "shape": list(array.shape), "dtype": str(array.dtype)} for name, array in tensors.items()]
    path = folder / "model.json"
    manifest = [{"paths": ["weights.bin"], "weights": specs}]
    path.write_text(json.dumps({**content, "weightsManifest": manifest}))
    (folder / "weights.bin").write_bytes(b"".join(array.tobytes() for array in tensors.values()))
    return path


def softmax(x: np.ndarray, tensors: dict[str, np.ndarray] | None = None) -> np.ndarray:
    """Compute in numpy what the tiny models compute."""
    tensors = weights() if tensors is None else tensors
    logits = x.astype(np.float64) @ tensors["kernel"] + tensors["bias"]
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return result


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle on disk: ``root/loader.js`` and ``root/assets/``."""

    root: Path
    index: Index
    models: tuple[ModelBundle, ...]

    @property
    def loader(self) -> Path:
        """Where the loader lies."""
        return self.root / "loader.js"


def _plain(_: Callable[[Any], Any], request: Any) -> Future[Any]:
    """Find that no encoding pays: most of the time of bundles of large networks goes there."""
    found: Future[Any] = Future()
    found.set_result(Compressed(None, None))
    return found


def bundle(
    root: Path, sources: dict[str, Path | Model], *, shard_bytes: int = 1024, compresses: bool = True, **options: Any
) -> Bundle:
    """Build stock models into a bundle at ``root``, which has no encodings; their sizes are told if it compresses."""
    from builder.bundle.format import module_url
    from builder.bundle.render import render_loader, render_modules

    cache = Cache(root.with_name(root.name + "-cache"))
    compressor = Compressor(cache, jobs=1, fast=True, submit=None if compresses else _plain)
    models = []
    for name, source in sources.items():
        model = source if isinstance(source, Model) else read_model(source)
        assembly = assemble(
            name,
            model,
            labels=None,
            shard_bytes=shard_bytes,
            cache=cache,
            compressor=compressor,
            begin=lambda count: None,
            advance=lambda blob: None,
            **options,
        )
        models.append(assembly.bundle)
    modules = render_modules()
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in modules.items()}
    index = make_index({model.name: model.entry("manual", "normal") for model in models}, hashes)
    (root / "assets").mkdir(parents=True)
    for name, content in modules.items():
        (root / module_url(name, hashes[name])).write_bytes(content)
    for built in models:
        for file in built.files:
            (root / file.url).write_bytes(file.blob.path.read_bytes())
    (root / "loader.js").write_bytes(render_loader(index.encode()))
    return Bundle(root, index, tuple(models))
