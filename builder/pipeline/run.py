"""The whole of ``python build.py``: build, verify, publish, write the evidence."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.ladders import as_written
from ..config.tables import Config
from ..errors import VerificationError
from ..progress import Progress
from ..tfjs_runtime.bundle import find_packages
from ..verify.run import Verification, find_node_modules, missing_runtime
from ..words.table import kind as vectors_kind
from .bundled_tfjs import BundledTfjs, make_bundled_tfjs
from .claim import check_claim
from .fit import with_fits
from .ladders import check_ladders, join_ladders
from .make_model import Built
from .models import build_models
from .offline import write_offline
from .report.report import Evidence, write_report
from .rung_agreement import measure_agreement
from .session import BuildOptions, open_session
from .verify_models import verify_models, with_samples
from .write_dist import Output, write_output

if TYPE_CHECKING:
    from ..work.workers import Workers


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What a build gave.

    Attributes:
        models: in order of their names.
        verified: what became of each model's check.
        output: what was written.
        own: the bundle's own TensorFlow.js, if it has one.
        warnings: sentences the user should read.
        remarks: those that nothing has to be done about, as where a model cannot run.
    """

    models: tuple[Built, ...]
    verified: dict[str, Verification]
    output: Output
    own: BundledTfjs | None
    warnings: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def build(
    config: Config,
    options: BuildOptions,
    out: Path,
    progress: Progress,
    *,
    strict: bool,
    check: bool = True,
    pool: Workers | None = None,
) -> BuildResult:
    """Build into ``out``.

    Args:
        config: what to build.
        options: how.
        out: the folder to write.
        progress: told of the work.
        strict: warnings fail.
        check: have TensorFlow.js run the models first, and report what there is to know of them.
        pool: workers that stay, or None.

    Raises:
        ShardpressError: something failed; what was published in ``out`` before is as it was.
    """
    begun = time.monotonic()
    check_claim(out, config.folder)
    with as_written(config.ladders), open_session(config, options, progress, pool) as session:
        session.before_work = partial(_need_runtime, config, strict=strict and check)
        models = build_models(session)
        check_ladders(session, models)
        verified = verify_models(session, models) if check else {}
        agreement = measure_agreement(session, models) if check else {}
        own = make_bundled_tfjs(session, models, verified, check=check)
        warnings = (*_warnings(models, verified), *(own.notes if own else ()))
        if strict and warnings:
            raise VerificationError(f"--strict: {warnings[0]}", code="SP-547", hint="Fix it, or build without --strict")
        models = with_fits(join_ladders(session, with_samples(session, models), agreement), verified)
        output = write_output(out, config.build.package, models, verified, session.cache, session.compressor, own)
        # Browsers without SIMD keep the other binary when they have used it.
        binaries = tuple(file.url for name, file in own.wasm.items() if "simd" in name) if own else ()
        if warning := write_offline(config, output.worker, binaries):
            warnings = (*warnings, warning)
        if check:
            evidence = Evidence(models, verified, output, time.monotonic() - begun, own)
            write_report(out, config, evidence, session.cache)
    return BuildResult(models, verified, output, own, (*warnings, *session.warnings), _remarks(verified))


def _need_runtime(config: Config, kind: str, *, strict: bool) -> None:
    """Refuse to make what nothing here can bundle or check: word vectors need Node alone, models TensorFlow.js, too."""
    words = kind == vectors_kind
    modules = find_node_modules(config.folder)
    if config.runtime.build and not words:
        find_packages((), config.runtime.backends, modules)
    if strict and (problem := missing_runtime(config.folder if words else modules)):
        what = f"could not be verified: {problem.rstrip('.')}"
        raise VerificationError(what, code="SP-547", where="--strict", hint="Fix that, or build without --strict")


def publish_again(config: Config, options: BuildOptions, out: Path, result: BuildResult, progress: Progress) -> Output:
    """Write into ``out`` what an earlier build gave.

    Raises:
        ShardpressError: the folder cannot be written.
    """
    with open_session(config, options, progress) as session:
        return write_output(
            out, config.build.package, result.models, result.verified, session.cache, session.compressor, result.own
        )


def _warnings(models: tuple[Built, ...], verified: dict[str, Verification]) -> tuple[str, ...]:
    """Collect the notes; a reason that many models share is told once."""
    found: dict[str, list[str]] = {}
    for built in models:
        name = built.bundle.name
        verification = verified.get(name)
        notes = list(built.assembly.notes)
        if verification is not None and verification.runtime is None:
            notes.append(f"not verified: {verification.problem}")
        notes += verification.doubts if verification is not None else ()
        for note in notes:
            found.setdefault(note, []).append(name)
    return tuple(f"{', '.join(names)}: {note}" for note, names in found.items())


def _remarks(verified: dict[str, Verification]) -> tuple[str, ...]:
    """Say which backends a model cannot run on; pages' ``pickBackend`` passes them over."""
    return tuple(
        f"{name}: not for the {backend} backend: {problem}"
        for name, verification in sorted(verified.items())
        if verification.passed
        for backend, problem in verification.wrong
    )
