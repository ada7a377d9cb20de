"""What this process and its workers say to each other: requests as pickles, answers as plain typed data.

A worker may be in the hands of a hostile model. What comes from it is therefore never unpickled, which would run code
here, but must be of the type that the task declares.
"""

from __future__ import annotations

import pickle
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from ..errors import ConversionError, ShardpressError
from ..precision.types import MeasureResult
from ..typed import from_msgpack
from .requests import ConvertResult, ReferenceResult

Task = str | Callable[[Any], object]
largest_answer = 1 << 28
result_types: dict[str, object] = {
    "convert": ConvertResult,
    "layers_form": ConvertResult,
    "reference": ReferenceResult,
    "measure": MeasureResult,
    "versions": dict[str, str],
    "read_inputs": None,
    "convert_onnx": ConvertResult,
    "reference_onnx": ReferenceResult,
    "convert_tflite": ConvertResult,
    "reference_tflite": ReferenceResult,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a task came to: a result, or a failure with what to add to it for people who debug."""

    result: object = None
    failure: ShardpressError | None = None
    notes: tuple[str, ...] = ()


class _Failure(msgspec.Struct):
    kind: str
    what: str
    where: str
    hint: str
    code: str


class _Answer(msgspec.Struct):
    result: msgspec.Raw
    failure: _Failure | None
    notes: tuple[str, ...]


def send_request(stream: IO[bytes], item: object) -> None:
    """Send anything to a worker."""
    _send(stream, pickle.dumps(item))


def receive_request(stream: IO[bytes]) -> bytes:
    """Return what the main process sent, for ``open_request``.

    Raises:
        EOFError: it is gone.
    """
    return _receive(stream)


def open_request(content: bytes) -> Any:
    """Unpack what came from the process that started this one."""
    return pickle.loads(content)  # noqa: S301


def send_reply(stream: IO[bytes], reply: Reply) -> None:
    """Answer a request, in a worker.

    Raises:
        TypeError: the result is of a kind that cannot travel.
    """
    failure = reply.failure
    told = (
        None
        if failure is None
        else _Failure(type(failure).__name__, failure.what, failure.where, failure.hint, failure.code)
    )
    result = msgspec.msgpack.encode(reply.result, enc_hook=_encode)
    _send(stream, msgspec.msgpack.encode(_Answer(msgspec.Raw(result), told, reply.notes)))


def receive_reply(stream: IO[bytes], kind: object) -> Reply:
    """Return a worker's answer.

    Args:
        stream: from the worker.
        kind: the type its result has to have.

    Raises:
        EOFError: it is gone.
        ConversionError: it sent something else.
    """
    content = _receive(stream, largest_answer)
    try:
        answer = from_msgpack(content, _Answer)
        result = None if answer.failure else from_msgpack(answer.result, kind, _decode)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConversionError(
            f"the conversion process sent an invalid answer ({error})", code="SP-406", hint="Do not trust this model"
        ) from error
    told = answer.failure
    failure = (
        None
        if told is None
        else _kinds().get(told.kind, ConversionError)(told.what, where=told.where, hint=told.hint, code=told.code)
    )
    return Reply(result, failure, answer.notes)


def type_of_result(task: Task) -> object:
    """Return the type of what a task gives."""
    return result_types[task] if isinstance(task, str) else typing.get_type_hints(task)["return"]


def _kinds() -> dict[str, type[ShardpressError]]:
    found, waiting = {}, [ShardpressError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__init__ is ShardpressError.__init__:
            found[kind.__name__] = kind
    return found


def _encode(item: object) -> str:
    if isinstance(item, Path):
        return str(item)
    raise TypeError(f"a task cannot give a {type(item).__name__}")


def _decode(kind: type, item: object) -> object:
    if issubclass(kind, Path) and isinstance(item, str):
        return Path(item)
    raise TypeError(f"{kind.__name__} cannot come from a worker")


def _send(stream: IO[bytes], content: bytes) -> None:
    stream.write(len(content).to_bytes(8, "little") + content)
    stream.flush()


def _receive(stream: IO[bytes], most: int | None = None) -> bytes:
    length = int.from_bytes(_exactly(stream, 8), "little")
    if most is not None and length > most:
        raise ConversionError(
            "the conversion process sent an endless answer", code="SP-406", hint="Do not trust this model"
        )
    return _exactly(stream, length)


def _exactly(stream: IO[bytes], length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return content
