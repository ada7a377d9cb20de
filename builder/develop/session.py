"""``python build.py --watch``: build, serve, and build again whenever something changes."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections import ChainMap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import msgspec

from ..bundle.files import ModelBundle
from ..bundle.format import loader_name, to_json
from ..bundle.head import write_head
from ..bundle.scripts import template_folder
from ..cache.shared import is_shared
from ..config.serve import ServeConfig
from ..config.tables import Config, load_config
from ..errors import ConfigError, ShardpressError
from ..packages import package_folder
from ..pipeline.report.networks import Network
from ..pipeline.run import BuildResult, build, publish_again
from ..pipeline.session import BuildOptions, local_cache
from ..progress import Progress
from ..verify.run import find_node_modules
from ..words.table import kind as vectors_kind
from ..work.workers import Workers, open_workers
from .hints import Hints
from .loop import Change, Loop, Pace
from .server.access import Access
from .server.app import Site, make_app, worker_name
from .server.files import Mount
from .server.hub import Hub
from .server.run import Running, running
from .snapshot import Inputs, inputs_of

usual_pages = "assets/pages"
goodbye_seconds = 15.0
most_earlier = 4  # builds whose files pages still get: a change is a draft and what is checked, or what that restores
between = 0.3  # seconds between going live and checking, in which another change is taken first
ProgressOpener = Callable[[], AbstractContextManager[Progress]]


@dataclass(frozen=True, slots=True)
class Development:
    """The options of watch mode.

    Attributes:
        config: path of build.toml.
        build: options of each build.
        out: folder to write to, or None for that of build.toml.
        strict: warnings fail.
        host, port: where to serve.
        network: to simulate, or None.
        pages: folder with the pages; None for ``index.html`` beside build.toml, else ``assets/pages``.
        poll: poll for changes.
    """

    config: Path
    build: BuildOptions
    out: Path | None = None
    strict: bool = False
    host: str = "127.0.0.1"
    port: int = 8000
    network: Network | None = None
    pages: Path | None = None
    poll: bool = False


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What watch mode reports: the server is running, a build is live, it was verified, a build failed.

    The last one also receives whether an earlier bundle is still served.
    """

    serving: Callable[[Running], None]
    live: Callable[[BuildResult, float], None]
    built: Callable[[BuildResult, float], None]
    failed: Callable[[ShardpressError, bool], None]


