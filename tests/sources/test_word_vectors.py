"""Word vectors are read from every format they come in, and hostile files are refused with words that help."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builder.errors import SourceError
from builder.sources.word_vectors import is_vectors, read_vectors
from tests.helpers.word_tables import table, write_binary, write_numpy, write_text


def read(path: Path, vocabulary: Path | None = None) -> tuple[list[str], np.ndarray]:
    batches = list(read_vectors(path, vocabulary))
    return [word for batch in batches for word in batch.words], np.concatenate([batch.rows for batch in batches])


def assert_same(found: tuple[list[str], np.ndarray], names: list[str], vectors: np.ndarray) -> None:
    assert found[0] == names
    assert found[1].dtype == np.float32
    np.testing.assert_array_equal(found[1], vectors)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_binary(end: bytes, tmp_path: Path) -> None:
    names, vectors = table(900, 7)
    path = write_binary(tmp_path / "a.bin", names, vectors, end)
    assert is_vectors(path)
    assert_same(read(path), names, vectors)


def test_binary_larger_than_one_batch_and_one_buffer(tmp_path: Path) -> None:
    names, vectors = table(1500, 300)
    assert_same(read(write_binary(tmp_path / "a.bin", names, vectors)), names, vectors)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("end", ["\n", " \n", "\r\n"])
@pytest.mark.parametrize("name", ["a.vec", "A.TXT"])
def test_text(header: bool, end: str, name: str, tmp_path: Path) -> None:
    names, vectors = table(300, 5)
    path = write_text(tmp_path / name, names, vectors, header=header, end=end)
    assert is_vectors(path)
    assert_same(read(path), names, vectors)


def test_text_with_spaces_in_words_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffthe 1 2 3\n. . . 4 5 6\n\u3000 7 8 9".encode())
    assert_same(read(path), ["the", ". . .", "\u3000"], np.arange(1, 10, dtype=np.float32).reshape(3, 3))


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numpy(dtype: str, order: str, tmp_path: Path) -> None:
    names, vectors = table(300, 5)
    vectors = np.asarray(vectors, dtype, order=order)
    path, vocabulary = write_numpy(tmp_path / "a.npy", names, vectors)
    assert is_vectors(path)
    assert_same(read(path, vocabulary), names, vectors.astype(np.float32))


def refusal(path: Path, vocabulary: Path | None = None) -> str:
    with pytest.raises(SourceError) as caught:
        read(path, vocabulary)
    assert caught.value.hint or "more words" in caught.value.what
    return str(caught.value)


def test_binary_that_is_cut_off(tmp_path: Path) -> None:
    path = write_binary(tmp_path / "a.bin", *table(50, 4))
    content = path.read_bytes()
    path.write_bytes(content[:300])
    assert "50 vectors of 4 numbers" in refusal(path)
    path.write_bytes(content[:-1])
    assert "ends after 49" in refusal(path)


def test_sizes_that_no_file_has_are_not_allocated(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"9999999999 65000\nthe " + bytes(100))
    assert "too few" in refusal(path)
    path = tmp_path / "a.vec"
    path.write_bytes(b"9999999999 65000\nthe 1 2\n")
    assert "too few" in refusal(path)
    path = tmp_path / "a.npy"
    whole = tmp_path / "whole.npy"
    np.save(whole, np.zeros((100000, 50), np.float32))
    path.write_bytes(whole.read_bytes()[:5000])
    (tmp_path / "words.txt").write_text("a\n")
    assert "cannot be read as an array" in refusal(path, tmp_path / "words.txt")


@pytest.mark.parametrize(("content", "words"), [(b"0 50\n", "rows and columns"), (b"3 0\n", "rows and columns")])
def test_binary_of_nothing(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(content + bytes(400))
    assert words in refusal(path)


def test_binary_with_a_word_without_end(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"2 3\n" + b"x" * 5000)
    assert "row 1 has a word without end" in refusal(path)


def test_binary_with_more_than_it_says(tmp_path: Path) -> None:
    path = write_binary(tmp_path / "a.bin", *table(9, 4))
    path.write_bytes(path.read_bytes() + b"more of it")
    assert "continues after the 9 vectors" in refusal(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"3 2\na 1.25 2\nb 1 2\n", "states 3 vectors, but has 2"),
        (b"1 2\na 1 2\nb 1 2\n", "states 1 vectors, but has 2"),
        (b"a 1 2\nb 1\n", "row 2 has 1 numbers instead of 2"),
        (b"a 1 2\nb 1 zwei\n", "row 2: b'zwei' is not a number"),
        (b"a 1 2\nb 1 2\na 3 4\n", "has the word 'a' twice, in rows 1 and 3"),
        (b"a 1 2\n\xff\xfe 1 2\n", "row 2: the word b'\\xff\\xfe' is not UTF-8"),
        (b"a 1 2\nb nan 2\n", "has NaN or infinities for 'b'"),
        (b"a 1 2\nb 1 1e99\n", "has NaN or infinities for 'b'"),
        (b"a 1 2\n 1 2\n", "row 2: its word is empty"),
        (b"a 1 2\n" + b"w" * 1500 + b" 1 2\n", "row 2 has"),
        (b"a 1 2\n" + b"w" * 1050 + b" 1 2\n", "has 1050 bytes"),
    ],
)
def test_text_that_is_damaged(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.vec"
    path.write_bytes(content)
    assert said in refusal(path)


def test_arrays_that_are_no_table(tmp_path: Path) -> None:
    path, vocabulary = write_numpy(tmp_path / "a.npy", *table(20, 3))
    assert "holds no words" in refusal(path)
    vocabulary.write_text("a\nb\n")
    assert "has 2 words for the 20 rows" in refusal(path, vocabulary)
    vocabulary.write_text("".join(f"w{number}\n" for number in range(30)))
    assert "has more words than the 20 rows" in refusal(path, vocabulary)
    assert "cannot be read" in refusal(path, tmp_path / "nowhere.txt")
    for wrong in (np.zeros(5, np.float32), np.zeros((5, 2), np.int32), np.zeros((5, 0), np.float32)):
        np.save(path, wrong)
        assert "rows and columns" in refusal(path, vocabulary)
    np.save(path, np.array([[1.0, 2.0], [1e99, 1.0]]))
    vocabulary.write_text("a\nb\n")
    assert "has NaN or infinities for 'b'" in refusal(path, vocabulary)
    np.save(path, np.array([[{}]]), allow_pickle=True)
    assert "cannot be read as an array" in refusal(path, vocabulary)


def test_a_word_list_beside_what_has_its_own_words(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.vec", *table(20, 3), header=True)
    (tmp_path / "words.txt").write_text("a\n")
    assert "already contains its words" in refusal(path, tmp_path / "words.txt")


@pytest.mark.parametrize("content", [b"happy\nsad\n", b"", b"one two three\n", b"\x00\x01\x02", b"word 1\n"])
def test_what_holds_no_vectors_is_not_taken_for_some(content: bytes, tmp_path: Path) -> None:
    for suffix in (".txt", ".bin", ".npy"):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(content)
        assert not is_vectors(path)
