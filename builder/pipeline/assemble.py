"""From a model to its head and shards, and from the record of that back to them."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from ..answers.describe import Described, plain_run
from ..bundle.files import File, ModelBundle
from ..bundle.format import head_url, ops_url, shard_url
from ..bundle.head import Head, HeadShard, head_shard, make_head, read_head, write_head
from ..cache.local import Blob, Cache
from ..codecs.raw import Raw
from ..files.plain import plain_values
from ..model import BytesData, Model, TensorSpec, Weight
from ..packing.compress import Coding, Compressor
from ..packing.segments import Precision, Stage, base, choose_codecs, plan_stages, quantize_weights
from ..packing.shards import Shard, pack, read
from ..precision.calibrate import Measured
from ..transforms.dedupe import find_same
from ..transforms.inspect import find_non_finite
from ..transforms.order import order_weights
from ..transforms.reach import first_stages
from ..typed import from_builtins
from ..verify.ids import ids_below
from ..words.table import Table, plan

words_name = "tokenizer"
"""Name of the weight that holds a tokenizer's vocabulary; ``templates/modules/tokens.js`` looks for it."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """A built model, and what only its build knows of it.

    Attributes:
        bundle: its files.
        notes: sentences the user should read.
        ids_below: rows of the tables that inputs look up, by input, for seeded verification.
        precision: what was measured of it, for ``report.json``; empty when nothing was.
    """

    bundle: ModelBundle
    notes: tuple[str, ...]
    ids_below: Mapping[str, int]
    precision: Mapping[str, Any]


def assemble(
    name: str,
    model: Model,
    *,
    labels: tuple[str, ...] | None,
    precision: Precision = "exact",
    measured: Measured | None = None,
    outputs: tuple[tuple[str, tuple[str, ...]], ...] = (),
    ops: bytes | None = None,
    run: Described = plain_run,
    vocabulary: bytes | None = None,
    shard_bytes: int,
    cache: Cache,
    compressor: Compressor,
    begin: Callable[[int], None],
    advance: Callable[[Blob], None],
) -> Assembly:
    """Order, deduplicate, split, pack and compress a model.

    Args:
        name: its name in the loader.
        model: as a source gave it.
        labels: what the outputs' numbers mean, if known.
        precision: how weights are stored, as in build.toml.
        measured: what a measurement of its precision gave.
        outputs: name and outputs of each stage before the refining one; all come together when there are none.
        ops: the module of its own ops, if it has some.
        run: how a page's ``run`` goes from a picture or a text to an answer.
        vocabulary: of the tokenizer, if it has one.
        shard_bytes: about how large a shard is.
        cache: keeps the files.
        compressor: makes their encodings.
        begin: told the number of files.
        advance: told each one that is compressed.
    """
    model = order_weights(model)
    model = (
        quantize_weights(model, precision, measured.halves, measured.codecs)
        if measured
        else quantize_weights(model, precision)
    )
    codecs = choose_codecs(model, precision, measured.codecs if measured else None)
    firsts = first_stages(model, outputs, f"models.{name}.stages") if outputs else ()
    if vocabulary is not None:
        # TensorFlow.js holds it as any other weight, so it comes, is kept and goes with them.
        model, codecs = replace(model, weights=(_words(vocabulary), *model.weights)), (Raw(), *codecs)
        firsts = (0, *firsts) if firsts else ()
    same = find_same(model.weights, tuple(codec.identity for codec in codecs))
    notes = (*model.notes, *_weight_notes(model), *(measured.notes if measured else ()))
    stages = plan_stages(model.weights, codecs, same, tuple(stage for stage, _ in outputs) or (base,), firsts)
    plans = [(number, shard) for number, stage in enumerate(stages) for shard in pack(stage, shard_bytes)]
    files, shards = _shards(plans, name, stages, cache, compressor, begin, advance)
    ops_blob = cache.put(ops) if ops is not None else None
    ops_file = File(ops_url(name, ops_blob.sha256), ops_blob, compressor.encode(ops_blob)) if ops_blob else None
    digest = ops_blob.sha256 if ops_blob else None
    content = make_head(name, model, stages, shards, codecs, same, labels, digest, run)
    head, content = _write_head(content, cache, compressor, advance)
    bundle = ModelBundle(name, head, content, files, model.inputs, model.outputs, ops_file)
    return Assembly(bundle, notes, ids_below(model), measured.facts if measured else {})


def _words(vocabulary: bytes) -> Weight:
    """Return a tokenizer's vocabulary as a tensor of one string."""
    content = struct.pack("<I", len(vocabulary)) + vocabulary
    return Weight(words_name, (1,), "string", BytesData(content))


