"""What one model is made of, and which of it earlier builds have made: sources, keys of the cache, conversion."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec

from ..answers.texts import tokenizer_of
from ..cache.local import Cache, key_of
from ..config.models import ModelConfig
from ..config.verify import VerifyConfig
from ..convert.requests import ConvertRequest, FixedInput, SourceOptions, own_runtimes, takes_shapes, task_of
from ..convert.versions import versions_for
from ..errors import ConfigError, SourceError
from ..packages import code_hash
from ..packing.compress import Compressor
from ..precision.calibrate import input_digests, needs_measuring
from ..precision.node_process import require_runtime
from ..sources.custom_ops import CustomOps, read_custom_ops
from ..sources.detect import detect
from ..sources.model_folders import locate, packed_files, teachable_labels, unpack
from ..sources.source_files import source_files
from ..verify.run import find_node_modules
from ..words.settings import check_others, check_settings
from ..words.table import kind as vectors_kind
from .assemble import Assembly, from_record
from .preflight import read_labels
from .session import Session

stock_kinds = frozenset({"tfjs", vectors_kind})  # read as they are, nothing is converted


@dataclass(frozen=True, slots=True)
class ConversionInputs:
    """All that the result of a conversion depends on: a key is made of the whole.

    Attributes:
        source: how it is read; its place is left out, as its files' digests stand for it.
        files: names and digests.
        versions: of the packages that convert.
        code: hash of our own.
    """

    source: SourceOptions
    files: tuple[tuple[str, str], ...]
    versions: Mapping[str, str]
    code: str


@dataclass(frozen=True, slots=True)
class AssemblyInputs:
    """All that a built model depends on: a key is made of the whole.

    Attributes:
        conversion: key of what it is made from.
        name: in the loader, which its files' names carry.
        settings: its table, as ``relevant`` gives it.
        pattern_order: the patterns of a table of precisions, of which the first that fits counts.
        labels: what the outputs' numbers mean.
        ops: hash of the module of its own ops.
        tokenizer: digest of its file.
        samples: names and digests of the inputs that its precision is measured with.
        shard_bytes: about how large a shard is.
        code: hash of our own.
    """

    conversion: str
    name: str
    settings: ModelConfig
    pattern_order: tuple[str, ...]
    labels: tuple[str, ...] | None
    ops: str | None
    tokenizer: str | None
    samples: list[list[str]]
    shard_bytes: int
    code: str


def relevant(model: ModelConfig, *, measured: bool) -> ModelConfig:
    """Return a model's settings without those that its files do not depend on: any other, a new one too, counts.

    Args:
        model: its table.
        measured: its precision is, by the way it is verified.
    """
    policies = {
        "source": "any",
        "load": "visible",
        "priority": "normal",
        "thread": "page",
        "license": None,
        "card": None,
    }
    policies |= {"budget": None, "first_budget": None}
    verify = model.verify if measured else VerifyConfig()
    return msgspec.structs.replace(model, **policies, verify=verify, labels=None, custom_ops=None, vocabulary=None)


@dataclass(frozen=True, slots=True)
class Plan:
    """One model before the work: what it is made of, what was built of it before, else the conversion under way.

    ``place`` is where the stock artefact is once ``artefact`` was called.
    """

    name: str
    model: ModelConfig
    source: SourceOptions
    labels: tuple[str, ...] | None
    ops: CustomOps | None
    conversion_key: str
    key: str
    digests: tuple[tuple[str, str], ...]
    stamps: Mapping[Path, tuple[int, int]]
    compressor: Compressor
    assembly: Assembly | None
    place: Path
    artefact: Callable[[], tuple[str, ...]]


def source_options(path: Path, kind: str, model: ModelConfig, custom: tuple[str, ...]) -> SourceOptions:
    """Return how a source is read.

    Args:
        path: the source.
        kind: as ``detect`` gives it.
        model: its table.
        custom: names of the ops that the page registers.
    """
    return SourceOptions(
        path,
        kind,
        signature=model.signature,
        tags=model.tags,
        outputs=model.outputs,
        trust=model.trust,
        cut_inputs=model.cut.inputs,
        cut_outputs=model.cut.outputs,
        custom_ops=custom,
        inputs=tuple(FixedInput(key, given.shape, given.value) for key, given in sorted(model.inputs.items())),
        channels_last=model.channels == "last",
    )


def plan_model(session: Session, name: str, model: ModelConfig) -> Plan:
    """Tell what a model is made of; begin its conversion unless an earlier build made all that is needed.

    Raises:
        SourceError: the source is missing, cannot be read, or does not fit the settings.
        ConversionError: its precision is measured under Node, which is missing here.
    """
    where = f"models.{name}.source = {model.source!r}"
    path = _located(session, model, where)
    ops = read_custom_ops(session.config.folder, name, model.custom_ops)
    source = source_options(path, detect(path), model, ops.names if ops else ())
    check_keys(name, model, source.kind)
    if source.kind == vectors_kind:
        check_settings(name, model)
    else:
        check_others(name, model)
    files = _files(session, model, source)
    stamps = {place: stamp(place) for _, place in files}
    try:
        digests = tuple((file, session.cache.file_digest(place)) for file, place in files)
    except OSError as error:
        raise SourceError(
            f"cannot be read ({error.strerror})", code="SP-302", where=where, hint="Check its files"
        ) from error
    versions = {} if source.kind in stock_kinds else versions_for(source.kind, session.pool.versions())
    own = source.kind in own_runtimes
    code = code_hash("lowering", source.kind, "sources") if own else code_hash("convert", "graphs", "sources")
    conversion_key = key_of(ConversionInputs(replace(source, path=Path()), digests, versions, code))
    labels = read_labels(session.config, name) or teachable_labels(source.path)
    inputs = _inputs(session, name, model, conversion_key, labels, ops)
    compressor = session.compressor
    key = key_of(inputs, compressor.fast)
    record = session.cache.record("built", key)
    # Measuring takes far longer than compressing, so its result is not made twice.
    if session.options.draft and not needs_measuring(model) and record is None:
        compressor = replace(compressor, fast=True)
        key = key_of(inputs, compressor.fast)
        record = session.cache.record("built", key)
    assembly = from_record(record, session.cache, compressor) if record else None
    if assembly is None:
        session.before_work(source.kind)
        if own and needs_measuring(model):
            require_runtime(find_node_modules(session.config.folder))  # before anything is converted in vain
    tree = session.cache.tree("converted", conversion_key)
    place = source.path if source.kind in stock_kinds else tree / "model.json"
    begin = partial(_artefact, session, name, source, conversion_key, tree)
    artefact = begin() if assembly is None else partial(_call, begin)  # most often nobody asks
    return Plan(
        name, model, source, labels, ops, conversion_key, key, digests, stamps, compressor, assembly, place, artefact
    )


def _located(session: Session, model: ModelConfig, where: str) -> Path:
    """Find the file or folder that holds a model; what is packed is unpacked.

    Raises:
        SourceError: there is none, or it does not fit the settings.
    """
    path = session.config.folder / model.source
    if not path.exists():
        raise SourceError(
            "does not exist", code="SP-301", where=where, hint="Correct the path; it is relative to build.toml's folder"
        )
    path = locate(path, partial(_unpacked, session.cache, model.member), model.member)
    if not model.weights and detect(path) != "tfjs":
        raise SourceError(
            "has to be a layers model of TensorFlow.js for `weights = false`",
            code="SP-334",
            where=where,
            hint="Save the untrained model from TensorFlow.js by model.save(), and name its model.json",
        )
    return path


def _files(session: Session, model: ModelConfig, source: SourceOptions) -> tuple[tuple[str, Path], ...]:
    """Return the files that a source is read from, by the names that count in its digest."""
    files = source_files(source.path, source.kind)
    if source.kind == vectors_kind and model.vocabulary:
        return *files, (model.vocabulary, session.config.folder / model.vocabulary)
    return files


def _inputs(
    session: Session,
    name: str,
    model: ModelConfig,
    conversion_key: str,
    labels: tuple[str, ...] | None,
    ops: CustomOps | None,
) -> AssemblyInputs:
    measured = needs_measuring(model)
    pattern = model.verify.inputs if measured else None
    return AssemblyInputs(
        conversion=conversion_key,
        name=name,
        settings=relevant(model, measured=measured),
        pattern_order=() if isinstance(model.precision, str) else tuple(model.precision),
        labels=labels,
        ops=hashlib.sha256(ops.code).hexdigest() if ops else None,
        tokenizer=_tokenizer_digest(session, name, model),
        samples=input_digests(pattern, session.config.folder, session.cache),
        shard_bytes=session.config.shard_bytes,
        code=code_hash(),
    )


def _tokenizer_digest(session: Session, name: str, model: ModelConfig) -> str | None:
    if model.tokenizer is None:
        return None
    path = session.config.folder / tokenizer_of(model.tokenizer).file
    try:
        return session.cache.file_digest(path)
    except OSError as error:
        raise ConfigError(
            f"cannot be read ({error.strerror})",
            code="SP-216",
            where=f"models.{name}.tokenizer = {path.name!r}",
            hint="Correct the path; it is relative to build.toml's folder",
        ) from error


def _unpacked(cache: Cache, member: str, path: Path) -> Path:
    """Return the folder of the cache that holds what is in a zip, or what a folder's parts are together."""
    key = key_of([cache.file_digest(file) for file in packed_files(path)], member, code_hash("sources"))
    tree = cache.tree("unpacked", key)
    if not cache.find_tree("unpacked", key):
        with cache.work() as work:
            (made := work / "tree").mkdir()
            unpack(path, made, member)
            if not tree.exists():
                made.rename(tree)
        cache.put_tree("unpacked", key, True)
    return tree


