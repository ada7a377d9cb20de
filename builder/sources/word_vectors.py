"""Readers of word vectors: word2vec's binary file, text files of word2vec, fastText and GloVe, NumPy and a word list.

A file is read in batches from front to back, so what it claims of its size is never allocated. Its order is kept: it is
taken for that of frequency.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import SourceError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

header = re.compile(rb"(\d{1,10}) (\d{1,6})[ \r]*\n")
npy_signature = b"\x93NUMPY"
fasttext_signature = (793712314).to_bytes(4, "little")
byte_order_mark = b"\xef\xbb\xbf"
suffixes = frozenset({".bin", ".vec", ".txt", ".npy"})
longest_word = 1000  # bytes
longest_number = 64  # bytes of text
largest_dim = 1 << 16
batch_values = 1 << 18


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a table, in the file's order.

    Attributes:
        words: one for each row.
        rows: float32 of shape [len(words), dim], all finite.
    """

    words: tuple[str, ...]
    rows: npt.NDArray[np.float32]


def vector_format(suffix: str, start: bytes) -> str:
    """Tell how word vectors are written, by ending and first bytes: ``binary``, ``text``, ``numpy``; else ``""``.

    Args:
        suffix: as ``.vec``, in lower case.
        start: the first 4096 bytes or all there are.
    """
    if suffix == ".npy" and start.startswith(npy_signature):
        return "numpy"
    if suffix == ".bin" and header.match(start):
        return "binary"
    if suffix in {".vec", ".txt"}:
        line = start.removeprefix(byte_order_mark).partition(b"\n")[0]
        if header.match(line + b"\n") or _is_row(line, cut=len(start) == 4096 and b"\n" not in start):
            return "text"
    return ""


def _is_row(line: bytes, *, cut: bool) -> bool:
    """Return whether a line is a word and at least two numbers; the last one may be cut off."""
    _, *numbers = line.rstrip().split(b" ")
    numbers = numbers[:-1] if cut else numbers
    try:
        return len([float(number) for number in numbers]) > 1
    except ValueError:
        return False


def is_vectors(path: Path) -> bool:
    """Return whether a file holds word vectors."""
    if path.suffix.lower() not in suffixes or not path.is_file():
        return False
    with path.open("rb") as file:
        return bool(vector_format(path.suffix.lower(), file.read(4096)))


def read_vectors(path: Path, vocabulary: Path | None = None) -> Iterator[Batch]:
    """Read a table in batches.

    Args:
        path: the file.
        vocabulary: for a ``.npy`` file, UTF-8 text with the word of each row on a line of its own.

    Raises:
        SourceError: the file is damaged, cut off, of another size than it says, not UTF-8, or holds an empty or
            repeated word, NaN or infinities.
    """
    with path.open("rb") as file:
        kind = vector_format(path.suffix.lower(), file.read(4096))
        file.seek(0)
        if kind == "numpy" and vocabulary is None:
            hint = "Name a text file with one word per line as `vocabulary`"
            raise SourceError("holds no words", code="SP-343", where=str(path), hint=hint)
        if kind != "numpy" and vocabulary is not None:
            raise SourceError(
                "already contains its words", code="SP-343", where=str(path), hint="Leave `vocabulary` out"
            )
        if kind == "numpy" and vocabulary is not None:
            batches = _read_numpy(path, vocabulary)
        elif kind == "binary":
            batches = _read_binary(path, file)
        elif kind == "text":
            batches = _read_text(path, file)
        else:
            raise SourceError(
                "holds no word vectors", code="SP-342", where=str(path), hint="Name a .bin, .vec, .txt or .npy file"
            )
        yield from _checked(path, batches)


