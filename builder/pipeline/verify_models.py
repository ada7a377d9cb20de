"""Has TensorFlow.js run every built model, and remembers the answer."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from ..bundle.files import File
from ..bundle.format import head_url, module_url
from ..bundle.head import write_head
from ..bundle.index import make_index
from ..bundle.render import render_loader, render_module
from ..cache.local import key_of
from ..config.verify import VerifyConfig
from ..convert.side_files import is_hybrid, read_step
from ..errors import BuildError, ConversionError, ShardpressError, VerificationError
from ..packages import code_hash
from ..precision.calibrate import input_digests
from ..tfjs_runtime.types import Runtime
from ..typed import from_builtins
from ..verify.gates import gate_of
from ..verify.run import Check, Verification, find_node_modules, missing_runtime, verify_all
from ..words.check import VectorsCheck, gate_of_vectors, verify_vectors
from ..words.table import kind as vectors_kind
from .make_model import Built
from .session import Session
from .verify_cases import Answers, Question, fix_lengths, guesses_lengths, reference_to

vectors_module = "vectors"
outdated = "its source was changed while it was checked. Build again."
close_error = 0.01  # of devices, where build.toml states no max_error: half precision counts as right
most_steps = 4  # that last bits move the answers of a quantisation-aware model by
runtime_packages = ("@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm")
most_told = 200  # texts that go the whole way
most_played = 50  # sounds that do


@dataclass(frozen=True, slots=True)
class _Job:
    """One model that is not known to run yet."""

    built: Built
    key: str
    check: Check


@dataclass(frozen=True, slots=True)
class VerifyInputs:
    """All that a verdict on a model depends on: a key is made of the whole.

    Attributes:
        head: hash of its head.
        model: key of the built model, and so of its source.
        settings: its table in build.toml.
        samples: names and digests of its inputs.
        loader: the loader's code.
        module: the code that answers for word vectors.
        runtime: versions of the installed TensorFlow.js.
        own: hash of the bundle's TensorFlow.js, if that runs it.
        code: hash of our own.
    """

    head: str
    model: str
    settings: VerifyConfig
    samples: list[list[str]]
    loader: str
    module: str | None
    runtime: Mapping[str, str]
    own: str | None
    code: str


def verify_models(session: Session, models: tuple[Built, ...], own: Runtime | None = None) -> dict[str, Verification]:
    """Return for each model what became of its check; those that can no longer be checked are left out.

    Args:
        session: of the build.
        models: what it made.
        own: the bundle's TensorFlow.js to run them with, or None for the installed one.

    Raises:
        BuildError: TensorFlow.js cannot run some models, or they answer differently from their sources.
    """
    node_modules = find_node_modules(session.config.folder)
    runtime = _runtime_versions(node_modules)
    loader_code = render_loader(make_index({}).encode()).decode()
    results: dict[str, Verification] = {}
    missing: list[tuple[Built, str]] = []
    for built in models:
        name = built.bundle.name
        is_words = built.bundle.content.kind == vectors_kind
        inputs = VerifyInputs(
            head=built.bundle.head.blob.sha256,
            model=built.key,
            settings=built.settings.verify,
            samples=input_digests(built.settings.verify.inputs, session.config.folder, session.cache),
            loader=loader_code,
            module=render_module(vectors_module).decode() if is_words else None,
            runtime=runtime,
            own=own.code.sha256 if own and not is_words else None,
            code=code_hash("verify"),
        )
        key = key_of(inputs)
        record = session.cache.record("verified", key)
        if record is not None:
            results[name] = from_builtins(record, Verification, strict=False)
        elif not built.is_kept:
            missing.append((built, key))
    words = [(built, key) for built, key in missing if built.source.kind == vectors_kind]
    results |= _run_vectors(session, words)
    missing = [item for item in missing if item not in words]
    if missing:
        results |= _run(session, missing, node_modules, own)
    by_name = {built.bundle.name: built for built in models}
    failures: dict[str, ShardpressError] = {
        name: VerificationError(
            result.problem, code="SP-540", where="verification", hint=_way_out(by_name[name], result)
        )
        for name, result in results.items()
        if result.runtime is not None and not result.passed
    }
    if failures:
        raise BuildError(failures)
    return results


def _way_out(built: Built, result: Verification) -> str:
    """Say what to do about a model that answers otherwise: of one that rounds to steps, a few steps are fine."""
    name = built.bundle.name
    if not result.stages and built.needs_tensorflow and guesses_lengths(built):
        return f"Nothing was published; its open lengths were guessed: {fix_lengths(built)}"
    step, error = read_step(built.artefact), result.stages[-1].max_error if result.stages else math.inf
    fits = f"[models.{name}.verify] max_error = {2 * error:.1g} fits"
    if step and error <= most_steps * step and built.source.kind == "tflite":
        return (
            f"Nothing was published; TensorFlow Lite rounds what it computes to steps of up to {step:.2g}, and pages "
            f"compute in real numbers: {fits}"
        )
    if is_hybrid(built.artefact) and math.isfinite(error):
        return (
            "Nothing was published; TensorFlow Lite rounds what goes into the file's quantised weights to 256 steps, "
            f"and pages do not: give verify.inputs, as it does worse on random numbers than on real ones, or {fits}"
        )
    if step and error <= most_steps * step:
        fitting = f"{step * math.ceil(error / step) * 1.01:.2g}"
        return (
            f"Nothing was published; the model simulates quantisation in steps of up to {step:.2g}, and a last bit "
            f"can move a number by one: [models.{name}.verify] max_error = {fitting} fits"
        )
    return f"Nothing was published; convert the model again, or loosen [models.{name}.verify] if that is fine"


def _run_vectors(session: Session, missing: list[tuple[Built, str]]) -> dict[str, Verification]:
    """Have the loader answer for word vectors, which need no TensorFlow.js."""
    results = {}
    for built, key in missing:
        name, settings = built.bundle.name, built.settings
        session.progress.begin(name, "verify under Node", 1)
        with session.cache.work() as work:
            modules = _write_modules(work, (vectors_module,))
            loader = work / "loader.js"
            loader.write_bytes(render_loader(make_index({name: built.lone_entry}, modules).encode()))
            check = VectorsCheck(
                model=name,
                loader=loader,
                files={file.url: file.blob.path for file in built.bundle.files},
                source=built.artefact,
                vocabulary=session.config.folder / settings.vocabulary if settings.vocabulary else None,
                rows=built.bundle.content.weights[-1].shape[0],
                first=settings.rows_first,
                gate=gate_of_vectors(settings.verify.max_error, settings.verify.min_agreement),
            )
            session.note_wall()
            answer = results[name] = verify_vectors(check, work)
        if answer.runtime is not None and answer.passed:
            session.cache.put_record("verified", key, msgspec.to_builtins(answer))
        session.progress.end(name)
    return results


def with_samples(session: Session, models: tuple[Built, ...]) -> tuple[Built, ...]:
    """Put what TensorFlow.js has told into the heads of models that it ran, now or before: samples, wrong backends."""
    return tuple(_with_sample(session, built) for built in models)


def _with_sample(session: Session, built: Built) -> Built:
    found = session.cache.record("sample", _sample_key(built)) or {}
    found = {key: value for key, value in found.items() if value}
    if not found:
        return built
    bundle = built.bundle
    sample, avoid = found.get("sample"), tuple(found.get("avoid", ()))
    content = msgspec.structs.replace(bundle.content, sample=sample, avoid=avoid)
    blob = session.cache.put(write_head(content))
    head = File(head_url(bundle.name, blob.sha256), blob, session.compressor.encode(blob))
    return replace(built, assembly=replace(built.assembly, bundle=replace(bundle, head=head, content=content)))


def _sample_key(built: Built) -> str:
    """Name a model's sample: not the loader, with which it has nothing to do."""
    limit = built.settings.verify.max_error
    return key_of(built.bundle.head.blob.sha256, repr(limit), code_hash("verify"))


