"""Tensors in the files that this process and Node exchange: little-endian arrays, one behind the other.

Strings each have their length before them, as four bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from .result import StoredTensor

if TYPE_CHECKING:
    from .compare import Array

numpy_types = {"float32": "<f4", "int32": "<i4", "bool": "?", "complex64": "<c8"}


def write_tensor(file: BinaryIO, name: str, array: Array) -> StoredTensor:
    """Append a tensor to a file, in the type of TensorFlow.js that is nearest to its own."""
    import numpy as np

    kind = {"f": "float32", "i": "int32", "u": "int32", "b": "bool", "c": "complex64"}.get(array.dtype.kind, "string")
    if kind == "string":
        encoded = [item if isinstance(item, bytes) else str(item).encode() for item in array.ravel().tolist()]
        content = b"".join(len(item).to_bytes(4, "little") + item for item in encoded)
    else:
        content = np.ascontiguousarray(array, dtype=numpy_types[kind]).tobytes()
    offset = file.tell()
    file.write(content)
    return {"name": name, "dtype": kind, "shape": list(array.shape), "offset": offset, "bytes": len(content)}


def read_tensor(item: StoredTensor, content: bytes) -> Array:
    """Read a tensor that a harness wrote.

    Raises:
        ValueError: the bytes do not fit its shape.
        KeyError: its type is unknown.
    """
    import numpy as np

    part = content[item["offset"] : item["offset"] + item["bytes"]]
    shape = tuple(item["shape"])
    if item["dtype"] != "string":
        return np.frombuffer(part, dtype=numpy_types[item["dtype"]]).reshape(shape)
    strings: list[bytes] = []
    at = 0
    while at < len(part):
        length = int.from_bytes(part[at : at + 4], "little")
        strings.append(part[at + 4 : at + 4 + length])
        at += 4 + length
    array = np.empty(len(strings), dtype=object)
    array[:] = strings
    return array.reshape(shape)
