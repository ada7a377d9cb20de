"""Runs built models in TensorFlow.js under Node and judges their answers.

One Node process takes many models, because starting one costs more than running a small model. A model that cannot
be loaded or run, or answers differently, is a ``Verification`` that has not passed; that nothing could be run at all
(no Node, no TensorFlow.js) is one without a runtime.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ..errors import VerificationError
from ..packages import package_folder
from ..sources.source_files import source_files
from .agreement import Answered, read_answers
from .node import Jobs, answer_of, install_hint, run_jobs
from .tensors import write_tensor
from .trial import Trial, read_trial, settle
from .types import Check, SampleInput, Verification

if TYPE_CHECKING:
    from .compare import Array

__all__ = ["Check", "Verification", "find_node_modules", "missing_runtime", "verify", "verify_all"]
backends = ("wasm", "cpu")
step_seconds = 60.0  # from one step of a model to the next, as loading or one case
short_seconds = 15.0  # the same for a second backend


def find_node_modules(*starts: Path) -> Path | None:
    """Find the nearest ``node_modules`` with TensorFlow.js, at or above each of ``starts``, else above this package."""
    for start in (*starts, package_folder.parent):
        for folder in (start.resolve(), *start.resolve().parents):
            modules = folder / "node_modules"
            if (modules / "@tensorflow" / "tfjs" / "package.json").is_file():
                return modules
    return None


def missing_runtime(node_modules: Path | None) -> str:
    """Return what is missing to run anything, and how to install it; empty if nothing is."""
    if shutil.which("node") is None:
        return f"Node is not installed. {install_hint}."
    return "" if node_modules else f"TensorFlow.js is not installed for Node. {install_hint}."


def verify(check: Check, *, work: Path, node_modules: Path | None, timeout: float = step_seconds) -> Verification:
    """Verify one model; see ``verify_all``."""
    return verify_all([check], work=work, node_modules=node_modules, timeout=timeout)[0]


def verify_all(
    checks: Sequence[Check],
    *,
    work: Path,
    node_modules: Path | None,
    timeout: float = step_seconds,
    thorough: bool = False,
) -> list[Verification]:
    """Verify models on every backend that Node has, in as few Node processes as it takes.

    All that is asked runs on the first backend. On the second one, at the same time where there are two cores, a single
    case at full precision shows whether it can be used too, unless it would take too long; where the first one fails,
    all that is asked runs there.

    Args:
        checks: what to verify.
        work: an existing folder for the jobs and answers; the caller removes it.
        node_modules: as ``find_node_modules`` gives it.
        timeout: seconds that Node may take from one step of a model to the next.
        thorough: all that is asked runs on the second backend too, however long it takes.

    Raises:
        VerificationError: the harness itself failed, or a check has neither source nor references.
    """
    node = shutil.which("node")
    if node is None or node_modules is None:
        problem = missing_runtime(node_modules)
        return [Verification(None, passed=False, problem=problem) for _ in checks]
    reads = [node_modules, *_read_files(checks)]
    jobs = [_write_job(check, work / str(index), node_modules, backends) for index, check in enumerate(checks)]
    with _Second(checks, work, node, node_modules, min(timeout, short_seconds), reads) as second:
        if not thorough:
            second.begin()
        failed = run_jobs(node, jobs, timeout, reads)
        first = [_try(check, job, failed.get(job)) for check, job in zip(checks, jobs, strict=True)]
        for index in _doubtful(first):
            # An earlier model may have spoilt the process for it: it fails only by itself.
            job = _write_job(checks[index], work / str(index), node_modules, backends)
            first[index] = _try(checks[index], job, run_jobs(node, [job], timeout, reads).get(job))
        others = {index for index, trial in enumerate(first) if trial.others}
        whole = {i for i in others if thorough or (first[i].problem and not first[i].files_at_fault)}
        short = {i for i in others - whole if not first[i].problem}
        answered = second.finish({index: first[index].others for index in short if not first[index].too_slow})
    seconds = {index: answered[index] for index in short if index in answered}
    late = {i: _write_job(checks[i], work / f"{i}-whole", node_modules, first[i].others) for i in sorted(whole)}
    failed = run_jobs(node, list(late.values()), timeout, reads)
    seconds |= {index: _try(checks[index], job, failed.get(job)) for index, job in late.items()}
    return [settle(check, first[index], seconds.get(index)) for index, check in enumerate(checks)]


class _Second:
    """A single case of each model on the second backend, in a thread and a process of their own."""

    def __init__(
        self,
        checks: Sequence[Check],
        work: Path,
        node: str,
        node_modules: Path,
        timeout: float,
        reads: Sequence[Path],
    ) -> None:
        self._checks, self._work, self._modules = checks, work, node_modules
        self._node = Jobs(node, timeout, reads)
        self._jobs: dict[int, Path] = {}
        self._begun: Future[dict[Path, str]] | None = None
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._node.give_up(self._jobs.values())
        self._thread.shutdown()

    def begin(self) -> None:
        """Begin before the first backend has answered, where the second one will be known and has a core."""
        if (os.cpu_count() or 1) > 1 and (self._modules / "@tensorflow" / "tfjs-backend-wasm").is_dir():
            self._begun = self._submit(dict.fromkeys(range(len(self._checks)), backends[1:]))

    def finish(self, wanted: Mapping[int, Sequence[str]]) -> dict[int, Trial]:
        """Wait for the answers that are wanted, and give all that are there.

        Args:
            wanted: backends by the number of the model.

        Raises:
            VerificationError: as ``run_jobs``.
        """
        begun = self._begun or self._submit(wanted)
        self._node.give_up(job for index, job in self._jobs.items() if index not in wanted)
        failed = begun.result()
        done = {index: job for index, job in self._jobs.items() if job in failed or answer_of(job).is_file()}
        return {index: _try(self._checks[index], job, failed.get(job)) for index, job in done.items()}

    def _submit(self, wanted: Mapping[int, Sequence[str]]) -> Future[dict[Path, str]]:
        self._jobs = {
            index: _write_job(self._checks[index], self._work / f"{index}-short", self._modules, names, short=True)
            for index, names in wanted.items()
        }
        return self._thread.submit(self._node.run, list(self._jobs.values()))


def _doubtful(trials: Sequence[Trial]) -> list[int]:
    """Return the models that failed on wasm behind others in the same process, whose memory they share."""
    return [
        index
        for index, trial in enumerate(trials)
        if index and trial.problem and trial.backend == "wasm" and trial.result and not trial.files_at_fault
    ]


def _read_files(checks: Sequence[Check]) -> Iterator[Path]:
    """Return what the harness reads of a build."""
    for check in checks:
        yield check.loader.parent
        if check.files is not None:
            yield from check.files.values()
        if check.source is not None:
            yield from (file for _, file in source_files(check.source, "tfjs"))
        if check.runtime is not None:
            yield check.runtime.parent
        if check.ops is not None:
            yield check.ops


def _try(check: Check, job: Path, failure: str | None) -> Trial:
    asked = json.loads(job.read_bytes())
    if failure is not None:
        # What is installed it had no time to say.
        return Trial(asked["backends"][0], tuple(asked["backends"]), failure, short=asked["short"])
    result = json.loads(answer_of(job).read_bytes())
    return read_trial(check, result, job.with_name("result.bin").read_bytes(), short=asked["short"])


def _write_job(check: Check, folder: Path, node_modules: Path, names: Sequence[str], *, short: bool = False) -> Path:
    if check.source is None and check.references is None:
        raise VerificationError("there is nothing to compare with", code="SP-543", where=f"model {check.model!r}")
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "cases.bin"
    with data.open("wb") as file:
        cases = [[write_tensor(file, name, array) for name, array in case.items()] for case in check.cases]
        extra = check.extra and [write_tensor(file, name, array) for name, array in check.extra.items()]
        sample = [write_tensor(file, spec.name, array) for spec, array in _sample_tensors(check)]
    job = folder / "job.json"
    content = {
        "nodeModules": str(node_modules.resolve()),
        "backends": list(names),
        "loader": str(check.loader.resolve()),
        "files": None if check.files is None else {name: str(path.resolve()) for name, path in check.files.items()},
        "model": check.model,
        "ops": None if check.ops is None else str(check.ops.resolve()),
        "runtime": None if check.runtime is None else str(check.runtime.resolve()),
        "source": None if check.source is None else str(check.source.resolve()),
        "initial": check.initial,
        "cases": cases,
        "extra": extra,
        "sample": sample or None,
        "short": short,
        "shown": [] if short else _write_shown(check, folder),
        "played": [] if short else _write_played(check, folder),
        "heard": check.heard,
        "told": [] if short else [told.text for told in check.told],
        "stages": [{"name": name, "outputs": outputs} for name, outputs in check.stages],
        "data": str(data.resolve()),
        "out": str(folder.resolve()),
    }
    job.write_text(json.dumps(content), encoding="utf-8")
    answer_of(job).unlink(missing_ok=True)
    return job


def _write_shown(check: Check, folder: Path) -> list[dict[str, object]]:
    """Write the pictures that ``run`` is given."""
    listed: list[dict[str, object]] = []
    for number, shown in enumerate(check.shown):
        path = folder / f"shown-{number}.bin"
        path.write_bytes(shown.pixels.tobytes())
        height, width, _ = shown.pixels.shape
        listed.append({"file": str(path.resolve()), "width": width, "height": height})
    return listed


def _write_played(check: Check, folder: Path) -> list[str]:
    """Write the sounds that ``run`` is given; give their files."""
    files = [folder / f"played-{number}.wav" for number in range(len(check.played))]
    for path, played in zip(files, check.played, strict=True):
        path.write_bytes(played.content)
    return [str(path.resolve()) for path in files]


def _sample_tensors(check: Check) -> list[tuple[SampleInput, Array]]:
    from .samples import sample_tensor

    return [(spec, sample_tensor(spec, position)) for position, spec in enumerate(check.sample)]


def answers_of(checks: Sequence[Check], *, work: Path, node_modules: Path | None) -> list[Answered | None]:
    """Have the first backend run models at full precision, and judge nothing.

    Args:
        checks: what to run; neither sources nor references are needed.
        work: an existing folder for the jobs and answers; the caller removes it.
        node_modules: as ``find_node_modules`` gives it.

    Returns:
        What each of them answered; None for one that could not be run.
    """
    node = shutil.which("node")
    if node is None or node_modules is None:
        return [None] * len(checks)
    asked = [replace(check, references=check.references or ()) for check in checks]
    jobs = [_write_job(check, work / str(index), node_modules, backends) for index, check in enumerate(asked)]
    failed = run_jobs(node, jobs, step_seconds, [node_modules, *_read_files(asked)])
    return [None if job in failed else read_answers(job) for job in jobs]
