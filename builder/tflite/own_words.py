"""What a TensorFlow Lite file says of itself: labels, and how its input was normalised.

The metadata of TensorFlow Lite's tools is a flatbuffer of its own inside the file (``metadata_schema.fbs`` of
tflite-support; the numbers below are places of its fields), and label files are a zip at the file's end. All of it is a
hint for proposals, so whatever cannot be read says nothing.
"""

from __future__ import annotations

import contextlib
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .schema import load_schema

metadata_name = b"TFLITE_METADATA"
most_entries = 1_000
most_label_bytes = 1 << 20
subgraphs, input_tensors, process_units, normalisation = 3, 2, 4, 1
damage = (
    struct.error, IndexError, ValueError, TypeError, KeyError, AttributeError, OverflowError, AssertionError, OSError,
    zipfile.BadZipFile, RuntimeError, NotImplementedError,
)  # fmt: skip


def own_words(path: Path) -> dict[str, Any]:
    """Return ``labels``, and ``mean`` and ``std`` of the first input in 0 to 255, as far as the file has them."""
    found: dict[str, Any] = {}
    with contextlib.suppress(*damage):
        found |= _normalisation(path.read_bytes())
    with contextlib.suppress(*damage):
        found |= {"labels": labels} if (labels := _labels(path)) else {}
    return found


def _labels(path: Path) -> list[str]:
    """Read the only text file of the zip behind the model, a label a line."""
    with zipfile.ZipFile(path) as archive:
        texts = [item for item in archive.infolist()[:most_entries] if item.filename.endswith(".txt")]
        if len(texts) != 1 or texts[0].file_size > most_label_bytes:
            return []
        with archive.open(texts[0]) as file:
            text = file.read(most_label_bytes + 1).decode()
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line] if len(text) <= most_label_bytes else []


def _normalisation(content: bytes) -> dict[str, Any]:
    model = load_schema().Model.GetRootAs(content, 0)
    for place in range(min(model.MetadataLength(), most_entries)):
        entry = model.Metadata(place)
        if entry.Name() != metadata_name:
            continue
        raw = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
        root = _table(raw, struct.unpack_from("<I", raw)[0])
        for subgraph in _each(root, subgraphs):
            for tensor in _each(subgraph, input_tensors):
                return _spread(tensor)
    return {}


def _spread(tensor: Any) -> dict[str, Any]:
    """Read the normalisation of a tensor, the only process unit that has numbers of that kind."""
    for unit in _each(tensor, process_units):
        kind = unit.Offset(4)
        if kind and unit.Bytes[unit.Pos + kind] == normalisation:
            at = unit.Offset(6)
            options = _table(unit.Bytes, unit.Indirect(unit.Pos + at))
            mean, std = _floats(options, 0), _floats(options, 1)
            if mean and len(mean) == len(std) and 0 not in std:
                return {"mean": mean, "std": std}
    return {}


def _table(content: Any, place: int) -> Any:
    from flatbuffers.table import Table

    return Table(content, place)


def _each(table: Any, number: int) -> Iterator[Any]:
    """Give the tables of a vector, the field of a number."""
    at = table.Offset(4 + 2 * number)
    if at:
        start = table.Vector(at)
        for place in range(min(table.VectorLen(at), most_entries)):
            yield _table(table.Bytes, table.Indirect(start + 4 * place))


def _floats(table: Any, number: int) -> list[float]:
    at = table.Offset(4 + 2 * number)
    count = min(table.VectorLen(at), 4) if at else 0
    return list(struct.unpack_from(f"<{count}f", table.Bytes, table.Vector(at))) if count else []
