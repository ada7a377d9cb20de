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

from ..errors import ConversionError, ShardpressError
from ..sandbox.wall import raise_wall
from .exchange import Reply, Task, open_request, receive_request, send_reply
from .reasons import explain

worker_module = ".worker"
light_modules = {  # of tasks that do not need TensorFlow
    "read_inputs": "..verify.input_files",
    "convert_onnx": "..onnx.tasks",
    "reference_onnx": "..onnx.tasks",
    "convert_tflite": "..tflite.tasks",
    "reference_tflite": "..tflite.tasks",
}
tellers = {  # whose words an error is that none of ours explains; TensorFlow's, where nothing else is said
    "read_inputs": "The inputs of verification cannot be read",
    "convert_onnx": "It cannot be lowered",
    "reference_onnx": "ONNX Runtime cannot run it",
    "convert_tflite": "It cannot be lowered",
    "reference_tflite": "LiteRT cannot run it",
}


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
        send_reply(replies, Reply(failure=ConversionError(str(error), code="SP-410")))


def _answer(content: bytes) -> Reply:
    try:
        task, request = open_request(content)
    except Exception as error:  # a task whose module cannot be imported here
        return Reply(
            failure=ConversionError(f"the task cannot be found: {error}", code="SP-410"),
            notes=(traceback.format_exc(),),
        )
    return answer(task, request)


def answer(task: Task, request: object) -> Reply:
    """Run a task in this process, and put its failure into words."""
    try:
        function = _function(task) if isinstance(task, str) else task
        return Reply(function(request))
    except ShardpressError as error:
        return Reply(failure=error, notes=(traceback.format_exc(), *getattr(error, "__notes__", ())))
    except Exception as error:
        known = tellers.get(task, "") if isinstance(task, str) else ""
        return Reply(failure=explain(error, _where(request), known), notes=(traceback.format_exc(),))


def _where(request: object) -> str:
    """Name the source that a request is about, if it is about one."""
    source = getattr(request, "source", None)
    return str(getattr(source, "path", ""))


def _function(name: str) -> Any:
    return getattr(importlib.import_module(light_modules.get(name, worker_module), __package__), name)