def stamp(path: Path) -> tuple[int, int]:
    """Return length and time of a file, as they are while it is unchanged."""
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _call(begin: Callable[[], Callable[[], tuple[str, ...]]]) -> tuple[str, ...]:
    return begin()()


def _artefact(
    session: Session, name: str, source: SourceOptions, conversion_key: str, tree: Path
) -> Callable[[], tuple[str, ...]]:
    """Return a function that waits for the stock artefact and returns its notes; a needed conversion starts now."""
    if source.kind in stock_kinds:
        return lambda: ()
    record = session.cache.find_tree("converted", conversion_key)
    if record and (tree / "model.json").exists():
        return lambda: tuple(record["notes"])
    session.progress.begin(name, "convert", 1)
    work = Path(tempfile.mkdtemp(dir=session.cache.root / "work"))
    future = session.pool.submit(task_of("convert", source.kind), ConvertRequest(source, work), name)

    def wait() -> tuple[str, ...]:
        try:
            result = future.result()
            if not tree.exists():  # another model of this build may have the same source
                work.rename(tree)
        finally:
            shutil.rmtree(work, ignore_errors=True)
            session.progress.end(name)
        session.cache.put_tree("converted", conversion_key, {"notes": result.notes})
        return tuple(result.notes)

    return wait


def check_keys(name: str, model: ModelConfig, kind: str) -> None:
    """Refuse keys that apply to other kinds of sources only.

    Raises:
        ConfigError: such a key is set.
    """
    asked = (
        ("inputs", bool(model.inputs), takes_shapes, "ONNX and TensorFlow Lite models"),
        ("channels", model.channels != "first", {"onnx"}, "ONNX models"),
    )
    for key, is_set, kinds, told in asked:
        if is_set and kind not in kinds:
            raise ConfigError(
                f"applies only to {told}",
                code="SP-245",
                where=f"models.{name}.{key}",
                hint="Remove it, or correct source",
            )
