"""Writes a build's folder: the bundle by the publish protocol, then what lies beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from .. import __version__
from ..bundle.files import File
from ..bundle.format import format_version, hash_digits, loader_name, module_url, pinned_url, to_json, worker_url
from ..bundle.head import Head
from ..bundle.headers import header_rules
from ..bundle.index import Index, make_index
from ..bundle.manifest import (
    CostEntry,
    FileEntry,
    LadderEntry,
    LoaderEntry,
    Manifest,
    ModelEntry,
    PreloadEntry,
    RuntimeEntry,
    ShardEntry,
    StageEntry,
    VerifiedEntry,
    WeightEntry,
)
from ..bundle.modules import always, runtime_name
from ..bundle.render import (
    client_names,
    render,
    render_loader,
    render_modules,
    render_package,
    render_types,
    render_worker,
)
from ..cache.local import Cache
from ..config.schema import schema_file, schema_name
from ..errors import StoreError
from ..files.atomic import write_atomically
from ..packing.compress import Compressor
from ..publish.protocol import publish, remove_unnamed
from ..stores.directory import DirectoryStore
from ..stores.locking import locked
from ..verify.run import Verification
from ..words.table import kind as vectors_kind
from .bundled_tfjs import BundledTfjs
from .claim import all_beside, claim, note
from .fit import cost_of
from .make_model import Built
from .preloads import find_preloads, preload_urls
from .report.cards import write_cards
from .report.details import segment_sizes

lock_seconds = 60.0
most_typed_labels = 2000  # more make an editor slow and help nobody


@dataclass(frozen=True, slots=True)
class Output:
    """What was written.

    Attributes:
        index: of the loader.
        loader: the pinned copy.
        changed: keys of the bundle files that are new.
        removed: keys of those that nothing names any more.
        worker: address of the offline worker, relative to the bundle.
        blobs: where the cache keeps each of the bundle's files, by address.
    """

    index: Index
    loader: File
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    worker: str
    blobs: dict[str, Path]

    @property
    def version(self) -> str:
        """Change with the loader: with any policy, too, which the release's name does not cover."""
        return self.loader.blob.sha256[:hash_digits]


@dataclass(frozen=True, slots=True)
class Code:
    """The JavaScript of a bundle.

    Attributes:
        loader: the pinned copy.
        worker: for offline use.
        modules: what the loader imports, by name.
        own: TensorFlow.js, if the bundle has its own; its code is among the modules.
    """

    loader: File
    worker: File
    modules: Mapping[str, File]
    own: BundledTfjs | None


def write_output(
    out: Path,
    package_name: str,
    models: tuple[Built, ...],
    verified: dict[str, Verification],
    cache: Cache,
    compressor: Compressor,
    own: BundledTfjs | None = None,
) -> Output:
    """Write ``out`` so that a kill at any instant leaves the old bundle or the new one.

    Raises:
        StoreConflictError: another build writes to the same folder, and goes on doing so.
        StoreError: the folder cannot be written.
        UsageError: it holds files of these names that are not ours.
    """
    modules = make_modules(models, cache, compressor) | ({runtime_name: own.code} if own else {})
    wasm = own.wasm if own else {}
    index = make_index(
        {built.bundle.name: built.entry for built in models},
        {name: file.blob.sha256 for name, file in modules.items()},
        {name: file.blob.sha256 for name, file in wasm.items()},
    )
    blob = cache.put(render_loader(index.encode()))
    loader = File(pinned_url(blob.sha256), blob, compressor.encode(blob))
    blob = cache.put(render_worker())
    worker = File(worker_url(blob.sha256), blob, compressor.encode(blob))
    code = Code(loader, worker, modules, own)
    files = [
        worker,
        *wasm.values(),
        *modules.values(),
        *(file for built in models for file in (*built.compat, *built.bundle.files)),
    ]
    store = DirectoryStore(out / "cdn")
    names = {f"cdn/{key}" for file in (*files, loader) for key, _ in file.variants()}
    cards = _cards(models, verified, own_runtime=own is not None)
    names |= {f"cdn/{loader_name}", *all_beside(), *cards}
    try:
        with locked(out, lock_seconds):
            ours = claim(out, names)
            store.remove_stale()
            published = publish(files, loader, store)
            beside = _beside(package_name, models, index, code, verified)
            for name, content in (beside | cards).items():
                _write(out / name, content)
            # Last, so that a kill leaves no package beside them that names what is gone.
            removed = remove_unnamed(files, loader, store, {name.removeprefix("cdn/") for name in ours})
            for name in ours - names:
                (out / name).unlink(missing_ok=True)
            note(out, names)
    except OSError as error:
        raise StoreError(
            f"cannot be written ({error.strerror})",
            code="SP-601",
            where=str(out),
            hint="Check the disk and the permissions",
        ) from error
    return Output(index, loader, published.put, removed, worker.url, _blobs((*files, loader)))


