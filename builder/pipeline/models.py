"""One build, from ``build.toml`` to models ready to publish: what is cached, what runs where, in which order."""

from __future__ import annotations

import functools
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec

from ..bundle.files import File, ModelBundle
from ..bundle.index import IndexEntry
from ..cache.local import Cache, key_of
from ..cache.shared import SharedCache, is_shared, open_shared
from ..config.tables import Config, ModelConfig
from ..config.units import parse_size, show_size
from ..convert.requests import ConvertRequest, SourceOptions
from ..convert.side_files import read_glue, read_vocabulary
from ..errors import (
    BudgetError,
    BuildError,
    ConfigError,
    ConversionError,
    RuntimeBuildError,
    ShardpressError,
    SourceError,
    UsageError,
)
from ..graphs.bands import band_note
from ..graphs.wasm_rewrites import rewrite_for_wasm
from ..model import Model
from ..packages import code_hash
from ..packing.compress import Compressor
from ..precision.calibrate import Measured, input_digests, measure_precision, needs_measuring
from ..progress import Progress
from ..sandbox.wall import missing
from ..sources.custom_ops import CustomOps, read_custom_ops
from ..sources.detect import detect
from ..sources.model_folders import locate, packed_files, teachable_labels, teachable_note, unpack
from ..sources.source_files import source_files
from ..sources.tfjs import read_model
from ..transforms.canonical import canonicalise
from ..words.settings import check_others, check_settings
from ..words.table import kind as vectors_kind
from ..words.table import read_table
from ..work.workers import Workers, open_workers
from .assemble import (
    Assembly,
    assemble,
    assemble_vectors,
    file_facts,
    find_files,
    from_record,
    record_files,
    to_record,
)
from .preflight import check_files, read_labels
from .stock_copy import StockForm, measure_folder, measure_stock, stock_files

local_cache = ".shardpress"  # in front of a cache in a bucket
stock_kinds = frozenset({"tfjs", vectors_kind})  # read as they are, nothing is converted
keras_kinds = frozenset({"keras-h5", "keras-zip"})


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What the command line adds to build.toml.

    Attributes:
        only: names of the models to build; () builds all.
        jobs: processes for conversion, threads for compression.
        use_cache: keep and use what earlier builds made.
        fast: brotli 5 instead of 11.
        draft: the same for models whose best form is not known yet, and no budgets: something to look at, soon.
        compare: measure the stock form of every model too.
        log: file for TensorFlow's own output, or None.
        scheduler: address of a Dask cluster that works instead of this machine, or "".
    """

    only: tuple[str, ...] = ()
    jobs: int = 1
    use_cache: bool = True
    fast: bool = False
    draft: bool = False
    compare: bool = False
    log: Path | None = None
    scheduler: str = ""


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

    @property
    def bundle(self) -> ModelBundle:
        """Its files."""
        return self.assembly.bundle

    @property
    def entry(self) -> IndexEntry:
        """What the index says of it."""
        return self.bundle.entry(self.settings.load, self.settings.priority)

    @property
    def is_outdated(self) -> bool:
        """Its source has been changed since: what that answers now says nothing of this model."""
        return any(stamp != _stamp(path) for path, stamp in self.stamps.items())

    @property
    def needs_tensorflow(self) -> bool:
        """The source can be run by TensorFlow only."""
        return self.source.kind not in stock_kinds


class Session:
    """What the steps of one build share: the cache, the compressor and the workers."""

    def __init__(
        self,
        config: Config,
        options: BuildOptions,
        progress: Progress,
        cache: Cache,
        stack: ExitStack,
        pool: Workers | None = None,
        shared: SharedCache | None = None,
    ) -> None:
        """Put together; workers start when the first task asks for them, or are those of ``pool``.

        ``before_work`` is told the kind of each source that something has to be made of, and may refuse.
        """
        self.config = config
        self.options = options
        self.progress = progress
        self.cache = cache
        self.pool = pool or stack.enter_context(
            open_workers(options.jobs, options.log, options.scheduler, cache.root / "work")
        )
        self.compressor = Compressor(cache, options.jobs, options.fast, self.pool.submit)
        self.before_work: Callable[[str], None] = lambda _: None
        self._shared = shared
        self._unwalled: tuple[str, ...] = ()

    def note_wall(self) -> None:
        """Remember that Node ran a model here, and what of the wall around it this system lacks."""
        self._unwalled = missing()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of the shared cache and of the wall did not work, once the session is closed."""
        lacking = dict.fromkeys((*self.pool.missing, *self._unwalled))
        wall = [f"models ran without all of the wall around them: {problem}" for problem in lacking]
        return (*wall, *(self._shared.warnings if self._shared else ()))


@contextmanager
def open_session(
    config: Config, options: BuildOptions, progress: Progress, pool: Workers | None = None
) -> Iterator[Session]:
    """Open what a build needs, and close it whatever happens; a ``pool`` that is given stays open."""
    with ExitStack() as stack:
        shared = None
        if not options.use_cache:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shardpress-")))
        elif is_shared(config.build.cache):
            root = config.folder / local_cache
            shared = stack.enter_context(open_shared(config.build.cache))
        else:
            root = config.folder / config.build.cache
        cache = Cache(root, shared)
        stack.callback(cache.close)
        yield Session(config, options, progress, cache, stack, pool, shared)


