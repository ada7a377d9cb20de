"""An existing Dask cluster as the workers of a build. The one module that imports distributed.

The cluster need not share a disk with this machine: what a task reads and writes travels with it. Its workers must run
this very version of shardpress and the same converters, or equal inputs would not give equal bytes.
"""

from __future__ import annotations

import hashlib
import pickle
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from distributed import Client, WorkerPlugin, get_worker
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from ..convert.exchange import Reply, Task
from ..convert.versions import installed_versions
from ..errors import ConversionError, ShardpressError, UsageError
from ..packages import code_hash
from ..sandbox.wall import missing
from .parcels import Delivery, execute, pack, unpack
from .pool import ConversionPool

patience = 15.0  # seconds for the scheduler to answer
least, most = 4, 64  # tasks under way, whose files are in this machine's memory
Kind = tuple[str, dict[str, str]]
Result = TypeVar("Result")
install = "pip install 'shardpress[convert,cluster]'"


class Handle(Protocol):
    """Something in the cluster's memory, or on its way there, as Dask's futures are."""

    def result(self) -> bytes:
        """Wait for it, and fetch it."""

    def release(self) -> None:
        """Have the cluster forget it."""


class DaskClient(Protocol):
    """What is used of ``distributed.Client``, which has types in part only."""

    def run(self, function: Callable[[], Result]) -> dict[str, Result]:
        """Run a function in all workers; give the results by the workers' addresses."""

    def wait_for_workers(self, n_workers: int, timeout: float) -> None:
        """Wait until so many workers are there."""

    def nthreads(self) -> dict[str, int]:
        """Return the number of threads by the workers' addresses."""

    def register_plugin(self, plugin: object) -> object:
        """Send a plugin to the workers, those that join later too."""

    def scatter(self, data: Sequence[bytes], *, hash: bool) -> Sequence[Handle]:  # noqa: A002
        """Send data to the cluster."""

    def submit(
        self, function: Callable[[bytes, str], bytes], payload: Handle, name: str, *, key: str, pure: bool
    ) -> Handle:
        """Have a worker call a function."""

    def close(self) -> object:
        """End the connection."""


class ConversionPlugin(WorkerPlugin):  # type: ignore[misc]
    """Runs conversions in each worker of the cluster, including workers that join later.

    Attributes:
        kind: the versions that a worker must have, as ``describe`` gives them.
        fits: this worker has them.
        pool: one process for TensorFlow, behind the wall as on this machine.
    """

    idempotent = True  # two builds at once share it

    def __init__(self, kind: Kind) -> None:
        """Create the plugin here, before it is sent to the workers."""
        self.kind = kind
        self.name = plugin_name(kind)
        self.fits = False
        self.pool: ConversionPool | None = None

    def setup(self, worker: object) -> None:  # noqa: ARG002
        """Start in a worker."""
        self.pool = ConversionPool(1)
        self.fits = describe() == self.kind

    def teardown(self, worker: object) -> None:  # noqa: ARG002
        """Stop with the worker."""
        if self.pool is not None:
            self.pool.__exit__(None, None, None)

    def run(self, task: Task, request: object) -> Reply:
        """Run a task that needs TensorFlow."""
        assert self.pool is not None  # noqa: S101
        try:
            return Reply(self.pool.submit(task, request).result())
        except ShardpressError as error:
            return Reply(failure=error, notes=tuple(getattr(error, "__notes__", ())))