def _cards(models: Iterable[Built], verified: Mapping[str, Verification], *, own_runtime: bool) -> dict[str, bytes]:
    written = [write_cards(built, verified.get(built.bundle.name), own_runtime=own_runtime) for built in models]
    return {name: content for cards in written for name, content in cards.items()}


def _blobs(files: Iterable[File]) -> dict[str, Path]:
    return {file.url: file.blob.path for file in files}


def make_modules(models: Iterable[Built], cache: Cache, compressor: Compressor) -> dict[str, File]:
    """Return the modules that go beside the loader, by name: those that all bundles have, and what its models need."""
    needed = always.union(*(built.bundle.content.modules for built in models))
    blobs = {name: cache.put(content) for name, content in render_modules().items() if name in needed}
    return {name: File(module_url(name, blob.sha256), blob, compressor.encode(blob)) for name, blob in blobs.items()}


def _write(path: Path, content: bytes) -> None:
    try:
        if path.read_bytes() == content:
            return
    except FileNotFoundError:
        pass
    write_atomically(path, content)


def _beside(
    package_name: str,
    models: tuple[Built, ...],
    index: Index,
    code: Code,
    verified: dict[str, Verification],
) -> dict[str, bytes]:
    types = [_typed(built) for built in models if not built.is_lower]
    package = render_package(index.encode(), types, package_name, f"0.0.0-r{index.release}")
    preload = find_preloads(models, code.modules)
    scripts = preload_urls(preload, code.modules)
    snippet = render("preload.html.j2", base="BASE/", pinned=code.loader.url, modules=scripts, preloads=preload.files)
    return {
        **{f"package/{name}": content for name, content in package.items()},
        "cdn/loader.d.ts": render_types(types),
        **{name: render(name).encode() for name in client_names()},
        "preload.html": snippet.encode(),
        "sw.js": render("site-sw.js.j2", base="BASE/", worker=code.worker.url).encode(),
        schema_name: schema_file(),
        "headers.json": _pretty(header_rules()),
        "manifest.json": _pretty(msgspec.to_builtins(manifest(models, index, code, verified, preload))),
    }


def _typed(built: Built) -> dict[str, object]:
    """Return what the TypeScript declarations say of a model."""
    bundle = built.bundle
    labels = bundle.content.labels or ()
    return {
        "name": bundle.name,
        "kind": bundle.content.kind,
        "inputs": [spec.name for spec in bundle.inputs],
        "outputs": [spec.name for spec in bundle.outputs],
        "load": built.settings.load,
        "thread": built.settings.thread,
        "stages": _stages(built),
        "ladder": None if built.ladder is None else ("tensors" if built.ladder.tensors else "run"),
        "labels": list(labels) if len(labels) <= most_typed_labels else [],
        "hears": built.bundle.content.audio is not None,
        "answer": (built.bundle.content.answer or {}).get("kind"),
    }


def _stages(built: Built) -> list[str]:
    """Return what pages of a model can wait for: of a ladder its rungs."""
    if built.ladder is None:
        return list(built.bundle.content.stages)
    return [f"rung:{number}" for number in range(1, built.rung + 1)]


