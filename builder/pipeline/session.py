"""What the steps of one build share: its options, the cache, the compressor and the workers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..cache.local import Cache
from ..cache.shared import SharedCache, is_shared, open_shared
from ..config.tables import Config
from ..packing.compress import Compressor
from ..progress import Progress
from ..sandbox.wall import missing
from ..work.workers import Workers, open_workers

local_cache = ".shardpress"  # in front of a cache in a bucket


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What the command line adds to build.toml.

    Attributes:
        only: names of the models to build; () builds all.
        jobs: processes for conversion, threads for compression.
        use_cache: keep and use what earlier builds made.
        fast: brotli 5 instead of 11.
        draft: the same for models whose best form is not known yet, and no budgets: something to look at, soon.
        compare: measure the stock form of every model too.
        log: file for TensorFlow's own output, or None.
        scheduler: address of a Dask cluster that works instead of this machine, or "".
    """

    only: tuple[str, ...] = ()
    jobs: int = 1
    use_cache: bool = True
    fast: bool = False
    draft: bool = False
    compare: bool = False
    log: Path | None = None
    scheduler: str = ""


class Session:
    """What the steps of one build share: the cache, the compressor and the workers."""

    def __init__(
        self,
        config: Config,
        options: BuildOptions,
        progress: Progress,
        cache: Cache,
        stack: ExitStack,
        pool: Workers | None = None,
        shared: SharedCache | None = None,
    ) -> None:
        """Put together; workers start when the first task asks for them, or are those of ``pool``.

        ``before_work`` is told the kind of each source that something has to be made of, and may refuse.
        """
        self.config = config
        self.options = options
        self.progress = progress
        self.cache = cache
        self.pool = pool or stack.enter_context(
            open_workers(options.jobs, options.log, options.scheduler, cache.root / "work")
        )
        self.compressor = Compressor(cache, options.jobs, options.fast, self.pool.submit)
        self.before_work: Callable[[str], None] = lambda _: None
        self._shared = shared
        self._unwalled: tuple[str, ...] = ()

    def note_wall(self) -> None:
        """Remember that Node ran a model here, and what of the wall around it this system lacks."""
        self._unwalled = missing()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of the shared cache and of the wall did not work, once the session is closed."""
        lacking = dict.fromkeys((*self.pool.missing, *self._unwalled))
        wall = [f"models ran without all of the wall around them: {problem}" for problem in lacking]
        return (*wall, *(self._shared.warnings if self._shared else ()))


@contextmanager
def open_session(
    config: Config, options: BuildOptions, progress: Progress, pool: Workers | None = None
) -> Iterator[Session]:
    """Open what a build needs, and close it whatever happens; a ``pool`` that is given stays open."""
    with ExitStack() as stack:
        shared = None
        if not options.use_cache:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shardpress-")))
        elif is_shared(config.build.cache):
            root = config.folder / local_cache
            shared = stack.enter_context(open_shared(config.build.cache))
        else:
            root = config.folder / config.build.cache
        cache = Cache(root, shared)
        stack.callback(cache.close)
        yield Session(config, options, progress, cache, stack, pool, shared)
