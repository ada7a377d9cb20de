"""A built model as files: what is put into a bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..cache.local import Blob
from ..model import TensorSpec
from ..packing.compress import Coding, Encoded
from .format import suffixes
from .head import Head
from .index import IndexEntry


@dataclass(frozen=True, slots=True)
class File:
    """An immutable file of a bundle.

    Attributes:
        url: relative to the bundle's root.
        blob: its content.
        encodings: its copies that pay, by content encoding (``br``, ``gzip``).
    """

    url: str
    blob: Blob
    encodings: Mapping[Coding, Encoded]

    @property
    def wire(self) -> int:
        """Bytes as sent with the best of brotli and identity."""
        return self.encodings["br"].nbytes if "br" in self.encodings else self.blob.nbytes

    def variants(self) -> Iterator[tuple[str, Path]]:
        """Return key and path of the file and of its encoded copies."""
        yield self.url, self.blob.path
        for name, encoded in self.encodings.items():
            yield self.url + suffixes[name], encoded.path


@dataclass(frozen=True, slots=True)
class StageSize:
    """A stage's name, and the bytes of its shards, decoded and as sent."""

    name: str
    nbytes: int
    wire: int


@dataclass(frozen=True, slots=True)
class ModelBundle:
    """The files of one model, whatever its policies are.

    Attributes:
        name: its name in the loader.
        head: the file that describes it.
        content: the head, parsed.
        shards: in order of fetching, as ``content.shards``.
        inputs, outputs: by signature name.
        ops: the module of its own ops, if it has some.
    """

    name: str
    head: File
    content: Head
    shards: tuple[File, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: File | None = None

    @property
    def files(self) -> tuple[File, ...]:
        """Return all files, the head last: whatever a head names is there before it."""
        return *self.shards, *((self.ops,) if self.ops else ()), self.head

    @property
    def nbytes(self) -> int:
        """Decoded bytes of the head and all shards."""
        return sum(file.blob.nbytes for file in (*self.shards, self.head))

    @property
    def wire(self) -> int:
        """Sent bytes of the head and all shards."""
        return sum(file.wire for file in (*self.shards, self.head))

    @property
    def first_wire(self) -> int:
        """Sent bytes of the head and of all stages but the one that refines, or of what word vectors answer from."""
        words = self.content.kind == "word-vectors"
        stages = self.stage_sizes()
        return self.head.wire + sum(stage.wire for stage in (stages[:1] if words else stages) if stage.name != "refine")

    def stage_files(self, number: int) -> tuple[File, ...]:
        """Return the shards of a stage."""
        shards = zip(self.shards, self.content.shards, strict=True)
        return tuple(file for file, shard in shards if shard.stage == number)

    def stage_sizes(self) -> list[StageSize]:
        """Return the size of each stage; the head is in none."""
        return [
            StageSize(name, sum(file.blob.nbytes for file in files), sum(file.wire for file in files))
            for number, name in enumerate(self.content.stages)
            for files in (self.stage_files(number),)
        ]

    def entry(self, load: str, priority: str) -> IndexEntry:
        """Return what the index says of it, with the policies of build.toml."""
        head = self.head.blob
        return IndexEntry(head.sha256, head.nbytes, load, priority, self.content.kind, self.nbytes, self.wire)
