"""Takes weights from the files beside a model, whose names and lengths are checked before anything is read.

onnx' own helper does that too, but refuses files with a second hard link, which is how a worker gets its inputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import SourceError
from .package import load_onnx
from .subgraphs import graphs_within


def load_weights(model: Any, folder: Path, where: str) -> None:
    """Read all external data of a ``ModelProto`` into it.

    Raises:
        SourceError: a file is missing, lies elsewhere, or is too short for what is said to be in it.
    """
    onnx = load_onnx()
    folder = folder.resolve()
    for tensor in _tensors(model.graph):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        try:
            content = _read(onnx, tensor, folder)
        except (OSError, ValueError, KeyError) as error:
            raise SourceError(
                f"the weight {tensor.name!r} cannot be read from its file ({error})",
                code="SP-332",
                where=where,
                hint="Put the files that it names beside it, or export it again",
            ) from error
        tensor.raw_data = content
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _read(onnx: Any, tensor: Any, folder: Path) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = (folder / PurePosixPath(entries["location"])).resolve()
    if not path.is_relative_to(folder):
        raise ValueError(f"{entries['location']!r} is outside its folder")
    bits = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize * 8
    expected = math.prod(tensor.dims) * bits // 8
    offset, length = int(entries.get("offset") or 0), int(entries.get("length") or expected)
    if min(*tensor.dims, 0) < 0 or offset < 0 or length != expected or offset + length > path.stat().st_size:
        raise ValueError(f"{length} bytes from {offset} on are not what its shape needs and {path.name} has")
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def _tensors(graph: Any) -> Iterator[Any]:
    """Return all tensors of a graph and of those within it."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
        for inner in graphs_within(node):
            yield from _tensors(inner)