def assemble_vectors(
    name: str,
    table: Table,
    *,
    cache: Cache,
    compressor: Compressor,
    begin: Callable[[int], None],
    advance: Callable[[Blob], None],
) -> Assembly:
    """Pack and compress word vectors; the arguments are those of ``assemble``."""
    model, codecs, stages, plans = plan(table)
    files, shards = _shards(plans, name, stages, cache, compressor, begin, advance)
    content = make_head(name, model, stages, shards, codecs, (None,) * len(codecs), None)
    head, content = _write_head(content, cache, compressor, advance)
    return Assembly(ModelBundle(name, head, content, files, model.inputs, model.outputs), model.notes, {}, {})


def _shards(
    plans: list[tuple[int, Shard]],
    name: str,
    stages: tuple[Stage, ...],
    cache: Cache,
    compressor: Compressor,
    begin: Callable[[int], None],
    advance: Callable[[Blob], None],
) -> tuple[tuple[File, ...], tuple[HeadShard, ...]]:
    """Write the shards; give their files and what the head says of them."""
    blobs = [cache.put(read(shard)) for _, shard in plans]
    begin(len(blobs) + 1)
    encodings = compressor.encode_all(blobs, advance)
    counts: Counter[int] = Counter()
    files, shards = [], []
    for (stage, shard), blob in zip(plans, blobs, strict=True):
        url = shard_url(name, stages[stage].name, counts[stage], blob.sha256)
        file = File(url, blob, encodings[blob.sha256])
        files.append(file)
        shards.append(head_shard(stage, shard, blob.nbytes, file.wire, blob.sha256))
        counts[stage] += 1
    return tuple(files), tuple(shards)


def _write_head(
    content: Head, cache: Cache, compressor: Compressor, advance: Callable[[Blob], None]
) -> tuple[File, Head]:
    """Write a head; give its file, and its content as readers find it there."""
    written = write_head(content)
    blob = cache.put(written)
    head = File(head_url(content.name, blob.sha256), blob, compressor.encode(blob))
    advance(blob)
    return head, read_head(written)


def _weight_notes(model: Model) -> tuple[str, ...]:
    names = find_non_finite(model.weights)
    if not names:
        return ()
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return (f"the weight {names[0]!r}{more} holds NaN or infinities; they are kept as they are",)


class FileRecord(msgspec.Struct, frozen=True, array_like=True):
    """What the cache keeps of a file: its address, its hash, the encodings that pay."""

    url: str
    sha256: str
    encodings: tuple[Coding, ...]


class AssemblyRecord(msgspec.Struct, frozen=True):
    """What the cache keeps of an assembly: its files, that of its ops first, and what only its build knows."""

    name: str
    files: tuple[FileRecord, ...]
    ops: bool
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    notes: tuple[str, ...]
    ids_below: Mapping[str, int]
    precision: Mapping[str, Any]


def to_record(assembly: Assembly) -> object:
    """Return what is needed to find an assembly again in the cache."""
    bundle = assembly.bundle
    return plain_values(
        AssemblyRecord(
            name=bundle.name,
            files=file_records(record_files(bundle)),
            ops=bundle.ops is not None,
            inputs=bundle.inputs,
            outputs=bundle.outputs,
            notes=assembly.notes,
            ids_below=assembly.ids_below,
            precision=assembly.precision,
        )
    )


def record_files(bundle: ModelBundle) -> tuple[File, ...]:
    """Return the files that an assembly's record names, the head last."""
    return *((bundle.ops,) if bundle.ops else ()), *bundle.shards, bundle.head


def file_records(files: Iterable[File]) -> tuple[FileRecord, ...]:
    """Return what is needed to find files again in the cache."""
    return tuple(FileRecord(file.url, file.blob.sha256, tuple(file.encodings)) for file in files)


def find_files(records: Iterable[FileRecord], cache: Cache, compressor: Compressor) -> list[File] | None:
    """Find files again; None when one of them is no longer in the cache as it was."""
    files = []
    for record in records:
        blob = cache.find(record.sha256)
        if blob is None:
            return None
        encodings = compressor.encode(blob)
        if tuple(encodings) != record.encodings:
            return None
        files.append(File(record.url, blob, encodings))
    return files


def from_record(found: object, cache: Cache, compressor: Compressor) -> Assembly | None:
    """Find an assembly again; None when anything of it is no longer in the cache."""
    try:
        record = from_builtins(found, AssemblyRecord)
    except msgspec.ValidationError:
        return None
    files = find_files(record.files, cache, compressor)
    if files is None:
        return None
    ops = files.pop(0) if record.ops else None
    *shards, head = files
    content = read_head(head.blob.path.read_bytes())
    bundle = ModelBundle(record.name, head, content, tuple(shards), record.inputs, record.outputs, ops)
    return Assembly(bundle, record.notes, record.ids_below, record.precision)
