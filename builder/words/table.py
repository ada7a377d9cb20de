"""The table of a model of word vectors, ready to be packed: read, put into bands, quantized."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ..codecs import Codec, CodecFields, Plane
from ..codecs.front import encode_words
from ..codecs.raw import Raw
from ..errors import SourceError
from ..model import BytesData, Model, TensorSpec, Weight
from ..packing.segments import Segment, Stage, base
from ..packing.shards import Shard
from ..sources.word_vectors import Batch, read_vectors
from .bands import bands
from .rows import quantize_rows

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

kind = "word-vectors"
rest = "rest"
word_bytes = 8  # about what a word takes, for the size of blocks
names = ("words", "scales", "vectors")


@dataclass(frozen=True, slots=True)
class Front:
    """The codec ``front``: words front-coded block by block.

    Attributes:
        nbytes: of all blocks together.
    """

    nbytes: int
    name: str = "front"
    identity: str = "front"

    @property
    def fields(self) -> CodecFields:
        """Return what the head says of it: its length."""
        return {"bytes": self.nbytes}

    def planes(self, weight: Weight) -> tuple[Plane, ...]:
        """Return the one plane: the weight's bytes are front-coded already."""
        return (Plane(0, False, self.nbytes, weight.data.read),)

    def decode(self, planes: Mapping[int, bytes]) -> bytes:
        """Return the one plane back."""
        return planes[0]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in the order a page gets them.

    Attributes:
        words: UTF-8, in ascending order within each band of each block.
        codes: int8 of shape [rows, dim].
        scales: uint16 of shape [rows], upper halves of float32.
        blocks: first row of each block and the row behind its last one.
        first: rows of the base stage.

    Raises:
        SourceError: the parts do not belong together.
    """

    words: tuple[bytes, ...]
    codes: npt.NDArray[np.int8] = field(repr=False)
    scales: npt.NDArray[np.uint16] = field(repr=False)
    blocks: tuple[tuple[int, int], ...]
    first: int

    def __post_init__(self) -> None:
        """Check that the parts agree."""
        rows = len(self.words)
        edges = [start for start, _ in self.blocks]
        if not (
            self.codes.shape[0] == len(self.scales) == rows
            and edges == [0, *(stop for _, stop in self.blocks[:-1])]
            and self.blocks[-1][1] == rows
            and self.first in (*edges, rows)
        ):
            raise SourceError("the parts of the table do not belong together", code="SP-345", hint="Please report this")


def read_table(path: Path, vocabulary: Path | None, rows_first: int, shard_bytes: int) -> Table:
    """Read word vectors and quantize them.

    Args:
        path: the file, as ``read_vectors`` takes it.
        vocabulary: likewise, or None.
        rows_first: how many rows, the most frequent ones, the base stage has.
        shard_bytes: about how large a block is.

    Raises:
        SourceError: the source is damaged.
    """
    return make_table(read_vectors(path, vocabulary), rows_first, shard_bytes)


def make_table(batches: Iterable[Batch], rows_first: int, shard_bytes: int) -> Table:
    """Quantize batches and put the words of each band in order."""
    import numpy as np

    words: list[bytes] = []
    parts = []
    for batch in batches:
        words += [word.encode() for word in batch.words]
        parts.append(quantize_rows(batch.rows))
    codes = np.concatenate([part for part, _ in parts])
    scales = np.concatenate([part for _, part in parts])
    first = min(rows_first, len(words))
    blocks = (*_blocks(0, first, codes.shape[1], shard_bytes), *_blocks(first, len(words), codes.shape[1], shard_bytes))
    order = _order(words, blocks)
    return Table(tuple(words[row] for row in order), codes[order], scales[order], blocks, first)


def _blocks(start: int, stop: int, dim: int, shard_bytes: int) -> list[tuple[int, int]]:
    """Cut rows into blocks of about one shard each, as even as they can be."""
    rows = stop - start
    count = -(-rows // max(1, shard_bytes // (dim + 2 + word_bytes)))
    edges = [start + rows * number // count for number in range(count)] + [stop] if rows else []
    return list(pairwise(edges))


def _order(words: list[bytes], blocks: tuple[tuple[int, int], ...]) -> list[int]:
    """Sort the rows of each band, as far as it lies in one block, by the bytes of their words."""
    edges = sorted({start for start, _ in (*blocks, *bands(len(words)))} | {len(words)})
    order: list[int] = []
    for start, stop in pairwise(edges):
        order += sorted(range(start, stop), key=words.__getitem__)
    return order


def plan(table: Table) -> tuple[Model, tuple[Codec, ...], tuple[Stage, ...], list[tuple[int, Shard]]]:
    """Return a table as a model, the codecs of its weights, its stages and their shards, one a block."""
    pieces = [encode_words(table.words[start:stop]) for start, stop in table.blocks]
    content = b"".join(pieces)
    rows, dim = table.codes.shape
    weights = (
        Weight(names[0], (rows,), "string", BytesData(content)),
        Weight(names[1], (rows,), "float32", BytesData(table.scales.tobytes()), {"dtype": "bfloat16"}),
        Weight(names[2], (rows, dim), "float32", BytesData(table.codes.tobytes()), {"dtype": "int8"}),
    )
    model = Model(
        kind,
        {},
        weights,
        (TensorSpec("word", "string", ()),),
        (TensorSpec("vector", "float32", (dim,)),),
    )
    planes = [Plane(0, False, weight.data.nbytes, weight.data.read) for weight in weights]
    plans: list[tuple[int, Shard]] = []
    at = 0
    for (start, stop), piece in zip(table.blocks, pieces, strict=True):
        ranges = ((at, at + len(piece)), (2 * start, 2 * stop), (dim * start, dim * stop))
        segments = tuple(
            Segment(number, plane, *span) for number, (plane, span) in enumerate(zip(planes, ranges, strict=True))
        )
        plans.append((0 if start < table.first else 1, segments))
        at += len(piece)
    stages = (Stage(base, ()), *((Stage(rest, ()),) if table.first < rows else ()))
    return model, (Front(len(content)), Raw(), Raw()), stages, plans