def build_models(session: Session) -> tuple[Built, ...]:
    """Build every model that is asked for, and take the others as they were last built.

    Raises:
        UsageError: ``only`` names a model that build.toml does not have.
        BuildError: one or several models failed; it holds the failure of each.
    """
    config, options = session.config, session.options
    for name in options.only:
        if name not in config.models:
            raise UsageError(
                f"there is no model {name!r}",
                code="SP-102",
                where="--only",
                hint=f"build.toml has {', '.join(config.models) or 'none'}",
            )
    if not config.models:
        raise ConfigError(
            "no model to build", code="SP-210", where=str(config.path), hint="Add a table [models.NAME] with a source"
        )
    wanted = options.only or tuple(config.models)
    for name in wanted:
        check_files(config, name)
    failures: dict[str, ShardpressError] = {}
    plans: dict[str, _Plan] = {}
    for name in wanted:
        with _collecting(failures, name):
            plans[name] = _plan(session, name, config.models[name])
    built: dict[str, Built] = {}
    for name, plan in plans.items():
        with _collecting(failures, name):
            made = _finish(session, plan)
            built[name] = made if options.draft else _check_budget(made, plan.model)
    if failures:
        raise BuildError(failures)
    for name, model in config.models.items():
        if name not in wanted and (last := _last(session, name, model)):
            built[name] = last
    return tuple(built[name] for name in sorted(built))


@dataclass(frozen=True, slots=True)
class _Plan:
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
    stamps: Mapping[Path, tuple[int, int]]
    compressor: Compressor
    assembly: Assembly | None
    place: Path
    artefact: Callable[[], tuple[str, ...]]


@contextmanager
def _collecting(failures: dict[str, ShardpressError], name: str) -> Iterator[None]:
    """Let the other models of a build go on when one fails."""
    try:
        yield
    except (ConfigError, UsageError, RuntimeBuildError):
        raise
    except ShardpressError as error:
        failures[name] = error


def _unpacked(cache: Cache, path: Path) -> Path:
    """Give the folder of the cache that holds what is in a zip, or what a folder's parts are together."""
    key = key_of([cache.file_digest(file) for file in packed_files(path)], code_hash("sources"))
    tree = cache.tree("unpacked", key)
    if not cache.find_tree("unpacked", key):
        with cache.work() as work:
            (made := work / "tree").mkdir()
            unpack(path, made)
            if not tree.exists():
                made.rename(tree)
        cache.put_tree("unpacked", key, True)
    return tree


def _plan(session: Session, name: str, model: ModelConfig) -> _Plan:
    path = session.config.folder / model.source
    where = f"models.{name}.source = {model.source!r}"
    if not path.exists():
        raise SourceError(
            "does not exist", code="SP-301", where=where, hint="Mend the path; it starts at build.toml's folder"
        )
    path = locate(path, partial(_unpacked, session.cache))
    if not model.weights and detect(path) != "tfjs":
        raise SourceError(
            "has to be a layers model of TensorFlow.js for `weights = false`",
            code="SP-334",
            where=where,
            hint="Save the untrained model from TensorFlow.js by model.save(), and name its model.json",
        )
    ops = read_custom_ops(session.config.folder, name, model.custom_ops)
    source = SourceOptions(
        path,
        detect(path),
        model.signature,
        model.tags,
        model.outputs,
        model.trust,
        model.cut.inputs,
        model.cut.outputs,
        ops.names if ops else (),
    )
    files = source_files(path, source.kind)
    if source.kind == vectors_kind:
        check_settings(name, model)
        files += ((model.vocabulary, session.config.folder / model.vocabulary),) if model.vocabulary else ()
    else:
        check_others(name, model)
    stamps = {place: _stamp(place) for _, place in files}
    try:
        digest = [[file, session.cache.file_digest(place)] for file, place in files]
    except OSError as error:
        raise SourceError(
            f"cannot be read ({error.strerror})", code="SP-302", where=where, hint="Check its files"
        ) from error
    options = [source.kind, source.signature, source.tags, source.outputs, source.trust]
    cut = [source.cut_inputs, source.cut_outputs, source.custom_ops]
    conversion_key = key_of(
        digest, options, cut, _versions(session, source.kind), code_hash("convert", "graphs", "sources")
    )
    labels = read_labels(session.config, name) or teachable_labels(path)
    parts = (
        conversion_key,
        name,
        labels,
        model.weights,
        hashlib.sha256(ops.code).hexdigest() if ops else None,
        model.precision,
        msgspec.to_builtins(model.stages),
        [
            model.verify.inputs,
            msgspec.to_builtins(model.verify),
            input_digests(model.verify.inputs, session.config.folder, session.cache),
        ]
        if needs_measuring(model)
        else None,
        model.compat,
        model.rows_first if source.kind == vectors_kind else None,
        session.config.shard_bytes,
        code_hash(),
    )
    compressor = session.compressor
    key = key_of(*parts, compressor.fast)
    record = session.cache.record("built", key)
    # Measuring takes far longer than compressing, so its result is not made twice.
    if session.options.draft and not needs_measuring(model) and record is None:
        compressor = replace(compressor, fast=True)
        key = key_of(*parts, compressor.fast)
        record = session.cache.record("built", key)
    assembly = from_record(record, session.cache, compressor) if record else None
    if assembly is None:
        session.before_work(source.kind)
    tree = session.cache.tree("converted", conversion_key)
    place = path if source.kind in stock_kinds else tree / "model.json"
    begin = partial(_artefact, session, name, source, conversion_key, tree)
    artefact = begin() if assembly is None else partial(_call, begin)  # most often nobody asks
    return _Plan(name, model, source, labels, ops, conversion_key, key, stamps, compressor, assembly, place, artefact)


