"""The commands that look after a target: verify, prune, bucket."""

from __future__ import annotations

from pathlib import Path

import click

from .options import Console, give_json, shared_options
from .target import dry_option, finish, open_target, preview_name, target_argument, unsafe_option


@click.command()
@target_argument
@shared_options
@click.option("--preview", metavar="NAME", help="Check this preview instead of the live release.")
def verify(console: Console, *, target: str | None, config: Path, preview: str | None) -> None:
    """Read what is live as a browser would, and check every hash and header."""
    from ..bundle.format import loader_name
    from ..config.tables import load_config
    from ..config.units import show_size
    from ..publish.live import check_live, site_of
    from ..publish.previews import preview_key

    chosen, _ = open_target(load_config(config), target, unsafe=True)
    pointer = preview_key(preview_name(preview)) if preview else loader_name
    checked = check_live(site_of(chosen), pointer=pointer)
    if not checked.problems:
        where = chosen.public_url or chosen.store.place
        console.say(f"{where}: release {checked.release} is whole, {checked.files} files, {show_size(checked.nbytes)}")
    finish(console, {"target": chosen.name, "release": checked.release}, checked, chosen)


@click.command()
@target_argument
@shared_options
@dry_option
@unsafe_option
def prune(console: Console, *, target: str | None, config: Path, dry_run: bool, unsafe: bool) -> None:
    """Remove what no kept release, pin or preview needs and is older than the grace period."""
    from ..config.tables import load_config
    from ..config.units import show_size
    from ..publish.follow_up import pay
    from ..publish.prune import plan_prune
    from ..publish.prune import prune as run

    chosen, deployer = open_target(load_config(config), target, unsafe=unsafe or dry_run)
    if dry_run:
        done = plan_prune(deployer)
    else:
        with console.progress() as progress:
            done = run(deployer, progress)
        pay(chosen, deployer)
    for action in done.actions if dry_run or console.verbose else ():
        console.say(f"delete  {action.key}  {action.why}")
    word = "would be freed" if dry_run else "freed"
    console.say(
        f"{chosen.name}: {len(done.actions)} objects, {show_size(done.nbytes)} {word}; {len(done.kept)} releases stay"
    )
    console.give(
        {
            "ok": True,
            "target": chosen.name,
            "dry_run": dry_run,
            "deleted": [{"key": action.key, "why": action.why, "bytes": action.nbytes} for action in done.actions],
            "bytes": done.nbytes,
            "kept": list(done.kept),
        }
    )


@click.command()
@target_argument
@shared_options
@click.option("--policy", is_flag=True, help="Print the minimal IAM policy for this target.")
def bucket(console: Console, *, target: str | None, config: Path, policy: bool) -> None:
    """Check whether an S3 target's bucket is set up for pages."""
    from ..config.tables import load_config
    from ..errors import StoreError, UsageError
    from ..publish.bucket import examine_bucket, minimal_policy

    chosen, _ = open_target(load_config(config), target, unsafe=True)
    if chosen.config.type != "s3":
        raise UsageError(
            f"{chosen.name} is not an S3 target", code="SP-103", where=str(config), hint="Name one that is"
        )
    if policy:
        give_json(minimal_policy(chosen.config))
        return
    findings = examine_bucket(chosen)
    words = {True: "ok", False: "fix", None: "could not be asked"}
    for finding in findings:
        console.say(f"{finding.what:20} {words[finding.ok]}{'' if finding.ok else '. ' + finding.advice}")
    wrong = [finding for finding in findings if finding.ok is False]
    shown = [{"what": item.what, "ok": item.ok, "advice": item.advice} for item in findings]
    facts = {"target": chosen.name, "findings": shown}
    if barring := next((finding for finding in wrong if finding.bars), None):
        error = StoreError(
            "pages may not read this bucket", code="SP-651", where=chosen.store.place, hint=barring.advice
        )
        error.facts = facts
        raise error
    console.give({"ok": not wrong, **facts})
