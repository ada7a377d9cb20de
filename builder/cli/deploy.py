"""The commands that publish: deploy, releases, rollback, verify, prune."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..redact import redact
from .options import Output, echo, shared_options

if TYPE_CHECKING:
    from ..errors import StoreError
    from ..publish.apply import Deployed, Deployer
    from ..publish.live import Checked
    from ..publish.plan import Plan
    from ..publish.targets import Target

target_argument = click.argument("target", required=False)
unsafe_option = click.option(
    "--unsafe-single-writer",
    "unsafe",
    is_flag=True,
    help="Vouch that nobody else deploys, for stores without conditions.",
)
dry_option = click.option("--dry-run", is_flag=True, help="Only tell what would be done.")


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
@click.option("--repair", is_flag=True, help="Check every object rather than trust the live release.")
@click.option("--preview", metavar="NAME", help="Publish beside the live release, as loader-NAME.js.")
@click.option("--ttl", help="How long a preview lives from now on; a new one 7d.")
@click.option("--no-verify", is_flag=True, help="Do not check the live site afterwards.")
@unsafe_option
def deploy(
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
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Publish the built bundle, whole or not at all; without a target to the only one, or to ./public."""
    from ..config.tables import load_config
    from ..publish.apply import deploy as run
    from ..publish.apply import plan_deploy
    from ..publish.dist import read_local
    from ..publish.follow_up import pay
    from ..publish.plan import Choice
    from .progress_bars import open_progress

    output = Output(as_json, -1 if quiet else verbose)
    begun = time.monotonic()
    settings = load_config(config)
    local = read_local(out or settings.folder / settings.build.out)
    chosen, deployer = _open(settings, target, unsafe=unsafe or dry_run)
    choice = Choice(only, breaking, repair, _preview_name(preview), None if ttl is None else _duration(ttl))
    if dry_run:
        plan = plan_deploy(deployer, local, choice)
        output.say(_show_plan(plan, chosen, verbose))
        seconds = time.monotonic() - begun
        facts = {**_plan_data(plan, chosen), "seconds": seconds, **_traffic(chosen)}
        output.give({"ok": True, "dry_run": True, **facts})
        return

    def confirm(plan: Plan) -> bool:
        output.say(_show_plan(plan, chosen, verbose))
        return yes or as_json or not sys.stdin.isatty() or click.confirm("Go on?", err=True)

    with open_progress(quiet=quiet, verbose=verbose) as progress:
        done = run(deployer, local, choice, progress, confirm=confirm)
    purged = pay(chosen, deployer) if done.owes else ()
    checked = None if no_verify else _check_after(chosen, deployer, done, choice.preview, output)
    seconds = time.monotonic() - begun
    output.say(_show_done(done, chosen, checked, seconds, choice.preview))
    facts = {
        **_plan_data(done.plan, chosen),
        "release": done.release,
        "loader": done.loader,
        "changed": done.swapped,
        "seconds": seconds,
        "purged": list(purged),
        **_preview_data(done, chosen, choice.preview),
    }
    _summarise(done, chosen, checked)
    _finish(output, {**facts, **_traffic(chosen)}, checked, chosen)


