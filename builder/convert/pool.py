"""Keeps the processes that run TensorFlow, and gives them work.

The main process never imports TensorFlow. A worker starts at the first request that finds none idle, stays until the
pool closes, and ends by itself when the main process is gone.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from builder.convert.reasons import explain
from builder.errors import ConversionError, ShardpressError

worker_module = "builder.convert.worker"
needed_packages = ("tensorflow", "tensorflowjs", "tf_keras")
install_hint = 'Run pip install "shardpress[convert]"'
quoted_lines = 40
Task = str | Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a worker answers: a result, or a failure with what to add to it for people who debug."""

    result: Any = None
    failure: ShardpressError | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Worker:
    process: Any
    connection: Connection
    log: Path


class ConversionPool:
    """Up to ``jobs`` worker processes, used as a context manager.

    Leaving the context normally waits for the work under way; leaving it by an exception ends the workers at once.

    Args:
        jobs: the most processes at a time.
        log: a file that gets what TensorFlow prints, or None.
    """

    def __init__(self, jobs: int, log: Path | None = None) -> None:
        """Prepare; nothing starts before the first ``submit``."""
        self._log = log
        self._threads = ThreadPoolExecutor(max(1, jobs), thread_name_prefix="conversion")
        self._context = multiprocessing.get_context("spawn")
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._idle: list[_Worker] = []
        self._all: list[_Worker] = []
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

    def submit(self, task: Task, request: Any, name: str = "") -> Future[Any]:
        """Have ``task(request)`` run in a worker.

        Args:
            task: name of a function of ``convert.worker``, or any function that can be imported.
            request: a small picklable noun.
            name: the model's, for messages.

        Returns:
            A future of the result. It raises the task's own ShardpressError, or ConversionError if the task failed
            otherwise, the process died, or TensorFlow is not installed.
        """
        return self._threads.submit(self._run, task, request, name)

    def _run(self, task: Task, request: Any, name: str) -> Any:
        if isinstance(task, str):
            _check_installed()
        worker = self._take()
        before = _size(worker.log)
        try:
            worker.connection.send((task, request))
            wait([worker.connection, worker.process.sentinel])
            reply: Reply = worker.connection.recv()
        except (EOFError, OSError) as error:
            raise self._bury(worker, name, before) from error
        except BaseException:
            self._end(worker)
            raise
        self._keep_log(worker, before)
        quoted = _quote(worker.log, before) if reply.failure is not None else ()
        if runs_trusted_code(request):  # it may have left anything behind
            self._end(worker)
        else:
            with self._lock:
                self._idle.append(worker)
        if reply.failure is not None:
            for note in (*reply.notes, *quoted):
                reply.failure.add_note(note)
            raise reply.failure
        return reply.result

    def _take(self) -> _Worker:
        with self._lock:
            if self._closing:
                raise ConversionError("the build was interrupted", hint="Build again")
            while self._idle:
                worker = self._idle.pop()
                if worker.process.is_alive():
                    return worker
            return self._start()

    def _start(self) -> _Worker:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="shardpress-")
        descriptor, log = tempfile.mkstemp(dir=self._folder.name, suffix=".log")
        os.close(descriptor)
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, Path(log)), daemon=True, name="shardpress-convert")
        process.start()
        theirs.close()
        worker = _Worker(process, ours, Path(log))
        self._all.append(worker)
        return worker

    def _bury(self, worker: _Worker, name: str, before: int) -> ConversionError:
        """Say how a worker died."""
        worker.process.join()
        code = worker.process.exitcode or 0
        worker.connection.close()
        model = f"model {name!r}" if name else "a model"
        hint = "Run with -vv to see what TensorFlow printed last, and try the model alone with --only"
        if code == -signal.SIGKILL:
            how, hint = (
                "was killed, most often because memory ran out",
                "Build with fewer --jobs, or on a larger machine",
            )
        elif code < 0:
            how = f"crashed ({signal.Signals(-code).name})"
        else:
            how = f"ended with status {code}"
        error = ConversionError(f"the process that converted {model} {how}", where=name, hint=hint)
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
            content = source.read()
        if content:
            with self._lock, self._log.open("ab") as target:
                target.write(content)

    def _end(self, worker: _Worker) -> None:
        worker.connection.close()
        worker.process.join(timeout=5)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.process.close()
        with self._lock:
            self._all.remove(worker)


def runs_trusted_code(request: Any) -> bool:
    """Tell whether a request's model may hold code, because its ``trust`` is set."""
    return bool(getattr(getattr(request, "source", request), "trust", False))


def _check_installed() -> None:
    missing = [package for package in needed_packages if importlib.util.find_spec(package) is None]
    if missing:
        raise ConversionError(f"{' and '.join(missing)} cannot be imported: not installed", hint=install_hint)


def _size(path: Path) -> int:
    return path.stat().st_size


def _quote(log: Path, before: int) -> tuple[str, ...]:
    """Give the last lines that TensorFlow printed since byte ``before``."""
    with log.open("rb") as file:
        file.seek(before)
        lines = file.read().decode(errors="replace").splitlines()
    return ("TensorFlow printed:\n" + "\n".join(lines[-quoted_lines:]),) if lines else ()


def _serve(connection: Connection, log: Path) -> None:
    """Answer requests until the other end is closed; the body of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    _redirect(log)
    while True:
        try:
            task, request = connection.recv()
        except (EOFError, OSError):
            break
        reply = answer(task, request)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
            connection.send(reply)
    os._exit(0)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    os._exit(1)


def _redirect(log: Path) -> None:
    """Send what C++ and Python print to a file: it would break progress bars and ``--json``."""
    with log.open("ab", buffering=0) as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)


def answer(task: Task, request: Any) -> Reply:
    """Run a task in this process, and put its failure into words."""
    try:
        function = getattr(importlib.import_module(worker_module), task) if isinstance(task, str) else task
        return Reply(function(request))
    except ShardpressError as error:
        return Reply(failure=error, notes=(traceback.format_exc(), *getattr(error, "__notes__", ())))
    except Exception as error:
        return Reply(failure=explain(error, _where(request)), notes=(traceback.format_exc(),))


def _where(request: Any) -> str:
    """Name the source that a request is about, if it is about one."""
    source = getattr(request, "source", None)
    return str(getattr(source, "path", ""))
