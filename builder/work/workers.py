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

    def submit(self, task: Task, request: object, name: str = "") -> Future[Any]:
        """Run ``task(request)``.

        Args:
            task: name of a function of ``convert.worker``, which needs TensorFlow, or a function that can be imported.
            request: a small picklable noun; its paths that exist are read, the others are written.
            name: the model's, for messages.

        Returns:
            A future of the result, or of a ShardpressError.
        """

    def versions(self) -> Mapping[str, str]:
        """Return the versions of the conversion packages, ``none`` for a missing one."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Which parts of the wall around untrusted models are missing; known once something has run."""


class LocalWorkers:
    """This machine: processes for TensorFlow, threads for the rest, whose libraries release Python's lock.

    Args:
        jobs: the maximum of each at a time.
        log: a file for TensorFlow's output, or None.
        folder: where the processes' folders are created, best on the disk of sources and results; None for any.
    """

    def __init__(self, jobs: int, log: Path | None = None, folder: Path | None = None) -> None:
        """Start nothing yet; that happens at the first ``submit``."""
        self._processes = ConversionPool(jobs, log, folder)
        self._threads = ThreadPoolExecutor(max(1, jobs), thread_name_prefix="work")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._threads.shutdown(wait=True, cancel_futures=True)
        finally:
            self._processes.__exit__(kind, error, at)

    def submit(self, task: Task, request: object, name: str = "") -> Future[Any]:
        """Run ``task(request)``, in a process behind the wall if it handles untrusted files."""
        if isinstance(task, str):
            return self._processes.submit(task, request, name)
        return self._threads.submit(task, request)

    def versions(self) -> Mapping[str, str]:
        """Return the versions that are installed here."""
        return installed_versions()

    @property
    def missing(self) -> tuple[str, ...]:
        """Which parts of the wall around the processes are missing."""
        return self._processes.missing


def open_workers(jobs: int, log: Path | None = None, scheduler: str = "", folder: Path | None = None) -> Workers:
    """Return the workers of this machine, or those of the Dask cluster at ``scheduler``.

    Args:
        jobs: the maximum at a time on this machine.
        log: a file for TensorFlow's output, or None.
        scheduler: address of the cluster, or "".
        folder: where the folders of local processes are created, see ``LocalWorkers``.

    Raises:
        UsageError: Dask is not installed, or no usable cluster was found.
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
