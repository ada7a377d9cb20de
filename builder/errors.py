"""The class tree of everything that may go wrong, and nothing else.

An error says what happened, where, and what to do next. ``builder.cli.main`` is the one place that turns it
into text and an exit status.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class ShardpressError(Exception):
    """Base of all expected failures.

    Args:
        what: what happened, one sentence without a full stop.
        where: the file, key or node it happened at.
        hint: what to do next, one sentence.
        code: the kind of cause, ``SP-…`` of ``docs/errors.md``; it stays the same when the words change.
    """

    exit_status = 1
    facts: Mapping[str, Any] = MappingProxyType({})  # what a command had found out by then, for its JSON document

    def __init__(self, what: str, *, where: str = "", hint: str = "", code: str = "") -> None:
        """Say what, where and what next."""
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint
        self.code = code

    @property
    def by_model(self) -> Mapping[str, ShardpressError]:
        """The failures that it stands for, by model: it alone, of no model in particular."""
        return {"": self}

    def __str__(self) -> str:
        """Return the one paragraph a user reads; whoever prints it adds the code."""
        place = f"{self.where}: " if self.where else ""
        return " ".join(_sentence(part) for part in (f"{place}{self.what}", self.hint) if part)

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way back from a worker process with all fields."""
        return _rebuild, (type(self), self.what, self.where, self.hint, self.code)


def _sentence(text: str) -> str:
    return text if text.endswith("?") else f"{text.rstrip('.')}."


def _rebuild(kind: type[ShardpressError], what: str, where: str, hint: str, code: str) -> ShardpressError:
    return kind(what, where=where, hint=hint, code=code)


class UsageError(ShardpressError):
    """The command line is wrong."""

    exit_status = 2


class ConfigError(ShardpressError):
    """``build.toml`` is wrong."""

    exit_status = 2


class SourceError(ShardpressError):
    """A source model is missing, damaged or of a kind that cannot be built."""


class UnsafeModelError(SourceError):
    """A source model asks for files, scripts or the network."""


class UnsupportedOpsError(SourceError):
    """A source model holds ops that TensorFlow.js lacks."""


class ConversionError(ShardpressError):
    """TensorFlow or the stock converter failed, or is not installed."""


class FormatError(ShardpressError):
    """A bundle file does not follow ``docs/format.md``."""


class RuntimeBuildError(ShardpressError):
    """TensorFlow.js cannot be made from its packages."""


class VerificationError(ShardpressError):
    """TensorFlow.js could not run a bundle, or answered differently."""


class BudgetError(ShardpressError):
    """A model is larger than its budget."""


class LadderError(ShardpressError):
    """Models that are to be rungs of a ladder do not go together."""


class StoreError(ShardpressError):
    """A store is not what it should be."""

    exit_status = 4


class DeniedError(StoreError):
    """The public may not read what is published."""


class StoreDeniedError(StoreError):
    """The store refuses what these credentials ask, or no longer takes the request."""


class StoreConflictError(StoreError):
    """Somebody else published in between."""

    exit_status = 3


class StoreLockedError(StoreConflictError):
    """Another process holds the store, and goes on doing so."""


class ContractError(ShardpressError):
    """A release would break pages that use the live one."""


class BuildError(ShardpressError):
    """Several models of one build failed.

    Args:
        failures: the failure of each model, by name.
    """

    def __init__(self, failures: Mapping[str, ShardpressError]) -> None:
        """Collect the failures."""
        super().__init__(f"{len(failures)} of the models failed")
        self.failures = failures

    @property
    def by_model(self) -> Mapping[str, ShardpressError]:
        """The failure of each model."""
        return self.failures

    def __str__(self) -> str:
        """Return one paragraph a model."""
        return "\n".join(f"{name}: {error}" for name, error in self.failures.items())
