"""Content-addressed store of file contents and of records of work done.

``blobs/<sha256>`` holds contents, ``blobs/<sha256>.<encoding>-<quality>`` their encodings (empty where encoding does
not pay), ``records/<kind>-<key>.json`` what a step made, ``work/`` folders of steps under way. Everything appears by
rename, so a killed build leaves nothing half-written under a final name.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.errors import ShardpressError
from builder.model import Extent, FileData, chunks

stale_seconds = 86_400.0
racy_seconds = 2.0  # a file this fresh may change again without its time changing


@dataclass(frozen=True, slots=True)
class Blob:
    """A file's content: where it lies, its length and hash (64 hexadecimal digits)."""

    path: Path
    nbytes: int
    sha256: str


class Cache:
    """The cache folder of one project."""

    def __init__(self, root: Path) -> None:
        """Use, and make when missing, the folder ``root``.

        Raises:
            ShardpressError: the folder cannot be made.
        """
        self.root = root
        try:
            for name in ("blobs", "records", "trees", "work"):
                (root / name).mkdir(parents=True, exist_ok=True)
            ignore = root / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
        except OSError as error:
            raise ShardpressError(
                f"the cache folder cannot be made ({error.strerror})",
                where=str(root),
                hint="Set [build] cache to a folder you may write",
            ) from error
        self._sweep()
        self._stats = _read_json(root / "stats.json") or {}
        self._stats_changed = False

    def put(self, content: bytes) -> Blob:
        """Store bytes and give their blob."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._blob_path(digest)
        if not path.exists():
            write_atomically(path, content)
        return Blob(path, len(content), digest)

    def find(self, sha256: str) -> Blob | None:
        """Give the blob with this hash, or None."""
        path = self._blob_path(sha256)
        try:
            return Blob(path, path.stat().st_size, sha256)
        except OSError:
            return None

    def put_variant(self, blob: Blob, label: str, content: bytes | None) -> None:
        """Store another encoding of a blob; None notes that it does not pay."""
        write_atomically(self._blob_path(blob.sha256, label), content or b"")

    def find_variant(self, blob: Blob, label: str) -> tuple[Path, int] | None:
        """Give path and length of an encoding; length 0 means that it does not pay; None: not yet known."""
        path = self._blob_path(blob.sha256, label)
        try:
            return path, path.stat().st_size
        except OSError:
            return None

    def record(self, kind: str, key: str) -> Any | None:
        """Give the record of a step, or None; a damaged one counts as none."""
        return _read_json(self.root / "records" / f"{kind}-{key}.json")

    def put_record(self, kind: str, key: str, value: Any) -> None:
        """Store the record of a step."""
        content = json.dumps(value, separators=(",", ":")).encode()
        write_atomically(self.root / "records" / f"{kind}-{key}.json", content)

    def tree(self, kind: str, key: str) -> Path:
        """Give the folder of a step that makes files; it exists once the step is done."""
        return self.root / "trees" / f"{kind}-{key}"

    @contextmanager
    def work(self) -> Iterator[Path]:
        """Give an empty folder that is gone afterwards."""
        folder = Path(tempfile.mkdtemp(dir=self.root / "work"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def file_digest(self, path: Path) -> str:
        """Give a file's SHA-256, remembered while its length and time stay the same."""
        status = path.stat()
        name = str(path.resolve())
        state = [status.st_size, status.st_mtime_ns, status.st_ino]
        known = self._stats.get(name)
        if known and known[:3] == state:
            return str(known[3])
        digest = hashlib.sha256()
        for chunk in chunks(FileData((Extent(path, 0, status.st_size),))):
            digest.update(chunk)
        if time.time() - status.st_mtime > racy_seconds:
            self._stats[name] = [*state, digest.hexdigest()]
            self._stats_changed = True
        return digest.hexdigest()

    def close(self) -> None:
        """Write down what ``file_digest`` learnt."""
        if self._stats_changed:
            write_atomically(self.root / "stats.json", json.dumps(self._stats).encode())

    def _sweep(self) -> None:
        """Remove work folders that killed builds left, once they are too old to be of a build under way."""
        for folder in (self.root / "work").iterdir():
            try:
                if time.time() - folder.stat().st_mtime > stale_seconds:
                    shutil.rmtree(folder, ignore_errors=True)
            except FileNotFoundError:
                continue

    def _blob_path(self, digest: str, label: str = "") -> Path:
        return self.root / "blobs" / digest[:2] / (f"{digest}.{label}" if label else digest)


def key_of(*parts: Any) -> str:
    """Give a key for anything that JSON can hold: the first 32 digits of its SHA-256."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def is_rest(path: Path) -> bool:
    """Tell whether a file is what a killed writer left."""
    return path.name.startswith(".") and path.suffix == ".tmp"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, also when the process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _read_json(path: Path) -> Any | None:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
