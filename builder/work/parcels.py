"""Packs requests with the files they read, for a machine that shares no disk with this one, and the results.

``convert.handover`` decides what a request reads and writes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..convert.exchange import Reply, Task
from ..convert.handover import all_files, below, files_of, is_read, paths_of, with_own_paths, with_paths
from ..convert.serve import answer
from ..errors import ConversionError, SourceError
from ..files.atomic import write_atomically


@dataclass(frozen=True, slots=True)
class Parcel:
    """A task to be sent to another machine.

    Attributes:
        task, request: as they were submitted.
        inputs: for each path that is read its files: address below it ("" for the path itself) and bytes.
        outputs: paths that are written, and whether each is a folder.
    """

    task: Task
    request: object
    inputs: Mapping[Path, tuple[tuple[str, bytes], ...]]
    outputs: Mapping[Path, bool]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of a task: the reply, and the files of each path that was written."""

    reply: Reply
    outputs: Mapping[Path, tuple[tuple[str, bytes], ...]]


def pack(task: Task, request: object) -> Parcel:
    """Read everything that a request needs.

    Raises:
        SourceError: a ``model.json`` names files that it must not, or a file cannot be read.
    """
    inputs: dict[Path, tuple[tuple[str, bytes], ...]] = {}
    outputs: dict[Path, bool] = {}
    for path in paths_of(request):
        if is_read(path):
            try:
                inputs[path] = tuple((address, file.read_bytes()) for address, file in files_of(path))
            except OSError as error:
                raise SourceError(
                    f"cannot be read ({error.strerror})", code="SP-302", where=str(path), hint="Check it"
                ) from error
        else:
            outputs[path] = path.is_dir()
    return Parcel(task, request, inputs, outputs)


def execute(parcel: Parcel, run: Callable[[Task, object], Reply] = answer) -> Delivery:
    """Run a task on the machine it was sent to; messages use the sender's paths.

    Args:
        parcel: contains everything the task reads.
        run: runs it, by default in this process.
    """
    with tempfile.TemporaryDirectory(prefix="shardpress-") as name:
        places: dict[Path, Path] = {}
        for number, (path, files) in enumerate(parcel.inputs.items()):
            place = Path(name) / f"in{number}" / path.name
            for address, content in files:
                write_atomically(below(place, address), content)
            places[path] = place
        for number, (path, is_folder) in enumerate(parcel.outputs.items()):
            place = Path(name) / f"out{number}" / path.name
            (place if is_folder else place.parent).mkdir(parents=True)
            places[path] = place
        reply = run(parcel.task, with_paths(parcel.request, lambda path: places.get(path, path)))
        outputs = {
            path: tuple((address, file.read_bytes()) for address, file in all_files(places[path]))
            for path in parcel.outputs
            if places[path].exists()
        }
        return Delivery(Reply(*with_own_paths(reply.result, reply.failure, reply.notes, places)), outputs)


def unpack(delivery: Delivery) -> Reply:
    """Write the results of a task to the requested paths.

    Raises:
        ConversionError: it cannot be written.
    """
    try:
        _write(delivery)
    except OSError as error:
        raise ConversionError(
            f"the result cannot be written ({error.strerror})",
            code="SP-407",
            where=str(error.filename or ""),
            hint="Check the disk and the permissions",
        ) from error
    return delivery.reply


def _write(delivery: Delivery) -> None:
    for path, files in delivery.outputs.items():
        for address, content in files:
            write_atomically(below(path, address), content)