def _checked(path: Path, batches: Iterator[tuple[list[bytes], npt.NDArray[np.float32]]]) -> Iterator[Batch]:
    """Check what all formats have in common."""
    import numpy as np

    seen: dict[bytes, int] = {}
    for words, rows in batches:
        texts = []
        for word in words:
            number = len(seen)
            if word in seen:
                raise SourceError(
                    f"has the word {word.decode(errors='replace')!r} twice, in rows {seen[word] + 1} and {number + 1}",
                    code="SP-341",
                    where=str(path),
                    hint="Remove one of them",
                )
            seen[word] = number
            texts.append(_text(path, word, number))
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            word_text = texts[int(np.argmin(finite))]
            raise SourceError(
                f"has NaN or infinities for {word_text!r}", code="SP-341", where=str(path), hint="Remove that row"
            )
        yield Batch(tuple(texts), rows)
    if not seen:
        raise SourceError("holds no vectors", code="SP-342", where=str(path), hint="Export it again")


def _text(path: Path, word: bytes, number: int) -> str:
    if not word or len(word) > longest_word:
        what = "is empty" if not word else f"has {len(word)} bytes, at most {longest_word} are read"
        raise SourceError(f"row {number + 1}: its word {what}", code="SP-341", where=str(path), hint="Remove that row")
    try:
        return word.decode()
    except UnicodeDecodeError as error:
        raise SourceError(
            f"row {number + 1}: the word {word[:40]!r} is not UTF-8",
            code="SP-341",
            where=str(path),
            hint="Write the file as UTF-8",
        ) from error


