"""What pages see of a model through ``run``: what it takes and gives, whatever its tensors, words and windows are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..answers.texts import tokenizer_of
from ..bundle.format import to_json
from ..bundle.head import Head
from .make_model import Built

Seen = Mapping[str, Any]
roles = ("ids", "mask", "types")
text, text_or_pair, picture, sound, whole_sound = "text", "text or pair", "picture", "sound", "whole sound"
in_words = {
    text: "a text",
    text_or_pair: "a text or two",
    picture: "a picture",
    sound: "a sound in windows",
    whole_sound: "a sound as a whole",
}
longest = 80  # letters of what a message quotes


def seen_by_pages(rungs: Sequence[Built]) -> tuple[Seen | None, ...]:
    """Return what pages see of each rung; None for one that takes more than a picture, texts or a sound.

    Where some rungs take single texts only, pairs are nothing that a page can give the ladder.
    """
    taken = [_takes(built) for built in rungs]
    if (text,) in taken:
        taken = [(text,) if one == (text_or_pair,) else one for one in taken]
    return tuple(
        {"gives": _gives(built), "labels": built.bundle.content.labels, "takes": _plain(takes)} if takes else None
        for takes, built in zip(taken, rungs, strict=True)
    )


def differences(one: Seen, other: Seen) -> str:
    """Say what a page sees of one model and not of the other; empty if it sees the same."""
    return " and ".join(_differences(one, other))


def takes_tensors(rungs: Sequence[Built]) -> bool:
    """Whether pages may give tensors: all rungs are one model to them, and their ids are those of one tokenizer."""
    heads = [built.bundle.content for built in rungs]
    tokenizers = {given and tokenizer_of(given).file for given in (built.settings.tokenizer for built in rungs)}
    return len({(head.contract, head.kind) for head in heads}) == len(tokenizers) == 1


def _takes(built: Built) -> tuple[str, ...] | None:
    """Return what ``run`` makes all inputs of: a kind, or the names of several texts."""
    head = built.bundle.content
    names = {spec.name for spec in built.bundle.inputs}
    pictures = [*([head.picture] if head.picture else []), *((head.glue or {}).get("inputs") or ())]
    if head.audio:
        kind = sound if "samples" in head.audio else whole_sound
        return (kind,) if names == {head.audio["input"], *head.audio.get("state", {})} else None
    if head.tokenizer and not pictures:
        if own := head.tokenizer.get("texts"):
            return None if names != set(own) else tuple(sorted(own)) if len(own) > 1 else (text,)
        made = {head.tokenizer["inputs"].get(role) for role in roles} - {None}
        return (text_or_pair,) if names == made else None
    return (picture,) if len(pictures) == len(names) == 1 else None


def _plain(takes: tuple[str, ...]) -> str | list[str]:
    return takes[0] if len(takes) == 1 else list(takes)


def _gives(built: Built) -> object:
    head: Head = built.bundle.content
    if head.answer:
        return head.answer["kind"]
    state = {one["output"] for one in (head.audio or {}).get("state", {}).values()}
    pictures = {one["output"]: [one["name"], one["type"]] for one in (head.glue or {}).get("outputs") or ()}
    given = [spec for spec in built.bundle.outputs if spec.name not in state]
    return [pictures.get(spec.name, [spec.name, spec.dtype, spec.shape]) for spec in given]


def _differences(one: Seen, other: Seen) -> Iterator[str]:
    if one["takes"] != other["takes"]:
        yield f"it takes {_taken(one)}, not {_taken(other)}"
    if one["gives"] != other["gives"]:
        yield f"it gives {_quoted(one['gives'])}, not {_quoted(other['gives'])}"
    if one["labels"] != other["labels"]:
        yield f"its labels are {_quoted(one['labels'])}, not {_quoted(other['labels'])}"


def _taken(seen: Seen) -> str:
    takes = seen["takes"]
    return in_words[takes] if isinstance(takes, str) else f"the texts {', '.join(map(repr, takes))}"


def _quoted(value: object) -> str:
    found = to_json(value).decode()
    return found if len(found) <= longest else f"{found[: longest - 3]}…"
