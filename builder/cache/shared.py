"""A build cache in a bucket, shared by runners: sealed entries that are written once and checked when they are read.

``v1/records/<platform>/<kind>-<key>.json`` holds records, ``v1/blobs/<aa>/<name>`` what they need. Each object begins
with a line of the SHA-256 over its own name and content, so a damaged one, or one that somebody put or moved there, is
seen and counts as absent; whoever makes that content again writes it anew.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from threading import Lock
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from ..errors import ConfigError, StoreError
from ..files.atomic import write_atomically
from ..stores import TargetStore
from .local import Entry

scheme = "s3://"
threads = 8  # each holds one blob in memory
mark = b"shardpress-cache 1 "
blob_pattern = re.compile(r"[0-9a-f]{64}(\.[a-z]+-[0-9]+)?")
options = ("endpoint_url", "addressing", "region", "profile")
attempts, connect_seconds = 3, 5  # a build waits for its cache, but not for long
where = "build.cache"


def is_shared(text: str) -> bool:
    """Return whether ``[build] cache`` names a bucket rather than a folder."""
    return "://" in text


def open_shared(text: str) -> SharedCache:
    """Open ``s3://bucket/prefix``; after a ``?`` may follow ``endpoint_url``, ``addressing``, ``region``, ``profile``.

    Raises:
        ConfigError: it is no such address, the profile does not exist, or boto3 is missing.
    """
    parts = urlsplit(text)
    more: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme != "s3" or not parts.netloc or parts.fragment:
        raise ConfigError(
            f"{text!r} is not a valid cache", code="SP-206", where=where, hint="Write a folder, or 's3://bucket/prefix'"
        )
    for key in more:
        if key not in options:
            raise ConfigError(
                f"unknown option {key!r}", code="SP-203", where=where, hint=f"Known options: {', '.join(options)}"
            )
    try:
        from ..stores.s3 import S3Store
        from ..stores.s3_client import Location
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed", code="SP-209", where=where, hint="pip install 'shardpress[deploy]'"
        ) from error
    prefix = parts.path.strip("/")
    location = Location(
        parts.netloc, prefix + "/" if prefix else "", attempts=attempts, connect_seconds=connect_seconds, **more
    )
    try:
        return SharedCache(S3Store(location))
    except StoreError as error:
        raise ConfigError(error.what, code=error.code, where=where, hint=error.hint) from error


class SharedCache:
    """Entries below a store's root, read when they are asked for and written beside the build's other work.

    Used as a context manager; leaving it waits until all that was offered is written.
    """

    def __init__(self, store: TargetStore) -> None:
        """Use ``store``; nothing is asked of it yet."""
        self._store = store
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="shared-cache")
        self._pending: list[Future[None]] = []
        self._settled: dict[str, Future[bool]] = {}
        self._damaged: set[str] = set()
        self._trouble: dict[str, str] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        hasty = kind is not None and not issubclass(kind, Exception)
        self._pool.shutdown(wait=True, cancel_futures=hasty)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what did not work, for the user."""
        found = [self._trouble[kind] for kind in ("read", "write") if kind in self._trouble][:1]
        if self._damaged:
            one = min(self._damaged)
            more = f" and {len(self._damaged) - 1} more" if len(self._damaged) > 1 else ""
            found.append(
                f"the shared cache {self._store.place} held damaged entries, which were made anew: {one}{more}"
            )
        return tuple(found)

    def find(self, name: str) -> Entry | None:
        """Return the record called ``name``, if it is there and undamaged."""
        key = _record_key(name)
        content = self._read(key)
        if content is None:
            return None
        try:
            entry = _parse(content)
        except (ValueError, TypeError, KeyError, AttributeError):
            self._note_damage(key)
            return None
        return entry

    def fetch(self, wanted: Mapping[Path, str]) -> bool:
        """Write to each file the blob of that name; False when one of them cannot be had, undamaged."""

        def get(item: tuple[Path, str]) -> bool:
            path, name = item
            content = self._read(_blob_key(name))
            if content is None:
                return False
            if "." not in name and hashlib.sha256(content).hexdigest() != name:
                self._note_damage(_blob_key(name))
                return False
            write_atomically(path, content)
            return True

        with ThreadPoolExecutor(threads) as pool:
            return all(list(pool.map(get, wanted.items())))

    def offer(self, name: str, entry: Entry, files: Mapping[str, Path]) -> None:
        """Take a record and the blobs it needs, by name, soon; those must not go away meanwhile."""
        if "write" in self._trouble:
            return
        needed = [self._offer_blob(blob, path) for blob, path in files.items()]
        document = {"value": entry.value, "files": list(entry.files), "tree": dict(entry.tree)}
        content = json.dumps(document, separators=(",", ":")).encode()

        def write() -> None:
            # All of these were begun before, so waiting for them cannot block the last free thread for ever.
            if all(blob.result() for blob in needed):
                self._write(_record_key(name), content)

        self._pool.submit(write)

    def _offer_blob(self, name: str, path: Path) -> Future[bool]:
        with self._lock:
            if name not in self._settled:
                self._settled[name] = self._pool.submit(self._send, _blob_key(name), path)
            return self._settled[name]

    def _send(self, key: str, path: Path) -> bool:
        try:
            return self._write(key, path.read_bytes())
        except OSError:  # a folder that somebody empties is no reason to fail
            return False

    def _read(self, key: str) -> bytes | None:
        """Return an object's content, if it is there and its seal is whole."""
        if "read" in self._trouble:
            return None
        try:
            found = self._store.get(key)
        except StoreError as error:
            self._trouble.setdefault("read", self._sentence("is not used", error))
            self._trouble.setdefault("write", self._trouble["read"])
            return None
        if found is None:
            return None
        content = _open_seal(key, found[0])
        if content is None:
            self._note_damage(key)
        return content

    def _write(self, key: str, content: bytes) -> bool:
        """Write an object unless it is there; tell whether it is there now."""
        if "write" in self._trouble:
            return False
        sealed = _seal(key, content)
        try:
            if key in self._damaged:
                self._store.replace(key, sealed, {})
            elif self._store.stat(key) is None:
                self._create(key, sealed)
        except StoreError as error:
            self._trouble.setdefault("write", self._sentence("gets nothing new", error))
            return False
        return True

    def _create(self, key: str, sealed: bytes) -> None:
        try:
            self._store.create(key, sealed)
        except StoreError:
            # Some stores refuse conditions; two writers of one key have the same content, so none is needed.
            self._store.replace(key, sealed, {})

    def _note_damage(self, key: str) -> None:
        with self._lock:
            self._damaged.add(key)

    def _sentence(self, what: str, error: StoreError) -> str:
        return f"the shared cache {self._store.place} {what}: {error.what}. {error.hint}".rstrip(". ")


