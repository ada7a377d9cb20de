"""Manages the processes that run TensorFlow.

The main process never imports TensorFlow. A worker is started when a request finds none idle, stays until the
pool closes, and exits by itself when the main process is gone. It runs behind the wall (``builder.sandbox``):
it has its own folder, into which a request's inputs are linked or copied and from which its outputs are taken.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from ..convert import serve
from ..convert.exchange import Reply, Task, receive_reply, send_request, type_of_result
from ..convert.handover import Handover, collect_results, paths_of, stage_request, with_own_paths
from ..convert.serve import light_modules
from ..errors import ConversionError
from ..packages import fix, for_conversion
from ..sandbox.wall import Wall, clean_environment, python_files

needed_packages = {"tensorflow": "tensorflow", "tensorflowjs": "tensorflowjs", "tf_keras": "tf-keras"}  # modules
quoted_lines, quoted_bytes = 40, 1 << 16
patience = 5.0  # seconds for a worker to end by itself
beginning = f"import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {serve.__name__} import main; main()"


@dataclass(frozen=True, slots=True)
class _Worker:
    """A process and its folder: ``in`` holds its inputs, ``out`` its outputs, ``tmp`` its temporary files."""

    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    replies: IO[bytes]
    folder: Path
    log: Path


class ConversionPool:
    """Up to ``jobs`` worker processes, used as a context manager.

    Leaving the context normally waits for running work; leaving it by an exception stops the workers immediately.

    Args:
        jobs: the most processes at a time.
        log: a file for TensorFlow's output, or None.
        folder: where the workers' folders are created, best on the disk of sources and results; None for any.
        reads: what workers may read besides the files of their requests.
    """

    def __init__(
        self, jobs: int, log: Path | None = None, folder: Path | None = None, reads: Iterable[Path] = ()
    ) -> None:
        """Start nothing yet; that happens at the first ``submit``."""
        self._log = log
        self._threads = ThreadPoolExecutor(max(1, jobs), thread_name_prefix="conversion")
        self._place = folder
        self._reads = tuple(reads)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._idle: list[_Worker] = []
        self._all: list[_Worker] = []
        self._missing: tuple[str, ...] = ()
        self._closing = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._lock:
            self._closing = kind is not None
            doomed = list(self._all) if self._closing else []
        for worker in doomed:
            worker.process.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in list(self._all):
            self._end(worker)
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def missing(self) -> tuple[str, ...]:
        """Which parts of the wall this system cannot enforce; known once a worker has started."""
        return self._missing

    def submit(self, task: Task, request: object, name: str = "") -> Future[Any]:
        """Run ``task(request)`` in a worker.

        Args:
            task: name of a function of ``convert.worker``, or any function that can be imported and declares what it
                gives.
            request: a small picklable noun; its paths that exist are read, the others are written.
            name: the model's, for messages.

        Returns:
            A future of the result. It raises the task's own ShardpressError, or ConversionError if the task failed
            otherwise, the process died, or TensorFlow is not installed.
        """
        return self._threads.submit(self._run, task, request, name)

    def _run(self, task: Task, request: object, name: str) -> object:
        if isinstance(task, str) and task not in light_modules:
            _check_installed()
        worker = self._take()
        before = _size(worker.log)
        try:
            handover = stage_request(request, worker.folder / "in", worker.folder / "out")
        except BaseException:
            self._put_back(worker, request)
            raise
        try:
            reply = self._ask(worker, task, handover)
            collect_results(handover)
        except (EOFError, OSError) as error:
            raise self._bury(worker, name, before) from error
        except BaseException:
            self._end(worker)
            raise
        self._keep_log(worker, before)
        quoted = _quote(worker.log, before) if reply.failure is not None else ()
        self._put_back(worker, request)
        if reply.failure is not None:
            for note in (*reply.notes, *quoted):
                reply.failure.add_note(note)
            raise reply.failure
        return reply.result

    def _ask(self, worker: _Worker, task: Task, handover: Handover) -> Reply:
        send_request(worker.requests, (task, handover.request))
        reply = receive_reply(worker.replies, type_of_result(task))
        for path in paths_of(reply.result):
            if ".." in path.parts or not any(path.is_relative_to(place) for place in handover.places.values()):
                raise ConversionError(
                    "the conversion process named a file that is not its own",
                    code="SP-406",
                    hint="Do not trust this model",
                )
        return Reply(*with_own_paths(reply.result, reply.failure, reply.notes, handover.places))

    def _put_back(self, worker: _Worker, request: object) -> None:
        """Clear a worker's folder for the next request; a worker that ran a trusted model's code is not reused."""
        if runs_trusted_code(request):
            self._end(worker)
            return
        folders = [worker.folder / name for name in ("in", "out")]
        for item in (item for folder in folders for item in folder.iterdir()):
            shutil.rmtree(item, ignore_errors=True)
        if any(item for folder in folders for item in folder.iterdir()):  # it put something else there
            self._end(worker)
            return
        with self._lock:
            self._idle.append(worker)

    def _take(self) -> _Worker:
        with self._lock:
            if self._closing:
                raise ConversionError("the build was interrupted", code="SP-408", hint="Build again")
            while self._idle:
                worker = self._idle.pop()
                if worker.process.poll() is None and worker.folder.is_dir():
                    return worker
            worker = self._start()
        with contextlib.suppress(EOFError, OSError):  # of a dead one the request will tell
            self._missing = cast(tuple[str, ...], receive_reply(worker.replies, tuple[str, ...]).result)
        return worker

    def _start(self) -> _Worker:
        if self._folder is None:
            if self._place is not None:
                self._place.mkdir(parents=True, exist_ok=True)
            self._folder = tempfile.TemporaryDirectory(prefix="workers-", dir=self._place)
        folder = Path(tempfile.mkdtemp(dir=self._folder.name)).resolve()
        inputs, outputs, scratch = (folder / name for name in ("in", "out", "tmp"))
        for path in (inputs, outputs, scratch):
            path.mkdir()
        log = folder / "log"
        paths = json.dumps([str(Path(path).resolve()) for path in sys.path])
        with log.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, "-P", "-B", "-c", beginning, paths],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                cwd=scratch,
                env=clean_environment(os.environ, scratch),
                start_new_session=True,  # without a terminal, into which it could type
            )
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        worker = _Worker(process, process.stdin, process.stdout, folder, log)
        self._all.append(worker)
        wall = Wall(reads=(*python_files(), *self._reads, inputs), writes=(outputs,), scratch=scratch)
        with contextlib.suppress(OSError):
            send_request(worker.requests, wall)
        return worker

    def _bury(self, worker: _Worker, name: str, before: int) -> ConversionError:
        """Return an error that says how a worker died."""
        _close(worker)
        code = _wait(worker)
        model = f"model {name!r}" if name else "a model"
        hint = "Run with -vv to see what TensorFlow printed last, and try the model alone with --only"
        if code == -signal.SIGKILL:
            how, hint = (
                "was killed, usually because memory ran out",
                "Build with fewer --jobs, or on a larger machine",
            )
        elif code < 0:
            how = f"crashed ({signal.Signals(-code).name})"
        else:
            how = f"ended with status {code}"
        error = ConversionError(f"the process that converted {model} {how}", code="SP-402", where=name, hint=hint)
        for note in _quote(worker.log, before):
            error.add_note(note)
        self._keep_log(worker, before)
        with self._lock:
            self._all.remove(worker)
        return error

    def _keep_log(self, worker: _Worker, before: int) -> None:
        if self._log is None:
            return
        with worker.log.open("rb") as source:
            source.seek(before)
            with self._lock, self._log.open("ab") as target:
                shutil.copyfileobj(source, target)

    def _end(self, worker: _Worker) -> None:
        _close(worker)
        _wait(worker)
        shutil.rmtree(worker.folder, ignore_errors=True)
        with self._lock:
            self._all.remove(worker)


def _close(worker: _Worker) -> None:
    for stream in (worker.requests, worker.replies):
        with contextlib.suppress(OSError):
            stream.close()


def _wait(worker: _Worker) -> int:
    """Wait for a worker whose streams are closed, and return its exit status."""
    try:
        return worker.process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        return worker.process.wait()


def runs_trusted_code(request: object) -> bool:
    """Whether a request's model may contain code, because its ``trust`` is set."""
    return bool(getattr(getattr(request, "source", request), "trust", False))


def _check_installed() -> None:
    missing = [package for package in needed_packages if importlib.util.find_spec(package) is None]
    if missing:
        raise ConversionError(
            f"{' and '.join(missing)} cannot be imported: not installed",
            code="SP-405",
            hint=f"Run {fix('convert', for_conversion(), [needed_packages[name] for name in missing])}",
        )


def _size(path: Path) -> int:
    return path.stat().st_size


def _quote(log: Path, before: int) -> tuple[str, ...]:
    """Return the last lines that TensorFlow printed after byte ``before``."""
    with log.open("rb") as file:
        file.seek(max(before, _size(log) - quoted_bytes))
        lines = file.read().decode(errors="replace").splitlines()
    return ("TensorFlow printed:\n" + "\n".join(lines[-quoted_lines:]),) if lines else ()