def manifest(
    models: tuple[Built, ...],
    index: Index,
    code: Code,
    verified: Mapping[str, Verification],
    preload: PreloadEntry,
) -> Manifest:
    """Describe every file for tools and pipelines."""
    return Manifest(
        version=format_version,
        release=index.release,
        generator=f"shardpress {__version__}",
        loader=LoaderEntry(loader_name, _file(code.loader)),
        worker=_file(code.worker),
        modules={name: _file(file) for name, file in sorted(code.modules.items())},
        runtime=_runtime(code.own) if code.own else None,
        preload=preload,
        models={built.bundle.name: _model(built, verified.get(built.bundle.name)) for built in models},
    )


def _runtime(own: BundledTfjs) -> RuntimeEntry:
    wasm = [_file(file) for _, file in sorted(own.wasm.items())]
    return RuntimeEntry(own.version, list(own.backends), None if own.kernels is None else list(own.kernels), wasm)


def _model(built: Built, verification: Verification | None) -> ModelEntry:
    bundle, settings = built.bundle, built.settings
    head = bundle.content
    precision: str | dict[str, str]
    precision = settings.precision if isinstance(settings.precision, str) else {**settings.precision}
    shards = zip(bundle.shards, head.shards, strict=True)
    return ModelEntry(
        format=head.kind,
        load=settings.load,
        priority=settings.priority,
        precision="int8" if head.kind == vectors_kind else precision,
        contract=head.contract,
        ladder=_ladder(built),
        rung_of=built.rung_of if built.is_lower else None,
        cost=_cost(verification),
        verified=_verified(verification),
        head=_file(bundle.head),
        ops=_file(bundle.ops) if bundle.ops else None,
        stages=[StageEntry(stage.name, stage.nbytes, stage.wire) for stage in bundle.stage_sizes()],
        shards=[
            ShardEntry(**msgspec.structs.asdict(_file(file)), stage=head.stage_of(shard)) for file, shard in shards
        ],
        weights=_weights(head),
        compat=[_file(file) for file in built.compat],
        license=settings.license,
        card=settings.card,
    )


def _ladder(built: Built) -> LadderEntry | None:
    ladder = built.ladder
    return LadderEntry(list(ladder.lower), list(ladder.agreement), ladder.tensors) if ladder else None


def _cost(verification: Verification | None) -> CostEntry | None:
    cost = cost_of(verification)
    return CostEntry(cost.macs, cost.ops) if cost else None


def _weights(head: Head) -> list[WeightEntry]:
    segments: dict[int, list[list[int]]] = {}
    sizes: dict[int, dict[str, int]] = {}
    for number, shard in enumerate(head.shards):
        stage = head.stage_of(shard)
        for segment, length in zip(shard.segments, segment_sizes(shard, shard.bytes, head.weights), strict=True):
            segments.setdefault(segment.weight, []).append([number, *segment.place[1:]])
            of_weight = sizes.setdefault(segment.weight, {})
            of_weight[stage] = of_weight.get(stage, 0) + length
    return [
        WeightEntry(
            name=weight.name,
            shape=list(weight.shape),
            dtype=weight.dtype,
            codec=weight.codec,
            bytes=sizes.get(number, {}) if weight.same is None else {},
            segments=segments.get(number if weight.same is None else weight.same, []),
        )
        for number, weight in enumerate(head.weights)
    ]


def _verified(verification: Verification | None) -> VerifiedEntry | None:
    if verification is None or not verification.passed or verification.runtime is None:
        return None
    last = verification.stages[-1]
    return VerifiedEntry(verification.runtime, last.max_error, last.agreement, verification.answers)


def _file(file: File) -> FileEntry:
    encodings = {name: encoded.nbytes for name, encoded in file.encodings.items()}
    return FileEntry(file.url, file.blob.nbytes, file.blob.sha256, encodings)


def _pretty(value: object) -> bytes:
    return json.dumps(json.loads(to_json(value)), indent=1, ensure_ascii=True).encode() + b"\n"
