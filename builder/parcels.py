"""Requests with the files they read, packed for a machine that shares no disk with this one, and the way back.

A request's paths that exist are read: a folder with all below it, a ``model.json`` with the weight files it names.
Those that do not exist yet, or are empty folders, are written.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from builder.cache import write_atomically
from builder.convert.pool import Reply, Task, answer
from builder.convert.results import glue_name
from builder.errors import ConversionError, SourceError
from builder.sources.files import source_files


@dataclass(frozen=True, slots=True)
class Parcel:
    """A task on its way to another machine.

    Attributes:
        task, request: as they were submitted.
        inputs: for each path that is read its files: address below it ("" for the path itself) and bytes.
        outputs: paths that are written, and whether each is a folder.
    """

    task: Task
    request: Any
    inputs: Mapping[Path, tuple[tuple[str, bytes], ...]]
    outputs: Mapping[Path, bool]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A task's answer on its way back: the reply, and the files of each path that was written."""

    reply: Reply
    outputs: Mapping[Path, tuple[tuple[str, bytes], ...]]


def pack(task: Task, request: Any) -> Parcel:
    """Read all that a request needs.

    Raises:
        SourceError: a ``model.json`` names files that it must not, or a file cannot be read.
    """
    inputs: dict[Path, tuple[tuple[str, bytes], ...]] = {}
    outputs: dict[Path, bool] = {}
    for path in _paths(request):
        empty = path.is_dir() and not any(path.iterdir())
        if path.exists() and not empty:
            try:
                inputs[path] = tuple((address, file.read_bytes()) for address, file in _files(path))
            except OSError as error:
                raise SourceError(f"cannot be read ({error.strerror})", where=str(path), hint="Check it") from error
        else:
            outputs[path] = empty
    return Parcel(task, request, inputs, outputs)


def work_off(parcel: Parcel) -> Delivery:
    """Run a task on the machine it was sent to; messages name the sender's paths."""
    with tempfile.TemporaryDirectory(prefix="shardpress-") as name:
        places: dict[Path, Path] = {}
        for number, (path, files) in enumerate(parcel.inputs.items()):
            place = Path(name) / f"in{number}" / path.name
            for address, content in files:
                write_atomically(_below(place, address), content)
            places[path] = place
        for number, (path, is_folder) in enumerate(parcel.outputs.items()):
            place = Path(name) / f"out{number}" / path.name
            (place if is_folder else place.parent).mkdir(parents=True)
            places[path] = place
        reply = answer(parcel.task, _moved(parcel.request, lambda path: places.get(path, path)))
        outputs = {
            path: tuple((address, file.read_bytes()) for address, file in _all_files(places[path]))
            for path in parcel.outputs
            if places[path].exists()
        }
        return Delivery(_told_as_sent(reply, places), outputs)


def unpack(delivery: Delivery) -> Reply:
    """Write what a task made to where it was asked for.

    Raises:
        ConversionError: it cannot be written.
    """
    try:
        _write(delivery)
    except OSError as error:
        raise ConversionError(
            f"the result cannot be written ({error.strerror})",
            where=str(error.filename or ""),
            hint="Check the disk and the permissions",
        ) from error
    return delivery.reply


def _write(delivery: Delivery) -> None:
    for path, files in delivery.outputs.items():
        for address, content in files:
            write_atomically(_below(path, address), content)


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _paths(getattr(value, field.name))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _paths(item)


def _moved(value: Any, move: Callable[[Path], Path]) -> Any:
    """Give the same noun with other paths."""
    if isinstance(value, Path):
        return move(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        return dataclasses.replace(value, **{name: _moved(item, move) for name, item in fields.items()})
    if isinstance(value, tuple | list):
        return type(value)(_moved(item, move) for item in value)
    return value


def _files(path: Path) -> tuple[tuple[str, Path], ...]:
    """Give a source's files with their addresses from ``path``; those beside it begin with ``../``."""
    if path.is_dir():
        return tuple(_all_files(path))
    if path.suffix != ".json":
        return (("", path),)
    named = [(address, file) for address, file in source_files(path, "tfjs") if file != path]
    glue = path.with_name(glue_name)
    beside = [*named, *([(glue_name, glue)] if glue.is_file() else [])]
    return ("", path), *((f"../{address}", file) for address, file in beside)


def _all_files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield "", path
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield file.relative_to(path).as_posix(), file


def _below(place: Path, address: str) -> Path:
    """Give where a file of a parcel goes.

    Raises:
        ValueError: out of the parcel.
    """
    inner = PurePosixPath(address.removeprefix("../"))
    if inner.is_absolute() or ".." in inner.parts:
        raise ValueError(address)
    return (place.parent if address.startswith("../") else place) / inner if address else place


def _told_as_sent(reply: Reply, places: Mapping[Path, Path]) -> Reply:
    """Give a reply in which the sender's paths stand for those of the other machine."""

    def words(text: str) -> str:
        for path, place in places.items():
            text = text.replace(str(place), str(path))
        return text

    def back(path: Path) -> Path:
        for sent, place in places.items():
            if path == place or place in path.parents:
                return sent / path.relative_to(place)
        return path

    failure = reply.failure
    if failure is not None:
        failure = type(failure)(words(failure.what), where=words(failure.where), hint=words(failure.hint))
    return Reply(_moved(reply.result, back), failure, tuple(words(note) for note in reply.notes))
