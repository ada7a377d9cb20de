"""What all commands share: their common options, and how they speak."""

from __future__ import annotations

import functools
import json
import os
import tomllib
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from ..errors import ShardpressError
from ..progress import Progress
from ..redact import redact, redacted
from .progress_bars import open_progress

Result = TypeVar("Result")


def echo(text: str, *, err: bool = False) -> None:
    """Print a text without the credentials in it; nothing else in this package prints."""
    click.echo(redact(text), err=err)


def give_json(document: Mapping[str, object]) -> None:
    """Print the one JSON document of a command, likewise."""
    click.echo(json.dumps(redacted(document), indent=1))


@dataclass(slots=True)
class Console:
    """How much a command says, and in which form: the one place that knows what its common options ask for.

    Attributes:
        as_json: one JSON document on stdout, all else on stderr.
        quiet: only errors.
        verbose: how much more.
    """

    as_json: bool = False
    quiet: bool = False
    verbose: int = 0

    def say(self, text: str) -> None:
        """Print for people: on stdout, or on stderr when stdout carries JSON; nothing when quiet."""
        if not self.quiet:
            echo(text, err=self.as_json)

    def warn(self, warnings: Iterable[str], remarks: Iterable[str] = ()) -> None:
        """Print what a user should read even when quiet, and what nothing has to be done about."""
        for warning in warnings:
            echo(f"warning: {warning}", err=True)
        for remark in remarks:
            echo(f"note: {remark}", err=True)

    def give(self, document: Mapping[str, object]) -> None:
        """Print the one JSON document, if that is wanted."""
        if self.as_json:
            give_json(document)

    def tell(self, error: ShardpressError) -> None:
        """Print a failure, or that of each model."""
        for model, failure in error.by_model.items():
            echo(error_text(failure, model), err=True)

    def fail(self, error: ShardpressError, cause: BaseException | None = None) -> None:
        """Print the failure that a command ends with; ``cause`` is what it was before it was put into words."""
        self.tell(error)
        self.give_failure(error)
        if self.verbose > 1:
            for one in [cause] if cause else error.by_model.values():
                echo("".join(traceback.format_exception(one)), err=True)

    def give_failure(self, error: ShardpressError) -> None:
        """Print the one JSON document of a command that failed, if that is wanted."""
        errors = [
            {"model": model or None, "code": one.code, "what": one.what, "where": one.where, "hint": one.hint}
            for model, one in error.by_model.items()
        ]
        self.give({**error.facts, "ok": False, "errors": errors})

    def progress(self) -> AbstractContextManager[Progress]:
        """Return the progress that fits."""
        return open_progress(quiet=self.quiet, verbose=self.verbose)

    def read_leniently(self, words: Sequence[str]) -> None:
        """Learn from a command line that was refused in which form to say so."""
        settings = {"ignore_unknown_options": True, "allow_extra_args": True}
        lenient = click.Command("", params=speech(), add_help_option=False, context_settings=settings)
        lenient.make_context("", list(words), obj=self, resilient_parsing=True)


def error_prefix() -> str:
    """Return what goes before an error, red where colours are wanted; click takes them away in pipes."""
    return "error: " if os.environ.get("NO_COLOR") else click.style("error: ", fg="red", bold=True)


def error_text(error: ShardpressError, model: str = "") -> str:
    """Return the paragraph of an error, with the code by which ``docs/errors.md`` explains it at its end."""
    return f"{error_prefix()}{f'model {model}: ' if model else ''}{error}{f' [{error.code}]' if error.code else ''}"


def complete_models(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of build.toml's models that begin so, for shells; nothing where there is no such file."""
    try:
        settings = tomllib.loads(Path(context.params.get("config") or "build.toml").read_text(encoding="utf-8"))
        names = list(settings.get("models", {}))
    except (OSError, ValueError, AttributeError, TypeError):
        return []
    return [name for name in names if name.startswith(incomplete)]


def speech() -> list[click.Parameter]:
    """Make the options that tell the console of a command line how to speak; commands do not see them."""

    def as_json(context: click.Context, _: click.Parameter, value: bool) -> None:
        context.ensure_object(Console).as_json |= bool(value)

    def quiet(context: click.Context, _: click.Parameter, value: bool) -> None:
        context.ensure_object(Console).quiet |= bool(value)

    def verbose(context: click.Context, _: click.Parameter, value: int) -> None:
        context.ensure_object(Console).verbose += value or 0

    first = {"is_eager": True, "expose_value": False}
    return [
        click.Option(["--json"], is_flag=True, callback=as_json, **first,
                     help="One JSON document on stdout, everything else on stderr."),
        click.Option(["-q", "--quiet"], is_flag=True, callback=quiet, help="Show only errors.", **first),
        click.Option(["-v", "--verbose"], count=True, callback=verbose, help="More; -vv adds tracebacks.", **first),
    ]  # fmt: skip


def shared_options(function: Callable[..., Result]) -> Callable[..., Result]:
    """Add the options that every command has; the function is called with the console, then with its own options."""

    @functools.wraps(function)
    def command(**options: object) -> Result:
        return function(click.get_current_context().ensure_object(Console), **options)

    parameters: list[click.Parameter] = getattr(function, "__click_params__", [])
    config = click.Option(["--config"], type=click.Path(path_type=Path), default=Path("build.toml"), show_default=True,
                          help="The configuration file.")  # fmt: skip
    # As click's decorators do it: the last one first.
    command.__click_params__ = [*parameters, *reversed([config, *speech()])]  # type: ignore[attr-defined]
    return command