def _run(
    session: Session, missing: list[tuple[Built, str]], node_modules: Path | None, own: Runtime | None
) -> dict[str, Verification]:
    if problem := missing_runtime(node_modules):
        return {built.bundle.name: Verification(None, passed=False, problem=problem) for built, _ in missing}
    with session.cache.work() as work:
        name = "verify in the bundle's TensorFlow.js" if own else "verify in TensorFlow.js"
        session.progress.begin("", name, len(missing))
        jobs = _jobs(session, missing, work, _lay_out(own, work) if own else None)
        session.note_wall()
        answers = verify_all([job.check for job in jobs], work=work, node_modules=node_modules)
        answers = [_grown(session, job, answer, work, node_modules) for job, answer in zip(jobs, answers, strict=True)]
        results = {}
        for job, answer in zip(jobs, answers, strict=True):
            if job.built.is_outdated:  # it was compared with another model; nothing of that may be remembered
                results[job.built.bundle.name] = Verification(None, passed=False, problem=outdated)
                continue
            results[job.built.bundle.name] = answer
            if answer.runtime is not None and answer.passed:
                session.cache.put_record("verified", job.key, msgspec.to_builtins(answer))
                if own is None:  # which has all backends, other than a bundle's own
                    avoid = [backend for backend, _ in answer.wrong]
                    found = {"sample": answer.sample, "avoid": avoid}
                    session.cache.put_record("sample", _sample_key(job.built), found)
            session.progress.advance("")
        session.progress.end("")
        return results


