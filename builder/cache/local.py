"""Content-addressed store of file contents and of records of work done.

``blobs/<sha256>`` holds contents, ``blobs/<sha256>.<encoding>-<quality>`` their encodings (empty where encoding does
not pay), ``records/<kind>-<key>.json`` what a step made, ``work/`` folders of steps under way. Everything appears by
rename, so a killed build leaves nothing half-written under a final name. A cache that other machines share may stand
behind the folder: a record that only that one has comes here with all files it needs, or not at all.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..errors import ShardpressError
from ..files.atomic import write_atomically
from ..files.plain import plain_values
from ..model import Extent, FileData, chunks

stale_seconds = 86_400.0
racy_seconds = 2.0  # a file this fresh may change again without its time changing
own_kinds = frozenset(("latest",))  # records that say something of this folder only


@dataclass(frozen=True, slots=True)
class Blob:
    """A file's content: where it lies, its length and hash (64 hexadecimal digits)."""

    path: Path
    nbytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in a shared cache.

    Attributes:
        value: the record.
        files: names of the blobs it needs.
        tree: hashes of the files of its folder, by name.
    """

    value: Any
    files: tuple[str, ...] = ()
    tree: Mapping[str, str] = field(default_factory=dict)


class Shared(Protocol):
    """A cache that several machines use. It never fails: what it cannot give or take it notes as a warning."""

    def find(self, name: str) -> Entry | None:
        """Return the record called ``name``, if it is there and undamaged."""

    def fetch(self, wanted: Mapping[Path, str]) -> bool:
        """Write to each file the blob of that name; False when one of them cannot be had, undamaged."""

    def offer(self, name: str, entry: Entry, files: Mapping[str, Path]) -> None:
        """Take a record and the blobs it needs, by name, soon; those must not go away meanwhile."""


class Cache:
    """The cache folder of one project."""

    def __init__(self, root: Path, shared: Shared | None = None) -> None:
        """Use, and make when missing, the folder ``root``.

        Args:
            root: the folder.
            shared: asked for records that the folder lacks, and given those it gets.

        Raises:
            ShardpressError: the folder cannot be made.
        """
        self.root = root
        self._shared = shared
        try:
            for name in ("blobs", "records", "trees", "work"):
                (root / name).mkdir(parents=True, exist_ok=True)
            ignore = root / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
        except OSError as error:
            raise ShardpressError(
                f"the cache folder cannot be created ({error.strerror})",
                code="SP-905",
                where=str(root),
                hint="Set [build] cache to a folder that you may write to",
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
        """Return the blob with this hash, or None."""
        path = self._blob_path(sha256)
        try:
            return Blob(path, path.stat().st_size, sha256)
        except OSError:
            return None

    def put_variant(self, blob: Blob, label: str, content: bytes | None) -> None:
        """Store another encoding of a blob; None notes that it does not pay."""
        write_atomically(self._blob_path(blob.sha256, label), content or b"")

    def find_variant(self, blob: Blob, label: str) -> tuple[Path, int] | None:
        """Return path and length of an encoding; length 0 means that it does not pay; None: not yet known."""
        path = self._blob_path(blob.sha256, label)
        try:
            return path, path.stat().st_size
        except OSError:
            return None

    def record(self, kind: str, key: str) -> Any | None:
        """Return the record of a step, or None; a damaged one counts as none."""
        found = _read_json(self._record_path(kind, key))
        if found is not None or self._shared is None or kind in own_kinds:
            return found
        entry = self._shared.find(f"{kind}-{key}")
        if entry is None or not self._fetch(entry.files):
            return None
        self._keep(kind, key, entry.value)
        return entry.value

    def put_record(self, kind: str, key: str, value: object, files: Iterable[str] = ()) -> None:
        """Store the record of a step.

        Args:
            kind: of step.
            key: of all it depends on.
            value: anything that JSON can hold.
            files: names of blobs and encodings, as ``blob_name`` gives them, without which the record is worth nothing.
        """
        self._keep(kind, key, value)
        if self._shared is not None and kind not in own_kinds:
            needed = {name: self._named(name) for name in files}
            self._shared.offer(f"{kind}-{key}", Entry(value, tuple(needed)), needed)

    def tree(self, kind: str, key: str) -> Path:
        """Return the folder of a step that makes files; it exists once the step is done."""
        return self.root / "trees" / f"{kind}-{key}"

    def find_tree(self, kind: str, key: str) -> Any | None:
        """Return the record of a step that made a folder, if both are there."""
        tree = self.tree(kind, key)
        found = _read_json(self._record_path(kind, key))
        if found is not None and tree.is_dir():
            return found
        entry = self._shared.find(f"{kind}-{key}") if self._shared else None
        if entry is None or self._shared is None or not entry.tree:
            return None
        with self.work() as work:
            made = work / "tree"
            made.mkdir()
            if not self._shared.fetch({made / name: digest for name, digest in entry.tree.items()}):
                return None
            if not tree.exists():
                made.rename(tree)
        self._keep(kind, key, entry.value)
        return entry.value

    def put_tree(self, kind: str, key: str, value: object) -> None:
        """Store the record of a step whose folder is there; it is shared when it holds nothing but files."""
        self._keep(kind, key, value)
        files = {path.name: path for path in sorted(self.tree(kind, key).iterdir())}
        if self._shared is not None and all(path.is_file() for path in files.values()):
            tree = {name: digest_of(path) for name, path in files.items()}
            self._shared.offer(f"{kind}-{key}", Entry(value, (), tree), {tree[name]: files[name] for name in files})

    @contextmanager
    def work(self) -> Iterator[Path]:
        """Return an empty folder that is gone afterwards."""
        folder = Path(tempfile.mkdtemp(dir=self.root / "work"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def file_digest(self, path: Path) -> str:
        """Return a file's SHA-256, remembered while its length and time stay the same."""
        status = path.stat()
        name = str(path.resolve())
        state = [status.st_size, status.st_mtime_ns, status.st_ino]
        known = self._stats.get(name)
        if known and known[:3] == state:
            return str(known[3])
        digest = digest_of(path)
        if time.time() - status.st_mtime > racy_seconds:
            self._stats[name] = [*state, digest]
            self._stats_changed = True
        return digest

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
        return self._named(blob_name(digest, label))

    def _named(self, name: str) -> Path:
        return self.root / "blobs" / name[:2] / name

    def _record_path(self, kind: str, key: str) -> Path:
        return self.root / "records" / f"{kind}-{key}.json"

    def _keep(self, kind: str, key: str, value: object) -> None:
        write_atomically(self._record_path(kind, key), json.dumps(value, separators=(",", ":")).encode())

    def _fetch(self, names: Iterable[str]) -> bool:
        missing = {path: name for name in names if not (path := self._named(name)).exists()}
        return not missing or (self._shared is not None and self._shared.fetch(missing))


def blob_name(digest: str, label: str = "") -> str:
    """Name the content with this hash, or its encoding ``label``."""
    return f"{digest}.{label}" if label else digest


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    digest = hashlib.sha256()
    for chunk in chunks(FileData((Extent(path, 0, path.stat().st_size),))):
        digest.update(chunk)
    return digest.hexdigest()


def key_of(*parts: object) -> str:
    """Return a key for values, dataclasses and structs of what JSON can hold and paths: 32 digits of its SHA-256.

    A request is given as a whole, so that a field which it gets later is in the key by itself.
    """
    return hashlib.sha256(json.dumps(plain_values(parts), sort_keys=True).encode()).hexdigest()[:32]


def _read_json(path: Path) -> Any | None:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
