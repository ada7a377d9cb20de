"""Small tables of word vectors with neighbours that can be told beforehand, and the files they come in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from builder.sources.word_vectors import Batch

syllables = ("ba", "ké", "lo", "mi", "ñu", "ra", "so", "ti", "вы", "水", "山", "語")


def words(count: int) -> list[str]:
    """Give different words of one to four syllables of several scripts, the short ones first."""
    found: list[str] = []
    level = [""]
    while len(found) < count:
        level = [start + end for start in level for end in syllables]
        found += level
    return found[:count]


def table(count: int, dim: int, seed: int = 5) -> tuple[list[str], np.ndarray]:
    """Give words and float32 vectors of very different lengths, the last one zero."""
    generator = np.random.Generator(np.random.PCG64(seed))
    vectors = generator.normal(size=(count, dim)) * np.exp(generator.normal(size=(count, 1)) * 2)
    vectors[-1] = 0
    return words(count), vectors.astype(np.float32)


def batch(names: Sequence[str], vectors: np.ndarray) -> Batch:
    """Give a table as one batch."""
    return Batch(tuple(names), vectors)


def write_binary(path: Path, names: Sequence[str], vectors: np.ndarray, end: bytes = b"") -> Path:
    """Write word2vec's binary file; the original tool ends rows with a line feed, others with nothing."""
    rows = [name.encode() + b" " + row.astype("<f4").tobytes() + end for name, row in zip(names, vectors, strict=True)]
    path.write_bytes(f"{len(names)} {vectors.shape[1]}\n".encode() + b"".join(rows))
    return path


def write_text(path: Path, names: Sequence[str], vectors: np.ndarray, *, header: bool, end: str = "\n") -> Path:
    """Write text, exactly: nine digits tell a float32."""
    lines = [f"{len(names)} {vectors.shape[1]}"] if header else []
    lines += [" ".join([name, *(f"{value:.9g}" for value in row)]) for name, row in zip(names, vectors, strict=True)]
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def write_numpy(path: Path, names: Sequence[str], vectors: np.ndarray) -> tuple[Path, Path]:
    """Write an array and its word list."""
    np.save(path, vectors)
    vocabulary = path.with_suffix(".txt")
    vocabulary.write_bytes("".join(f"{name}\n" for name in names).encode())
    return path, vocabulary
