"""The body of a worker process: raises the wall, then answers requests until the main process is gone."""

from __future__ import annotations

import contextlib
import importlib
import os
import queue
import signal
import sys
import threading
import traceback
from typing import IO, Any

from builder.convert.exchange import Reply, Task, open_request, receive_request, send_reply
from builder.errors import ConversionError, ShardpressError
from builder.sandbox.wall import raise_wall

worker_module = "builder.convert.worker"
light_modules = {"read_inputs": "builder.verify.inputs"}  # of tasks that do not need TensorFlow
longest_sentence = 300


def main() -> None:
    """Serve: requests come through the standard input, answers go through what was the standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What C++ and Python print goes to the log that is the standard error; the streams are for nobody else.
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    missing = raise_wall(open_request(receive_request(requests)))
    send_reply(replies, Reply(missing))
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, waiting), daemon=True).start()
    while True:
        reply = _answer(waiting.get())
        sys.stdout.flush()
        sys.stderr.flush()
        with contextlib.suppress(OSError):
            _send(replies, reply)


def _read(requests: IO[bytes], waiting: queue.SimpleQueue[bytes]) -> None:
    """Take requests, and end the process with the one that sends them, whatever it is doing."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            waiting.put(receive_request(requests))
    os._exit(0)


def _send(replies: IO[bytes], reply: Reply) -> None:
    try:
        send_reply(replies, reply)
    except TypeError as error:
        send_reply(replies, Reply(failure=ConversionError(str(error))))


def _answer(content: bytes) -> Reply:
    try:
        task, request = open_request(content)
    except Exception as error:  # a task whose module cannot be imported here
        return Reply(failure=ConversionError(f"the task cannot be found: {error}"), notes=(traceback.format_exc(),))
    return answer(task, request)


def answer(task: Task, request: Any) -> Reply:
    """Run a task in this process, and put its failure into words."""
    try:
        function = _function(task) if isinstance(task, str) else task
        return Reply(function(request))
    except ShardpressError as error:
        return Reply(failure=error, notes=(traceback.format_exc(), *getattr(error, "__notes__", ())))
    except MemoryError:
        return Reply(failure=ConversionError("memory ran out", hint="Build with fewer --jobs, or on a larger machine"))
    except Exception as error:
        failure = ConversionError(
            f"TensorFlow cannot convert it: {first_sentence(error)}", hint="Run with -vv for TensorFlow's own words"
        )
        return Reply(failure=failure, notes=(traceback.format_exc(),))


def _function(name: str) -> Any:
    return getattr(importlib.import_module(light_modules.get(name, worker_module)), name)


def first_sentence(error: BaseException) -> str:
    """Give the first line of an error's text that says something."""
    lines = (line.strip() for line in str(error).splitlines())
    text = next((line for line in lines if len(line) > 3), type(error).__name__)
    return text if len(text) <= longest_sentence else text[: longest_sentence - 1] + "…"
