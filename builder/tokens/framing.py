"""What stands around a text's ids: post-processors as templates, truncation and padding; see ``docs/format.md``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .fields import Fields, damaged, unsupported
from .normalizers import deepest

Piece = list[Any]
longest = 1 << 24  # ids


@dataclass(frozen=True, slots=True)
class Frame:
    """Templates of one text and of two: pieces are ``[id, type]``; ``["a", type]``, ``["b", type]`` are the texts."""

    single: tuple[Piece, ...] = (["a", 0],)
    pair: tuple[Piece, ...] = (["a", 0], ["b", 1])
    set: bool = False

    def added(self, pieces: tuple[Piece, ...]) -> int:
        """Count the ids that a template adds."""
        return sum(not isinstance(piece[0], str) for piece in pieces)


def read_frame(content: object, place: str = "post_processor") -> Frame:
    """Turn a post-processor into templates.

    Args:
        content: as tokenizer.json has it, or None.
        place: what users read of where it is.

    Raises:
        SourceError: it is unknown or damaged.
    """
    return Frame() if content is None else _read(content, place, 0)


def _read(content: object, place: str, depth: int) -> Frame:
    fields = Fields(content, place)
    kind = fields.take("type", str)
    if kind == "Sequence":
        if depth >= deepest:
            raise unsupported(f"has more than {deepest} sequences in one another", place)
        parts = [
            _read(part, f"{place}.processors[{number}]", depth + 1)
            for number, part in enumerate(fields.take("processors", list))
        ]
        frames = [part for part in parts if part.set]
        if len(frames) > 1:
            raise unsupported("has several post-processors that add ids", place)
        frame = frames[0] if frames else Frame()
    elif kind in _readers:
        frame = _readers[kind](fields)
    else:
        raise unsupported(f"has the post-processor {kind!r}, which is not known", place)
    fields.end()
    return frame


def _id(fields: Fields, name: str) -> int:
    pair = fields.take(name, list)
    if len(pair) != 2 or not isinstance(pair[0], str) or not _is_id(pair[1]):
        raise damaged(f"{name} should be a word and its id", fields.place)
    return int(pair[1])


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31


def _bert(fields: Fields) -> Frame:
    sep, cls = _id(fields, "sep"), _id(fields, "cls")
    single: tuple[Piece, ...] = ([cls, 0], ["a", 0], [sep, 0])
    return Frame(single, (*single, ["b", 1], [sep, 1]), True)


def _roberta(fields: Fields) -> Frame:
    sep, cls = _id(fields, "sep"), _id(fields, "cls")
    fields.drop("trim_offsets")
    fields.drop("add_prefix_space")
    single: tuple[Piece, ...] = ([cls, 0], ["a", 0], [sep, 0])
    return Frame(single, (*single, [sep, 0], ["b", 0], [sep, 0]), True)


def _byte_level(fields: Fields) -> Frame:
    for name in ("add_prefix_space", "trim_offsets", "use_regex"):
        fields.drop(name)
    return Frame()


def _template(fields: Fields) -> Frame:
    known = fields.take("special_tokens", dict)
    tokens: dict[str, list[int]] = {}
    for name, content in known.items():
        token = Fields(content, f"{fields.place}.special_tokens")
        ids = token.take("ids", list)
        token.drop("id")
        token.drop("tokens")
        token.end()
        if len(ids) > 100 or not all(map(_is_id, ids)):
            raise damaged(f"the ids of {name!r} should be a few whole numbers from 0", token.place)
        tokens[name] = ids
    return Frame(_pieces(fields, "single", "A", tokens), _pieces(fields, "pair", "AB", tokens), True)


def _pieces(fields: Fields, name: str, texts: str, tokens: Mapping[str, list[int]]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    place = f"{fields.place}.{name}"
    used = []
    for content in fields.take(name, list):
        if not isinstance(content, dict) or len(content) != 1:
            raise damaged("should be a list of Sequence and SpecialToken", place)
        (kind, part) = next(iter(content.items()))
        inner = Fields(part, place)
        named, number = inner.take("id", str), inner.count("type_id", 1 << 20)
        inner.end()
        if kind == "Sequence" and named in texts:
            pieces.append([named.lower(), number])
            used.append(named)
        elif kind == "SpecialToken" and named in tokens:
            pieces += [[token, number] for token in tokens[named]]
        else:
            raise damaged(f"has the {kind} {named!r}, which is not known", place)
    if sorted(used) != list(texts) or len(pieces) > 1000:
        raise damaged(f"should have each of {' and '.join(texts)} once", place)
    return tuple(pieces)


_readers: Mapping[str, Callable[[Fields], Frame]] = {
    "BertProcessing": _bert,
    "ByteLevel": _byte_level,
    "RobertaProcessing": _roberta,
    "TemplateProcessing": _template,
}
_strategies = {"LongestFirst": "longest", "OnlyFirst": "first", "OnlySecond": "second"}


def read_truncation(content: object, frame: Frame, place: str = "truncation") -> dict[str, Any] | None:
    """Return how texts are cut off: ``length`` with what the frame adds, ``side`` and ``from``.

    Raises:
        SourceError: it is unknown, or leaves no room for a text.
    """
    if content is None:
        return None
    fields = Fields(content, place)
    length = fields.count("max_length", longest)
    strategy, side = fields.take("strategy", str), _side(fields)
    stride = fields.count("stride", longest)
    fields.end()
    if strategy not in _strategies:
        raise unsupported(f"has the strategy {strategy!r}, not one of {', '.join(_strategies)}", place)
    if length - frame.added(frame.single) <= stride:
        raise damaged(f"max_length {length} leaves no room for a text", place)
    return {"length": length, "side": side, "from": _strategies[strategy]}


def read_padding(content: object, place: str = "padding") -> dict[str, Any] | None:
    """Return how texts are filled up: ``id`` and ``type`` of what fills, ``side``, ``length`` and ``multiple``.

    Raises:
        SourceError: it is unknown.
    """
    if content is None:
        return None
    fields = Fields(content, place)
    found: dict[str, Any] = {
        "id": fields.count("pad_id", (1 << 31) - 1),
        "type": fields.count("pad_type_id", 1 << 20),
        "side": _side(fields),
    }
    fields.drop("pad_token")
    strategy = fields.other("strategy")
    if strategy != "BatchLongest":
        found["length"] = Fields(strategy, f"{place}.strategy").count("Fixed", longest)
    if multiple := fields.maybe("pad_to_multiple_of", int):
        found["multiple"] = multiple
    fields.end()
    return found


def _side(fields: Fields) -> str:
    side = fields.take("direction", str, "Right")
    if side not in {"Left", "Right"}:
        raise damaged(f"has the direction {side!r}, not Left or Right", fields.place)
    return side.lower()
