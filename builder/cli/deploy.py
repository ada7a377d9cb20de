"""The command deploy: the plan, the release, and its check."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .job_summary import add_to_summary
from .options import Console, shared_options
from .target import (
    dry_option,
    finish,
    open_target,
    preview_name,
    show_time,
    target_argument,
    traffic,
    unsafe_option,
)

if TYPE_CHECKING:
    from ..publish.apply import Deployed, Deployer
    from ..publish.live import Checked
    from ..publish.plan import Plan
    from ..publish.targets import Target


@click.command()
@target_argument
@shared_options
@click.option("--out", type=click.Path(path_type=Path), help="The build's folder, instead of [build] out.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="Change only this model's entry; may be given several times."
)
@dry_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--breaking", is_flag=True, help="Allow other inputs, outputs or labels than the live models have.")
@click.option("--repair", is_flag=True, help="Check every object instead of trusting the live release.")
@click.option("--preview", metavar="NAME", help="Publish beside the live release, as loader-NAME.js.")
@click.option("--ttl", help="How long the preview stays, from now on; 7d for a new one.")
@click.option("--no-verify", is_flag=True, help="Do not check the live site afterwards.")
@unsafe_option
def deploy(
    console: Console,
    *,
    target: str | None,
    config: Path,
    out: Path | None,
    only: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    breaking: bool,
    repair: bool,
    preview: str | None,
    ttl: str | None,
    no_verify: bool,
    unsafe: bool,
) -> None:
    """Publish the built bundle, completely or not at all; without TARGET to the only one, or to ./public."""
    from ..config.tables import load_config
    from ..publish.apply import deploy as run
    from ..publish.apply import plan_deploy
    from ..publish.dist import read_local
    from ..publish.follow_up import pay
    from ..publish.plan import Choice

    begun = time.monotonic()
    settings = load_config(config)
    local = read_local(out or settings.folder / settings.build.out)
    chosen, deployer = open_target(settings, target, unsafe=unsafe or dry_run)
    choice = Choice(only, breaking, repair, preview_name(preview), None if ttl is None else _duration(ttl))
    if dry_run:
        plan = plan_deploy(deployer, local, choice)
        console.say(_show_plan(plan, chosen, console.verbose))
        seconds = time.monotonic() - begun
        facts = {**_plan_data(plan, chosen), "seconds": seconds, **traffic(chosen)}
        console.give({"ok": True, "dry_run": True, **facts})
        return

    def confirm(plan: Plan) -> bool:
        console.say(_show_plan(plan, chosen, console.verbose))
        return yes or console.as_json or not sys.stdin.isatty() or click.confirm("Go on?", err=True)

    with console.progress() as progress:
        done = run(deployer, local, choice, progress, confirm=confirm)
    purged = pay(chosen, deployer) if done.owes else ()
    checked = None if no_verify else _check_after(chosen, deployer, done, choice.preview, console)
    seconds = time.monotonic() - begun
    console.say(_show_done(done, chosen, checked, seconds, choice.preview))
    facts = {
        **_plan_data(done.plan, chosen),
        "release": done.release,
        "loader": done.loader,
        "changed": done.swapped,
        "seconds": seconds,
        "purged": list(purged),
        **({"preview": _preview_data(done, chosen, choice.preview)} if choice.preview else {}),
    }
    _summarise(done, chosen, checked)
    finish(console, {**facts, **traffic(chosen)}, checked, chosen)


def _duration(text: str) -> float:
    from ..config.units import parse_duration
    from ..errors import UsageError

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error), code="SP-106", where="--ttl", hint="Write '7d' or '24h'") from error


def _show_plan(plan: Plan, target: Target, verbose: int) -> str:
    from ..config.units import show_size

    if plan.idle:
        return f"{target.name}: nothing to do, {target.store.place} is up to date"
    lines = [f"note: {note}" for note in plan.notes]
    for action in plan.actions:
        if action.do != "skip" or verbose:
            size = show_size(action.nbytes) if action.nbytes else ""
            lines.append(f"{action.do:9}  {size:>8}  {action.key}  ({action.why})")
    skipped = sum(action.do == "skip" for action in plan.actions)
    lines.append(f"{target.name}: {show_size(plan.nbytes)} to send, {skipped} objects stay as they are")
    if target.config.cloudfront:
        lines.append(f"{target.name}: 1 path to invalidate at CloudFront (1,000 a month are free)")
    return "\n".join(lines)


def _show_done(done: Deployed, target: Target, checked: Checked | None, seconds: float, preview: str) -> str:
    state = f"; {checked.files} files checked" if checked and not checked.problems else ""
    if preview:
        facts = _preview_data(done, target, preview)
        what = f"preview {preview} of release {done.release} is at {facts['url']} until {facts['until']}"
    elif done.swapped:
        what = f"release {done.release} is live at {target.public_url or target.store.place}"
    else:
        what = f"release {done.release} is live"
    nothing = "" if done.swapped else "nothing to do, "
    return f"{target.name}: {nothing}{what}{state}, {seconds:.1f} s"


def _preview_data(done: Deployed, target: Target, preview: str) -> dict[str, str]:
    from ..publish.previews import preview_key

    key = preview_key(preview)
    url = target.public_url + key if target.public_url else target.store.place.rstrip("/") + "/" + key
    return {"name": preview, "url": url, "until": show_time(done.until)}


def _plan_data(plan: Plan, target: Target) -> dict[str, object]:
    return {
        "target": target.name,
        "place": target.store.place,
        "idle": plan.idle,
        "bytes": plan.nbytes,
        "invalidations": 1 if target.config.cloudfront and not plan.idle else 0,
        "notes": list(plan.notes),
        "actions": [
            {"do": action.do, "key": action.key, "why": action.why, "bytes": action.nbytes} for action in plan.actions
        ],
    }


def _check_after(target: Target, deployer: Deployer, done: Deployed, preview: str, console: Console) -> Checked:
    """Read back what was written; all of it where nothing was, as nobody else may have looked."""
    from ..bundle.format import loader_name
    from ..publish.follow_up import check_patiently
    from ..publish.live import check_live, site_of
    from ..publish.plan import plain
    from ..publish.previews import preview_key

    written = {plain(action.key) for action in done.plan.actions if action.do in ("put", "overwrite", "headers")}
    pointer = preview_key(preview) if preview else loader_name
    # After a prune that never gave its lease back, everything is looked at too.
    only = written if done.swapped and not deployer.overtook else None

    def check() -> Checked:
        return check_live(site_of(target), expected=done.loader, pointer=pointer, only=only)

    return check_patiently(check, target, console.say)


def _summarise(done: Deployed, target: Target, checked: Checked | None) -> None:
    """Add a table to the summary that GitHub shows with a job."""
    from ..config.units import show_size

    counts = {
        kind: sum(action.do == kind for action in done.plan.actions) for kind in ("put", "overwrite", "headers", "skip")
    }
    numbers = " | ".join(str(count) for count in counts.values())
    problems = len(checked.problems) if checked else "not checked"
    lines = [
        f"### Deploy to {target.name}",
        "",
        "| release | sent | new | overwritten | headers only | unchanged | problems |",
        "|---|---|---|---|---|---|---|",
        f"| `{done.release}` | {show_size(done.plan.nbytes)} | {numbers} | {problems} |",
        "",
    ]
    add_to_summary("\n".join(lines))