def _stamp(path: Path) -> tuple[int, int]:
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
    """Give a function that waits for the stock artefact and gives its notes; a conversion that is needed starts now."""
    if source.kind in stock_kinds:
        return lambda: ()
    record = session.cache.find_tree("converted", conversion_key)
    if record and (tree / "model.json").exists():
        return lambda: tuple(record["notes"])
    session.progress.begin(name, "convert", 1)
    work = Path(tempfile.mkdtemp(dir=session.cache.root / "work"))
    future = session.pool.submit("convert", ConvertRequest(source, work), name)

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


def _finish(session: Session, plan: _Plan) -> Built:
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
        cache.put_record("latest", plan.name, {"key": plan.key, "artefact": str(plan.place)})
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
    )


def _read(plan: _Plan) -> Model:
    notes = plan.artefact()
    model = read_model(plan.place, weights=plan.model.weights)
    model = canonicalise(model) if plan.source.kind != "tfjs" else model
    notes, glue, vocabulary = (*model.notes, *notes), None, None
    if plan.source.kind == "tfjs":
        notes = (*notes, *filter(None, [teachable_note(plan.place), band_note(model)]))
    else:
        glue, vocabulary = read_glue(plan.place), read_vocabulary(plan.place)
    return replace(rewrite_for_wasm(model), notes=notes, glue=glue, vocabulary=vocabulary)


def _compat(session: Session, plan: _Plan, read: Callable[[], Model]) -> tuple[File, ...]:
    cache, compressor = session.cache, session.compressor
    key = key_of(plan.conversion_key, plan.name, plan.model.weights, session.options.fast, code_hash())
    record = cache.record("compat", key)
    files = find_files(record, cache, compressor) if record else None
    if files is None:
        files = list(stock_files(plan.name, read(), cache, compressor))
        cache.put_record("compat", key, file_facts(files), compressor.names(file.blob for file in files))
    return tuple(files)


def _calibrate(session: Session, plan: _Plan, model: Model, artefact: Path) -> Measured | None:
    if not needs_measuring(plan.model):
        return None
    with session.cache.work() as work:
        session.progress.begin(plan.name, "measure the precision", 1)
        try:
            folder = session.config.folder
            return measure_precision(plan.name, plan.model, artefact, model, folder, work, session.pool.submit)
        finally:
            session.progress.end(plan.name)


def _assemble(session: Session, plan: _Plan, model: Model, measured: Measured | None) -> Assembly:
    try:
        return assemble(
            plan.name,
            model,
            labels=plan.labels,
            ops=plan.ops.code if plan.ops else None,
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


def _assemble_vectors(session: Session, plan: _Plan) -> Assembly:
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


def _measure(session: Session, plan: _Plan, read: Callable[[], Model]) -> StockForm:
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


def _measure_layers(session: Session, plan: _Plan, best: Compressor) -> dict[str, tuple[int, int]]:
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


def _last(session: Session, name: str, model: ModelConfig) -> Built | None:
    """Find what the last build made of a model that this one leaves alone."""
    latest = session.cache.record("latest", name)
    record = session.cache.record("built", latest["key"]) if latest else None
    assembly = from_record(record, session.cache, session.compressor) if record else None
    if latest is None or assembly is None:
        session.progress.note(name, "was never built, so this build is without it")
        return None
    source = SourceOptions(session.config.folder / model.source, "kept")
    return Built(assembly, model, source, latest["key"], Path(latest["artefact"]), cached=True)


def _check_budget(built: Built, model: ModelConfig) -> Built:
    if model.budget is not None and built.bundle.wire > parse_size(model.budget):
        stages = ", ".join(f"{stage.name} {show_size(stage.wire)}" for stage in built.bundle.stage_sizes())
        raise BudgetError(
            f"{show_size(built.bundle.wire)} on the wire ({stages}) are over the budget of {model.budget}",
            code="SP-560",
            where=f"models.{built.bundle.name}.budget",
            hint="Make the model smaller or raise the budget",
        )
    return built


def _versions(session: Session, kind: str) -> dict[str, str]:
    """Give the versions a conversion depends on."""
    return {} if kind in stock_kinds else dict(session.pool.versions())
