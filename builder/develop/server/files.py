"""Maps URL paths to files, and files to HTTP answers: encodings, ranges, validators."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response, StreamingResponse

from ...bundle.format import loader_name, pinned_url
from .media import media_type

sidecars = (("br", ".br"), ("gzip", ".gz"))
# Where package managers keep what node_modules links to.
package_stores = frozenset({".pnpm", ".store", ".bun", ".deno"})
secret_endings = frozenset({".pem", ".key", ".p12", ".pfx"})
large = 16 * 1024 * 1024  # bytes; a larger file is not held in memory
piece = 256 * 1024  # bytes of it that are read at a time
longest_number = 18  # digits; Python refuses to read very long ones, and no file is as large


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder that is served, or one file.

    Attributes:
        prefix: of the URL path, with a closing slash and without a leading one: ``dist/``; that of a file is its whole
            path, and ``""`` is the root.
        folder: what lies there.
    """

    prefix: str
    folder: Path


def locate(mounts: tuple[Mount, ...], path: str) -> Iterator[Path]:
    """Return the files or folders for a decoded URL path without its leading slash, whether or not they exist.

    The first that exists counts. Hidden names, ``..`` and whatever else could leave a folder have none.
    """
    for mount in mounts:
        is_folder = mount.prefix.endswith("/") or not mount.prefix
        if not path.startswith(mount.prefix) or (not is_folder and path != mount.prefix):
            continue
        parts = [part for part in path.removeprefix(mount.prefix).split("/") if part]
        if not any(_is_hidden(part) or set(part) & {"\\", ":", "\0"} for part in parts):
            yield mount.folder.joinpath(*parts)


def confined(place: Path, roots: tuple[Path, ...], private: tuple[Path, ...] = ()) -> Path | None:
    """Return where a path leads once all links are followed; None if that is missing or not served.

    Args:
        place: below a mount, by its names.
        roots: folders and files that links may lead to, resolved.
        private: files and folders that are never served, resolved.
    """
    try:
        real = place.resolve(strict=True)
        if not (real.is_file() or real.is_dir()):  # a pipe or a device never ends
            return None
    except (OSError, ValueError, RuntimeError):  # too long, a circle of links, no rights
        return None
    if real.suffix.lower() in secret_endings or any(real.is_relative_to(one) for one in private):
        return None
    return real if any(_is_open(real, root) for root in roots) else None


def _is_open(real: Path, root: Path) -> bool:
    return real.is_relative_to(root) and not any(
        _is_hidden(part) and part not in package_stores for part in real.relative_to(root).parts
    )


def _is_hidden(part: str) -> bool:
    return part.startswith(".")


def answer_file(path: Path, request: Mapping[str, str], headers: Mapping[str, str]) -> Response | None:
    """Answer with a file, or its precompressed copy where the client takes it; None where there is no such file.

    Args:
        path: the file; a bundle's ``loader.js`` goes with the copies of its pinned twin.
        request: the request's headers.
        headers: to add to the answer.
    """
    try:
        status = path.stat()
        if status.st_size > large:
            tag = f'"{status.st_size:x}-{status.st_mtime_ns:x}"'
            return _answer_large(path, status.st_size, tag, request, headers)
        content = path.read_bytes()
    except (OSError, ValueError):
        return None
    encoding = ""
    if "range" not in request:
        for name, copy in _copies(path, content):
            if accepts(request.get("accept-encoding", ""), name):
                try:
                    content, encoding = copy.read_bytes(), name
                except OSError:
                    continue
                break
    return answer_bytes(content, media_type(path.name), request, headers, encoding)


def answer_bytes(
    content: bytes, kind: str, request: Mapping[str, str], headers: Mapping[str, str], encoding: str = ""
) -> Response:
    """Answer with all bytes, a range of them, or "not modified"."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}{"-" + encoding if encoding else ""}"'
    fields = _fields(tag, kind, headers)
    if encoding:
        fields["Content-Encoding"] = encoding
    size = len(content)
    if is_known(tag, request):
        return Response(status_code=304, headers=fields)
    part = _asked_part(request, tag, size)
    if part is None:
        return Response(content, headers=fields)
    if not part:
        return _beyond(size, fields)
    return Response(
        content[part.start : part.stop],
        206,
        {**fields, "Content-Range": f"bytes {part.start}-{part.stop - 1}/{size}"},
    )


def _answer_large(path: Path, size: int, tag: str, request: Mapping[str, str], headers: Mapping[str, str]) -> Response:
    """Answer with a file from the disk, in pieces."""
    fields = _fields(tag, media_type(path.name), headers)
    if is_known(tag, request):
        return Response(status_code=304, headers=fields)
    part = _asked_part(request, tag, size)
    if part is not None and not part:
        return _beyond(size, fields)
    if part is not None:
        fields["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    wanted = range(size) if part is None else part
    fields["Content-Length"] = str(len(wanted))
    return StreamingResponse(_pieces(path, wanted), 200 if part is None else 206, fields)


def _pieces(path: Path, wanted: range) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(wanted.start)
        left = len(wanted)
        while left and (content := file.read(min(piece, left))):
            left -= len(content)
            yield content


def _fields(tag: str, kind: str, headers: Mapping[str, str]) -> dict[str, str]:
    return {
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
        "Content-Type": kind,
        "ETag": tag,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        **headers,
    }


def is_known(tag: str, request: Mapping[str, str]) -> bool:
    """Whether the client already has this version."""
    known = [item.strip().removeprefix("W/") for item in request.get("if-none-match", "").split(",")]
    return tag in known or "*" in known


def _asked_part(request: Mapping[str, str], tag: str, size: int) -> range | None:
    """Return the bytes that are asked for, none where they are beyond the end; None for the whole file."""
    found = re.fullmatch(r"bytes\s*=\s*([0-9]*)-([0-9]*)", request.get("range", "").strip(), re.IGNORECASE)
    if not found or not (found[1] or found[2]) or request.get("if-range", tag) != tag:
        return None
    first, last = (min(int(text[-longest_number:]), size) if _fits(text) else size for text in found.groups())
    if not found[1]:
        return range(size - last, size)
    return range(first, min(size, last + 1) if found[2] else size)


def _fits(digits: str) -> bool:
    return bool(digits) and len(digits.lstrip("0")) <= longest_number


def _beyond(size: int, fields: dict[str, str]) -> Response:
    return Response(status_code=416, headers={**fields, "Content-Range": f"bytes */{size}"})


def _copies(path: Path, content: bytes) -> list[tuple[str, Path]]:
    owner = path
    if path.name == loader_name:
        owner = path.with_name(pinned_url(hashlib.sha256(content).hexdigest()))
    copies = [(name, owner.with_name(owner.name + suffix)) for name, suffix in sidecars]
    return [(name, copy) for name, copy in copies if copy.is_file()]


def accepts(header: str, encoding: str) -> bool:
    """Return whether an Accept-Encoding header takes ``encoding``."""
    for item in header.split(","):
        name, _, weight = item.partition(";")
        if name.strip().lower() in {encoding, "*"}:
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False
