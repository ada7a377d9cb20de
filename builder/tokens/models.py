"""How a piece becomes ids: the models of tokenizers. Words, merges and scores become bytes, the rest is said beside."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..codecs.front import encode_numbers
from ..errors import SourceError
from .fields import Fields, hint, unsupported

most_words = 1_000_000
most_merges = 2_000_000
longest_word = 4096  # bytes


@dataclass(frozen=True, slots=True)
class TokenModel:
    """A model.

    Attributes:
        spec: what ``docs/format.md`` says of it.
        words: by id, None where no word has the id.
        told: the words that must be stored: those of other ids come from merges.
        tail: sections of bytes after the words.
    """

    spec: Mapping[str, Any]
    words: Sequence[str | None]
    told: Sequence[str | None]
    tail: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        """Number of words, as the reference counts them."""
        return sum(word is not None for word in self.words)


def read_model(content: object, place: str = "model") -> TokenModel:
    """Read a model.

    Args:
        content: as tokenizer.json has it.
        place: what users read of where it is.

    Raises:
        SourceError: it is of an unknown kind, or damaged.
    """
    fields = Fields(content, place)
    kind = fields.maybe("type", str) or _guess(content)
    if kind not in _readers:
        raise unsupported(f"is of the kind {kind!r}, not one of {', '.join(_readers)}", place)
    model = _readers[kind](fields)
    fields.end()
    return model


def _guess(content: object) -> str:
    """Name the kind of an old file, which does not tell it, by its fields."""
    names = content.keys() if isinstance(content, dict) else ()
    if "merges" in names:
        return "BPE"
    return "WordPiece" if "continuing_subword_prefix" in names else "WordLevel"


def _bad(what: str, place: str) -> SourceError:
    return SourceError(what, code="SP-423", where=place, hint=hint)


def read_words(found: Mapping[object, object], place: str) -> list[str | None]:
    """Return words by id.

    Raises:
        SourceError: ids repeat, are no whole numbers or leave more gaps than there are words; or a word is no text.
    """
    if len(found) > most_words:
        raise _bad(f"has more than {most_words} words", place)
    words: list[str | None] = []
    most = 2 * len(found) + 1000
    for word, number in found.items():
        check_word(word, place)
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise _bad(f"the word {word!r} has the id {number!r}, which is no whole number from 0", place)
        if number >= most:
            raise _bad(f"the word {word!r} has the id {number}, but there are only {len(found)} words", place)
        words += [None] * (number + 1 - len(words))
        if words[number] is not None:
            raise _bad(f"the words {words[number]!r} and {word!r} have the same id {number}", place)
        words[number] = str(word)
    return words


def check_word(word: object, place: str) -> None:
    """Refuse what no word can be.

    Raises:
        SourceError: it is no text, too long, or has lone surrogates.
    """
    if not isinstance(word, str):
        raise _bad(f"the word {word!r} is no text", place)
    try:
        length = len(word.encode())
    except UnicodeEncodeError as error:
        raise _bad(f"the word {word!r} holds half a character", place) from error
    if length > longest_word:
        raise _bad(f"the word {word[:40]!r}… has more than {longest_word} bytes", place)


def _vocabulary(fields: Fields) -> tuple[list[str | None], dict[str, int]]:
    found = fields.take("vocab", dict)
    return read_words(found, f"{fields.place}.vocab"), found


def _unknown(fields: Fields, ids: Mapping[str, int], word: str | None) -> dict[str, int]:
    if word is None:
        return {}
    if word not in ids:
        raise _bad(f"unk_token {word!r} is not among the words", fields.place)
    return {"unknown": ids[word]}


def _word_piece(fields: Fields) -> TokenModel:
    words, ids = _vocabulary(fields)
    spec = {
        "model": "wordpiece",
        **_unknown(fields, ids, fields.take("unk_token", str)),
        "prefix": fields.take("continuing_subword_prefix", str, "##"),
        "longest": fields.count("max_input_chars_per_word", 1 << 30),
    }
    return TokenModel(spec, words, words)


def _word_level(fields: Fields) -> TokenModel:
    words, ids = _vocabulary(fields)
    return TokenModel({"model": "wordlevel", **_unknown(fields, ids, fields.take("unk_token", str))}, words, words)


def _unigram(fields: Fields) -> TokenModel:
    place = f"{fields.place}.vocab"
    rows = fields.take("vocab", list)
    if len(rows) > most_words:
        raise _bad(f"has more than {most_words} words", place)
    words: list[str | None] = []
    scores: list[float] = []
    for row in rows:
        if not (isinstance(row, list) and len(row) == 2 and _is_number(row[1])):
            raise _bad(f"entry {len(words)} is not a word and a finite score", place)
        check_word(row[0], place)
        words.append(row[0])
        scores.append(float(row[1]))
    unknown = fields.maybe("unk_id", int)
    if not words or (unknown is not None and not 0 <= unknown < len(words)):
        raise _bad(f"unk_id {unknown} is the id of no word", fields.place)
    spec = {"model": "unigram", **({} if unknown is None else {"unknown": unknown})}
    spec |= {"bytes": True} if fields.take("byte_fallback", bool, False) else {}
    wide = any(struct.unpack("<f", struct.pack("<f", score))[0] != score for score in scores if abs(score) < 3e38)
    if wide or any(abs(score) >= 3e38 for score in scores):
        return TokenModel(spec | {"scores": 8}, words, words, (struct.pack(f"<{len(scores)}d", *scores),))
    return TokenModel(spec | {"scores": 4}, words, words, (struct.pack(f"<{len(scores)}f", *scores),))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _bpe(fields: Fields) -> TokenModel:
    words, ids = _vocabulary(fields)
    if fields.maybe("dropout", float):
        raise unsupported(
            "has dropout, which gives other ids each time", fields.place, "Save the tokenizer without dropout"
        )
    prefix, suffix = fields.maybe("continuing_subword_prefix", str) or "", fields.maybe("end_of_word_suffix", str) or ""
    merges = list(_merges(fields.take("merges", list), ids, prefix, f"{fields.place}.merges"))
    spec: dict[str, Any] = {"model": "bpe", "merges": len(merges)}
    spec |= _unknown(fields, ids, fields.maybe("unk_token", str))
    spec |= {name: value for name, value in (("prefix", prefix), ("suffix", suffix)) if value}
    flags = (("fuse", "fuse_unk"), ("bytes", "byte_fallback"), ("whole", "ignore_merges"))
    spec |= {name: True for name, field in flags if fields.maybe(field, bool)}
    told = list(words)
    known = {number: word for number, word in enumerate(words) if word is not None}
    made = {result for _, _, result in merges}
    have = {number for number in known if number not in made}
    for left, right, result in merges:
        # A reader that follows the merges in order has both halves by now.
        if result not in have and left in have and right in have:
            told[result] = None
        have.add(result)
    columns = tuple(encode_numbers(merge[place] for merge in merges) for place in range(3))
    return TokenModel(spec, words, told, (b"".join(columns),))


def _merges(rows: list[Any], ids: Mapping[str, int], prefix: str, place: str) -> Iterator[tuple[int, int, int]]:
    """Return left, right and result of each merge, the first ones first."""
    if len(rows) > most_merges:
        raise _bad(f"has more than {most_merges} merges", place)
    for number, row in enumerate(rows):
        parts = row.split(" ") if isinstance(row, str) else row
        if isinstance(row, str) and row.startswith("#version"):
            continue
        if not (isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) for part in parts)):
            raise _bad(f"merge {number} is not of two words", place)
        left, right = parts
        if not right.startswith(prefix):
            raise _bad(f"merge {number} continues with {right!r}, which does not begin with {prefix!r}", place)
        result = left + right[len(prefix) :]
        for word in (left, right, result):
            if word not in ids:
                raise _bad(f"merge {number} needs {word!r}, which is not among the words", place)
        yield ids[left], ids[right], ids[result]


_readers: Mapping[str, Callable[[Fields], TokenModel]] = {
    "BPE": _bpe,
    "Unigram": _unigram,
    "WordLevel": _word_level,
    "WordPiece": _word_piece,
}
