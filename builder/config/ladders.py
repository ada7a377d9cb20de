"""Ladders of ``build.toml``: each rung becomes the table of a model of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..errors import ConfigError, ShardpressError
from .units import Size

if TYPE_CHECKING:
    from .models import ModelConfig

least = 2
most = 9  # rungs: their numbers have one digit


@dataclass(frozen=True, slots=True)
class LadderConfig:
    """A ladder.

    Attributes:
        rungs: names of the models, the first one first; the last one has the ladder's name.
        budget: most wire bytes of all of them, or None.
        own: keys that each rung has itself; the others are the table's.
    """

    rungs: tuple[str, ...]
    budget: Size | None
    own: tuple[frozenset[str], ...]


def rung_name(name: str, number: int) -> str:
    """Return the name of the model that is a rung of ``name``, from 1; the last rung has the ladder's own."""
    return f"{name}-rung{number}"


def expand(path: Path, tables: Mapping[str, ModelConfig]) -> tuple[dict[str, ModelConfig], dict[str, LadderConfig]]:
    """Return a table for each rung of each ladder among those for models, and the ladders by name.

    Args:
        path: of build.toml.
        tables: ``models`` as it has them.

    Raises:
        ConfigError: a ladder has one rung or too many, a key that does not go with it, or a model has a rung's name.
    """
    models: dict[str, ModelConfig] = {}
    ladders: dict[str, LadderConfig] = {}
    for name, model in tables.items():
        own_keys: list[frozenset[str]] = []
        if not model.ladder:
            models[name] = model
            continue
        where = f"{path}, models.{name}"
        _check(model, where)
        count = len(model.ladder)
        names = (*(rung_name(name, number) for number in range(1, count)), name)
        if taken := next((rung for rung in names[:-1] if rung in tables), None):
            raise ConfigError(
                f"{taken!r} is the name of a rung of {name!r}",
                code="SP-208",
                where=f"{path}, models.{taken}",
                hint="Rename the model",
            )
        for number, (rung, given) in enumerate(zip(names, model.ladder, strict=True), 1):
            own = {key: value for key, value in msgspec.structs.asdict(given).items() if value is not None}
            own_keys.append(frozenset(own))
            models[rung] = msgspec.structs.replace(
                model,
                **{"ladder": (), "budget": None, **own},
                first_budget=model.first_budget if number == 1 else None,
                compat=model.compat if number == count else None,
            )
        ladders[name] = LadderConfig(names, model.budget, tuple(own_keys))
    return models, ladders


@contextmanager
def as_written(ladders: Mapping[str, LadderConfig]) -> Iterator[None]:
    """Have failures name the keys of rungs as ``build.toml`` has them: it knows no ``models.NAME-rung1``.

    Args:
        ladders: by name.

    Raises:
        ShardpressError: what failed within.
    """
    places = {
        rung: (name, at, own)
        for name, ladder in ladders.items()
        for at, (rung, own) in enumerate(zip(ladder.rungs, ladder.own, strict=True))
    }

    def written(found: re.Match[str]) -> str:
        rung, key = found.groups()
        name, at, own = places.get(rung, (rung, 0, frozenset[str]()))
        return f"models.{name}.ladder[{at}].{key}" if key in own else f"models.{name}.{key}"

    try:
        yield
    except ShardpressError as error:
        for one in (error, *error.by_model.values()):
            one.where, one.hint = (
                re.sub(r"\bmodels\.([a-z0-9-]+)\.([a-z_]+)", written, text) for text in (one.where, one.hint)
            )
        raise


def _check(model: ModelConfig, where: str) -> None:
    """Refuse what is no ladder, and what loaders cannot do with one."""
    if not least <= len(model.ladder) <= most:
        raise ConfigError(
            f"a ladder has {least} to {most} rungs, and this one has {len(model.ladder)}",
            code="SP-250",
            where=f"{where}.ladder",
            hint="Name a smaller model before this one, or write `source` in place of `ladder`",
        )
    asked = (
        ("stages", bool(model.stages), "its rungs are its stages"),
        ("vocabulary", model.vocabulary is not None, "word vectors answer from their first rows on"),
        ("weights", not model.weights, "a model to train has no smaller one"),
    )
    for key, is_set, why in asked:
        if is_set:
            raise ConfigError(
                f"does not go with a ladder: {why}", code="SP-251", where=f"{where}.{key}", hint="Remove one of the two"
            )