class Developer:
    """Builds and informs the pages; the part between the loop and the server."""

    def __init__(
        self, development: Development, progress: ProgressOpener, callbacks: Callbacks, hub: Hub, pool: Workers
    ) -> None:
        """Connect the parts."""
        self._development = development
        self._progress = progress
        self._callbacks = callbacks
        self._hub = hub
        self._pool = pool
        self._folder = development.config.parent
        self._config: Config | None = None
        self._problem: ShardpressError | None = None
        self._good: BuildResult | None = None
        self._written: tuple[dict[str, Path], ...] = ()
        self._unchecked = False
        self._out = development.out or self._folder / "dist"
        self._serving = ServeConfig()
        self._secret: tuple[Path, ...] = (development.config, self._folder / local_cache)
        self._copies: tuple[Path, ...] = ()
        self._has_index = False
        self.inputs = Inputs((development.config,), templates=_templates(), pages=hub.asked)
        self.moves: Callable[[float], bool] = lambda _: False
        self.patience = 0.0

    def site(self) -> Site:
        """Return what is served now."""
        folder, pages = self._folder, self._pages()
        # Once there was an index.html beside build.toml, it comes back there.
        self._has_index = self._has_index or (self._development.pages is None and (folder / "index.html").is_file())
        at_root = pages == folder or self._has_index or (self._development.pages is None and not pages.is_dir())
        modules = find_node_modules(folder)
        mounts = [Mount("assets/", folder / "assets")]
        links = [folder / link for link in self._serving.links]
        if modules is not None:
            mounts.append(Mount("node_modules/", modules))
            # Package managers link to those of a workspace's root.
            links += [parent / "node_modules" for parent in modules.parent.parents]
        if not pages.is_relative_to(folder / "assets") and pages != folder:
            inside = pages.is_relative_to(folder)
            mounts.append(Mount(f"{pages.relative_to(folder).as_posix() if inside else 'pages'}/", pages))
        # A service worker is only for pages at or below its own address.
        mounts += [Mount(worker_name, folder / worker_name), Mount("", folder if at_root else pages)]
        return Site(
            self._out,
            pages if pages.is_dir() else None,
            tuple(mounts),
            home=folder / "index.html" if at_root else None,
            access=Access(self._serving.hosts, self._serving.origins),
            links=tuple(links),
            secret=self._secret,
            copies=self._copies,
            earlier=ChainMap(*self._written),
        )

    def prepare(self) -> Inputs:
        """Read the settings; if they are invalid, keep watching what the last valid ones named."""
        try:
            config = self._config = load_config(self._development.config)
        except ShardpressError as error:
            self._config, self._problem = None, error
        else:
            self.inputs = inputs_of(config, _templates(), self._hub.asked)
            self._serving = config.serve
            cache = () if is_shared(config.build.cache) else (self._folder / config.build.cache,)
            self._secret = (config.path, self._folder / local_cache, *cache)
            directories = [one for one in config.targets.values() if one.type == "directory" and one.path]
            self._copies = tuple(self._folder / str(one.path) / one.prefix for one in directories)
            if not self._hub.state.release:  # nothing was built yet: what an earlier start left is served
                self._out = self._development.out or self._folder / config.build.out
        return self.inputs

    def act(self, change: Change) -> None:
        """Handle a change."""
        if change.builds or self._unchecked:
            self._build(change)
        elif change.pages:
            self._hub.pages_changed()

    def _build(self, change: Change) -> None:
        begun = time.monotonic()
        config = self._config
        reload = change.pages or change.templates
        try:
            if config is None:
                raise self._problem or ConfigError("there are no settings", code="SP-201")
            out = self._development.out or config.folder / config.build.out
            # What changed is seen before TensorFlow.js has run it and before it is as small as can be.
            self._publish(config, out, begun, check=False)
            if reload:
                self._hub.pages_changed()
                reload = False
            self._unchecked = self.moves(between)
            if not self._unchecked:
                self._check(config, out, begun)
        except ShardpressError as error:
            if reload:
                self._hub.pages_changed()
            # A model may be half-written: more of it may come, and then this failure is nobody's business.
            self._unchecked = change.sources and self.moves(self.patience)
            if not self._unchecked:
                served = (self._out / "cdn" / loader_name).is_file()
                self._callbacks.failed(error, served)
                self._hub.update(errors=failures(error), served=served)

    def _check(self, config: Config, out: Path, begun: float) -> None:
        """Finish the build that is already live; if it fails verification, restore the last good one."""
        try:
            self._publish(config, out, begun, check=True)
        except ShardpressError:
            if self._good is not None:
                with self._progress() as progress:
                    output = publish_again(config, self._development.build, out, self._good, progress)
                self._written = (output.blobs, *self._written[: most_earlier - 1])
                self._tell(replace(self._good, output=output))
            raise

    def _publish(self, config: Config, out: Path, begun: float, *, check: bool) -> None:
        with self._progress() as progress:
            result = build(
                config,
                replace(self._development.build, draft=not check),
                out,
                progress,
                strict=self._development.strict and check,
                check=check,
                pool=self._pool,
            )
        self._out = out
        self._written = (result.output.blobs, *self._written[: most_earlier - 1])
        is_new = self._hub.state.release != result.output.version
        self._tell(result)
        seconds = time.monotonic() - begun
        if check:
            self._warm(result)
            self._good = result
            self._callbacks.built(result, seconds)
        elif is_new:
            self._callbacks.live(result, seconds)

    def _warm(self, result: BuildResult) -> None:
        """Start TensorFlow before the first change, if a change will need it."""
        if self._good is None and any(built.needs_tensorflow for built in result.models):
            self._pool.submit("versions", None)

    def _tell(self, result: BuildResult) -> None:
        bundles = [built.bundle for built in result.models]
        self._hub.update(
            release=result.output.version,
            models={
                built.bundle.name: {
                    "head": built.bundle.head.blob.sha256,
                    "policy": built.settings.load,
                    "priority": built.settings.priority,
                }
                for built in result.models
            },
            shapes=self._hub.state.shapes | {bundle.head.blob.sha256: shape_of(bundle) for bundle in bundles},
            contents=self._hub.state.contents | {bundle.head.blob.sha256: content_of(bundle) for bundle in bundles},
            errors=(),
            served=True,
        )

    def _pages(self) -> Path:
        return self._development.pages or self._folder / usual_pages