@click.command()
@target_argument
@shared_options
@click.option("--pin", metavar="ID", help="Never prune this release.")
@click.option("--unpin", metavar="ID", help="Let this release be pruned.")
@unsafe_option
def releases(
    *,
    target: str | None,
    config: Path,
    pin: str | None,
    unpin: str | None,
    unsafe: bool,
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Show what was deployed, newest first, and what is live."""
    from ..config.tables import load_config
    from ..publish.history import required, set_pin

    output = Output(as_json, -1 if quiet else verbose)
    chosen, deployer = _open(load_config(config), target, unsafe=unsafe or not (pin or unpin))
    if pin or unpin:
        set_pin(deployer, pin or unpin or "", pinned=bool(pin))
    base = required(deployer, reading=True)
    for item in base.state.releases:
        marks = [word for word, is_so in (("live", item.loader == base.live), ("pinned", item.pinned)) if is_so]
        output.say(f"{item.name}  {_time(item.at)}  {', '.join(marks)}".rstrip())
    for name, preview in sorted(base.state.previews.items()):
        output.say(f"{preview.name}  preview {name} until {_time(preview.until)}")
    output.give(
        {
            "ok": True,
            "target": chosen.name,
            "live": base.release,
            "generation": base.state.generation,
            "releases": [
                {
                    "release": item.name,
                    "loader": item.loader,
                    "deployed": _time(item.at),
                    "live": item.loader == base.live,
                    "pinned": item.pinned,
                }
                for item in base.state.releases
            ],
            "previews": {
                name: {"release": item.id or item.loader, "until": _time(item.until)}
                for name, item in base.state.previews.items()
            },
        }
    )


@click.command()
@target_argument
@shared_options
@click.option("--only", multiple=True, metavar="NAME", help="Take back only this model; may be given several times.")
@click.option("--to", metavar="ID", help="The release to go to; default: the one deployed before the live one.")
@click.option("--no-verify", is_flag=True, help="Do not check the live site afterwards.")
@dry_option
@unsafe_option
def rollback(
    *,
    target: str | None,
    config: Path,
    only: tuple[str, ...],
    to: str | None,
    no_verify: bool,
    dry_run: bool,
    unsafe: bool,
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Make an earlier release live again, with one write."""
    from ..config.tables import load_config
    from ..publish.follow_up import check_patiently, pay
    from ..publish.history import roll_back
    from ..publish.live import check_live, site_of

    output = Output(as_json, -1 if quiet else verbose)
    chosen, deployer = _open(load_config(config), target, unsafe=unsafe or dry_run)
    done = roll_back(deployer, only, to, dry_run=dry_run)
    would = "would go" if dry_run else "went"
    changed = ", ".join(done.models) or "none"
    output.say(f"{chosen.name}: {would} from release {done.before} to {done.after}; changed: {changed}")
    purged = () if dry_run else pay(chosen, deployer)
    checked = None
    if not (dry_run or no_verify):
        checked = check_patiently(lambda: check_live(site_of(chosen), expected=done.loader), chosen, output.say)
    facts = {
        "target": chosen.name,
        "before": done.before,
        "release": done.after,
        "loader": done.loader,
        "models": list(done.models),
        "purged": list(purged),
    }
    _finish(output, facts, checked, chosen)


@click.command()
@target_argument
@shared_options
@click.option("--preview", metavar="NAME", help="Check this preview instead of the live release.")
def verify(*, target: str | None, config: Path, preview: str | None, as_json: bool, quiet: bool, verbose: int) -> None:
    """Read what is live as a browser would, and check every hash and header."""
    from ..bundle.bundle import loader_name
    from ..config.tables import load_config
    from ..config.units import show_size
    from ..publish.live import check_live, site_of
    from ..publish.previews import preview_key

    output = Output(as_json, -1 if quiet else verbose)
    chosen, _ = _open(load_config(config), target, unsafe=True)
    pointer = preview_key(_preview_name(preview)) if preview else loader_name
    checked = check_live(site_of(chosen), pointer=pointer)
    if not checked.problems:
        where = chosen.public_url or chosen.store.place
        output.say(f"{where}: release {checked.release} is whole, {checked.files} files, {show_size(checked.nbytes)}")
    _finish(output, {"target": chosen.name, "release": checked.release}, checked, chosen)


@click.command()
@target_argument
@shared_options
@dry_option
@unsafe_option
def prune(
    *, target: str | None, config: Path, dry_run: bool, unsafe: bool, as_json: bool, quiet: bool, verbose: int
) -> None:
    """Remove what no kept release, pin or preview needs, once it is older than the grace period."""
    from ..config.tables import load_config
    from ..config.units import show_size
    from ..publish.follow_up import pay
    from ..publish.prune import plan_prune
    from ..publish.prune import prune as run
    from .progress_bars import open_progress

    output = Output(as_json, -1 if quiet else verbose)
    chosen, deployer = _open(load_config(config), target, unsafe=unsafe or dry_run)
    if dry_run:
        done = plan_prune(deployer)
    else:
        with open_progress(quiet=quiet, verbose=verbose) as progress:
            done = run(deployer, progress)
        pay(chosen, deployer)
    for action in done.actions if dry_run or verbose else ():
        output.say(f"delete  {action.key}  {action.why}")
    word = "would be freed" if dry_run else "freed"
    output.say(
        f"{chosen.name}: {len(done.actions)} objects, {show_size(done.nbytes)} {word}; {len(done.kept)} releases stay"
    )
    output.give(
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
@click.option("--policy", is_flag=True, help="Print the smallest IAM policy for this target.")
def bucket(*, target: str | None, config: Path, policy: bool, as_json: bool, quiet: bool, verbose: int) -> None:
    """Tell whether an s3 target's bucket is set up for pages."""
    from ..config.tables import load_config
    from ..errors import StoreError, UsageError
    from ..publish.bucket import examine_bucket, minimal_policy
    from .options import give_json

    output = Output(as_json, -1 if quiet else verbose)
    chosen, _ = _open(load_config(config), target, unsafe=True)
    if chosen.config.type != "s3":
        raise UsageError(f"{chosen.name} is no s3 target", code="SP-103", where=str(config), hint="Name one that is")
    if policy:
        give_json(minimal_policy(chosen.config))
        return
    findings = examine_bucket(chosen)
    words = {True: "ok", False: "mend", None: "could not be asked"}
    for finding in findings:
        output.say(f"{finding.what:20} {words[finding.ok]}{'' if finding.ok else '. ' + finding.advice}")
    wrong = [finding for finding in findings if finding.ok is False]
    shown = [{"what": item.what, "ok": item.ok, "advice": item.advice} for item in findings]
    facts = {"target": chosen.name, "findings": shown}
    if barring := next((finding for finding in wrong if finding.bars), None):
        error = StoreError(
            "pages may not read this bucket", code="SP-651", where=chosen.store.place, hint=barring.advice
        )
        error.facts = facts
        raise error
    output.give({"ok": not wrong, **facts})


@click.command()
@shared_options
@click.option("--out", type=click.Path(path_type=Path), help="The build's folder, instead of [build] out.")
@click.option(
    "--compare-with",
    "base",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The manifest.json of another build; one that does not exist compares with nothing.",
)
def sizes(*, config: Path, out: Path | None, base: Path | None, as_json: bool, quiet: bool, verbose: int) -> None:
    """Print how large each model is, and how that changed, as a Markdown table for a pull request."""
    from ..config.tables import load_config
    from ..publish.sizes import compare_sizes, markdown

    output = Output(as_json, -1 if quiet else verbose)
    folder = out
    if folder is None:
        settings = load_config(config)
        folder = settings.folder / settings.build.out
    if base is not None and not base.exists():
        echo(f"warning: {base} does not exist, so nothing is compared", err=True)
    found = compare_sizes(folder / "manifest.json", base)
    table = markdown(found)
    output.say(table)
    _add_to_summary(table)
    output.give({"ok": True, **asdict(found)})


commands = (deploy, releases, rollback, verify, prune, bucket, sizes)


def _open(settings: Any, name: str | None, *, unsafe: bool) -> tuple[Target, Deployer]:
    from ..publish.apply import Deployer, Keeping
    from ..publish.targets import find_target

    chosen = find_target(settings, name)
    keeping = Keeping(chosen.config.keep_releases, chosen.grace)
    purges = bool(chosen.config.cloudfront or chosen.config.hook)
    return chosen, Deployer(chosen.store, chosen.form, keeping, unsafe=unsafe, purges=purges)


def _preview_name(preview: str | None) -> str:
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
        facts = _preview_data(done, target, preview)["preview"]
        what = f"preview {preview} of release {done.release} is at {facts['url']} until {facts['until']}"
    elif done.swapped:
        what = f"release {done.release} is live at {target.public_url or target.store.place}"
    else:
        what = f"release {done.release} is live"
    nothing = "" if done.swapped else "nothing to do, "
    return f"{target.name}: {nothing}{what}{state}, {seconds:.1f} s"


def _preview_data(done: Deployed, target: Target, preview: str) -> dict[str, Any]:
    from ..publish.previews import preview_key

    if not preview:
        return {}
    key = preview_key(preview)
    url = target.public_url + key if target.public_url else target.store.place.rstrip("/") + "/" + key
    return {"preview": {"name": preview, "url": url, "until": _time(done.until)}}


def _plan_data(plan: Plan, target: Target) -> dict[str, Any]:
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


def _traffic(target: Target) -> dict[str, int]:
    return {
        name: getattr(target.store, attribute)
        for name, attribute in (("requests", "requests"), ("sent", "sent"))
        if hasattr(target.store, attribute)
    }


def _checked_data(checked: Checked | None) -> dict[str, Any]:
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


def _check_after(target: Target, deployer: Deployer, done: Deployed, preview: str, output: Output) -> Checked:
    """Read back what was written; all of it where nothing was, as nobody else may have looked."""
    from ..bundle.bundle import loader_name
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

    return check_patiently(check, target, output.say)


def _finish(output: Output, facts: dict[str, Any], checked: Checked | None, target: Target) -> None:
    """Give a command's JSON document; with the problems of a check it goes out with the error."""
    document = {**facts, **_checked_data(checked)}
    if checked is None or not checked.problems:
        output.give({"ok": True, **document})
        return
    error = _not_as_it_should_be(checked, target)
    error.facts = document
    raise error


def _not_as_it_should_be(checked: Checked, target: Target) -> StoreError:
    from ..errors import StoreError
    from ..publish.live import advice

    shown = "; ".join(f"{problem.url}: {problem.what}" for problem in checked.problems[:5])
    more = f" and {len(checked.problems) - 5} more" if len(checked.problems) > 5 else ""
    return StoreError(
        f"the live site is not what it should be: {shown}{more}",
        code="SP-650",
        where=target.public_url or target.store.place,
        hint=advice(checked, target),
    )


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
    _add_to_summary("\n".join(lines))


def _add_to_summary(text: str) -> None:
    """Add to what GitHub shows with a job, if this runs in one; a release does not fail for want of a summary."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(redact(text) + "\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        echo(f"warning: the job's summary {path} cannot be written ({reason})", err=True)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
