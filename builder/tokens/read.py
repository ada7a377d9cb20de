"""Reads a tokenizer.json: what a page needs of it as a small description, and its words as bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..codecs.front import encode_numbers, encode_words
from ..errors import SourceError
from .characters import items, newer
from .fields import Fields, damaged, hint, unsupported
from .framing import Frame, read_frame, read_padding, read_truncation
from .models import TokenModel, check_word, read_model
from .normalizers import kept, read_normalizer
from .splitting import read_splits

most_bytes = 64 << 20
most_added = 100_000
fillers = ("[PAD]", "<pad>", "<PAD>", "<|padding|>", "<|pad|>")
flags = {"normalized": 1, "lstrip": 2, "rstrip": 4, "single_word": 8}


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """A tokenizer as a bundle has it.

    Attributes:
        spec: ``tokenizer`` of the head, see ``docs/format.md``.
        vocabulary: words, merges, scores and charsmap, see there.
    """

    spec: dict[str, Any]
    vocabulary: bytes = field(repr=False)


def read_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer.json of Hugging Face's tokenizers.

    Args:
        path: the file.

    Raises:
        SourceError: it is damaged, too large, or has parts that cannot be had in a page just as the library has them.
    """
    try:
        if path.stat().st_size > most_bytes:
            raise _unreadable(f"is larger than {most_bytes >> 20} MB", str(path))
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(f"cannot be read: {error.strerror or error}", str(path)) from error
    return parse_tokenizer(content, str(path))


def parse_tokenizer(content: bytes, where: str) -> Tokenizer:
    """Read the bytes of a tokenizer.json.

    Args:
        content: the file.
        where: what users read of where it is.

    Raises:
        SourceError: as ``read_tokenizer``.
    """
    try:
        parsed = json.loads(content, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reason = "is nested too deep" if isinstance(error, RecursionError) else f"is not JSON: {error}"
        raise _unreadable(reason, where) from error
    try:
        return _tokenizer(parsed)
    except SourceError as error:
        raise SourceError(error.what, code=error.code, where=f"{where}: {error.where}", hint=error.hint) from error


def _unreadable(what: str, where: str) -> SourceError:
    return SourceError(what, code="SP-420", where=where, hint="Name the tokenizer.json that the model was trained with")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"an object has {twice!r} twice")
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _tokenizer(content: object) -> Tokenizer:
    fields = Fields(content, "the file")
    if (version := fields.take("version", str, "1.0")) != "1.0":
        raise unsupported(f"has the version {version!r}, not 1.0", "version")
    fields.drop("decoder")
    model = read_model(fields.other("model"))
    words, added = _add(model, fields.take("added_tokens", list, []))
    normalizer = read_normalizer(fields.other("normalizer"))
    splits = read_splits(fields.other("pre_tokenizer"))
    frame = read_frame(fields.other("post_processor"))
    truncation = read_truncation(fields.other("truncation"), frame)
    padding = read_padding(fields.other("padding")) or {"id": _filler(words), "type": 0, "side": "right"}
    fields.end()
    spec = {
        **model.spec,
        "words": len(words),
        "known": len(model.words),
        "added": added,
        "normalizer": normalizer.steps,
        "splits": splits,
        **_characters(normalizer.steps, splits),
        **({"charsmap": len(normalizer.charsmap)} if normalizer.charsmap is not None else {}),
        **_frame(frame),
        **({"truncate": truncation} if truncation else {}),
        "pad": padding,
    }
    told = [*model.told, *words[len(model.words) :]]
    charsmap = normalizer.charsmap
    tables: list[list[str] | list[str | None]] = [told]
    tables += [list(charsmap), list(charsmap.values())] if charsmap is not None else []
    sections = [*(encode_words([(word or "").encode() for word in table]) for table in tables), *model.tail]
    return Tokenizer(spec, b"".join(encode_numbers([len(section)]) + section for section in sections))


def _characters(steps: Sequence[list[Any]], splits: Sequence[list[Any]]) -> dict[str, str]:
    """Return the sets of characters that browsers know otherwise, as far as steps meet them."""
    found = {}
    if any(step[0] == "form" for step in steps):
        found["kept"] = kept
    if any(step[0] == "split" and step[4:] for step in splits):
        found["newer"] = f"[{items(newer)}]"
    return found


def _frame(frame: Frame) -> dict[str, Any]:
    return {"single": list(frame.single), "pair": list(frame.pair)} if frame.set else {}


def _filler(words: Sequence[str | None]) -> int:
    """Return the id that fills up where tokenizer.json does not tell."""
    return next((words.index(word) for word in fillers if word in words), 0)


def _add(model: TokenModel, rows: list[Any]) -> tuple[list[str | None], list[list[int]]]:
    """Return all words by id, with the added ones, and these as runs: first id, count and flags."""
    place = "added_tokens"
    if len(rows) > most_added:
        raise unsupported(f"are more than {most_added}", place)
    words = list(model.words)
    ids = {word: number for number, word in enumerate(words) if word is not None}
    following = model.size
    found: dict[int, int] = {}
    for row in rows:
        fields = Fields(row, place)
        word, number = fields.take("content", str), fields.count("id", (1 << 31) - 1)
        mask = sum(bit for name, bit in flags.items() if fields.take(name, bool))
        fields.drop("special")
        fields.end()
        if not word:
            continue
        check_word(word, place)
        right = ids.get(word, following)
        if number != right or number in found:
            raise SourceError(
                f"{word!r} has the id {number}, which the library would not give it",
                code="SP-423",
                where=place,
                hint=hint,
            )
        if word not in ids:
            if number < len(words):
                raise damaged(f"{word!r} has an id in a gap of the words' ids", place)
            words.append(word)
            ids[word] = number
            following += 1
        found[number] = mask
    return words, list(_runs(sorted(found.items())))


def _runs(found: list[tuple[int, int]]) -> Iterator[list[int]]:
    run: list[int] = []
    for number, mask in found:
        if run and run[0] + run[1] == number and run[2] == mask:
            run[1] += 1
        else:
            if run:
                yield run
            run = [number, 1, mask]
    if run:
        yield run
