"""What the commands of a target share: its options, opening it, and telling what its check found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from .options import Console

if TYPE_CHECKING:
    from ..config.tables import Config
    from ..errors import StoreError
    from ..publish.apply import Deployer
    from ..publish.live import Checked
    from ..publish.targets import Target

target_argument = click.argument("target", required=False)
unsafe_option = click.option(
    "--unsafe-single-writer",
    "unsafe",
    is_flag=True,
    help="Vouch that nobody else deploys, for stores without conditions.",
)
dry_option = click.option("--dry-run", is_flag=True, help="Only tell what would be done.")


def open_target(settings: Config, name: str | None, *, unsafe: bool) -> tuple[Target, Deployer]:
    """Return a target by its name, the only one without, and what works on it."""
    from ..publish.apply import Deployer, Keeping
    from ..publish.targets import find_target

    chosen = find_target(settings, name)
    keeping = Keeping(chosen.config.keep_releases, chosen.grace)
    purges = bool(chosen.config.cloudfront or chosen.config.hook)
    return chosen, Deployer(chosen.store, chosen.form, keeping, unsafe=unsafe, purges=purges)


def preview_name(preview: str | None) -> str:
    """Return a preview's name, or "".

    Raises:
        UsageError: no preview may be called so.
    """
    from ..config.tables import model_name
    from ..errors import UsageError

    if preview and not model_name.fullmatch(preview):
        raise UsageError(
            f"the name {preview!r} is not allowed",
            code="SP-105",
            where="--preview",
            hint="Names are lower-case letters, digits and hyphens, and start with a letter",
        )
    return preview or ""


def finish(console: Console, facts: Mapping[str, object], checked: Checked | None, target: Target) -> None:
    """Return a command's JSON document; with the problems of a check it goes out with the error."""
    document = {**facts, **_checked_data(checked)}
    if checked is None or not checked.problems:
        console.give({"ok": True, **document})
        return
    error = _not_as_it_should_be(checked, target)
    error.facts = document
    raise error


def _checked_data(checked: Checked | None) -> dict[str, object]:
    if checked is None:
        return {}
    return {
        "checked": {
            "files": checked.files,
            "problems": [
                {"url": problem.url, "what": problem.what, "hint": problem.hint} for problem in checked.problems
            ],
        }
    }


def _not_as_it_should_be(checked: Checked, target: Target) -> StoreError:
    from ..errors import StoreError
    from ..publish.live import advice

    shown = "; ".join(f"{problem.url}: {problem.what}" for problem in checked.problems[:5])
    more = f" and {len(checked.problems) - 5} more" if len(checked.problems) > 5 else ""
    return StoreError(
        f"the live site is not as deployed: {shown}{more}",
        code="SP-650",
        where=target.public_url or target.store.place,
        hint=advice(checked, target),
    )


def traffic(target: Target) -> dict[str, int]:
    """Return how much was asked of a target's store and sent to it, where it counts that."""
    return {
        name: getattr(target.store, attribute)
        for name, attribute in (("requests", "requests"), ("sent", "sent"))
        if hasattr(target.store, attribute)
    }


def show_time(seconds: float) -> str:
    """Return a moment as people and programs read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