def _seal(key: str, content: bytes) -> bytes:
    return mark + _digest(key, content) + b"\n" + content


def _open_seal(key: str, sealed: bytes) -> bytes | None:
    line, _, content = sealed.partition(b"\n")
    return content if line == mark + _digest(key, content) else None


def _digest(key: str, content: bytes) -> bytes:
    digest = hashlib.sha256(key.encode() + b"\n")
    digest.update(content)
    return digest.hexdigest().encode()


def _parse(content: bytes) -> Entry:
    """Read a record's document.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is none, or names what no cache would.
    """
    document: dict[str, Any] = json.loads(content)
    entry = Entry(document["value"], tuple(document["files"]), dict(document["tree"]))
    for name in (*entry.files, *entry.tree.values()):
        if not blob_pattern.fullmatch(name):
            raise ValueError(name)
    for name in entry.tree:
        if name in {"", ".", ".."} or PurePosixPath(name).name != name or "\\" in name:
            raise ValueError(name)
    return entry


def _blob_key(name: str) -> str:
    return f"v1/blobs/{name[:2]}/{name}"


def _record_key(name: str) -> str:
    """Name a record; what one kind of machine computed may differ in the last bits on another."""
    return f"v1/records/{sys.platform}-{platform.machine().lower()}/{name}.json"
