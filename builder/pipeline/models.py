"""All models of one build: those asked for are made side by side, the others are as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from ..config.models import ModelConfig
from ..config.units import parse_size, show_size
from ..convert.requests import SourceOptions
from ..errors import BudgetError, BuildError, ConfigError, RuntimeBuildError, ShardpressError, UsageError
from .assemble import from_record
from .make_model import Built, kept_kind, make_model
from .plan_model import Plan, plan_model
from .preflight import check_files
from .session import Session


def build_models(session: Session) -> tuple[Built, ...]:
    """Build every model that is asked for, and take the others as they were last built.

    Raises:
        UsageError: ``only`` names a model that build.toml does not have.
        BuildError: one or several models failed; it holds the failure of each.
    """
    config, options = session.config, session.options
    lower = {rung for ladder in config.ladders.values() for rung in ladder.rungs[:-1]}
    for name in options.only:
        if name not in config.models or name in lower:
            known = [model for model in config.models if model not in lower]
            raise UsageError(
                f"there is no model {name!r}",
                code="SP-102",
                where="--only",
                hint=f"build.toml has {', '.join(known) or 'none'}",
            )
    if not config.models:
        raise ConfigError(
            "no model to build", code="SP-210", where=str(config.path), hint="Add a table [models.NAME] with a source"
        )
    asked = options.only or tuple(config.models)
    names = [config.ladders[name].rungs if name in config.ladders else (name,) for name in asked]
    wanted = dict.fromkeys(chain.from_iterable(names))
    for name in wanted:
        check_files(config, name)
    failures: dict[str, ShardpressError] = {}
    plans: dict[str, Plan] = {}
    for name in wanted:
        with _collecting(failures, name):
            plans[name] = plan_model(session, name, config.models[name])
    built: dict[str, Built] = {}
    for name, plan in plans.items():
        with _collecting(failures, name):
            made = make_model(session, plan)
            built[name] = made if options.draft else _check_budget(made, plan.model)
    if failures:
        raise BuildError(failures)
    for name, model in config.models.items():
        if name not in wanted and (last := _last(session, name, model)):
            built[name] = last
    return tuple(built[name] for name in sorted(built))


@contextmanager
def _collecting(failures: dict[str, ShardpressError], name: str) -> Iterator[None]:
    """Let the other models of a build go on when one fails."""
    try:
        yield
    except (ConfigError, UsageError, RuntimeBuildError):
        raise
    except ShardpressError as error:
        failures[name] = error


def _last(session: Session, name: str, model: ModelConfig) -> Built | None:
    """Find what the last build made of a model that this one leaves alone."""
    latest = session.cache.record("latest", name)
    record = session.cache.record("built", latest["key"]) if latest else None
    assembly = from_record(record, session.cache, session.compressor) if record else None
    if latest is None or assembly is None:
        session.progress.note(name, "was never built, so this build is without it")
        return None
    source = SourceOptions(session.config.folder / model.source, kept_kind)
    digests = tuple((file, digest) for file, digest in latest.get("digests", ()))
    place, origin = Path(latest["artefact"]), latest.get("kind", "")
    return Built(assembly, model, source, latest["key"], place, cached=True, digests=digests, origin=origin)


def _check_budget(built: Built, model: ModelConfig) -> Built:
    first = built.bundle.first_wire
    if model.first_budget is not None and first > parse_size(model.first_budget):
        raise BudgetError(
            f"{show_size(first)} on the wire until it first answers are over the budget of {model.first_budget}",
            code="SP-560",
            where=f"models.{built.bundle.name}.first_budget",
            hint="Make the model smaller, begin with a smaller one (ladder), or raise the budget",
        )
    if model.budget is not None and built.bundle.wire > parse_size(model.budget):
        stages = ", ".join(f"{stage.name} {show_size(stage.wire)}" for stage in built.bundle.stage_sizes())
        raise BudgetError(
            f"{show_size(built.bundle.wire)} on the wire ({stages}) are over the budget of {model.budget}",
            code="SP-560",
            where=f"models.{built.bundle.name}.budget",
            hint="Make the model smaller or raise the budget",
        )
    return built
