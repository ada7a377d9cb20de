"""Ladders: whether built rungs are one, what pages see of them, and how each agrees with the last."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import msgspec

from ..answers.complete import number_of
from ..answers.formats import Seen
from ..bundle.files import File
from ..bundle.format import hash_digits, head_url, to_json
from ..bundle.head import write_head
from ..config.answers import AnswerTable
from ..config.ladders import LadderConfig
from ..config.units import parse_size, show_size
from ..errors import BudgetError, BuildError, ConfigError, LadderError, ShardpressError
from ..typed import from_builtins
from ..words.table import kind as vectors_kind
from .make_model import Built, Ladder
from .page_view import differences, seen_by_pages, takes_tensors
from .session import Session

Rungs = tuple[Built, ...]


def check_ladders(session: Session, models: tuple[Built, ...]) -> None:
    """Refuse rungs that are none, before anything is verified.

    Raises:
        ConfigError: a rung cannot be in a ladder.
        BuildError: rungs do not go together, or are over the budget of their ladder.
    """
    failures: dict[str, ShardpressError] = {}
    for name, (ladder, rungs) in ladders_of(session, models).items():
        try:
            _check_kinds(name, rungs)
            _check_contracts(name, rungs)
            if not session.options.draft:
                _check_sizes(name, ladder, rungs)
        except ConfigError:
            raise
        except ShardpressError as error:
            failures[name] = error
    if failures:
        raise BuildError(failures)


def join_ladders(
    session: Session, models: tuple[Built, ...], agreement: Mapping[str, float | None]
) -> tuple[Built, ...]:
    """Make ladders of the built rungs: where pages cannot give tensors, heads get the contract of what pages see.

    Args:
        session: of the build.
        models: what it made, samples in their heads.
        agreement: of lower rungs with the last one, as far as it was measured.
    """
    joined: dict[str, Built] = {}
    for name, (_, rungs) in ladders_of(session, models).items():
        tensors = takes_tensors(rungs)
        contract = rungs[-1].bundle.content.contract if tensors else _contract(rungs)
        lower = tuple(built.bundle.name for built in rungs[:-1])
        shares = tuple(agreement.get(rung) for rung in lower)
        ladder = Ladder(lower, rungs[0].bundle.nbytes, tensors, shares)
        for number, built in enumerate(rungs, 1):
            joined[built.bundle.name] = replace(
                built if tensors else _with_contract(session, built, contract),
                rung_of=name,
                rung=number,
                ladder=ladder if built is rungs[-1] else None,
            )
    return tuple(joined.get(built.bundle.name, built) for built in models)


def ladders_of(session: Session, models: tuple[Built, ...]) -> dict[str, tuple[LadderConfig, Rungs]]:
    """Return the ladders whose rungs are all there: with --only, some may never have been built."""
    built = {one.bundle.name: one for one in models}
    return {
        name: (ladder, tuple(built[rung] for rung in ladder.rungs))
        for name, ladder in session.config.ladders.items()
        if all(rung in built for rung in ladder.rungs)
    }


def _check_kinds(name: str, rungs: Rungs) -> None:
    for number, built in enumerate(rungs, 1):
        where = f"models.{name}.ladder, rung {number}"
        head = built.bundle.content
        if head.kind == vectors_kind:
            raise ConfigError(
                "word vectors are in no ladder: they answer from their first rows on",
                code="SP-251",
                where=where,
                hint="Write source in place of ladder, and rows_first",
            )
        if (head.answer or {}).get("kind") == "vector":
            raise ConfigError(
                "answers with a vector, and vectors of two models cannot be compared",
                code="SP-251",
                where=where,
                hint="Write source in place of ladder",
            )


def _check_contracts(name: str, rungs: Rungs) -> None:
    if takes_tensors(rungs):
        return
    *lower, last = seen_by_pages(rungs)
    for number, seen in enumerate((*lower, last), 1):
        where = f"models.{name}.ladder, rung {number}"
        if seen is None:
            raise LadderError(
                "the rungs take or give different tensors, so pages can only use run(), which takes a picture, a text "
                f"or a sound, and rung {number} takes none of these, or more",
                code="SP-563",
                where=where,
                hint="Set picture, tokenizer or audio, and answer, or name models with the same inputs and outputs",
            )
    for number, (built, seen) in enumerate(zip(rungs[:-1], lower, strict=True), 1):
        where = f"models.{name}.ladder, rung {number}"
        if seen and last and (other := differences(seen, last)):
            raise LadderError(
                f"has another contract than the last rung: {other}",
                code="SP-563",
                where=where,
                hint="Rungs of a ladder take and give the same in a page",
            )
        counts = _number(built), _number(rungs[-1])
        if None not in counts and counts[0] != counts[1]:
            raise LadderError(
                f"has another contract than the last rung: its answers tell {counts[0]} apart, not {counts[1]}",
                code="SP-563",
                where=where,
                hint="Rungs of a ladder have the same classes or points, in the same order",
            )


def _check_sizes(name: str, ladder: LadderConfig, rungs: Rungs) -> None:
    for number, (lower, higher) in enumerate(pairwise(rungs), 1):
        if lower.bundle.wire >= higher.bundle.wire:
            sizes = show_size(lower.bundle.wire), show_size(higher.bundle.wire)
            raise LadderError(
                f"rung {number} takes {sizes[0]} on the wire and rung {number + 1} only {sizes[1]}: "
                "nobody would wait for it",
                code="SP-562",
                where=f"models.{name}.ladder",
                hint="Put the smaller model first, or leave the larger one out",
            )
    wire = sum(built.bundle.wire for built in rungs)
    if ladder.budget is not None and wire > parse_size(ladder.budget):
        sizes_of = ", ".join(show_size(built.bundle.wire) for built in rungs)
        raise BudgetError(
            f"{show_size(wire)} on the wire (rungs of {sizes_of}) are over the budget of {ladder.budget}",
            code="SP-560",
            where=f"models.{name}, budget of all rungs",
            hint="Make a rung smaller, or raise the budget",
        )


def _number(built: Built) -> int | None:
    """Return how many classes or points answers tell apart; None where that is open, or they tell none."""
    answer = built.bundle.content.answer
    if not answer or answer["kind"] == "picture":
        return None
    table: AnswerTable = from_builtins(dict(answer), AnswerTable)
    return number_of(table, Seen(built.bundle.outputs))


def _contract(rungs: Rungs) -> str:
    return hashlib.sha256(to_json({"ladder": seen_by_pages(rungs)[-1]})).hexdigest()[:hash_digits]


def _with_contract(session: Session, built: Built, contract: str) -> Built:
    bundle = built.bundle
    content = msgspec.structs.replace(bundle.content, contract=contract)
    blob = session.cache.put(write_head(content))
    head = File(head_url(bundle.name, blob.sha256), blob, session.compressor.encode(blob))
    return replace(built, assembly=replace(built.assembly, bundle=replace(bundle, head=head, content=content)))
