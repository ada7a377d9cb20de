"""Files of a bundle as the objects of a target: one encoding each where the target keeps headers, else all copies."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..bundle.format import loader_name, pinned_url, suffixes
from ..bundle.manifest import FileEntry
from ..stores import Headers
from ..stores.encoding import encode
from .headers import Rules, headers_for, rules_hash
from .pointer import loader_hash


@dataclass(frozen=True, slots=True)
class Upload:
    """An object to be.

    Attributes:
        key: below the target's root.
        path: the file with its stored bytes.
        nbytes: of that file.
        headers: to be served with.
        sha256, length: of what it decodes to.
        encoding: of the file: "", ``br`` or ``gzip``.
        root: the untrusted folder that it lies in; None where this run has made the file itself.
    """

    key: str
    path: Path
    nbytes: int
    headers: Headers
    sha256: str
    length: int
    encoding: str = ""
    root: Path | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """How a target keeps files.

    Attributes:
        keeps_headers: objects carry headers, and so one encoding each.
        encoding: which.
        rules: the target's own headers.
    """

    keeps_headers: bool
    encoding: str
    rules: Rules

    @property
    def hash(self) -> str:
        """Changes when any object would be stored otherwise."""
        return rules_hash(self.encoding, self.rules) if self.keeps_headers else ""

    def pointer_headers(self, key: str = loader_name) -> dict[str, str]:
        """Return the headers of a pointer."""
        if not self.keeps_headers:
            return {}
        return headers_for(key, None if self.encoding == "identity" else self.encoding, self.rules)

    def keys(self, file: FileEntry) -> Iterator[str]:
        """Return the keys of a file's objects."""
        yield file.url
        if not self.keeps_headers:
            yield from (file.url + suffixes[name] for name in file.encodings)

    def uploads(self, root: Path, files: Iterable[FileEntry]) -> Iterator[Upload]:
        """Return the objects for files below ``root``."""
        for file in files:
            if not self.keeps_headers:
                yield _upload(root, file, "", file.url, {})
                for name in file.encodings:
                    yield _upload(root, file, name, file.url + suffixes[name], {})
            else:
                encoding = self.encoding if self.encoding in file.encodings else ""
                yield _upload(root, file, encoding, file.url, headers_for(file.url, encoding or None, self.rules))

    def pinned(self, loader: bytes, folder: Path) -> list[Upload]:
        """Return the objects of a pinned loader; their files are written to ``folder``."""
        key = pinned_url(loader_hash(loader))
        if self.keeps_headers:
            chosen = [(key, "" if self.encoding == "identity" else self.encoding)]
        else:
            chosen = [(key, ""), (key + ".br", "br"), (key + ".gz", "gzip")]
        uploads = []
        for name, encoding in chosen:
            path = folder / name
            path.write_bytes(_encoded(loader, encoding))
            headers = headers_for(key, encoding or None, self.rules) if self.keeps_headers else {}
            digest = hashlib.sha256(loader).hexdigest()
            uploads.append(Upload(name, path, path.stat().st_size, headers, digest, len(loader), encoding))
        return uploads


@functools.lru_cache(maxsize=8)  # a plan that is made again, after a conflict, has the same loader
def _encoded(loader: bytes, encoding: str) -> bytes:
    return encode(loader, encoding)


def _upload(root: Path, file: FileEntry, encoding: str, key: str, headers: Headers) -> Upload:
    path = root / (file.url + (suffixes[encoding] if encoding else ""))
    nbytes = next((count for name, count in file.encodings.items() if name == encoding), file.bytes)
    return Upload(key, path, nbytes, headers, file.sha256, file.bytes, encoding, root)
