"""The encoded copies that lie beside the files of a directory target: its server chooses them unseen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from ..bundle.format import suffixes
from ..errors import StoreError
from ..stores import TargetStore
from ..stores.encoding import decode


def wrong_copies(store: TargetStore, files: Iterable[tuple[str, str, int]]) -> Iterator[tuple[str, str]]:
    """Return the keys of the copies that do not decode to what they stand for, and what is wrong.

    Args:
        store: a target; one that keeps headers has no copies.
        files: address, hash or the first digits of it, and decoded length or -1 of each file.
    """
    if store.keeps_headers:
        return
    for url, digest, length in files:
        plain = store.get(url) if length < 0 else None
        if length < 0 and plain is None:
            continue  # which is told anyway
        most = len(plain[0]) if plain else length
        for encoding, suffix in suffixes.items():
            try:
                found = store.get(url + suffix)
                same = found is None or _hash(decode(found[0], encoding, url + suffix, most)).startswith(digest)
            except StoreError as error:
                yield url + suffix, error.what
            else:
                if not same:
                    yield url + suffix, "is not a copy of what it stands for"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
