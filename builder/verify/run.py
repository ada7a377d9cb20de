"""Runs built models in TensorFlow.js under Node and judges their answers.

One Node process takes many models, because starting one costs more than running a small model. A model that cannot
be loaded or run, or answers differently, is a ``Verification`` that has not passed; that nothing could be run at all
(no Node, no TensorFlow.js) is one without a runtime.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from builder.errors import VerificationError
from builder.sandbox.launch import run_behind_wall
from builder.sources.files import source_files
from builder.verify.nouns import Check, Comparison, Gate, SampleInput, Verification

if TYPE_CHECKING:
    from builder.verify.compare import Array

__all__ = ["Check", "Verification", "find_node_modules", "missing_runtime", "verify", "verify_all"]
backends = ("wasm", "cpu")
step_seconds = 60.0  # from one step of a model to the next, as loading or one case
short_seconds = 15.0  # the same for a second backend


def find_node_modules(*starts: Path) -> Path | None:
    """Find the nearest ``node_modules`` with TensorFlow.js, at or above each of ``starts``, else above this package."""
    checkout = Path(__file__).resolve().parents[2]
    for start in (*starts, checkout):
        for folder in (start.resolve(), *start.resolve().parents):
            modules = folder / "node_modules"
            if (modules / "@tensorflow" / "tfjs" / "package.json").is_file():
                return modules
    return None


def missing_runtime(node_modules: Path | None) -> str:
    """Say what is missing to run anything and how to get it; empty when nothing is."""
    if shutil.which("node") is None:
        return f"Node is not installed. {install_hint}."
    return "" if node_modules else f"TensorFlow.js is not installed for Node. {install_hint}."


def verify(check: Check, *, work: Path, node_modules: Path | None, timeout: float = step_seconds) -> Verification:
    """Verify one model; see ``verify_all``."""
    return verify_all([check], work=work, node_modules=node_modules, timeout=timeout)[0]


def verify_all(
    checks: Sequence[Check], *, work: Path, node_modules: Path | None, timeout: float = step_seconds
) -> list[Verification]:
    """Verify models on every backend that Node has, one after another, in as few Node processes as it takes.

    All that is asked runs on the first backend. On the second one a single case at full precision shows whether it can
    be used too, unless it would take too long; where the first one fails, all that is asked runs there.

    Args:
        checks: what to verify.
        work: an existing folder for the jobs and answers; the caller removes it.
        node_modules: as ``find_node_modules`` gives it.
        timeout: seconds that Node may take from one step of a model to the next.

    Raises:
        VerificationError: the harness itself failed, or a check has neither source nor references.
    """
    node = shutil.which("node")
    if node is None or node_modules is None:
        problem = missing_runtime(node_modules)
        return [Verification(None, passed=False, problem=problem) for _ in checks]
    jobs = [_write_job(check, work / str(index), node_modules) for index, check in enumerate(checks)]
    failed: dict[Path, str] = {}
    waiting = jobs
    while waiting:
        trouble = _run_node(node, waiting, timeout * len(waiting), [work, node_modules, *_read_files(checks)])
        waiting = [job for job in waiting if not _answer(job).is_file()]
        if waiting:
            # The first without an answer brought the process down; the others deserve a run of their own.
            failed[waiting[0]] = trouble
            waiting = waiting[1:]
    return [
        Verification("node", passed=False, problem=failed[job]) if job in failed else _judge(check, job)
        for check, job in zip(checks, jobs, strict=True)
    ]


def _try(check: Check, job: Path, failure: str | None) -> Trial:
    asked = json.loads(job.read_bytes())
    if failure is not None:
        # What is installed it had no time to say.
        return Trial(asked["backends"][0], tuple(asked["backends"]), failure, short=asked["short"])
    result = json.loads(answer_of(job).read_bytes())
    return read_trial(check, result, job.with_name("result.bin").read_bytes(), short=asked["short"])


def _write_job(check: Check, folder: Path, node_modules: Path, names: Sequence[str], *, short: bool = False) -> Path:
    if check.source is None and check.references is None:
        raise VerificationError("there is nothing to compare with", where=f"model {check.model!r}")
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "cases.bin"
    with data.open("wb") as file:
        cases = [[_write_tensor(file, name, array) for name, array in case.items()] for case in check.cases]
        extra = check.extra and [_write_tensor(file, name, array) for name, array in check.extra.items()]
        sample = [_write_tensor(file, spec.name, array) for spec, array in _sample_tensors(check)]
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
        "stages": [{"name": name, "outputs": outputs} for name, outputs in check.stages],
        "data": str(data.resolve()),
        "out": str(folder.resolve()),
    }
    job.write_text(json.dumps(content), encoding="utf-8")
    answer_of(job).unlink(missing_ok=True)
    return job


def _write_tensor(file: BinaryIO, name: str, array: Array) -> dict[str, Any]:
    import numpy as np

    kind = {"f": "float32", "i": "int32", "u": "int32", "b": "bool", "c": "complex64"}.get(array.dtype.kind, "string")
    if kind == "string":
        encoded = [item if isinstance(item, bytes) else str(item).encode() for item in array.ravel().tolist()]
        content = b"".join(len(item).to_bytes(4, "little") + item for item in encoded)
    else:
        content = np.ascontiguousarray(array, dtype=numpy_types[kind]).tobytes()
    offset = file.tell()
    file.write(content)
    return {"name": name, "dtype": kind, "shape": list(array.shape), "offset": offset, "bytes": len(content)}


def _sample_tensors(check: Check) -> list[tuple[SampleInput, Array]]:
    from builder.verify.samples import sample_tensor

    return [(spec, sample_tensor(spec, position)) for position, spec in enumerate(check.sample)]


def _sample(check: Check, found: Mapping[str, Any] | None, content: bytes) -> dict[str, Any] | None:
    from builder.verify.samples import make_sample

    if not found or not found.get("full"):
        return None
    base, full = (
        None if found.get(stage) is None else [(item["name"], _read_tensor(item, content)) for item in found[stage]]
        for stage in ("base", "full")
    )
    return make_sample(check.sample, base, full or [], check.tolerance, numbered=found["numbered"])


def _read_files(checks: Sequence[Check]) -> Iterator[Path]:
    """Give what the harness reads of a build."""
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


def _run_node(node: str, jobs: Sequence[Path], timeout: float, reads: Sequence[Path]) -> str:
    """Run the harness behind the wall; give what to say of the first job without an answer."""
    arguments = ["--expose-gc", str(harness), *map(str, jobs)]
    try:
        done = run_behind_wall(node, arguments, [harness, *reads], [job.parent for job in jobs], timeout)
    except subprocess.TimeoutExpired:
        return f"Node gave no answer within {timeout:g} seconds"
    except OSError as error:
        raise VerificationError(f"Node cannot be started ({error.strerror})", where=node, hint=install_hint) from error
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    ending = f"by signal {-done.returncode}" if done.returncode < 0 else f"with status {done.returncode}"
    return f"Node ended {ending}: {' | '.join(lines[-5:]) or 'it said nothing'}"


def _judge(check: Check, job: Path) -> Verification:
    from builder.verify.compare import compare

    result = json.loads(_answer(job).read_bytes())
    content = job.with_name("result.bin").read_bytes()
    failure = result["error"]
    stages: list[Comparison] = []
    problem = ""
    if failure is not None:
        problem = _describe(failure)
    try:
        expected = check.references if check.source is None else _cases(result["source"], content)
        if expected is not None:
            for stage in result["stages"]:
                answers = _cases(stage["cases"], content)
                wanted = dict(check.stages).get(stage["name"])
                references = expected if wanted is None else [_only(case, wanted) for case in expected]
                stages.append(compare(stage["name"], answers or [], references, check.gate.metric, check.gate.boxes))
    except VerificationError as error:
        problem = problem or str(error)
    if not problem and not check.gate.admits(stages[-1]):
        problem = _shortfall(check.gate, stages[-1])
    return Verification(
        runtime=result["runtime"],
        passed=not problem,
        stages=tuple(stages),
        problem=problem,
        notes=tuple(result["notes"]),
        seconds=result["seconds"],
        kernels=tuple(result["kernels"]),
        sample=None if problem else _sample(check, result.get("sample"), content),
    )


def _only(case: Tensors, names: tuple[str, ...]) -> Tensors:
    return {name: case[name] for name in names if name in case}


def _describe(failure: Mapping[str, Any]) -> str:
    what = {
        "runtime": "TensorFlow.js cannot be started",
        "load": "TensorFlow.js cannot load the bundle",
        "base": "TensorFlow.js loads the bundle, but cannot run its first stage",
        "full": "TensorFlow.js cannot load or run the refined model",
        "source": "TensorFlow.js cannot load or run the source model itself",
    }.get(failure["stage"], f"TensorFlow.js cannot run the outputs of the stage {failure['stage']!r}")
    code = f" ({failure['code']})" if failure["code"] else ""
    return f"{what}{code}: {failure['message']}"


def _shortfall(gate: Gate, last: Comparison) -> str:
    if gate.max_error is not None and not last.max_error <= gate.max_error:
        size = f"{last.max_error:.2g}" if math.isfinite(last.max_error) else "without bound (NaN, infinity or shape)"
        return f"output {last.worst!r} differs from the source model's by {size}, allowed is {gate.max_error:g}"
    return (
        f"only {last.agreement:.1%} of the answers agree with the source model's ({gate.metric}), "
        f"asked for is {gate.min_agreement:.1%}"
    )


def _cases(cases: Sequence[Sequence[Mapping[str, Any]]] | None, content: bytes) -> list[Tensors] | None:
    if cases is None:
        return None
    return [{item["name"]: _read_tensor(item, content) for item in case} for case in cases]


def _read_tensor(item: Mapping[str, Any], content: bytes) -> Array:
    import numpy as np

    part = content[item["offset"] : item["offset"] + item["bytes"]]
    shape = tuple(item["shape"])
    if item["dtype"] != "string":
        return np.frombuffer(part, dtype=numpy_types[item["dtype"]]).reshape(shape)
    strings: list[bytes] = []
    at = 0
    while at < len(part):
        length = int.from_bytes(part[at : at + 4], "little")
        strings.append(part[at + 4 : at + 4 + length])
        at += 4 + length
    array = np.empty(len(strings), dtype=object)
    array[:] = strings
    return array.reshape(shape)