def develop(development: Development, progress: ProgressOpener, callbacks: Callbacks) -> None:
    """Build, serve and watch until interrupted.

    Args:
        development: the options.
        progress: opened for each build, so that nothing is drawn between them.
        callbacks: receive what happens.

    Raises:
        KeyboardInterrupt: by Ctrl-C or SIGTERM; everything has been ended.
        UsageError: the server cannot listen there.
    """
    hub = Hub()
    pace = Pace()
    with (
        _interruptible() as noted,
        open_workers(
            development.build.jobs,
            development.build.log,
            development.build.scheduler,
            development.config.parent / local_cache / "work",
        ) as pool,
        Hints(native=not development.poll) as hints,
    ):
        developer = Developer(development, progress, callbacks, hub, pool)
        loop = Loop(developer.prepare, developer.act, hints, pace)
        noted.append(loop.note_stop)
        hub.asked.wake = hints.wake
        developer.moves, developer.patience = loop.moves, pace.patience
        app = make_app(developer.site, hub, development.network)
        certificates = development.config.parent / ".shardpress" / "certificate"
        with running(app, hub, host=development.host, port=development.port, certificates=certificates) as server:
            callbacks.serving(server)
            loop.run(developer.inputs)


def shape_of(bundle: ModelBundle) -> str:
    """Hash everything of a model except its weights' values: models with equal hashes can exchange weights."""
    content = bundle.content
    weights = [[weight.name, weight.shape, weight.dtype] for weight in content.weights]
    facts: list[object] = [content.kind, content.contract, content.artifacts, weights]
    if content.kind == vectors_kind:  # no tensors that could be swapped
        facts.append([shard.sha256 for shard in content.shards])
    return hashlib.sha256(to_json(facts)).hexdigest()[:16]


def content_of(bundle: ModelBundle) -> str:
    """Hash everything of a model except what verification changes: compressed sizes, and its findings."""
    shards = tuple(msgspec.structs.replace(shard, wire=0) for shard in bundle.content.shards)
    content = msgspec.structs.replace(bundle.content, sample=None, avoid=(), shards=shards)
    return hashlib.sha256(write_head(content)).hexdigest()[:16]


def failures(error: ShardpressError) -> tuple[dict[str, str], ...]:
    """Return what pages show about a failure."""
    each = error.by_model
    return tuple(
        {"model": model, "code": one.code, "what": one.what, "where": one.where, "hint": one.hint}
        for model, one in each.items()
    )


def _templates() -> tuple[Path, ...]:
    """Return the template folders that somebody may edit: in a checkout, not in an installed package."""
    folder = template_folder()
    return () if folder.parent == package_folder else (folder,)


@contextmanager
def _interruptible() -> Iterator[list[Callable[[], None]]]:
    """Make Ctrl-C and SIGTERM end watch mode, whatever they interrupt.

    Yields a list of functions to call then, which must not take a lock.

    Raises:
        KeyboardInterrupt: at the end, also where the one raised by the signal got lost: Python drops what is raised
            while it collects garbage.
    """
    if threading.current_thread() is not threading.main_thread():
        yield []
        return
    told: list[Callable[[], None]] = []
    last = threading.Timer(goodbye_seconds, os._exit, (130,))
    last.daemon = True

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        for note in told:
            note()
        if last.ident is None:
            last.start()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if last.ident is not None:
            last.cancel()
            raise KeyboardInterrupt
