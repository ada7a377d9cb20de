"""Brotli and gzip copies of files, kept only where they pay, made over all cores.

Both libraries release Python's lock while they work, so threads do. At most one shard a thread is in memory.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import brotli

from builder.cache import Blob, Cache, blob_name
from builder.progress import ignore

least_saving = 0.02  # below, decoding costs the visitor more than the bytes
best_quality, fast_quality = 11, 5
probe_quality = 1
hopeless = 0.995  # of the size, at the probe's quality: mantissa planes, noise


@dataclass(frozen=True, slots=True)
class Encoded:
    """A file's copy in one content encoding."""

    path: Path
    nbytes: int


@dataclass(frozen=True, slots=True)
class Compressor:
    """Makes encodings.

    Attributes:
        cache: keeps them.
        jobs: threads.
        fast: brotli 5 instead of 11, for development.
    """

    cache: Cache
    jobs: int
    fast: bool = False

    @property
    def quality(self) -> int:
        """The quality of brotli."""
        return fast_quality if self.fast else best_quality

    @property
    def labels(self) -> dict[str, str]:
        """How the cache calls each encoding."""
        return {"br": f"br-{self.quality}", "gzip": "gzip-9"}

    def encode_all(
        self, blobs: Iterable[Blob], done: Callable[[Blob], None] = ignore
    ) -> dict[str, Mapping[str, Encoded]]:
        """Give for each blob's hash its encodings that pay: ``br``, ``gzip``.

        Args:
            blobs: what to encode.
            done: called after each, from several threads.
        """
        unique = {blob.sha256: blob for blob in blobs}

        def work(blob: Blob) -> Mapping[str, Encoded]:
            encodings = self.encode(blob)
            done(blob)
            return encodings

        with ThreadPoolExecutor(self.jobs) as pool:
            return dict(zip(unique, pool.map(work, unique.values()), strict=True))

    def names(self, blobs: Iterable[Blob]) -> list[str]:
        """Give the names under which the cache has some blobs and what is known of their encodings."""
        return [blob_name(blob.sha256, label) for blob in blobs for label in ("", *self.labels.values())]

    def encode(self, blob: Blob) -> Mapping[str, Encoded]:
        """Give the encodings of one blob that pay."""
        quality, labels = self.quality, self.labels
        known = {name: self.cache.find_variant(blob, label) for name, label in labels.items()}
        if not all(known.values()):
            content = blob.path.read_bytes()
            for name, made in (("br", compress_brotli(content, quality)), ("gzip", compress_gzip(content))):
                self.cache.put_variant(blob, labels[name], made)
            known = {name: self.cache.find_variant(blob, label) for name, label in labels.items()}
        return {name: Encoded(*found) for name, found in known.items() if found and found[1]}


def compress_brotli(content: bytes, quality: int) -> bytes | None:
    """Compress with brotli (RFC 7932), or give None where it does not pay.

    The window is as large as the content asks for, at most the 24 bits that browsers accept.
    """
    if quality > fast_quality and len(brotli.compress(content, quality=probe_quality)) > hopeless * len(content):
        return None
    window = min(max((len(content) - 1).bit_length(), 10), 24)
    return _if_it_pays(brotli.compress(content, quality=quality, lgwin=window), content)


def compress_gzip(content: bytes) -> bytes | None:
    """Compress with gzip (RFC 1952), time stamp 0, or give None where it does not pay."""
    return _if_it_pays(gzip.compress(content, 9, mtime=0), content)


def _if_it_pays(encoded: bytes, content: bytes) -> bytes | None:
    return encoded if len(encoded) <= (1 - least_saving) * len(content) else None
