"""The command sizes: how large each model is, and how that changed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from .job_summary import add_to_summary
from .options import Console, shared_options


@click.command()
@shared_options
@click.option("--out", type=click.Path(path_type=Path), help="The build's folder, instead of [build] out.")
@click.option(
    "--compare-with",
    "base",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The manifest.json of another build; if it does not exist, nothing is compared.",
)
def sizes(console: Console, *, config: Path, out: Path | None, base: Path | None) -> None:
    """Print each model's size and its change, as a Markdown table for a pull request."""
    from ..config.tables import load_config
    from ..publish.sizes import compare_sizes, markdown

    folder = out
    if folder is None:
        settings = load_config(config)
        folder = settings.folder / settings.build.out
    if base is not None and not base.exists():
        console.warn([f"{base} does not exist, so nothing is compared"])
    found = compare_sizes(folder / "manifest.json", base)
    table = markdown(found)
    console.say(table)
    add_to_summary(table)
    console.give({"ok": True, **asdict(found)})
