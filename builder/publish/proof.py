"""What goes up is what was built: the very bytes that are sent are hashed, encoded copies as what they decode to."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..errors import FormatError, StoreError
from ..stores import Stat, TargetStore
from ..stores.encoding import decode
from .confined import read_confined
from .dist import unreadable
from .uploads import Upload


@contextmanager
def proven(upload: Upload) -> Iterator[Upload]:
    """Return an upload whose file is checked and lies where nobody else writes, so that it stays what was checked.

    Raises:
        FormatError: the file is not what the manifest says.
        UsageError: it cannot be read.
    """
    if upload.root is None:
        yield upload
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checked"
        path.write_bytes(_checked(upload, upload.root))
        yield replace(upload, path=path)


def stored_digest(upload: Upload) -> str:
    """Return the SHA-256 of the bytes to be stored, once these are known to be right.

    Raises:
        FormatError: the file is not what the manifest says.
        UsageError: it cannot be read.
    """
    content = upload.path.read_bytes() if upload.root is None else _checked(upload, upload.root)
    return hashlib.sha256(content).hexdigest()


def difference(upload: Upload, stat: Stat, store: TargetStore, *, thorough: bool) -> str:
    """Tell why a stored object is not what an upload would make of it; "" when it is.

    Args:
        upload: what should be there.
        stat: what is said to be there.
        store: where.
        thorough: what the store itself has not hashed is read.

    Raises:
        FormatError: the upload's file is not what the manifest says.
        StoreError: the store fails.
    """
    if upload.headers.get("Content-Encoding") != stat.headers.get("Content-Encoding"):
        return "stored in another encoding"
    if stat.nbytes != upload.nbytes:
        return "is there with another length"
    digest = stored_digest(upload)
    if stat.sha256 not in (None, digest):
        return "is there with other bytes"
    if stat.sha256 == digest and (stat.proven or not thorough):
        return ""
    try:
        found = store.get(upload.key)
    except StoreError:  # damaged, or the store fails, which the write will tell
        return "cannot be read"
    # A store decodes what it keeps a Content-Encoding with.
    wanted = upload.sha256 if "Content-Encoding" in stat.headers else digest
    same = found is not None and hashlib.sha256(found[0]).hexdigest() == wanted
    return "" if same else "is there with other bytes"


def _checked(upload: Upload, root: Path) -> bytes:
    """Read a file of the bundle."""
    name = upload.path.relative_to(root).as_posix()
    wrong = FormatError(
        "does not match manifest.json; nothing was made live",
        code="SP-505",
        where=str(upload.path),
        hint="Build again, then deploy",
    )
    try:
        content = read_confined(root, name, upload.nbytes)
    except OSError as error:
        raise unreadable(error, upload.path) from error
    try:
        decoded = decode(content, upload.encoding, str(upload.path), upload.length)
    except StoreError as error:
        raise wrong from error
    if (
        len(content) != upload.nbytes
        or len(decoded) != upload.length
        or hashlib.sha256(decoded).hexdigest() != upload.sha256
    ):
        raise wrong
    return content
