"""The commands about releases: which there are, and the way back to one."""

from __future__ import annotations

from pathlib import Path

import click

from .options import Console, shared_options
from .target import dry_option, finish, open_target, show_time, target_argument, unsafe_option


@click.command()
@target_argument
@shared_options
@click.option("--pin", metavar="ID", help="Never prune this release.")
@click.option("--unpin", metavar="ID", help="Let this release be pruned.")
@unsafe_option
def releases(
    console: Console,
    *,
    target: str | None,
    config: Path,
    pin: str | None,
    unpin: str | None,
    unsafe: bool,
) -> None:
    """Show what was deployed, newest first, and what is live."""
    from ..config.tables import load_config
    from ..publish.history import required, set_pin

    chosen, deployer = open_target(load_config(config), target, unsafe=unsafe or not (pin or unpin))
    if pin or unpin:
        set_pin(deployer, pin or unpin or "", pinned=bool(pin))
    base = required(deployer, reading=True)
    for item in base.state.releases:
        marks = [word for word, is_so in (("live", item.loader == base.live), ("pinned", item.pinned)) if is_so]
        console.say(f"{item.name}  {show_time(item.at)}  {', '.join(marks)}".rstrip())
    for name, preview in sorted(base.state.previews.items()):
        console.say(f"{preview.name}  preview {name} until {show_time(preview.until)}")
    console.give(
        {
            "ok": True,
            "target": chosen.name,
            "live": base.release,
            "generation": base.state.generation,
            "releases": [
                {
                    "release": item.name,
                    "loader": item.loader,
                    "deployed": show_time(item.at),
                    "live": item.loader == base.live,
                    "pinned": item.pinned,
                }
                for item in base.state.releases
            ],
            "previews": {
                name: {"release": item.id or item.loader, "until": show_time(item.until)}
                for name, item in base.state.previews.items()
            },
        }
    )


@click.command()
@target_argument
@shared_options
@click.option("--only", multiple=True, metavar="NAME", help="Roll back only this model; may be given several times.")
@click.option("--to", metavar="ID", help="The release to restore; default: the one deployed before the live one.")
@click.option("--no-verify", is_flag=True, help="Do not check the live site afterwards.")
@dry_option
@unsafe_option
def rollback(
    console: Console,
    *,
    target: str | None,
    config: Path,
    only: tuple[str, ...],
    to: str | None,
    no_verify: bool,
    dry_run: bool,
    unsafe: bool,
) -> None:
    """Make an earlier release live again, with one write."""
    from ..config.tables import load_config
    from ..publish.follow_up import check_patiently, pay
    from ..publish.history import roll_back
    from ..publish.live import check_live, site_of

    chosen, deployer = open_target(load_config(config), target, unsafe=unsafe or dry_run)
    done = roll_back(deployer, only, to, dry_run=dry_run)
    would = "would go" if dry_run else "went"
    changed = ", ".join(done.models) or "none"
    console.say(f"{chosen.name}: {would} from release {done.before} to {done.after}; changed: {changed}")
    purged = () if dry_run else pay(chosen, deployer)
    checked = None
    if not (dry_run or no_verify):
        checked = check_patiently(lambda: check_live(site_of(chosen), expected=done.loader), chosen, console.say)
    facts = {
        "target": chosen.name,
        "before": done.before,
        "release": done.after,
        "loader": done.loader,
        "models": list(done.models),
        "purged": list(purged),
    }
    finish(console, facts, checked, chosen)
