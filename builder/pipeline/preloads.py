"""What the first answers of a page need: the one list that ``preload.html``, the manifest and the Vite plugin have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..bundle.files import File
from ..bundle.manifest import PreloadEntry
from ..bundle.modules import runtime_name, worker_name
from ..words.table import kind as vectors_kind
from .make_model import Built

ladder_module, fit_module, vectors_module, thread_module = "ladder", "fit", "vectors", "thread"


def find_preloads(models: Sequence[Built], modules: Mapping[str, File]) -> PreloadEntry:
    """Say what pages fetch before a model of the policy ``now`` answers for the first time.

    Modules are imported one from another: without being asked for early, each would wait for the one before.
    TensorFlow.js is named wherever it is needed, for a page may have it from elsewhere.

    Args:
        models: all of a build; of a ladder the lowest rung answers first.
        modules: what the bundle has, by name.
    """
    now = [built for built in models if built.settings.load == "now" and built.rung <= 1]
    timed = {built.rung_of for built in models if built.ladder and _is_timed(built)}
    page = {name for built in now if not _works(built) for name in _modules(built, timed)}
    worker = {name for built in now if _works(built) for name in _modules(built, timed)}
    if worker:
        page.add(thread_module)
        worker.add(worker_name)
    ops = [built.bundle.ops.url for built in now if built.bundle.ops]
    files = [file.url for built in now for file in (built.bundle.head, *built.bundle.stage_files(0))]
    known = modules.keys() | {runtime_name}
    return PreloadEntry(modules=_sorted(page & known), worker=_sorted(worker & known), ops=ops, files=files)


def preload_urls(preload: PreloadEntry, modules: Mapping[str, File]) -> list[str]:
    """Give the addresses of all scripts that a page of the loader preloads, each once.

    Args:
        preload: as ``find_preloads`` gives it.
        modules: what the bundle has, by name.
    """
    names = _sorted(modules.keys() & {*preload.modules, *preload.worker})
    return [*(modules[name].url for name in names), *preload.ops]


def _modules(built: Built, timed: set[str]) -> Iterator[str]:
    """Name the modules that bring a model to its first answer, wherever it runs."""
    content = built.bundle.content
    if content.kind == vectors_kind:
        yield vectors_module
        return
    yield runtime_name
    yield from content.modules
    if built.rung:
        yield ladder_module
    if built.rung_of in timed:
        yield fit_module


def _works(built: Built) -> bool:
    """Whether the model runs off the page's thread."""
    return built.settings.thread == "worker"


def _is_timed(built: Built) -> bool:
    """Whether a page times the model as soon as it loads."""
    return built.fit is not None and built.fit.probe is not None


def _sorted(names: set[str]) -> list[str]:
    """Put TensorFlow.js first: it is the largest."""
    return sorted(names, key=lambda name: (name != runtime_name, name))