def _grown(session: Session, job: _Job, answer: Verification, work: Path, node_modules: Path | None) -> Verification:
    """Run a model that failed with other inputs, where lengths were guessed.

    A source with a runtime of its own has chosen sizes that it takes itself. Those of TensorFlow.js are looked for only
    where it cannot run these: numbers that differ are a failure.
    """
    from ..verify.inputs import larger_cases
    from ..verify.samples import sample_inputs

    built, specs = job.built, job.built.bundle.inputs
    if answer.passed or not guesses_lengths(built) or (built.needs_tensorflow and answer.stages):
        return answer
    for number, (sizes, case) in enumerate(list(larger_cases(specs, built.assembly.ids_below))[1::3]):
        folder = work / f"larger-{built.bundle.name}-{number}"
        folder.mkdir()
        references = None
        if built.needs_tensorflow and (references := reference_to(session, built, case, folder)) is None:
            continue
        sample = sample_inputs(specs, built.assembly.ids_below, sizes)
        check = replace(job.check, cases=[case], references=references, extra=None, extra_reference=None, sample=sample)
        found = verify_all([check], work=folder, node_modules=node_modules)[0]
        if not found.passed:
            continue
        if not built.needs_tensorflow:
            return found
        told = ", ".join(f"{name} {list(array.shape)}" for name, array in job.check.cases[0].items())
        way_out = fix_lengths(built)
        doubt = f"right as verified, but TensorFlow.js cannot run it with {told}, which its source takes: {way_out}"
        return replace(found, doubts=(*found.doubts, doubt))
    return answer


def _lay_out(own: Runtime, work: Path) -> Path:
    """Put a bundle's TensorFlow.js and its binaries where Node finds them; give the module."""
    folder = work / "runtime"
    folder.mkdir()
    for url, blob in own.wasm.items():
        shutil.copyfile(blob.path, folder / url)
    return Path(shutil.copyfile(own.code.path, folder / "tf.mjs"))


def _jobs(session: Session, missing: list[tuple[Built, str]], work: Path, runtime: Path | None) -> list[_Job]:
    """Prepare the checks; the references of all models are computed side by side in the conversion workers."""
    failures: dict[str, ShardpressError] = {}
    asked: list[tuple[Built, str, Question]] = []
    for built, key in missing:
        try:
            asked.append((built, key, Question(session, built, work / built.bundle.name)))
        except (VerificationError, ConversionError) as error:
            failures[built.bundle.name] = error
    jobs = []
    for built, key, question in asked:
        try:
            answers = question.answers()
        except ShardpressError as error:
            failures[built.bundle.name] = error
            continue
        jobs.append(_Job(built, key, check_of(built, answers, work, runtime)))
    if failures:
        raise BuildError(failures)
    return jobs


def check_of(built: Built, answers: Answers, work: Path, runtime: Path | None) -> Check:
    """Put together what Node is to run of a model.

    Args:
        built: the model.
        answers: its cases.
        work: an existing folder, in which one is made for its loader.
        runtime: the bundle's own TensorFlow.js, or None for the installed one.
    """
    from ..verify.samples import sample_inputs

    name, settings = built.bundle.name, built.settings.verify
    folder = work / f"bundle-{name}"
    folder.mkdir()
    content = built.bundle.content
    answer = content.answer if answers.shown or answers.told or answers.played else None
    modules = _write_modules(folder, content.modules) if answer or answers.told or answers.played else {}
    (folder / "loader.js").write_bytes(render_loader(make_index({name: built.lone_entry}, modules).encode()))
    return Check(
        model=name,
        loader=folder / "loader.js",
        cases=answers.cases,
        gate=gate_of(
            built.settings.precision,
            settings.max_error,
            settings.min_agreement,
            settings.metric,
            msgspec.to_builtins(settings.boxes),
        ),
        files={file.url: file.blob.path for file in built.bundle.files},
        source=None if built.needs_tensorflow else built.artefact,
        references=answers.references,
        stages=tuple((stage.name, stage.outputs) for stage in built.settings.stages[:-1]),
        ops=built.bundle.ops.blob.path if built.bundle.ops else None,
        initial=not built.settings.weights,
        runtime=runtime,
        sample=sample_inputs(built.bundle.inputs, built.assembly.ids_below, answers.sizes),
        extra=answers.extra,
        extra_reference=answers.extra_reference,
        tolerance=close_error if settings.max_error is None else settings.max_error,
        shown=answers.shown if answer else (),
        answer=answer,
        labels=content.labels or (),
        told=answers.told[:most_told],
        played=answers.played[:most_played],
        heard=content.audio["input"] if content.audio else "",
    )


def _write_modules(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Write the modules that ``run`` needs beside a loader; give their hashes."""
    # Node takes .js files for modules only where their folder says so.
    (folder / "package.json").write_text('{"type": "module"}')
    digests = {}
    for name in names:
        code = render_module(name)
        digests[name] = hashlib.sha256(code).hexdigest()
        (folder / module_url(name, digests[name])).write_bytes(code)
    return digests


def _runtime_versions(node_modules: Path | None) -> dict[str, str]:
    versions = {}
    for package in runtime_packages:
        try:
            content = json.loads((node_modules / package / "package.json").read_bytes()) if node_modules else {}
        except (OSError, ValueError):
            content = {}
        versions[package] = content.get("version", "none")
    return versions
