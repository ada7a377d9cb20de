"""Finds models of one kind among those that ``init`` has found, and writes them as one ladder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..answers.clues import Proposal
from ..answers.kinds import unknown_range
from ..config.ladders import most, rung_name
from ..config.tables import model_name
from ..pipeline.make_model import Built
from ..pipeline.proposals import in_toml, lines_of
from ..words.table import kind as vectors_kind
from .init import Found, budget_of, labels_name, policy, quoted

step = 1.5
"""How much larger a rung has to be than the one below, for anybody to wait for it."""
many = 100
"""As many classes as two models have by chance only if they are the same."""
sizes = frozenset(
    {"n", "s", "m", "l", "x", "xs", "xl", "b", "t", "nano", "tiny", "mini", "micro", "small", "medium", "base", "big"}
    | {"large", "huge", "lite", "light", "slim", "full", "student", "teacher", "int", "uint", "fp", "float", "quant"}
)
"""What names of the same model say of its size or of how it is stored."""
comparable = frozenset({"classes", "boxes", "mask", "points", "picture"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What a first build told of a model.

    Attributes:
        wire: bytes on the wire.
        contract: of what a page sees.
        inputs: how many it has.
        scores: the last length of its only output; None where that is open, or there are several.
        plain: takes neither texts nor sounds, and is no table of vectors.
    """

    wire: int
    contract: str
    inputs: int
    scores: int | None
    plain: bool


@dataclass(frozen=True, slots=True)
class Steps:
    """A ladder that is proposed.

    Attributes:
        name: of it.
        rungs: the smallest model first.
        why: what they have in common, in words.
    """

    name: str
    rungs: tuple[Found, ...]
    why: str


def seen_in(built: Built) -> Seen:
    """Return what is to be known of a model that was built."""
    bundle, head = built.bundle, built.bundle.content
    shapes = [spec.shape for spec in bundle.outputs]
    scores = shapes[0][-1] if len(shapes) == 1 and shapes[0] else None
    plain = head.kind != vectors_kind and not head.tokenizer and not head.vocabulary
    return Seen(bundle.wire, head.contract, len(bundle.inputs), scores, plain)


def find_ladders(
    found: tuple[Found, ...], seen: Mapping[str, Seen], proposals: Mapping[str, Proposal], folder: Path
) -> tuple[Steps, ...]:
    """Return the ladders that some of the models make: of one kind, and each much smaller than the next.

    Args:
        found: the models.
        seen: what a build told of them; who is not there is in no ladder.
        proposals: what is known of pictures and answers.
        folder: of ``build.toml``.
    """
    free = sorted((model for model in found if model.name in seen), key=lambda model: seen[model.name].wire)
    ladders: list[Steps] = []
    while free:
        first, *free = free
        rungs, why = [first], ""
        for model in free:
            reason = _one_kind(first, model, seen, proposals, folder)
            if reason and seen[model.name].wire >= step * seen[rungs[-1].name].wire and len(rungs) < most:
                rungs.append(model)
                why = why or reason
        if len(rungs) > 1:
            free = [model for model in free if model not in rungs]
            taken = {model.name for model in found if model not in rungs} | {one.name for one in ladders}
            ladders.append(Steps(_common_name(rungs, taken), tuple(rungs), why))
    return tuple(ladders)


def _one_kind(
    one: Found, other: Found, seen: Mapping[str, Seen], proposals: Mapping[str, Proposal], folder: Path
) -> str:
    """Say what two models have in common if pages can take one for the other; empty if they cannot."""
    left, right = seen[one.name], seen[other.name]
    if not (left.plain and right.plain):
        return ""
    mine, its = proposals.get(one.name), proposals.get(other.name)
    kinds = {str(proposal.answer.get("kind")) for proposal in (mine, its) if proposal}
    if len(kinds) > 1 or kinds - comparable or any(proposal and proposal.audio for proposal in (mine, its)):
        return ""
    pictures = bool(mine and its) and left.inputs == right.inputs == 1
    if not pictures and left.contract != right.contract:
        return ""
    if kinds == {"classes"} and left.scores != right.scores:
        return ""
    words = tuple(_labels(model, proposals, folder) for model in (one, other))
    if all(words):
        return f"the same {len(words[0])} labels" if words[0] == words[1] else ""
    if _stem(one.name) and _stem(one.name) == _stem(other.name):
        return "names and answers alike"
    return f"{left.scores} classes each" if kinds == {"classes"} and (left.scores or 0) >= many else ""


def _labels(model: Found, proposals: Mapping[str, Proposal], folder: Path) -> tuple[str, ...]:
    if model.labels:
        try:
            return tuple((folder / model.labels).read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError):  # the build will say it
            return ()
    return model.own_labels or (proposals[model.name].labels if model.name in proposals else ())


