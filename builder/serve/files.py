"""From a URL path to a file, and from a file to an HTTP answer: encodings, ranges, validators."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from builder.bundle import loader_name, pinned_url
from builder.serve.media import media_type

sidecars = (("br", ".br"), ("gzip", ".gz"))


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder that is served.

    Attributes:
        prefix: of the URL path, with a closing slash and without a leading one: ``dist/``.
        folder: what lies there.
    """

    prefix: str
    folder: Path


def locate(mounts: tuple[Mount, ...], path: str) -> Path | None:
    """Give the file or folder for a decoded URL path without its leading slash, whether or not it exists.

    Hidden names, ``..`` and whatever else could leave a folder have none.
    """
    for mount in mounts:
        if path.startswith(mount.prefix):
            parts = [part for part in path.removeprefix(mount.prefix).split("/") if part]
            if any(part.startswith(".") or set(part) & {"\\", ":", "\0"} for part in parts):
                return None
            return mount.folder.joinpath(*parts)
    return None


def answer_file(path: Path, request: Mapping[str, str], headers: Mapping[str, str]) -> Response | None:
    """Answer with a file, or its precompressed copy where the client takes it; None where there is no such file.

    Args:
        path: the file; a bundle's ``loader.js`` goes with the copies of its pinned twin.
        request: the request's headers.
        headers: to add to the answer.
    """
    try:
        content = path.read_bytes()
    except OSError:
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
    """Answer with bytes: whole, a range of them, or that they have not changed."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}{"-" + encoding if encoding else ""}"'
    fields = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
        "Content-Type": kind,
        "ETag": tag,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        **headers,
    }
    if encoding:
        fields["Content-Encoding"] = encoding
    known = [item.strip().removeprefix("W/") for item in request.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=fields)
    if "range" in request and request.get("if-range", tag) == tag:
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", request["range"].strip())
        if found and (found[1] or found[2]):
            return _part(content, found[1], found[2], fields)
    return Response(content, headers=fields)


def _part(content: bytes, first: str, last: str, fields: dict[str, str]) -> Response:
    size = len(content)
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= stop:
        return Response(status_code=416, headers={**fields, "Content-Range": f"bytes */{size}"})
    return Response(content[start:stop], 206, {**fields, "Content-Range": f"bytes {start}-{stop - 1}/{size}"})


def _copies(path: Path, content: bytes) -> list[tuple[str, Path]]:
    owner = path
    if path.name == loader_name:
        owner = path.with_name(pinned_url(hashlib.sha256(content).hexdigest()))
    copies = [(name, owner.with_name(owner.name + suffix)) for name, suffix in sidecars]
    return [(name, copy) for name, copy in copies if copy.is_file()]


def accepts(header: str, encoding: str) -> bool:
    """Tell whether an Accept-Encoding header takes ``encoding``."""
    for item in header.split(","):
        name, _, weight = item.partition(";")
        if name.strip().lower() in {encoding, "*"}:
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False
