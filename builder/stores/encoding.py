"""Encodes and decodes ``Content-Encoding``, within limits of size."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator

import brotli

from ..config.units import show_size
from ..errors import StoreError

quality = 11  # of brotli
largest = 1 << 30  # limit if no length is known; nothing we publish comes near it
gzip_window = 31  # zlib: 32 KiB, in gzip's wrapping
step = 1 << 16
unpacked_freely = 1 << 20  # below this, the ratio is not checked


def encode(content: bytes, encoding: str) -> bytes:
    """Encode bytes for the ``Content-Encoding`` they are sent with."""
    if encoding == "br":
        return bytes(brotli.compress(content, quality=quality))
    return gzip.compress(content, 9, mtime=0) if encoding == "gzip" else content


def decode(body: bytes, encoding: str, key: str = "", most: int = largest) -> bytes:
    """Undo ``encode``.

    Args:
        body: the encoded bytes.
        encoding: as ``Content-Encoding`` says it.
        key: where they come from, for messages.
        most: maximum of decoded bytes.

    Raises:
        StoreError: the bytes are damaged or too many, or the encoding is not known.
    """
    return decode_stream((body,), encoding, key, most)


def decode_stream(
    chunks: Iterable[bytes], encoding: str, key: str = "", most: int = largest, ratio: int | None = None
) -> bytes:
    """Undo ``encode`` while bytes arrive; needs memory for the result and one step.

    Args:
        chunks: the encoded bytes.
        encoding: as ``Content-Encoding`` says it.
        key: where they come from, for messages.
        most: maximum of decoded bytes.
        ratio: maximum of decoded to encoded bytes, where ``most`` is too generous a limit.

    Raises:
        StoreError: the bytes are damaged or too many, or the encoding is not known.
    """
    name = encoding.strip().lower()
    decoder = {"": _plain, "identity": _plain, "br": _brotli, "gzip": _gzip}.get(name)
    if decoder is None:
        raise StoreError(
            f"has the Content-Encoding {encoding!r}, which not all browsers can decode",
            code="SP-609",
            where=key,
            hint="Store and serve it as br, gzip or without an encoding",
        )
    read = 0

    def counted() -> Iterator[bytes]:
        nonlocal read
        for chunk in chunks:
            read += len(chunk)
            yield chunk

    found, total = [], 0
    try:
        for part in decoder(counted()):
            total += len(part)
            if total > most:
                raise StoreError(
                    f"exceeds the size limit of {show_size(most)}",
                    code="SP-606",
                    where=key,
                    hint="Deploy with --repair",
                )
            if ratio and total > max(unpacked_freely, ratio * read):
                raise StoreError(
                    f"unpacks to more than {ratio} times its {show_size(read)}",
                    code="SP-606",
                    where=key,
                    hint="Deploy with --repair",
                )
            found.append(part)
    except (brotli.error, zlib.error, EOFError) as error:
        raise StoreError(
            f"cannot be decoded as its Content-Encoding ({name})",
            code="SP-609",
            where=key,
            hint="Deploy with --repair",
        ) from error
    return b"".join(found)


def _plain(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield from chunks


def _brotli(chunks: Iterable[bytes]) -> Iterator[bytes]:
    decoder = brotli.Decompressor()
    for chunk in chunks:
        yield decoder.process(chunk, output_buffer_limit=step)
        while not decoder.can_accept_more_data():
            yield decoder.process(b"", output_buffer_limit=step)
    while not decoder.is_finished():  # what the limit of the last step left inside
        part = decoder.process(b"", output_buffer_limit=step)
        if not part:
            raise EOFError
        yield part


def _gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack one or more members, as the format allows."""
    decoder = zlib.decompressobj(gzip_window)
    begun = False
    for chunk in chunks:
        data = chunk
        while data:
            if decoder.eof:
                decoder, begun = zlib.decompressobj(gzip_window), False
            begun = True
            yield decoder.decompress(data, step)
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    while not decoder.eof:
        part = decoder.decompress(b"", step)
        if not part:
            raise EOFError
        yield part
    if not begun:
        raise EOFError
