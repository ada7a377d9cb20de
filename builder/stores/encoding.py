"""The bytes behind ``Content-Encoding``."""

from __future__ import annotations

import gzip

import brotli

from builder.errors import StoreError


def encode(content: bytes, encoding: str) -> bytes:
    """Encode bytes for the ``Content-Encoding`` they are sent with."""
    if encoding == "br":
        return bytes(brotli.compress(content, quality=11))
    return gzip.compress(content, 9, mtime=0) if encoding == "gzip" else content


def decode(body: bytes, encoding: str, key: str = "") -> bytes:
    """Undo ``encode``.

    Raises:
        StoreError: the bytes are damaged.
    """
    try:
        if encoding == "br":
            return bytes(brotli.decompress(body))
        return gzip.decompress(body) if encoding == "gzip" else body
    except (brotli.error, OSError, EOFError) as error:
        raise StoreError(
            f"is not what its Content-Encoding ({encoding}) says", where=key, hint="Deploy with --repair"
        ) from error
