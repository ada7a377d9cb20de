"""Brotli and gzip copies of files, kept only where they pay, made over all cores.

Both libraries release Python's lock while they work, so threads do; a cluster's workers may do it instead. At most one
shard a worker is in memory.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import brotli

from ..cache.local import Blob, Cache, blob_name
from ..progress import ignore

Coding = Literal["br", "gzip"]
least_saving = 0.02  # below, decoding costs the visitor more than the bytes
best_quality, fast_quality = 11, 5
probe_quality = 1
hopeless = 0.995  # of the size, at the probe's quality: mantissa planes, noise
block, noisy = 2048, 7.8  # bytes; bits a byte: brotli does not tell by itself where a noisy plane begins


@dataclass(frozen=True, slots=True)
class Encoded:
    """A file's copy in one content encoding."""

    path: Path
    nbytes: int


@dataclass(frozen=True, slots=True)
class CompressRequest:
    """Compress this file, with brotli at this quality."""

    path: Path
    quality: int


@dataclass(frozen=True, slots=True)
class Compressed:
    """A file's encodings, None where one does not pay."""

    br: bytes | None
    gzip: bytes | None


Submit = Callable[[Callable[[CompressRequest], Compressed], CompressRequest], Future[Compressed]]


@dataclass(frozen=True, slots=True)
class Compressor:
    """Makes encodings.

    Attributes:
        cache: keeps them.
        jobs: threads.
        fast: brotli 5 instead of 11, for development.
        submit: has a function run on a request, as ``Workers.submit`` does; None: threads of its own.
    """

    cache: Cache
    jobs: int
    fast: bool = False
    submit: Submit | None = None

    @property
    def quality(self) -> int:
        """The quality of brotli."""
        return fast_quality if self.fast else best_quality

    @property
    def labels(self) -> dict[Coding, str]:
        """How the cache calls each encoding: brs has sections, the earlier br had none."""
        return {"br": f"brs-{self.quality}", "gzip": "gzip-9"}

    def encode_all(
        self, blobs: Iterable[Blob], done: Callable[[Blob], None] = ignore
    ) -> dict[str, Mapping[Coding, Encoded]]:
        """Return for each blob's hash its encodings that pay: ``br``, ``gzip``.

        Args:
            blobs: what to encode.
            done: called after each.
        """
        unique = {blob.sha256: blob for blob in blobs}
        pending: dict[Future[Compressed], Blob] = {}
        with ExitStack() as stack:
            submit = self.submit or stack.enter_context(ThreadPoolExecutor(self.jobs)).submit
            stack.callback(lambda: [future.cancel() for future in pending])
            for blob in unique.values():
                if self._known(blob) is None:
                    pending[submit(compress_file, CompressRequest(blob.path, self.quality))] = blob
                else:
                    done(blob)
            for future in as_completed(list(pending)):
                blob = pending.pop(future)
                self._keep(blob, future.result())
                done(blob)
        return {sha256: self.encode(blob) for sha256, blob in unique.items()}

    def names(self, blobs: Iterable[Blob]) -> list[str]:
        """Return the names under which the cache has some blobs and what is known of their encodings."""
        return [blob_name(blob.sha256, label) for blob in blobs for label in ("", *self.labels.values())]

    def encode(self, blob: Blob) -> Mapping[Coding, Encoded]:
        """Return the encodings of one blob that pay."""
        if self._known(blob) is None:
            self._keep(blob, compress_file(CompressRequest(blob.path, self.quality)))
        known = self._known(blob) or {}
        return {name: Encoded(*found) for name, found in known.items() if found[1]}

    def _known(self, blob: Blob) -> dict[Coding, tuple[Path, int]] | None:
        """Return path and length of each encoding, length 0 where it does not pay; None when one is not made yet."""
        known = {name: self.cache.find_variant(blob, label) for name, label in self.labels.items()}
        found = {name: variant for name, variant in known.items() if variant is not None}
        return found if len(found) == len(known) else None

    def _keep(self, blob: Blob, made: Compressed) -> None:
        self.cache.put_variant(blob, self.labels["br"], made.br)
        self.cache.put_variant(blob, self.labels["gzip"], made.gzip)


def compress_file(request: CompressRequest) -> Compressed:
    """Make both encodings of a file."""
    content = request.path.read_bytes()
    return Compressed(compress_brotli(content, request.quality), compress_gzip(content))


def compress_brotli(content: bytes, quality: int) -> bytes | None:
    """Compress with brotli (RFC 7932), or give None where it does not pay.

    The window is as large as the content asks for, at most the 24 bits that browsers accept. Where noise begins or
    ends, as between planes of float32, a new section begins, with statistics of its own: up to 2 % are saved.
    """
    if quality > fast_quality and len(brotli.compress(content, quality=probe_quality)) > hopeless * len(content):
        return None
    window = min(max((len(content) - 1).bit_length(), 10), 24)
    starts = _sections(content) if quality > fast_quality else [0]
    if len(starts) == 1:
        return _if_it_pays(brotli.compress(content, quality=quality, lgwin=window), content)
    stream = brotli.Compressor(quality=quality, lgwin=window)
    pieces = [stream.process(content[: starts[1]])]
    for start, stop in pairwise([*starts[1:], len(content)]):
        pieces += [stream.flush(), stream.process(content[start:stop])]
    return _if_it_pays(b"".join((*pieces, stream.finish())), content)


def _sections(content: bytes) -> list[int]:
    """Return where noise begins or ends, 0 first: blocks with nearly 8 bits of order-0 entropy are noise."""
    import numpy as np

    starts, before = [0], None
    for start in range(0, len(content) - block + 1, block):
        shares = np.bincount(np.frombuffer(content, np.uint8, block, start), minlength=256) / block
        noise = -float(np.sum(shares * np.log2(np.maximum(shares, 1 / block)))) > noisy
        if before is not None and noise is not before:
            starts.append(start)
        before = noise
    return starts


def compress_gzip(content: bytes) -> bytes | None:
    """Compress with gzip (RFC 1952), time stamp 0, or give None where it does not pay."""
    return _if_it_pays(gzip.compress(content, 9, mtime=0), content)


def _if_it_pays(encoded: bytes, content: bytes) -> bytes | None:
    return encoded if len(encoded) <= (1 - least_saving) * len(content) else None
