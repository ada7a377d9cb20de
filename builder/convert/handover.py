"""What a request reads and writes: found, laid into a worker's own folder, and its results taken from there.

A request's paths that exist are read: a folder with all below it, a ``model.json`` with the weight files it names.
Those that do not exist yet, or are empty folders, are written.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import ConversionError, ShardpressError, SourceError
from ..sources.folders import check_folder, own_files
from ..sources.source_files import source_files
from .side_files import glue_name


@dataclass(frozen=True, slots=True)
class Handover:
    """A request in a worker's folder.

    Attributes:
        request: it, with other paths.
        places: for each of its own paths, the path in the worker's folder.
        outputs: those of its own paths that are written.
    """

    request: object
    places: Mapping[Path, Path]
    outputs: tuple[Path, ...]


def stage_request(request: object, inputs: Path, outputs: Path) -> Handover:
    """Put what a request reads into ``inputs``, by links where the disk allows it, and have it write into ``outputs``.

    Raises:
        SourceError: a file cannot be read, or is not in the folder it seems to be in.
    """
    places: dict[Path, Path] = {}
    written = []
    for path in dict.fromkeys(paths_of(request)):
        place = (inputs if is_read(path) else outputs) / str(len(places)) / path.name
        places[path] = place
        try:
            if not is_read(path):
                (place if path.is_dir() else place.parent).mkdir(parents=True)
                written.append(path)
                continue
            for address, file in files_of(path):
                _bring(file, below(place, address))
        except OSError as error:
            raise SourceError(
                f"cannot be read ({error.strerror})", code="SP-302", where=str(path), hint="Check it"
            ) from error
    return Handover(with_paths(request, lambda path: places.get(path, path)), places, tuple(written))


def collect_results(handover: Handover) -> None:
    """Move what was written to where it was asked for.

    Raises:
        ConversionError: it is not made of plain files, or cannot be moved.
    """
    for path in handover.outputs:
        place = handover.places[path]
        if not os.path.lexists(place):
            continue
        try:
            _check_plain(place, path)
            if path.is_dir():
                for item in sorted(place.iterdir()):
                    shutil.move(item, path / item.name)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(place, path)
        except OSError as error:
            raise ConversionError(
                f"the result cannot be written ({error.strerror})",
                code="SP-407",
                where=str(path),
                hint="Check the disk and the permissions",
            ) from error


def _bring(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    target = file.resolve(strict=True)
    try:
        os.link(target, place)
    except OSError:  # another disk, or somebody else's file
        shutil.copyfile(target, place)


def _check_plain(place: Path, wanted: Path) -> None:
    """Refuse links, devices and pipes, which whoever reads the result would follow."""
    for item in (place, *place.rglob("*")):
        status = item.lstat()
        is_file = stat.S_ISREG(status.st_mode)
        if not (is_file and status.st_nlink == 1) and not stat.S_ISDIR(status.st_mode):
            raise ConversionError(
                f"the conversion made {item.name!r}, which is not a plain file",
                code="SP-406",
                where=str(wanted),
                hint="Do not trust this model",
            )
        item.chmod(0o644 if is_file else 0o755)


def paths_of(value: object) -> Iterator[Path]:
    """Return all paths in a request or result, at any depth."""
    if isinstance(value, Path):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from paths_of(getattr(value, field.name))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from paths_of(item)


def is_read(path: Path) -> bool:
    """Return whether a path of a request is read."""
    return path.exists() and not (path.is_dir() and not any(path.iterdir()))


def with_paths(value: object, move: Callable[[Path], Path]) -> object:
    """Return a copy of a request or result with other paths."""
    if isinstance(value, Path):
        return move(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        return dataclasses.replace(value, **{name: with_paths(item, move) for name, item in fields.items()})
    if isinstance(value, tuple | list):
        return type(value)(with_paths(item, move) for item in value)
    return value


def files_of(path: Path) -> tuple[tuple[str, Path], ...]:
    """Return a source's files with their addresses from ``path``; those beside it begin with ``../``.

    Raises:
        SourceError: one is a link that leads out of the folder, or a ``model.json`` names files that it must not.
    """
    if path.is_dir():
        check_folder(path)
        return tuple((file.relative_to(path).as_posix(), file) for file in own_files(path))
    kind = {".json": "tfjs", ".onnx": "onnx"}.get(path.suffix.lower())
    if kind is None:
        return (("", path),)
    named = [(address, file) for address, file in source_files(path, kind) if file != path]
    glue = path.with_name(glue_name)
    beside = [*named, *([(glue_name, glue)] if glue.is_file() else [])]
    return ("", path), *((f"../{address}", file) for address, file in beside)


def all_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Return the files at and below a path with their addresses."""
    if path.is_file():
        yield "", path
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield file.relative_to(path).as_posix(), file


def below(place: Path, address: str) -> Path:
    """Return where the file with an address goes.

    Raises:
        ValueError: out of the folder.
    """
    inner = PurePosixPath(address.removeprefix("../"))
    if inner.is_absolute() or ".." in inner.parts:
        raise ValueError(address)
    return (place.parent if address.startswith("../") else place) / inner if address else place


def with_own_paths(
    result: object, failure: ShardpressError | None, notes: tuple[str, ...], places: Mapping[Path, Path]
) -> tuple[object, ShardpressError | None, tuple[str, ...]]:
    """Return an answer with the request's own paths in place of those in the worker's folder."""

    def words(text: str) -> str:
        for path, place in places.items():
            text = text.replace(str(place), str(path))
        return text

    def back(path: Path) -> Path:
        for sent, place in places.items():
            if path == place or place in path.parents:
                return sent / path.relative_to(place)
        return path

    if failure is not None:
        failure = type(failure)(
            words(failure.what), where=words(failure.where), hint=words(failure.hint), code=failure.code
        )
    return with_paths(result, back), failure, tuple(map(words, notes))
