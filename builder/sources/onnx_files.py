"""Finds the files beside an ONNX model that hold weights, without onnx.

Walks over protobuf's wire format (protobuf.dev, "Encoding") with the field numbers of ``onnx.proto``; contents of
weights are skipped.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ..errors import SourceError

most_files = 10_000
deepest = 64  # graphs within nodes within graphs
# Which fields lead from one message to another: what the other is, by what this one is.
paths = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}


def external_files(path: Path) -> tuple[Path, ...]:
    """Return the files that hold weights of the model at ``path``, in order of their names.

    Raises:
        SourceError: the file is damaged, or names files that are missing or not in its folder.
    """
    if path.stat().st_size == 0:
        return ()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            names = set(_locations(content, 0, len(content), "model", 0))
        except (IndexError, UnicodeDecodeError, RecursionError) as error:
            raise SourceError(
                "is damaged or truncated, or no ONNX file",
                code="SP-308",
                where=str(path),
                hint="Download or export it again",
            ) from error
    if len(names) > most_files:
        raise SourceError(
            f"names more than {most_files:,} files", code="SP-338", where=str(path), hint="Save its weights in one file"
        )
    return tuple(_inside(path, name) for name in sorted(names))


def value_names(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the inputs and outputs of the model at ``path``; of none where it is damaged.

    Weights that older files list among the inputs are left out.
    """
    found: dict[int, list[str]] = {5: [], 11: [], 12: []}
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for field, begin, end in _fields(content, 0, len(content)):
                for inner, start, stop in _fields(content, begin, end) if field == 7 else ():
                    if inner in found:
                        found[inner] += _names(content, start, stop, 8 if inner == 5 else 1)
    except (OSError, ValueError, IndexError):
        return (), ()
    return tuple(name for name in found[11] if name not in found[5]), tuple(found[12])


def _names(content: mmap.mmap, start: int, stop: int, wanted: int) -> list[str]:
    """Return the name of a weight (its field 8) or of an input or output (1)."""
    return [content[begin:end].decode() for field, begin, end in _fields(content, start, stop) if field == wanted]


def _inside(path: Path, name: str) -> Path:
    """Resolve a name; a model must not read files outside its folder."""
    file = path.parent / PurePosixPath(name)
    if not name or "\\" in name or "\0" in name or not file.resolve().is_relative_to(path.parent.resolve()):
        raise SourceError(
            f"names the weights file {name!r}, outside its folder",
            code="SP-338",
            where=str(path),
            hint="Put all its files beside it and export it with relative names",
        )
    if not file.is_file():
        raise SourceError(
            f"needs {name!r} beside it, which is missing",
            code="SP-331",
            where=str(path),
            hint="Copy that file too: it holds weights",
        )
    return file


def _locations(content: mmap.mmap, start: int, stop: int, kind: str, depth: int) -> Iterator[str]:
    if depth > deepest:
        raise RecursionError
    entry: dict[int, str] = {}
    for field, begin, end in _fields(content, start, stop):
        inner = paths.get(kind, {}).get(field)
        if inner is not None:
            yield from _locations(content, begin, end, inner, depth + 1)
        elif kind == "entry" and field in {1, 2}:
            entry[field] = content[begin:end].decode()
    if entry.get(1) == "location":
        yield entry.get(2, "")


def _fields(content: mmap.mmap, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Return the fields of a message that have a length: number, begin and end.

    Raises:
        IndexError: the message does not end where it says.
    """
    while start < stop:
        tag, start = _varint(content, start, stop)
        length = 0
        if tag & 7 == 0:
            _, start = _varint(content, start, stop)
            continue
        if tag & 7 == 2:
            length, start = _varint(content, start, stop)
        else:
            start += {1: 8, 5: 4}[tag & 7] if tag & 7 in {1, 5} else stop
        if start + length > stop:
            raise IndexError
        if tag & 7 == 2:
            yield tag >> 3, start, start + length
        start += length


def _varint(content: mmap.mmap, start: int, stop: int) -> tuple[int, int]:
    value = 0
    for place in range(start, min(start + 10, stop)):
        value |= (content[place] & 0x7F) << 7 * (place - start)
        if content[place] < 0x80:
            return value, place + 1
    raise IndexError
