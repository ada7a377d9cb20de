"""TensorFlow Lite models inside of archives: MediaPipe's ``.task`` bundles, which may hold further ones, and zips."""

from __future__ import annotations

import io
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ..errors import SourceError
from .keras_zip import check_entries

archive_suffixes = (".task", ".zip")
model_suffix = ".tflite"
most_unpacked = 1 << 30
largest_inner = 256 << 20  # an archive in an archive is read into memory
damage = (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, zlib.error)


def chosen_member(path: Path, wanted: str) -> str:
    """Return which TensorFlow Lite model of an archive is meant, "" where a path is none with such models.

    Args:
        path: of the source.
        wanted: the setting ``member``; "" takes the only one.

    Raises:
        SourceError: it is not there, there are several, or the archive is damaged.
        UnsafeModelError: see ``check_entries``.
    """
    where = str(path)
    if not path.is_file() or (not wanted and path.suffix.lower() not in archive_suffixes):
        if wanted:
            raise SourceError("is no file, so it has no member", code="SP-388", where=where, hint="Remove `member`")
        return ""
    if not zipfile.is_zipfile(path):
        if wanted or path.suffix.lower() == ".task":
            what = "is no archive, so it has no member" if wanted else "is not a .task archive inside"
            hint = "Remove `member`" if wanted else "Name a .task file of MediaPipe's vision, text or audio tasks"
            raise SourceError(what, code="SP-388", where=where, hint=hint)
        return ""
    with _opened(path) as archive:
        names = [name for name, _ in _models(archive, where)]
    listed = ", ".join(names[:20]) or "none"
    if wanted:
        if wanted not in names:
            hint = f"Name one of these: {listed}"
            raise SourceError(f"holds no TensorFlow Lite model {wanted!r}", code="SP-388", where=where, hint=hint)
        return wanted
    if len(names) > 1:
        hint = f'Name one of them as `member = "…"`: {listed}'
        raise SourceError("holds several models", code="SP-311", where=where, hint=hint)
    return names[0] if names else ""


def model_members(path: Path) -> dict[str, int]:
    """Return the TensorFlow Lite models of an archive with their lengths, by the names that ``member`` takes.

    Raises:
        SourceError: the archive is damaged.
        UnsafeModelError: see ``check_entries``.
    """
    if path.suffix.lower() not in archive_suffixes or not zipfile.is_zipfile(path):
        return {}
    with _opened(path) as archive:
        return dict(_models(archive, str(path)))


def unpack_member(path: Path, name: str, target: Path) -> None:
    """Write a model of an archive into a file.

    Args:
        path: of the archive.
        name: as ``chosen_member`` gives it.
        target: the file.

    Raises:
        SourceError: the archive is damaged, or the model too large.
        UnsafeModelError: see ``check_entries``.
    """
    where = str(path)
    with _opened(path) as archive:
        outer, found, rest = name.partition(".task/")
        if found and name not in archive.namelist():
            with zipfile.ZipFile(_inner(archive, f"{outer}.task", where)) as inner:
                _copy(inner, rest, target, where)
        else:
            _copy(archive, name, target, where)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            check_entries(archive, str(path))
            yield archive
    except damage as error:
        raise SourceError(
            f"is a damaged or truncated archive ({error})", code="SP-308", where=str(path), hint="Download it again"
        ) from error


def _models(archive: zipfile.ZipFile, where: str, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Return models and their lengths."""
    for name in archive.namelist():
        suffix = PurePosixPath(name).suffix.lower()
        if suffix == model_suffix:
            yield f"{prefix}{name}", archive.getinfo(name).file_size
        elif suffix == ".task" and not prefix:
            with zipfile.ZipFile(_inner(archive, name, where)) as inner:
                check_entries(inner, where)
                yield from _models(inner, where, f"{name}/")


def _inner(archive: zipfile.ZipFile, name: str, where: str) -> io.BytesIO:
    if archive.getinfo(name).file_size > largest_inner:
        raise SourceError(f"holds {name!r} of more than 256 MiB", code="SP-312", where=where, hint="Unpack it")
    return io.BytesIO(archive.read(name))


def _copy(archive: zipfile.ZipFile, name: str, target: Path, where: str) -> None:
    if archive.getinfo(name).file_size > most_unpacked:
        raise SourceError(f"holds {name!r} of more than 1 GiB", code="SP-312", where=where, hint="Unpack it")
    # zipfile reads no more than the length that was checked.
    with archive.open(name) as content, target.open("wb") as written:
        shutil.copyfileobj(content, written)
