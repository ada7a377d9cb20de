"""Values of declared types out of what was read, from any thread.

msgspec 0.22 prepares a type at its first use, and shows it to other threads before it is prepared: a second thread then
reads at address 0. So types are prepared under one lock here, and nothing else in this package decodes or converts.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar, overload

import msgspec

Value = TypeVar("Value")
Hook = Callable[[type, Any], Any]
_preparing = threading.Lock()


def from_json(content: bytes | str, kind: type[Value]) -> Value:
    """Return JSON as a value of a type.

    Raises:
        msgspec.DecodeError: it is not JSON, or (``msgspec.ValidationError``) not of that type.
    """
    _prepare(kind)
    return msgspec.json.decode(content, type=kind)  # noqa: TID251


@overload
def from_msgpack(content: bytes, kind: type[Value], hook: Hook | None = None) -> Value: ...


@overload
def from_msgpack(content: bytes, kind: Any, hook: Hook | None = None) -> Any: ...


def from_msgpack(content: bytes, kind: Any, hook: Hook | None = None) -> Any:
    """Return MessagePack as a value of a type.

    Args:
        content: the bytes.
        kind: the type.
        hook: makes what msgspec does not know, out of a type and what stands for a value of it.

    Raises:
        msgspec.DecodeError: it is not MessagePack, or (``msgspec.ValidationError``) not of that type.
    """
    _prepare(kind)
    return msgspec.msgpack.decode(content, type=kind, dec_hook=hook)  # noqa: TID251


@overload
def from_builtins(value: object, kind: type[Value], *, strict: bool = True) -> Value: ...


@overload
def from_builtins(value: object, kind: Any, *, strict: bool = True) -> Any: ...


def from_builtins(value: object, kind: Any, *, strict: bool = True) -> Any:
    """Return dicts, lists, texts and numbers as a value of a type.

    Args:
        value: them.
        kind: the type.
        strict: a text is no number.

    Raises:
        msgspec.ValidationError: they are not of that type.
    """
    _prepare(kind)
    return msgspec.convert(value, kind, strict=strict)  # noqa: TID251


def _prepare(kind: Any) -> None:
    # A cache by itself would let two threads in at once; a type that was prepared costs a lookup and a free lock.
    with _preparing:
        _prepared(kind)


@functools.cache
def _prepared(kind: Any) -> None:
    msgspec.json.Decoder(kind)  # noqa: TID251  # it prepares all that the type is made of
