"""Ladders of ``build.toml``: each rung becomes the table of a model of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..errors import ConfigError
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
    """

    rungs: tuple[str, ...]
    budget: Size | None


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
            models[rung] = msgspec.structs.replace(
                model,
                **{"ladder": (), "budget": None, **own},
                first_budget=model.first_budget if number == 1 else None,
                compat=model.compat if number == count else None,
            )
        ladders[name] = LadderConfig(names, model.budget)
    return models, ladders


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
