"""What all commands share: their common options, and how they speak."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..errors import ShardpressError
from ..redact import redact, redacted


def echo(text: str, *, err: bool = False) -> None:
    """Print a text without the credentials in it; nothing else in this package prints."""
    click.echo(redact(text), err=err)


def give_json(document: Any) -> None:
    """Print the one JSON document of a command, likewise."""
    click.echo(json.dumps(redacted(document), indent=1))


@dataclass(frozen=True, slots=True)
class Output:
    """How much is said, and in which form."""

    as_json: bool
    verbosity: int

    def say(self, text: str) -> None:
        """Print for people: on stdout, or on stderr when stdout carries JSON; nothing when quiet."""
        if self.verbosity >= 0:
            echo(text, err=self.as_json)

    def give(self, document: Any) -> None:
        """Print the one JSON document, if that is wanted."""
        if self.as_json:
            give_json(document)


def error_mark() -> str:
    """Give what goes before an error, red where colours are wanted; click takes them away in pipes."""
    return "error: " if os.environ.get("NO_COLOR") else click.style("error: ", fg="red", bold=True)


def error_text(error: ShardpressError, model: str = "") -> str:
    """Give the paragraph of an error, with the code by which ``docs/errors.md`` explains it at its end."""
    return f"{error_mark()}{f'model {model}: ' if model else ''}{error}{f' [{error.code}]' if error.code else ''}"


def complete_models(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Give the names of build.toml's models that begin so, for shells; nothing where there is no such file."""
    try:
        settings = tomllib.loads(Path(context.params.get("config") or "build.toml").read_text(encoding="utf-8"))
        names = list(settings.get("models", {}))
    except (OSError, ValueError, AttributeError, TypeError):
        return []
    return [name for name in names if name.startswith(incomplete)]


def shared_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every command has."""
    options = (
        click.option("--config", type=click.Path(path_type=Path), default=Path("build.toml"), show_default=True,
                     help="The configuration file."),
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, all else on stderr."),
        click.option("-q", "--quiet", is_flag=True, help="Only errors."),
        click.option("-v", "--verbose", count=True, help="More; -vv adds tracebacks."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function
