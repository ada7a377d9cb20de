"""Commands for development: what ``--watch`` does, ``init`` and ``report``."""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
import time
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from ..errors import ShardpressError, UsageError
from ..program import program, script
from .examples import example_names
from .options import Console, echo, shared_options

if TYPE_CHECKING:
    from ..answers.clues import Proposal
    from ..config.frameworks import Framework
    from ..develop.server.run import Running
    from ..pipeline.run import BuildResult
    from ..pipeline.session import BuildOptions
    from .init import Found
    from .init_ladders import Seen, Steps

Command = TypeVar("Command", bound=Callable[..., object])
needed = ("starlette", "uvicorn", "watchdog", "cryptography")
network_names = ("3g", "slow-4g", "fast-4g")


def watch_options(function: Command) -> Command:
    """Add the options of watch mode to the build command."""
    options = (
        click.option("--watch", is_flag=True, help="Build, serve on 127.0.0.1:8000, and build again on every change."),
        click.option("--port", type=click.IntRange(0, 65_535), default=8000, show_default=True,
                     help="With --watch: port to serve on; the next free one if it is in use."),
        click.option("--host", is_flag=False, flag_value="0.0.0.0", default="127.0.0.1", metavar="[ADDRESS]",  # noqa: S104
                     help="With --watch: serve other machines too, over HTTPS; all addresses when none is given."),
        click.option("--network", type=click.Choice(network_names), help="With --watch: simulate a slow network."),
        click.option("--pages", type=click.Path(path_type=Path, file_okay=False),
                     help="With --watch: folder with your pages; default: assets/pages beside build.toml."),
        click.option("--poll", is_flag=True,
                     help="With --watch: poll for changes (network drives, some containers)."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def _check_watch(console: Console, pages: Path | None) -> None:
    """Refuse what watch mode cannot do."""
    if console.as_json:
        raise UsageError(
            "--json prints one document, but --watch never ends", code="SP-107", where="--json", hint="Leave one out"
        )
    missing = [package for package in needed if importlib.util.find_spec(package) is None]
    if missing:
        raise UsageError(
            f"--watch needs {' and '.join(missing)}",
            code="SP-108",
            where="--watch",
            hint='Run pip install "shardpress[watch]"',
        )
    if pages is not None and not pages.is_dir():
        raise UsageError(
            "is not a folder", code="SP-109", where=f"--pages {pages}", hint="Name the folder that holds your pages"
        )


def run_watch(
    console: Console,
    config: Path,
    options: BuildOptions,
    out: Path | None,
    *,
    strict: bool,
    port: int,
    host: str,
    network: str | None,
    pages: Path | None,
    poll: bool,
) -> None:
    """Run watch mode until interrupted.

    Raises:
        UsageError: a package is missing, an option does not go with ``--watch``, or the server cannot listen there.
    """
    _check_watch(console, pages)
    from ..develop.session import Callbacks, Development, develop
    from ..pipeline.report.networks import networks

    development = Development(
        config=config.absolute(),
        build=options,
        out=out.absolute() if out else None,
        strict=strict,
        host=host,
        port=port,
        network=next((item for item in networks() if item.name == network), None),
        pages=pages.absolute() if pages else None,
        poll=poll,
    )
    story = _Story(console, port)
    develop(development, console.progress, Callbacks(story.serving, story.live, story.built, story.failed))


class _Story:
    """Tells what watch mode does; warnings of the first build only."""

    def __init__(self, console: Console, port: int) -> None:
        """Tell ``console``; ``port`` is the one that was asked for."""
        self._console = console
        self._port = port
        self._is_first = True

    def serving(self, server: Running) -> None:
        """Say where the pages are."""
        moved = f" (port {self._port} is in use)" if self._port not in {0, server.port} else ""
        self._console.say(f"Serving {server.url}{moved}; stop with Ctrl-C")
        for url in server.others:
            self._console.say(f"  for other machines: {url} (accept the self-signed certificate once)")

    def live(self, result: BuildResult, seconds: float) -> None:
        """Say that a build is served, before it is checked."""
        release = result.output.index.release
        self._console.say(f"{time.strftime('%H:%M:%S')} live: release {release}, {seconds:.1f} s; it is checked next")

    def built(self, result: BuildResult, seconds: float) -> None:
        """Say what a checked build is like."""
        from ..pipeline.report.report import summary

        if self._is_first:
            self._console.warn(result.warnings, result.remarks)
            self._console.say(summary(result.models, result.verified))
        changed = result.output.changed
        state = f"{len(changed)} files new" if changed else "no new files"
        release = result.output.index.release
        self._console.say(f"{time.strftime('%H:%M:%S')} checked: release {release}, {state}, {seconds:.1f} s")
        self._is_first = False

    def failed(self, error: ShardpressError, served: bool) -> None:
        """Say what failed."""
        self._console.tell(error)
        meanwhile = "the last good bundle is still served" if served else "nothing has been built yet"
        echo(f"Still watching; {meanwhile}.", err=True)


@click.command()
@shared_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the build, instead of [build] out.")
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
def report(console: Console, *, config: Path, out: Path | None, show: bool) -> None:
    """Print the path of the last build's report, or open it in the browser."""
    from ..config.tables import load_config

    if out is None:
        settings = load_config(config)
        out = settings.folder / settings.build.out
    page = out.absolute() / "report.html"
    if not page.is_file():
        raise UsageError("there is no report yet", code="SP-110", where=str(page), hint="Build first")
    if show and not webbrowser.open(page.as_uri()):
        raise UsageError("no browser can be opened here", code="SP-111", where=str(page), hint="Open the file yourself")
    console.say(str(page))
    console.give({"ok": True, "report": str(page), "data": str(page.with_suffix(".json"))})


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@shared_options
@click.option("--force", is_flag=True, help="Overwrite an existing build.toml.")
@click.option("--no-build", is_flag=True, help="Do not build the models once to set the budgets.")
@click.option(
    "--example", type=click.Choice(example_names), help="Write a small site of this kind into the folder PATHS."
)
def init(
    console: Console, *, paths: tuple[Path, ...], config: Path, force: bool, no_build: bool, example: str | None
) -> None:
    """Find models below PATHS (default: here) and write a commented build.toml for them, and sw.js for offline use.

    With --example: write a page, a build.toml and a script that creates a first model.
    """
    from ..config.frameworks import find_framework
    from ..files.atomic import write_atomically
    from ..pipeline.claim import write_schema
    from .init import write_config
    from .init_ladders import find_ladders, ladder_tables

    if example:
        _write_example(example, paths, console, force=force)
        return
    if config.exists() and not force:
        raise UsageError(
            "already exists",
            code="SP-112",
            where=str(config),
            hint="Give --force to write over it, or another --config",
        )
    config = config.absolute()
    framework = find_framework(config.parent)
    found = _found(console, config.parent, paths, framework)
    write_atomically(config, write_config(found, {}, framework).encode())
    seen: dict[str, Seen] = {}
    proposals: dict[str, Proposal] = {}
    ladders: tuple[Steps, ...] = ()
    if not no_build:
        for model in found:
            _try(config, model.name, console, seen, proposals)
        for model in found:
            _write_labels(config, model, proposals)
        wire = {name: one.wire for name, one in seen.items()}
        ladders = find_ladders(found, seen, proposals, config.parent)
        tables = ladder_tables(ladders, found, seen, proposals)
        write_atomically(config, write_config(found, wire, framework, proposals, tables).encode())
    _tell(console, found, seen, proposals, ladders)
    write_schema(_out_of(config), config.parent)
    worker = _write_worker(config, framework)
    console.say(f"{config} is written; {program()} builds it, {program()} --watch shows it")
    if worker:
        console.say(f"{worker} is written; pages that register it work offline, see docs/loader.md")
    if framework:
        console.say(f"This is a project of {framework.name}, which needs one line more:\n  {framework.line}")
    console.give(
        {
            "ok": True,
            "config": str(config),
            "models": [{"name": one.name, "source": one.path} for one in found],
            "ladders": {one.name: [model.name for model in one.rungs] for one in ladders},
            "framework": framework.name if framework else None,
            "line": framework.line if framework else None,
        }
    )


def _tell(
    console: Console,
    found: tuple[Found, ...],
    seen: Mapping[str, Seen],
    proposals: Mapping[str, Proposal],
    ladders: tuple[Steps, ...],
) -> None:
    """Say what was found, and what of it makes a ladder."""
    from .init_ladders import told

    for model in found:
        size = f", {seen[model.name].wire / 1000:.0f} kB" if model.name in seen else ""
        run = f"; for run(): {proposals[model.name].reason}" if model.name in proposals else ""
        console.say(f"{model.name}: {model.path}{size}{run}")
    for ladder in ladders:
        console.say(told(ladder))


def _out_of(config: Path) -> Path:
    """Return the folder that a build.toml says builds write to."""
    from ..config.tables import load_config

    settings = load_config(config)
    return settings.folder / settings.build.out


def _found(console: Console, folder: Path, paths: tuple[Path, ...], framework: Framework | None) -> tuple[Found, ...]:
    """Find the models for a build.toml in ``folder``.

    Raises:
        UsageError: there are none.
        ShardpressError: there is one, but damaged.
    """
    from .init import find_damaged, find_models, find_unreadable

    outputs = (*framework.outputs, framework.copy) if framework else ()
    found = find_models(folder, paths or (folder,), tuple(folder / name for name in outputs if name))
    for path, advice in find_unreadable(paths or (folder,)):
        console.say(f"{path} cannot be read: {advice}")
    if not found and (damage := find_damaged(paths or (folder,))):
        raise damage
    if not found:
        raise UsageError(
            "no model was found",
            code="SP-113",
            where=", ".join(map(str, paths)) or str(folder),
            hint="Name a SavedModel folder, .keras, .onnx, .tflite or model.json; or begin with --example classify DIR",
        )
    return found


def _write_worker(config: Path, framework: Framework | None) -> Path | None:
    """Write the site's service worker, and give its path; None where there is one already."""
    from ..files.atomic import write_atomically
    from .init import write_site_worker

    worker = config.parent / framework.worker if framework else config.with_name("sw.js")
    if worker.exists():
        return None
    worker.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(worker, write_site_worker(framework.base if framework else "/dist/cdn/").encode())
    return worker


def _write_example(name: str, paths: tuple[Path, ...], console: Console, *, force: bool) -> None:
    from ..pipeline.claim import write_schema
    from ..verify.run import find_node_modules
    from .examples import write_example

    if len(paths) != 1:
        raise UsageError(
            f"--example takes one folder, not {len(paths)}",
            code="SP-107",
            where="--example",
            hint=f"init --example {name} my-{name}",
        )
    folder = paths[0].absolute()
    files = write_example(name, folder, force=force)
    write_schema(_out_of(folder / "build.toml"), folder)
    for file in files:
        console.say(f"written: {file.relative_to(folder)}")
    python, typed = shlex.quote(sys.executable), Path(sys.argv[0]).absolute()
    this = f"{python} {shlex.quote(str(typed))}" if typed.name == script else program()
    packages = [] if find_node_modules(folder) else ["npm install @tensorflow/tfjs @tensorflow/tfjs-backend-wasm"]
    steps = [f"cd {shlex.quote(str(folder))}", *packages, f"{python} make_model.py", f"{this} --watch"]
    command = " && ".join(steps)
    console.say(f"This makes the first model and shows it in the page:\n  {command}")
    console.give({"ok": True, "files": [str(file) for file in files], "command": command})


def _try(config: Path, name: str, console: Console, seen: dict[str, Seen], proposals: dict[str, Proposal]) -> None:
    """Build one model into the cache alone, to know its size and what it is for; what cannot be built has neither."""
    from ..config.tables import load_config
    from ..pipeline.models import build_models
    from ..pipeline.proposals import check_run, proposal_by_names
    from ..pipeline.session import BuildOptions, open_session
    from ..sources.detect import detect
    from ..words.table import kind as vectors_kind
    from .init_ladders import seen_in

    options = BuildOptions(only=(name,), jobs=os.cpu_count() or 1)
    try:
        with (
            console.progress() as progress,
            open_session(load_config(config), options, progress) as session,
        ):
            for built in build_models(session):
                if built.bundle.name != name:
                    continue
                seen[name] = seen_in(built)
                if built.source.kind != vectors_kind:
                    proposal = check_run(session.config, name, built.artefact, built.source.kind)
                    proposals |= {name: proposal} if proposal else {}
    except ShardpressError as error:
        source = config.parent / load_config(config).models[name].source
        if found := proposal_by_names(source, detect(source)):
            proposals[name] = found
            return
        console.say(f"{name} cannot be built yet, so it has no budget: {error}")


def _write_labels(config: Path, model: Found, proposals: Mapping[str, Proposal]) -> None:
    """Write the labels that a model brings, where no file has them and none is in the way."""
    from ..files.atomic import write_atomically
    from .init import labels_name

    labels = proposals[model.name].labels if model.name in proposals else ()
    path = config.with_name(labels_name(model.name))
    if labels and not model.labels and not model.own_labels and not path.exists():
        write_atomically(path, "".join(f"{label}\n" for label in labels).encode())
