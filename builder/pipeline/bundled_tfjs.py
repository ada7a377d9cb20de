"""The bundle's own TensorFlow.js: what it needs, and the proof that every model runs with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..bundle.files import File
from ..bundle.format import module_url
from ..bundle.head import count_ops
from ..bundle.modules import runtime_name
from ..cache.local import Blob
from ..config.units import parse_size, show_size
from ..errors import BudgetError, BuildError, VerificationError
from ..packing.compress import Compressor
from ..tfjs_runtime.bundle import bundle_runtime
from ..tfjs_runtime.functions import inner_functions, page_functions
from ..tfjs_runtime.types import Runtime, Uses, Wanted, node_backends
from ..verify.run import Verification, find_node_modules
from .make_model import Built
from .session import Session
from .verify_models import verify_models

packages = {"graph-model": "tfjs-converter", "layers-model": "tfjs-layers"}


@dataclass(frozen=True, slots=True)
class BundledTfjs:
    """TensorFlow.js as files of the bundle.

    Attributes:
        code: the module.
        wasm: the binaries that it names, by their own names; one of them is fetched where that backend is used.
        version: of TensorFlow.js.
        backends: in order of preference.
        kernels: names of those it has, sorted; None for all.
        notes: sentences the user should read.
    """

    code: File
    wasm: Mapping[str, File]
    version: str
    backends: tuple[str, ...]
    kernels: tuple[str, ...] | None
    notes: tuple[str, ...]


def make_bundled_tfjs(
    session: Session, models: tuple[Built, ...], verified: Mapping[str, Verification], *, check: bool = True
) -> BundledTfjs | None:
    """Make TensorFlow.js for a bundle, if build.toml asks for it and a model needs it.

    Args:
        session: of the build.
        models: what it made.
        verified: what became of them in the installed TensorFlow.js; the kernels that ran are in it.
        check: have every model run with it.

    Raises:
        RuntimeBuildError: something to make it of is missing.
        VerificationError: a model does not run with it, even with all kernels.
        BudgetError: it is larger than its budget.
    """
    settings = session.config.runtime
    models = tuple(built for built in models if built.bundle.content.kind in packages)
    if not settings.build or not models:
        return None
    doubt = _doubt(session, models, verified) if check else ""
    small = settings.kernels == "used" and check and not doubt
    runtime = _bundle(session, models, _uses(session, models, verified)) if small else None
    if runtime:
        doubt = _problem(session, models, runtime) or _gap(session, models, runtime)
    if runtime is None or doubt:
        runtime = _bundle(session, models, None)
        if check and _in_node(session) and (problem := _problem(session, models, runtime)):
            raise VerificationError(
                f"does not run the models: {problem}",
                code="SP-541",
                where="runtime",
                hint=_way_out(problem, session.config.runtime.backends),
            )
    notes = (f"TensorFlow.js has all kernels: {doubt}",) if doubt and settings.kernels == "used" else ()
    own = _as_files(session, runtime, notes)
    if settings.budget is not None and own.code.wire > parse_size(settings.budget):
        raise BudgetError(
            f"{show_size(own.code.wire)} on the wire are over the budget of {settings.budget}",
            code="SP-561",
            where="runtime.budget",
            hint="Name fewer backends or functions, or raise the budget",
        )
    return own


def _in_node(session: Session) -> bool:
    return any(backend in node_backends for backend in session.config.runtime.backends)


def _doubt(session: Session, models: tuple[Built, ...], verified: Mapping[str, Verification]) -> str:
    """Tell why it cannot be known which kernels are enough; "" when it can."""
    if not _in_node(session):
        return f"Node runs none of the backends {', '.join(session.config.runtime.backends)}"
    for built in models:
        if not built.settings.weights:
            return f"{built.bundle.name} is there to be trained, which may need any"
        result = verified.get(built.bundle.name)
        if result is None or result.runtime is None:
            return f"{built.bundle.name} was not run, so what it needs is not known"
    return ""


def _uses(session: Session, models: tuple[Built, ...], verified: Mapping[str, Verification]) -> Uses:
    ops = {op for built in models for op in _graph_ops(built)}
    kernels = {kernel for result in verified.values() for kernel in result.kernels}
    functions = {*page_functions, *inner_functions, *session.config.runtime.functions}
    return Uses(tuple(sorted(ops)), tuple(sorted(kernels)), tuple(sorted(functions)))


def _graph_ops(built: Built) -> Mapping[str, int]:
    return count_ops(built.bundle.content) if built.bundle.content.kind == "graph-model" else {}


def _bundle(session: Session, models: tuple[Built, ...], uses: Uses | None) -> Runtime:
    kinds = {built.bundle.content.kind for built in models}
    trained = any(not built.settings.weights for built in models)
    backends = session.config.runtime.backends
    wanted = Wanted(tuple(sorted(packages[kind] for kind in kinds)), backends, uses, trained)
    session.progress.begin("", "bundle TensorFlow.js", 1)
    try:
        return bundle_runtime(wanted, find_node_modules(session.config.folder), session.cache)
    finally:
        session.progress.end("")


def _problem(session: Session, models: tuple[Built, ...], runtime: Runtime) -> str:
    """Run every model with it; tell what does not work, or ""."""
    try:
        verify_models(session, models, runtime)
    except BuildError as error:
        name, failure = next(iter(error.failures.items()))
        return f"{name}: {failure.what}"
    return ""


def _way_out(problem: str, backends: tuple[str, ...]) -> str:
    """Tell what to do where not even all kernels are enough."""
    if "differs" in problem or "cpu" in backends:
        return "Compare with [runtime] build = false; where that is right, report it"
    return 'Add "cpu" to [runtime] backends, or set build = false'


def _gap(session: Session, models: tuple[Built, ...], runtime: Runtime) -> str:
    """Tell which model could not be run with it at all, or ""."""
    proven = verify_models(session, models, runtime)
    for built in models:
        result = proven.get(built.bundle.name)
        if result is None or result.runtime is None:
            return f"{built.bundle.name} was taken from an earlier build, so it could not be run with fewer"
    return ""


def _as_files(session: Session, runtime: Runtime, notes: tuple[str, ...]) -> BundledTfjs:
    compressor: Compressor = session.compressor

    def file(url: str, blob: Blob) -> File:
        return File(url, blob, compressor.encode(blob))

    code = file(module_url(runtime_name, runtime.code.sha256), runtime.code)
    wasm = {url.split(".")[0]: file(url, blob) for url, blob in sorted(runtime.wasm.items())}
    return BundledTfjs(code, wasm, runtime.version, runtime.backends, runtime.kernels, notes)
