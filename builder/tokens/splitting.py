"""How a text is cut into pieces: pre-tokenizers as steps, see ``docs/format.md``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .characters import punctuation, white_space, word
from .fields import Fields, damaged, unsupported
from .normalizers import Step, deepest, most_parts, read_pattern
from .patterns import escaped

behaviours = {
    "Removed": "removed",
    "Isolated": "isolated",
    "MergedWithPrevious": "previous",
    "MergedWithNext": "next",
    "Contiguous": "contiguous",
}
gpt2 = (
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+"
    "|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+"
)


def read_splits(content: object, place: str = "pre_tokenizer") -> list[Step]:
    """Turn a pre-tokenizer into steps.

    Args:
        content: as tokenizer.json has it, or None.
        place: what users read of where it is.

    Raises:
        SourceError: it has a part that is unknown or damaged.
    """
    steps = [] if content is None else _read(content, place, 0)
    if len(steps) > most_parts:
        raise unsupported(f"has more than {most_parts} steps", place)
    return steps


def _read(content: object, place: str, depth: int) -> list[Step]:
    fields = Fields(content, place)
    kind = fields.take("type", str)
    steps: list[Step] = []
    if kind == "Sequence":
        if depth >= deepest:
            raise unsupported(f"has more than {deepest} sequences in one another", place)
        for number, part in enumerate(fields.take("pretokenizers", list)):
            steps += _read(part, f"{place}.pretokenizers[{number}]", depth + 1)
    elif kind in _readers:
        steps = _readers[kind](fields)
    else:
        raise unsupported(f"has the pre-tokenizer {kind!r}, which is not known", place)
    fields.end()
    return steps


def _split(pattern: str, behaviour: str, invert: bool = False, aged: bool = False) -> Step:
    """Return a step; an aged pattern knows no characters that Unicode got after its version 16."""
    flags = [invert, aged and "\\p" in pattern.lower().replace("\\p{white_space}", "")]
    while flags and not flags[-1]:
        flags.pop()
    return ["split", pattern, behaviour, *flags]


def _behaviour(fields: Fields, default: str | None = None) -> str:
    found = fields.take("behavior", str, default) if default else fields.take("behavior", str)
    if found not in behaviours:
        raise damaged(f"has the behavior {found!r}, not one of {', '.join(behaviours)}", fields.place)
    return behaviours[found]


def _byte_level(fields: Fields) -> list[Step]:
    fields.drop("trim_offsets")
    steps: list[Step] = [["prefix", " "]] if fields.take("add_prefix_space", bool) else []
    if fields.take("use_regex", bool, True):
        steps.append(_split(gpt2, "isolated", aged=True))
    return [*steps, ["bytes"]]


def _metaspace(fields: Fields) -> list[Step]:
    fields.drop("str_rep")
    mark = fields.take("replacement", str)
    if len(mark) != 1:
        raise damaged("replacement should be one character", fields.place)
    prefixes = fields.maybe("add_prefix_space", bool)
    scheme = fields.take("prepend_scheme", str, "always")
    if scheme not in {"always", "first", "never"} or (prefixes is False and scheme != "never"):
        raise damaged(
            f"prepend_scheme {scheme!r} should be always, first or never, as add_prefix_space says", fields.place
        )
    steps: list[Step] = [["replace", " ", mark]]
    if scheme != "never":
        steps.append(["prefix", mark, *([True] if scheme == "first" else [])])
    split = fields.maybe("split", bool)
    return steps if split is False else [*steps, _split(escaped(mark), "next")]


def _digits(fields: Fields) -> list[Step]:
    return [_split("\\p{N}", "isolated" if fields.take("individual_digits", bool) else "contiguous")]


def _pattern(fields: Fields) -> list[Step]:
    return [_split(read_pattern(fields), _behaviour(fields), fields.take("invert", bool), aged=True)]


def _delimiter(fields: Fields) -> list[Step]:
    mark = fields.take("delimiter", str)
    if len(mark) != 1:
        raise damaged("delimiter should be one character", fields.place)
    return [_split(escaped(mark), "removed")]


_readers: Mapping[str, Callable[[Fields], list[Step]]] = {
    "BertPreTokenizer": lambda _fields: [_split(white_space, "removed"), _split(punctuation, "isolated")],
    "ByteLevel": _byte_level,
    "CharDelimiterSplit": _delimiter,
    "Digits": _digits,
    "Metaspace": _metaspace,
    "Punctuation": lambda fields: [_split(punctuation, _behaviour(fields, "Isolated"))],
    "Split": _pattern,
    "Whitespace": lambda _fields: [
        _split(f"[{word}]+|[^{word}\\p{{White_Space}}]+", "removed", invert=True, aged=True)
    ],
    "WhitespaceSplit": lambda _fields: [_split(white_space, "removed")],
}
