"""Where the heavy work of a build runs: one interface of futures for conversions, measurements and compression."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from ..convert.exchange import Task
from ..convert.versions import installed_versions
from ..errors import UsageError
from .pool import ConversionPool


class Workers(Protocol):
    """Runs tasks somewhere; used as a context manager, which ends what it started."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def submit(self, task: Task, request: Any, name: str = "") -> Future[Any]:
        """Have ``task(request)`` run.

        Args:
            task: name of a function of ``convert.worker``, which needs TensorFlow, or a function that can be imported.
            request: a small picklable noun; its paths that exist are read, the others are written.
            name: the model's, for messages.

        Returns:
            A future of the result, or of a ShardpressError.
        """

    def versions(self) -> Mapping[str, str]:
        """Give the versions of the packages that convert, ``none`` for one that is missing."""

    @property
    def missing(self) -> tuple[str, ...]:
        """What of the wall around untrusted models could not be raised, as far as something has run."""


class LocalWorkers:
    """This machine: processes that keep TensorFlow, threads for the rest, whose libraries let go of Python's lock.

    Args:
        jobs: the most of either at a time.
        log: a file that gets what TensorFlow prints, or None.
        folder: where processes get folders to work in, best on the disk of sources and results; None for any.
    """

    def __init__(self, jobs: int, log: Path | None = None, folder: Path | None = None) -> None:
        """Prepare; nothing starts before the first ``submit``."""
        self._processes = ConversionPool(jobs, log, folder)
        self._threads = ThreadPoolExecutor(max(1, jobs), thread_name_prefix="work")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._threads.shutdown(wait=True, cancel_futures=True)
        finally:
            self._processes.__exit__(kind, error, at)

    def submit(self, task: Task, request: Any, name: str = "") -> Future[Any]:
        """Have ``task(request)`` run, in a process behind the wall if it meets what strangers made."""
        if isinstance(task, str):
            return self._processes.submit(task, request, name)
        return self._threads.submit(task, request)

    def versions(self) -> Mapping[str, str]:
        """Give the versions that are installed here."""
        return installed_versions()

    @property
    def missing(self) -> tuple[str, ...]:
        """What of the wall around the processes could not be raised."""
        return self._processes.missing


def open_workers(jobs: int, log: Path | None = None, scheduler: str = "", folder: Path | None = None) -> Workers:
    """Give the workers of this machine, or those of the Dask cluster at ``scheduler``.

    Args:
        jobs: the most at a time on this machine.
        log: a file that gets what TensorFlow prints, or None.
        scheduler: address of the cluster, or "".
        folder: where processes of this machine get folders to work in, see ``LocalWorkers``.

    Raises:
        UsageError: Dask is not installed, or there is no cluster that could be used.
    """
    if scheduler:
        try:
            from .cluster import ClusterWorkers
        except ModuleNotFoundError as error:
            raise UsageError(
                "Dask is not installed",
                code="SP-108",
                where="--scheduler",
                hint='Run pip install "shardpress[cluster]"',
            ) from error
        return ClusterWorkers(scheduler)
    return LocalWorkers(jobs, log, folder)
