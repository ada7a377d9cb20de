"""Decodes a head and its shards to words and vectors, as a page does, in Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

from ..codecs.front import decode_words
from ..errors import FormatError
from ..model import Quantization
from .rows import values_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class StoredWeight(TypedDict, total=False):
    """A weight of a head, as far as it is read here."""

    name: str
    shape: list[int]
    dtype: str
    quantization: Quantization
    bytes: int


class StoredShard(TypedDict):
    """A shard of a head; of each segment weight, plane, and start and stop where it is not the whole plane."""

    stage: int
    segments: list[list[int]]


class VectorsHead(TypedDict):
    """The parsed head of word vectors."""

    weights: list[StoredWeight]
    shards: list[StoredShard]


@dataclass(frozen=True, slots=True)
class Decoded:
    """Words and their vectors, in the order of rows.

    Attributes:
        words: one for each row.
        vectors: float32 of shape [rows, dim].
    """

    words: tuple[str, ...]
    vectors: npt.NDArray[np.float32] = field(repr=False)


def decode_vectors(head: VectorsHead, read: Callable[[int], bytes], stages: int | None = None) -> Decoded:
    """Put words and vectors together.

    Args:
        head: parsed.
        read: gives the bytes of the shard with this number.
        stages: how many stages to read, or all.

    Raises:
        FormatError: a shard holds no whole rows, or a vocabulary is damaged.
    """
    import numpy as np

    weights = head["weights"]
    dim = next(weight["shape"][1] for weight in weights if weight["name"] == "vectors")
    words: list[str] = []
    parts = []
    for number, shard in enumerate(head["shards"]):
        if stages is not None and shard["stage"] >= stages:
            break
        pieces = _pieces(weights, shard, read(number))
        count = len(pieces["scales"]) // 2
        if len(pieces["scales"]) != 2 * count or len(pieces["vectors"]) != count * dim:
            raise FormatError("does not hold whole rows", code="SP-504", where=f"shard {number}", hint="Build again")
        words += [word.decode() for word in decode_words(pieces["words"], count)]
        codes = np.frombuffer(pieces["vectors"], np.int8).reshape(count, dim)
        parts.append(values_of(codes, np.frombuffer(pieces["scales"], "<u2")))
    return Decoded(tuple(words), np.concatenate(parts))


def _pieces(weights: list[StoredWeight], shard: StoredShard, content: bytes) -> dict[str, bytes]:
    pieces = {}
    at = 0
    for weight, _, *span in shard["segments"]:
        spec = weights[weight]
        whole = spec["bytes"] if spec["dtype"] == "string" else _length(spec)
        length = span[1] - span[0] if span else whole
        pieces[spec["name"]] = content[at : at + length]
        at += length
    if at != len(content):
        raise FormatError("is not as long as its segments together", code="SP-504", where="a shard", hint="Build again")
    return pieces


def _length(weight: StoredWeight) -> int:
    size = 2 if weight["quantization"]["dtype"] == "bfloat16" else 1
    for length in weight["shape"]:
        size *= int(length)
    return size