def _stem(name: str) -> tuple[str, ...]:
    """Return what is left of a name without numbers and words of size: yolo11n and yolo11s are both yolo."""
    return tuple(word for word in re.findall(r"[a-z]+", name) if word not in sizes)


def _common_name(rungs: list[Found], taken: set[str]) -> str:
    """Return what the names begin with, or that of the last one."""
    least, greatest = min(names := [model.name for model in rungs]), max(names)  # all others begin as these two do
    same = next((at for at, (a, b) in enumerate(zip(least, greatest, strict=False)) if a != b), len(least))
    common = least[:same]
    if re.search(r"(^|-)[0-9]+$", common):
        common = common.rpartition("-")[
            0
        ]  # half of a number, as of 035 and 050, says nothing; the 11 of 11n and 11s does
    common = common.strip("-")
    fits = len(common) > 2 and model_name.fullmatch(common) and _stem(common)
    name = common if fits and common not in taken else rungs[-1].name
    return name if not taken & {rung_name(name, number) for number in range(1, most)} else rungs[-1].name


def ladder_lines(
    ladder: Steps, number: int, count: int, seen: Mapping[str, Seen], proposals: Mapping[str, Proposal]
) -> Iterator[str]:
    """Write the table of a ladder.

    Args:
        ladder: the models.
        number: how many tables stand before it.
        count: how many tables there are.
        seen: what a build told of the models.
        proposals: what is known of pictures and answers.
    """
    *_, last = ladder.rungs
    known = {model.name: proposals.get(model.name) for model in ladder.rungs}
    final = known[last.name]
    yield f"[models.{ladder.name}]{' ' * max(1, 18 - len(ladder.name))}# a ladder: {ladder.why}"
    yield "ladder = [                      # the first one answers, each takes the place of the one before"
    for model in ladder.rungs:
        items = [f"source = {quoted(model.path)}"]
        items += [f"member = {quoted(model.member)}"] if model.member else []
        items += [
            f"{key} = {in_toml(getattr(own, key))}"
            for key in ("picture", "answer")
            if final and (own := known[model.name]) and getattr(own, key) != getattr(final, key)
        ]
        yield f"  {{ {', '.join(items)} }},".ljust(31) + f" # {seen[model.name].wire / 1000:,.0f} kB"
    yield "]"
    yield from policy(number, ladder.rungs[0], count)
    yield 'precision = "exact"             # bit for bit the source at the end; usable from 3/8 of the bytes'
    yield budget_of(sum(seen[model.name].wire for model in ladder.rungs), len(ladder.rungs))
    if named := next((model for model in reversed(ladder.rungs) if model.labels), None):
        yield f"labels = {quoted(named.labels)}"
    elif not any(model.own_labels for model in ladder.rungs):
        bringing = (model for model in reversed(ladder.rungs) if (own := known[model.name]) and own.labels)
        yield from (f"labels = {quoted(labels_name(model.name))}" for model in islice(bringing, 1))
    yield from _run_lines(final, same=len({seen[model.name].contract for model in ladder.rungs}) == 1)
    if samples := next((model.samples for model in reversed(ladder.rungs) if model.samples), ""):
        yield from ("", f"[models.{ladder.name}.verify]", f"inputs = {quoted(samples)}")


def ladder_tables(
    ladders: tuple[Steps, ...], found: tuple[Found, ...], seen: Mapping[str, Seen], proposals: Mapping[str, Proposal]
) -> dict[str, tuple[str, ...]]:
    """Return what ``write_config`` writes in place of the tables of models that are in a ladder, by model."""
    count = len(found) - sum(len(ladder.rungs) - 1 for ladder in ladders)
    tables: dict[str, tuple[str, ...]] = {}
    for ladder in ladders:
        first, *others = (model for model in found if model in ladder.rungs)
        tables[first.name] = tuple(ladder_lines(ladder, found.index(first), count, seen, proposals))
        tables |= {model.name: () for model in others}
    return tables


def _run_lines(proposal: Proposal | None, *, same: bool) -> Iterator[str]:
    """Write what ``run`` needs to know: rungs that take other tensors need it, though it be a guess."""
    if proposal is None:
        return
    guessed = unknown_range in proposal.reason
    yield f"# run(): {proposal.reason}"
    if guessed and not same:
        yield "# A guess: pixels from 0 to 1. Say range, or mean and std, if these models take others."
    for line in lines_of(proposal):
        yield f"# {line}" if guessed and same else line


def told(ladder: Steps) -> str:
    """Say on the terminal what was proposed."""
    names = ", ".join(model.name for model in ladder.rungs)
    return f"{ladder.name}: a ladder of {names} ({ladder.why}); the first one answers first, see docs/loader.md"
