"""One model, from its plan to its files: read, measured, assembled, and compared with its stock form."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec

from ..answers.describe import describe
from ..answers.texts import tokenizer_of
from ..bundle.files import File, ModelBundle
from ..bundle.index import Extras, Fit, IndexEntry, LadderRungs
from ..cache.local import key_of
from ..config.models import ModelConfig
from ..convert.requests import ConvertRequest, SourceOptions, own_runtimes
from ..convert.side_files import read_glue, read_texts, read_vocabulary
from ..errors import ConfigError, ConversionError, SourceError
from ..graphs.bands import band_note
from ..graphs.wasm_rewrites import rewrite_for_wasm
from ..model import Model
from ..packages import code_hash
from ..packing.compress import Compressor
from ..precision.calibrate import Measured, measure_precision, needs_measuring
from ..sources.model_folders import teachable_note
from ..sources.tfjs import read_model
from ..tokens.read import Tokenizer, read_tokenizer
from ..transforms.canonical import canonicalise
from ..typed import from_builtins
from ..verify.ids import ids_below
from ..words.table import kind as vectors_kind
from ..words.table import read_table
from .assemble import (
    Assembly,
    FileRecord,
    assemble,
    assemble_vectors,
    file_records,
    find_files,
    record_files,
    to_record,
)
from .plan_model import Plan, stamp, stock_kinds
from .session import Session
from .stock_copy import StockForm, measure_folder, measure_stock, stock_files

kept_kind = "kept"  # of a source that a build does not look at
keras_kinds = frozenset({"keras-h5", "keras-zip"})


@dataclass(frozen=True, slots=True)
class Ladder:
    """What the last rung of a ladder knows of the others.

    Attributes:
        lower: names of the models that answer before it, the first one first.
        nbytes: decoded bytes of the first.
        tensors: all take and give the same tensors.
        agreement: share of the answers of each lower rung that are the last one's; None: not measured.
    """

    lower: tuple[str, ...]
    nbytes: int
    tensors: bool
    agreement: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Built:
    """One model, built but not yet verified.

    Attributes:
        assembly: its files, and what there is to know of them.
        settings: its table in build.toml.
        source: where it came from.
        key: names this very result.
        artefact: the stock ``model.json`` it was made from: the source itself, or what TensorFlow converted.
        compat: the stock copy, when asked for.
        stock: the smallest stock form, when measured.
        cached: nothing had to be done.
        stamps: length and time of its source's files before they were read.
        digests: name and SHA-256 of each of them.
        origin: the kind of its source, also where this build does not look at it; "" where an earlier version built it.
        rung_of: name of the ladder that it is a rung of, or "".
        rung: its number there, from 1.
        ladder: the other rungs, if it is the last one.
        fit: what a device is asked for it, if anything.
    """

    assembly: Assembly
    settings: ModelConfig
    source: SourceOptions
    key: str
    artefact: Path
    compat: tuple[File, ...] = ()
    stock: StockForm | None = None
    cached: bool = False
    stamps: Mapping[Path, tuple[int, int]] = field(default_factory=dict)
    digests: tuple[tuple[str, str], ...] = ()
    origin: str = ""
    rung_of: str = ""
    rung: int = 0
    ladder: Ladder | None = None
    fit: Fit | None = None

    @property
    def bundle(self) -> ModelBundle:
        """Its files."""
        return self.assembly.bundle

    @property
    def lone_entry(self) -> IndexEntry:
        """What an index says of it alone and on the thread that asks: a check has no page and no other models."""
        return self.bundle.entry(self.settings.load, self.settings.priority)

    @property
    def entry(self) -> IndexEntry:
        """What the index says of it."""
        ladder = self.ladder
        rungs = LadderRungs(ladder.lower, ladder.nbytes, ladder.tensors) if ladder else None
        thread = "worker" if self.runs_apart else None
        return replace(self.lone_entry, extras=Extras(ladder=rungs, fit=self.fit, thread=thread))

    @property
    def runs_apart(self) -> bool:
        """Pages run it off their own thread: of a ladder, all of it."""
        return self.settings.thread == "worker" and not self.is_lower

    @property
    def is_lower(self) -> bool:
        """It only stands in for the last rung of its ladder: pages name that one."""
        return bool(self.rung_of) and self.ladder is None

    @property
    def is_outdated(self) -> bool:
        """Its source has been changed since: what that answers now says nothing of this model."""
        return any(before != stamp(path) for path, before in self.stamps.items())

    @property
    def is_kept(self) -> bool:
        """This build left it as the last one made it."""
        return self.source.kind == kept_kind

    @property
    def needs_tensorflow(self) -> bool:
        """The source can be run by TensorFlow only."""
        return self.source.kind not in stock_kinds


def make_model(session: Session, plan: Plan) -> Built:
    """Make what a plan lacks; give the built model."""
    cache = session.cache
    read = functools.cache(partial(_read, plan))
    assembly = plan.assembly
    if assembly is None:
        if plan.source.kind == vectors_kind:
            assembly = _assemble_vectors(session, plan)
        else:
            model = read()
            assembly = _assemble(session, plan, model, _calibrate(session, plan, model, plan.place))
        blobs = [file.blob for file in record_files(assembly.bundle)]
        cache.put_record("built", plan.key, to_record(assembly), plan.compressor.names(blobs))
    compat = _compat(session, plan, read) if plan.model.compat else ()
    compared = session.options.compare and plan.source.kind != vectors_kind  # no converter has a stock form of them
    stock = _measure(session, plan, read) if compared else None
    if not session.options.draft:
        latest = {"key": plan.key, "artefact": str(plan.place), "kind": plan.source.kind, "digests": plan.digests}
        cache.put_record("latest", plan.name, latest)
    return Built(
        assembly,
        plan.model,
        plan.source,
        plan.key,
        plan.place,
        compat=compat,
        stock=stock,
        cached=plan.assembly is not None,
        stamps=plan.stamps,
        digests=plan.digests,
        origin=plan.source.kind,
    )


def _read(plan: Plan) -> Model:
    notes = plan.artefact()
    model = read_model(plan.place, weights=plan.model.weights)
    model = canonicalise(model) if plan.source.kind != "tfjs" else model
    notes, glue, vocabulary, texts = (*model.notes, *notes), None, None, None
    if plan.source.kind == "tfjs":
        described = plan.model.picture is not None or plan.model.audio is not None
        notes = (*notes, *filter(None, ["" if described else teachable_note(plan.place), band_note(model)]))
    else:
        glue, vocabulary, texts = read_glue(plan.place), read_vocabulary(plan.place), read_texts(plan.place)
    return replace(rewrite_for_wasm(model), notes=notes, glue=glue, vocabulary=vocabulary, texts=texts)


def _compat(session: Session, plan: Plan, read: Callable[[], Model]) -> tuple[File, ...]:
    cache, compressor = session.cache, session.compressor
    key = key_of(plan.conversion_key, plan.name, plan.model.weights, session.options.fast, code_hash())
    record = cache.record("compat", key)
    known = from_builtins(record, tuple[FileRecord, ...]) if record else None
    files = find_files(known, cache, compressor) if known else None
    if files is None:
        files = list(stock_files(plan.name, read(), cache, compressor))
        cache.put_record(
            "compat", key, msgspec.to_builtins(file_records(files)), compressor.names(file.blob for file in files)
        )
    return tuple(files)


def _calibrate(session: Session, plan: Plan, model: Model, artefact: Path) -> Measured | None:
    if not needs_measuring(plan.model):
        return None
    with session.cache.work() as work:
        session.progress.begin(plan.name, "measure the precision", 1)
        try:
            # What such a kind is measured by must not depend on whether TensorFlow happens to be installed.
            in_node = plan.source.kind in own_runtimes
            if in_node:
                session.note_wall()
            inputs = session.config.folder, work, session.pool.submit
            return measure_precision(plan.name, plan.model, artefact, model, *inputs, in_node=in_node)
        finally:
            session.progress.end(plan.name)


def _assemble(session: Session, plan: Plan, model: Model, measured: Measured | None) -> Assembly:
    tokenizer = _tokenizer(session, plan, model)
    run = describe(
        plan.name,
        plan.model,
        model.inputs,
        model.outputs,
        labels=plan.labels,
        from_tensorflow=plan.source.kind != "onnx",
        glued=model.glue is not None,
        tokenizer=tokenizer.spec if tokenizer else None,
        rows=ids_below(model),
        texts=model.texts,
    )
    try:
        return assemble(
            plan.name,
            model,
            labels=plan.labels,
            ops=plan.ops.code if plan.ops else None,
            run=run,
            vocabulary=tokenizer.vocabulary if tokenizer else None,
            precision=plan.model.precision,
            measured=measured,
            outputs=tuple((stage.name, stage.outputs) for stage in plan.model.stages),
            shard_bytes=session.config.shard_bytes,
            cache=session.cache,
            compressor=plan.compressor,
            begin=lambda total: session.progress.begin(plan.name, "compress", total),
            advance=lambda _: session.progress.advance(plan.name),
        )
    finally:
        session.progress.end(plan.name)


def _tokenizer(session: Session, plan: Plan, model: Model) -> Tokenizer | None:
    if plan.model.tokenizer is None:
        return None
    if model.kind != "graph-model":
        raise ConfigError(
            "applies to graph models, and this is a layers model",
            code="SP-426",
            where=f"models.{plan.name}.tokenizer",
            hint="Name the SavedModel or Keras file that it was made from as the source",
        )
    return read_tokenizer(session.config.folder / tokenizer_of(plan.model.tokenizer).file)


def _assemble_vectors(session: Session, plan: Plan) -> Assembly:
    vocabulary = session.config.folder / plan.model.vocabulary if plan.model.vocabulary else None
    session.progress.begin(plan.name, "read the vectors", 1)
    try:
        table = read_table(plan.place, vocabulary, plan.model.rows_first, session.config.shard_bytes)
        session.progress.end(plan.name)
        return assemble_vectors(
            plan.name,
            table,
            cache=session.cache,
            compressor=plan.compressor,
            begin=lambda total: session.progress.begin(plan.name, "compress", total),
            advance=lambda _: session.progress.advance(plan.name),
        )
    finally:
        session.progress.end(plan.name)


def _measure(session: Session, plan: Plan, read: Callable[[], Model]) -> StockForm:
    """Measure all forms that the stock converter has of a model; the smallest on the wire counts."""
    key = key_of(plan.conversion_key, plan.model.weights, code_hash())
    record = session.cache.record("stock-form", key)
    if record is None:
        session.progress.begin(plan.name, "measure the stock form", 1)
        best = Compressor(session.cache, session.options.jobs, submit=session.pool.submit)
        forms = {read().kind: measure_stock(read(), session.cache, best), **_measure_layers(session, plan, best)}
        form = min(forms, key=lambda name: forms[name][1])
        record = [form, *forms[form]]
        session.cache.put_record("stock-form", key, record)
        session.progress.end(plan.name)
    return StockForm(*record)


def _measure_layers(session: Session, plan: Plan, best: Compressor) -> dict[str, tuple[int, int]]:
    """Measure the layers model that the stock converter makes of a Keras file, if it makes one."""
    if plan.source.kind not in keras_kinds:
        return {}
    with session.cache.work() as work:
        try:
            request = ConvertRequest(plan.source, work / "layers")
            made = session.pool.submit("layers_form", request, plan.name).result()
        except (ConversionError, SourceError):
            return {}
        return {"layers-model": measure_folder(made.model_json.parent, session.cache, best)}
