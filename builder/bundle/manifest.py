"""The shape of ``manifest.json``: what a build writes, a deploy reads and the published JSON Schema tells."""

from __future__ import annotations

from typing import Any

import msgspec

from ..packing.compress import Coding
from .format import Kind


class FileEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A file: address below ``cdn/``, decoded length, SHA-256 in hexadecimal, lengths of its encodings."""

    url: str
    bytes: int
    sha256: str
    encodings: dict[Coding, int]


class ShardEntry(FileEntry):
    """A shard, and the stage it belongs to."""

    stage: str


class StageEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A stage: bytes of its shards, decoded and as sent."""

    name: str
    bytes: int
    wire_bytes: int


class WeightEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A weight; a segment is [shard, plane] or [shard, plane, from, to].

    ``bytes`` are those of its own in each stage, before compression: none where it has the bytes of an earlier weight.
    """

    name: str
    shape: list[int]
    dtype: str
    codec: str
    bytes: dict[str, int]
    segments: list[list[int]]


class VerifiedEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Which runtime ran the model, and how it compares with the source model: ``answers`` are those of ``run``."""

    runtime: str
    max_error: float
    agreement: float
    answers: tuple[int, int] | None = None


class LadderEntry(msgspec.Struct, forbid_unknown_fields=True):
    """The rungs below the last one of a ladder, which are models of their own.

    ``agreement`` is the share of each one's answers that are the last one's, null where it was not measured.
    ``tensors`` says whether all take and give the same tensors, so that pages may use them.
    """

    rungs: list[str]
    agreement: list[float | None]
    tensors: bool


class CostEntry(msgspec.Struct, forbid_unknown_fields=True):
    """What one run takes: multiply-adds, and kernels of TensorFlow.js that do something."""

    macs: int
    ops: int


class ModelEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A model."""

    format: Kind
    load: str
    priority: str
    precision: str | dict[str, str]
    contract: str
    ladder: LadderEntry | None = None
    rung_of: str | None = None
    cost: CostEntry | None = None
    verified: VerifiedEntry | None
    head: FileEntry
    ops: FileEntry | None = None
    stages: list[StageEntry]
    shards: list[ShardEntry]
    weights: list[WeightEntry]
    compat: list[FileEntry]
    license: str | None
    card: str | None


class LoaderEntry(msgspec.Struct, forbid_unknown_fields=True):
    """The mutable loader's address and its pinned copy."""

    url: str
    pinned: FileEntry


class RuntimeEntry(msgspec.Struct, forbid_unknown_fields=True):
    """The bundle's own TensorFlow.js: the module ``tf`` and its binaries; ``kernels`` is null when it has all."""

    version: str
    backends: list[str]
    kernels: list[str] | None
    wasm: list[FileEntry]


class PreloadEntry(msgspec.Struct, forbid_unknown_fields=True):
    """What comes before the first answers of models with the policy ``now``.

    ``modules`` are names of those that a page imports, ``worker`` of those that the worker of its models does, with
    ``tf`` also where the bundle does not bring it. ``ops`` and ``files`` are addresses below ``cdn/``: of own ops, and
    of heads and first stages.
    """

    modules: list[str]
    worker: list[str]
    ops: list[str]
    files: list[str]


class Manifest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """All of ``manifest.json``."""

    version: int
    release: str
    generator: str
    loader: LoaderEntry
    worker: FileEntry
    modules: dict[str, FileEntry] = {}
    runtime: RuntimeEntry | None = None
    preload: PreloadEntry | None = None
    models: dict[str, ModelEntry]


def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``manifest.json``."""
    return msgspec.json.schema(Manifest)
