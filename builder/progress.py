"""How long work tells where it is; the command line decides how that looks."""

from __future__ import annotations

from typing import Protocol


def ignore(_: object) -> None:
    """Take no notice."""


class Progress(Protocol):
    """Told of work under way, from several threads."""

    def begin(self, subject: str, step: str, total: int) -> None:
        """A step of ``total`` parts begins for ``subject`` (a model's name, or ``""`` for the whole build)."""

    def advance(self, subject: str) -> None:
        """One part is done."""

    def end(self, subject: str) -> None:
        """The step is done."""

    def note(self, subject: str, text: str) -> None:
        """Something the user should read, a sentence."""


class Silent:
    """Says nothing."""

    def begin(self, subject: str, step: str, total: int) -> None:
        """Say nothing."""

    def advance(self, subject: str) -> None:
        """Say nothing."""

    def end(self, subject: str) -> None:
        """Say nothing."""

    def note(self, subject: str, text: str) -> None:
        """Say nothing."""
