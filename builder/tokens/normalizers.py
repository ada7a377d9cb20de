"""What is done to a text before it is cut: normalizers as steps, see ``docs/format.md``."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .characters import (
    chinese,
    controls,
    items,
    kept_by_normal_forms,
    marks,
    nonspacing_marks,
    white_space,
)
from .charsmap import read_charsmap
from .fields import Fields, damaged, unsupported
from .patterns import escaped, translated

Step = list[Any]
most_parts, deepest = 64, 8
forms = frozenset({"NFC", "NFD", "NFKC", "NFKD"})


@dataclass(slots=True)
class Steps:
    """Steps in order, and what they need beside them.

    Attributes:
        steps: see ``docs/format.md``.
        charsmap: keys and values of a SentencePiece charsmap.
    """

    steps: list[Step] = field(default_factory=list)
    charsmap: dict[str, str] | None = None


def read_normalizer(content: object, place: str = "normalizer") -> Steps:
    """Turn a normalizer into steps.

    Args:
        content: as tokenizer.json has it, or None.
        place: what users read of where it is.

    Raises:
        SourceError: it has a part that is unknown or damaged.
    """
    found = Steps()
    if content is not None:
        _read(found, content, place, 0)
    if len(found.steps) > most_parts:
        raise unsupported(f"has more than {most_parts} steps", place)
    return found


def _read(found: Steps, content: object, place: str, depth: int) -> None:
    fields = Fields(content, place)
    kind = fields.take("type", str)
    if kind == "Sequence":
        if depth >= deepest:
            raise unsupported(f"has more than {deepest} sequences in one another", place)
        for number, part in enumerate(fields.take("normalizers", list)):
            _read(found, part, f"{place}.normalizers[{number}]", depth + 1)
    elif kind in forms:
        found.steps.append(["form", kind])
    elif kind == "Precompiled":
        _read_charsmap(found, fields)
    elif kind in _readers:
        found.steps += _readers[kind](fields)
    else:
        raise unsupported(f"has the normalizer {kind!r}, which is not known", place)
    fields.end()


def _read_charsmap(found: Steps, fields: Fields) -> None:
    if found.charsmap is not None:
        raise unsupported("has two Precompiled normalizers", fields.place)
    try:
        content = base64.b64decode(fields.take("precompiled_charsmap", str), validate=True)
    except (binascii.Error, ValueError) as error:
        raise damaged("precompiled_charsmap is no Base64", fields.place) from error
    if content:
        found.charsmap = read_charsmap(content, fields.place)
        found.steps.append(["charsmap"])


def _bert(fields: Fields) -> list[Step]:
    lowers = fields.take("lowercase", bool, True)
    steps: list[Step] = []
    if fields.take("clean_text", bool, True):
        steps += [["replace", controls, ""], ["replace", white_space, " "]]
    if fields.take("handle_chinese_chars", bool, True):
        steps.append(["around", f"[{items(chinese)}]"])
    accents = fields.maybe("strip_accents", bool)
    if lowers if accents is None else accents:
        steps += [["form", "NFD"], ["replace", nonspacing_marks, ""]]
    return [*steps, ["lower"]] if lowers else steps


def _strip(fields: Fields) -> list[Step]:
    return [["strip", fields.take("strip_left", bool), fields.take("strip_right", bool)]]


def _replace(fields: Fields) -> list[Step]:
    return [["replace", read_pattern(fields), _content(fields, "content")]]


def _content(fields: Fields, name: str) -> str:
    text = fields.take(name, str)
    if len(text) > 1000:
        raise damaged(f"{name} is too long", fields.place)
    return text


def _nmt(_fields: Fields) -> list[Step]:
    return [
        ["replace", "[\\x01-\\x08\\x0b\\x0e-\\x1f\\x7f\\x8f\\x9f]", ""],
        ["replace", "[\\t\\n\\f\\r\\u1680\\u200b-\\u200f\\u2028\\u2029\\u2581\\ufeff\\ufffd]", " "],
    ]


def read_pattern(fields: Fields) -> str:
    """Return the field ``pattern``, a text or a regular expression, as JavaScript writes it.

    Raises:
        SourceError: it is neither, or cannot be had in JavaScript.
    """
    pattern = Fields(fields.take("pattern", dict), f"{fields.place}.pattern")
    regex, text = pattern.maybe("Regex", str), pattern.maybe("String", str)
    pattern.end()
    if (regex is None) is (text is None) or not (regex or text):
        raise damaged("should be a String or a Regex, which is not empty", pattern.place)
    return translated(regex, pattern.place) if regex else escaped(text or "")


_readers: Mapping[str, Callable[[Fields], list[Step]]] = {
    "BertNormalizer": _bert,
    "ByteLevel": lambda _fields: [["bytes"]],
    "Lowercase": lambda _fields: [["lower"]],
    "Nmt": _nmt,
    "Prepend": lambda fields: [["prepend", _content(fields, "prepend")]],
    "Replace": _replace,
    "Strip": _strip,
    "StripAccents": lambda _fields: [["replace", marks, ""]],
}

kept = f"([{items(kept_by_normal_forms)}]+)"
"""What ``form`` passes over."""