class ClusterWorkers:
    """The workers of a Dask cluster, connected when first needed.

    Args:
        address: of its scheduler, as Dask writes it: ``tcp://10.0.0.5:8786``.
    """

    def __init__(self, address: str) -> None:
        """Store the address; nothing is sent to the cluster yet."""
        self._address = address
        self._client: DaskClient | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._kind: Kind = ("", {})
        self._missing: tuple[str, ...] = ()
        self._closing = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing.set()
        if self._client is None or self._threads is None:
            return
        if kind is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._client.close()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._client.close()

    def submit(self, task: Task, request: object, name: str = "") -> Future[Any]:
        """Run ``task(request)`` in the cluster."""
        self._connect()
        assert self._threads is not None  # noqa: S101
        return self._threads.submit(self._run, task, request, name)

    def versions(self) -> Mapping[str, str]:
        """Return the versions that the cluster's workers have."""
        self._connect()
        return self._kind[1]

    @property
    def missing(self) -> tuple[str, ...]:
        """Which parts of the wall the machines of the cluster lack, as far as they were asked."""
        return self._missing

    def _connect(self) -> None:
        with self._lock:
            if self._client is not None:
                return
            try:
                client: DaskClient = Client(self._address, timeout=patience, set_as_default=False, name="shardpress")
            except (OSError, ValueError) as error:
                raise UsageError(
                    f"no Dask scheduler answers ({type(error).__name__})",
                    code="SP-118",
                    where=f"--scheduler {self._address}",
                    hint="Check the address, and that both sides use the same version of distributed",
                ) from error
            try:
                self._kind = self._examine(client)
                lacking = client.run(missing)
                self._missing = tuple(f"on {worker}, {line}" for worker, lines in lacking.items() for line in lines)
                client.register_plugin(ConversionPlugin(self._kind))
                threads = sum(client.nthreads().values())
            except BaseException:
                client.close()
                raise
            self._threads = ThreadPoolExecutor(min(max(2 * threads, least), most), thread_name_prefix="cluster")
            self._client = client

    def _examine(self, client: DaskClient) -> Kind:
        """Check that all workers have this version of shardpress and the same converters, and return that.

        Raises:
            UsageError: there is no worker, or one of them is of another kind.
        """
        where = f"--scheduler {self._address}"
        try:
            client.wait_for_workers(1, timeout=patience)
        except TimeoutError as error:
            raise UsageError(
                "the cluster has no workers", code="SP-118", where=where, hint="Start some with dask worker"
            ) from error
        try:
            found = client.run(describe)
        except Exception as error:  # whatever a foreign worker says of a function it cannot load
            raise UsageError(
                f"a worker of the cluster cannot run shardpress ({type(error).__name__}: {error})",
                code="SP-119",
                where=where,
                hint=f"On all workers: {install}",
            ) from error
        ours, local = describe()
        for worker, (code, versions) in found.items():
            if code != ours:
                raise UsageError(
                    f"the worker {worker} has another version of shardpress",
                    code="SP-120",
                    where=where,
                    hint="Install this version there, and restart the workers",
                )
            first = next(iter(found.values()))[1]
            if versions != (local if local["tensorflow"] != "none" else first):
                shown = ", ".join(f"{package} {version}" for package, version in versions.items())
                raise UsageError(
                    f"the worker {worker} has other converters than this machine ({shown})",
                    code="SP-120",
                    where=where,
                    hint=f"Install the same versions everywhere: {install}",
                )
        return next(iter(found.values()))

    def _run(self, task: Task, request: object, name: str) -> object:
        client = self._client
        assert client is not None  # noqa: S101
        model = f"model {name!r}" if name else "a model"
        handle: Handle | None = None
        future: Handle | None = None
        payload = pickle.dumps(pack(task, request))
        try:
            (handle,) = client.scatter([payload], hash=False)
            place = plugin_name(self._kind)
            future = client.submit(serve, handle, place, key=f"shardpress-{uuid.uuid4().hex}", pure=False)
            delivery: Delivery = pickle.loads(future.result())  # noqa: S301
        except KilledWorker as error:
            raise ConversionError(
                f"the cluster's workers died while converting {model}, usually because memory ran out",
                code="SP-402",
                where=name,
                hint="Give the workers more memory, or build the model alone with --only",
            ) from error
        except (CommClosedError, FutureCancelledError, CancelledError, OSError, TimeoutError) as error:
            if self._closing.is_set():
                raise ConversionError("the build was interrupted", code="SP-408", hint="Build again") from error
            raise ConversionError(
                f"the cluster was lost while it worked on {model} ({type(error).__name__})",
                code="SP-409",
                where=f"--scheduler {self._address}",
                hint="Build again; finished work is in the cache",
            ) from error
        finally:
            with suppress(Exception):  # a connection that is gone has nothing to release
                for one in (future, handle):
                    if one is not None:
                        one.release()
        reply = unpack(delivery)
        if reply.failure is not None:
            for note in reply.notes:
                reply.failure.add_note(note)
            raise reply.failure
        return reply.result


def serve(payload: bytes, name: str) -> bytes:
    """Execute a parcel in a worker of the cluster, with its plugin ``name``."""
    worker = get_worker()
    plugin: ConversionPlugin = worker.plugins[name]
    if not plugin.fits:
        failure = UsageError(
            f"the worker {worker.address} joined later with another version of shardpress or of the converters",
            code="SP-120",
            where="--scheduler",
            hint=f"Install the same versions everywhere: {install}",
        )
        return pickle.dumps(Delivery(Reply(failure=failure), {}))
    parcel = pickle.loads(payload)  # noqa: S301
    if not isinstance(parcel.task, str):
        return pickle.dumps(execute(parcel))
    return pickle.dumps(execute(parcel, plugin.run))


def plugin_name(kind: Kind) -> str:
    """Name the plugin for workers of this kind."""
    return f"shardpress-{hashlib.sha256(repr(kind).encode()).hexdigest()[:16]}"


def describe() -> Kind:
    """Return the hash of this version's code, and the versions of the converters."""
    return code_hash(), installed_versions()
