"""The command line: the one place that prints, and that turns failures into text and an exit status."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from .. import __version__
from ..config.schema import json_schema
from ..config.tables import load_config
from ..errors import ShardpressError, UsageError
from ..program import script
from .deploy import deploy
from .develop import init, report, run_watch, watch_options
from .options import Console, complete_models, echo, give_json, shared_options
from .releases import releases, rollback
from .sizes import sizes
from .target_care import bucket, prune, verify

interrupted = 130
common = frozenset({"config", "json", "quiet", "verbose"})  # say nothing to a command that has none of them


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@shared_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to, instead of [build] out.")
@click.option("--only", multiple=True, metavar="NAME", shell_complete=complete_models,
              help="Build only this model; may be given several times.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), help="Parallel conversions and compressions; default: all cores.")
@click.option("--scheduler", default="", metavar="ADDRESS", help="Convert and compress on this Dask cluster.")
@click.option("--no-cache", is_flag=True, help="Neither read nor write the cache.")
@click.option("--strict", is_flag=True, help="Treat warnings and unverified models as failures.")
@click.option("--fast", is_flag=True, help="Compress quickly (brotli 5), for development.")
@click.option("--compare", is_flag=True, help="Measure each model against the stock converter's output with brotli.")
@watch_options
@click.version_option(__version__, prog_name="shardpress")
@click.pass_context
def cli(context: click.Context, console: Console, /, **options: Any) -> None:
    """Turn trained models into files that web pages load without delay.

    Without a command: build every model in build.toml into dist/.
    """
    if context.invoked_subcommand is None:
        _build(console, **options)
    else:
        _pass_on(context, options)


def _pass_on(context: click.Context, options: Mapping[str, Any]) -> None:
    """Have a command take the options that were given before it."""
    name = context.invoked_subcommand or ""
    command = cli.commands[name]
    known = {parameter.name for parameter in command.params}
    given = [
        parameter
        for parameter in context.command.params
        if parameter.name and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    for parameter in given:
        if parameter.name not in known and parameter.name not in common:
            raise click.UsageError(f"{parameter.opts[-1]} cannot be used with {name}.", context)
    context.default_map = {name: {one.name: options[one.name] for one in given if one.name in options}}


def _build(
    console: Console,
    *,
    config: Path,
    out: Path | None,
    only: tuple[str, ...],
    jobs: int | None,
    scheduler: str,
    no_cache: bool,
    strict: bool,
    fast: bool,
    compare: bool,
    watch: bool,
    **serving: Any,
) -> None:
    from ..pipeline.report.report import describe_runtime, report_data, summary
    from ..pipeline.run import build
    from ..pipeline.session import BuildOptions

    begun = time.monotonic()
    options = BuildOptions(
        only=only,
        jobs=jobs or os.cpu_count() or 1,
        use_cache=not no_cache,
        fast=fast,
        compare=compare,
        scheduler=scheduler,
    )
    if watch:
        run_watch(console, config, options, out, strict=strict, **serving)
        return
    settings = load_config(config)
    target = out or settings.folder / settings.build.out
    with console.progress() as progress:
        result = build(settings, options, target, progress, strict=strict)
    seconds = time.monotonic() - begun
    console.warn(result.warnings, result.remarks)
    console.say(summary(result.models, result.verified))
    if result.own:
        console.say(describe_runtime(result.own))
    state = f"{len(result.output.changed)} files new" if result.output.changed else "nothing changed"
    console.say(f"{target / 'cdn'}: release {result.output.index.release}, {state}, {seconds:.1f} s")
    console.give(
        {
            "ok": True,
            "release": result.output.index.release,
            "out": str(target),
            "changed": list(result.output.changed),
            "warnings": list(result.warnings),
            "remarks": list(result.remarks),
            **report_data(result.models, result.verified, seconds, result.own),
        }
    )


@cli.command()
@shared_options
def check(console: Console, *, config: Path) -> None:
    """Report what would fail and why; write nothing."""
    from ..pipeline.check import check_models, show

    settings = load_config(config)
    found = check_models(settings)
    console.say(show(found))
    problems = [item for item in found if item.problem]
    console.give({"ok": not problems, "models": [asdict(item) for item in found]})
    if problems:
        sys.exit(1)


@cli.command()
@shared_options
def doctor(console: Console, *, config: Path) -> None:
    """Report what works on this machine and how to fix what does not."""
    from .doctor import examine, show

    findings = examine(config.parent)
    console.say(show(findings))
    ok = all(finding.ok or finding.optional for finding in findings)
    console.give({"ok": ok, "findings": [asdict(finding) for finding in findings]})
    if not ok:
        sys.exit(1)


@cli.command()
@click.argument("what", type=click.Choice(["config", "manifest"]), default="config")
def schema(what: str) -> None:
    """Print the JSON Schema of build.toml or of manifest.json."""
    if what == "config":
        give_json(json_schema())
    else:
        from ..bundle.manifest import manifest_schema

        give_json(manifest_schema())


for command in (deploy, releases, rollback, verify, prune, bucket, sizes, report, init):
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and give the exit status of DESIGN §2."""
    words = sys.argv[1:] if arguments is None else arguments
    console = Console()
    name = script if Path(sys.argv[0]).name == script else None
    try:
        cli.main(args=words, prog_name=name, standalone_mode=False, obj=console)
    except click.exceptions.Exit as error:
        return error.exit_code
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except (click.Abort, KeyboardInterrupt):
        return _interrupted(console)
    except click.ClickException as error:
        console.read_leniently(words)
        return _misused(error, console)
    except ShardpressError as error:
        console.fail(error)
        return error.exit_status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # the boundary: whatever it is, it is one paragraph
        console.fail(_unforeseen(error), error)
        return 1
    return 0


def _interrupted(console: Console) -> int:
    error = ShardpressError("interrupted; what was published before is unchanged", code="SP-903")
    echo(error.what, err=True)
    console.give_failure(error)
    return interrupted


def _misused(error: click.ClickException, console: Console) -> int:
    """Tell of a wrong command line in click's own words."""
    text = io.StringIO()
    error.show(file=text)
    echo(text.getvalue().rstrip(), err=True)
    console.give_failure(UsageError(error.format_message(), code="SP-101"))
    return error.exit_code


def _unforeseen(error: Exception) -> ShardpressError:
    """Say what the system refused, or that the fault is ours."""
    if isinstance(error, OSError) and error.filename is not None:
        return ShardpressError(
            f"cannot be read or written ({error.strerror})",
            code="SP-902",
            where=str(error.filename),
            hint="Check its permissions and the disk",
        )
    if isinstance(error, MemoryError):
        return ShardpressError(
            "this machine ran out of memory", code="SP-901", hint="Free some memory, or give --jobs 1"
        )
    return ShardpressError(
        f"{type(error).__name__}: {error}",
        code="SP-900",
        hint="This is a bug in shardpress; run again with -vv and report it",
    )