def _read_binary(path: Path, file: BinaryIO) -> Iterator[tuple[list[bytes], npt.NDArray[np.float32]]]:
    """Read word2vec's binary file: a line ``rows dim``, then for each row a word, a space and ``dim`` float32."""
    import numpy as np

    size = path.stat().st_size
    count, dim = _header(path, file.readline(40))
    if count * (4 * dim + 2) > size - file.tell():
        raise _short(path, f"{count} vectors of {dim} numbers", size)
    row = 1 + 4 * dim
    step = max(1, batch_values // dim)
    content, at = b"", 0
    for first in range(0, count, step):
        words: list[bytes] = []
        values = bytearray()
        for number in range(first, min(first + step, count)):
            while (end := content.find(b" ", at, at + longest_word + 2)) < 0 or len(content) < end + row:
                if end < 0 and len(content) > at + longest_word + 2:
                    what = f"row {number + 1} has a word without end"
                    raise SourceError(
                        what, code="SP-341", where=str(path), hint="It is damaged: download or export it again"
                    )
                more = file.read(max(1 << 20, row))
                if not more:
                    raise _short(path, f"{count} vectors", size, number)
                content, at = content[at:] + more, 0
            words.append(content[at:end].lstrip(b"\n"))
            values += content[end + 1 : end + row]
            at = end + row
        yield words, np.frombuffer(bytes(values), "<f4").reshape(len(words), dim)
    if (content[at:] + file.read(16)).strip():
        raise SourceError(
            f"continues after the {count} vectors that it states",
            code="SP-340",
            where=str(path),
            hint="Correct its first line",
        )


def _header(path: Path, line: bytes) -> tuple[int, int]:
    match = header.fullmatch(line)
    count, dim = (int(number) for number in match.groups()) if match else (0, 0)
    if not (count and 0 < dim <= largest_dim):
        raise SourceError(
            f"begins with {line[:40]!r}, not with numbers of rows and columns",
            code="SP-340",
            where=str(path),
            hint="Export it again",
        )
    return count, dim


def _short(path: Path, said: str, size: int, found: int | None = None) -> SourceError:
    have = f"its {size} bytes are too few for them" if found is None else f"ends after {found}"
    return SourceError(
        f"states {said}, but {have}",
        code="SP-340",
        where=str(path),
        hint="It is truncated: download or export it again",
    )


def _read_text(path: Path, file: BinaryIO) -> Iterator[tuple[list[bytes], npt.NDArray[np.float32]]]:
    """Read text: a word and its numbers on each line, and perhaps ``rows dim`` on the first one.

    The numbers are counted from the end, as some files have spaces in their words.
    """
    first = file.readline(longest_word + longest_number * largest_dim)
    start = first.removeprefix(byte_order_mark)
    match = header.fullmatch(start)
    if match:
        count, dim = _header(path, start)
        size = path.stat().st_size
        if count * (2 * dim + 2) - 1 > size:  # a word of a byte, a digit a number, the spaces and line ends
            raise _short(path, f"{count} vectors of {dim} numbers", size)
    else:
        count, dim = -1, len(start.rstrip().split(b" ")) - 1
        file.seek(len(first) - len(start))
    limit = longest_word + longest_number * dim
    step = max(1, batch_values // dim)
    words: list[bytes] = []
    numbers: list[bytes] = []
    done = 0
    while line := file.readline(limit):
        parts = line.rstrip(b"\r\n ").split(b" ")
        if parts == [b""]:
            continue
        where = f"row {done + len(words) + 1}"
        if len(parts) <= dim or (len(line) == limit and line[-1:] != b"\n"):
            what = f"{where} has {len(parts) - 1} numbers instead of {dim}"
            raise SourceError(
                what, code="SP-341", where=str(path), hint="It is truncated there, or the line belongs to another file"
            )
        words.append(b" ".join(parts[:-dim]))
        numbers += parts[-dim:]
        if len(words) == step:
            yield words, _numbers(path, numbers, words, dim, done)
            done += len(words)
            words, numbers = [], []
    if words:
        yield words, _numbers(path, numbers, words, dim, done)
        done += len(words)
    if count not in {-1, done}:
        raise SourceError(
            f"states {count} vectors, but has {done}",
            code="SP-340",
            where=str(path),
            hint="Download it again, or correct its first line",
        )


def _numbers(path: Path, numbers: list[bytes], words: list[bytes], dim: int, done: int) -> npt.NDArray[np.float32]:
    import numpy as np

    try:
        with np.errstate(over="ignore"):  # what gets infinite is refused with its word
            values = np.fromiter(map(float, numbers), np.float32, len(numbers))
    except ValueError as error:
        for place, number in enumerate(numbers):
            if not _is_number(number):
                what = f"row {done + place // dim + 1}: {number[:40]!r} is not a number"
                hint = f"Each line has a word and {dim} numbers, separated by spaces"
                raise SourceError(what, code="SP-341", where=str(path), hint=hint) from error
        raise
    return values.reshape(len(words), dim)


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_numpy(path: Path, vocabulary: Path) -> Iterator[tuple[list[bytes], npt.NDArray[np.float32]]]:
    """Read a two-dimensional array and the word list beside it."""
    import numpy as np

    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError, TypeError, OverflowError) as error:
        raise SourceError(
            f"cannot be read as an array ({error})", code="SP-344", where=str(path), hint="Save it again"
        ) from error
    if array.ndim != 2 or array.dtype.kind != "f" or not 0 < array.shape[1] <= largest_dim:
        what = f"holds {array.dtype}{list(array.shape)}"
        raise SourceError(
            what, code="SP-344", where=str(path), hint="It needs rows and columns of float16, float32 or float64"
        )
    count, dim = array.shape
    step = max(1, batch_values // dim)
    words: list[bytes] = []
    done = 0
    with _open_words(vocabulary) as file:
        while line := file.readline(longest_word + 2):
            words.append(line.removeprefix(byte_order_mark if not done + len(words) else b"").rstrip(b"\r\n"))
            if done + len(words) > count:
                raise SourceError(
                    f"has more words than the {count} rows of {path.name}", code="SP-343", where=str(vocabulary)
                )
            if len(words) == step:
                yield words, _float32(array[done : done + len(words)])
                done += len(words)
                words = []
    if words:
        yield words, _float32(array[done : done + len(words)])
        done += len(words)
    if done != count:
        what = f"has {done} words for the {count} rows of {path.name}"
        raise SourceError(
            what, code="SP-343", where=str(vocabulary), hint="It needs one word per line, in the order of the rows"
        )


def _float32(rows: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    import numpy as np

    with np.errstate(over="ignore"):  # as above
        return np.asarray(rows, np.float32)


def _open_words(vocabulary: Path) -> BinaryIO:
    try:
        return vocabulary.open("rb")
    except OSError as error:
        raise SourceError(
            f"cannot be read ({error.strerror})",
            code="SP-302",
            where=str(vocabulary),
            hint="Correct `vocabulary` in build.toml",
        ) from error
