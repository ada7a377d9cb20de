"""Judges the result of one backend for a model, and of several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import VerificationError
from .doubts import doubts_of
from .node import failure_text, silence
from .result import Complaint, Result, SampleAnswers, StoredCost, StoredTensor
from .sounds import unheard, windows_of
from .tensors import read_tensor
from .types import Check, Comparison, Cost, Gate, HeavyKernel, Verification

if TYPE_CHECKING:
    from ..answers.frame import Frame
    from .compare import Tensors

# What goes wrong with the files goes wrong on every backend.
file_codes = frozenset({"network", "integrity", "manifest", "contract", "quota", "abort"})
see_answers = "see docs/answers.md, and state a min_agreement that will do"
slower = {True: 30, False: 3}  # times that cpu takes of wasm's time, with convolutions and without
longest = 10.0  # seconds that a second backend may be expected to take


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of one backend for a model.

    Attributes:
        backend: its name.
        present: backends that Node has, in order of preference.
        problem: why it is wrong; empty if it is right.
        short: only one case was run, at full precision.
        result: what the harness wrote; {} where it wrote nothing.
        content: the numbers of its tensors.
        stages: the comparisons made, in order.
        answers: of the model at full precision, by case.
        expected: what they were compared with, where TensorFlow.js ran the source too.
        agreeing: how many answers of ``run`` are the reference's, and of how many; None: none were asked for.
    """

    backend: str
    present: tuple[str, ...]
    problem: str
    short: bool = False
    result: Result = field(default_factory=Result)
    content: bytes = field(default=b"", repr=False)
    stages: tuple[Comparison, ...] = ()
    answers: Sequence[Tensors] | None = None
    expected: Sequence[Tensors] | None = None
    agreeing: tuple[int, int] | None = None

    @property
    def others(self) -> tuple[str, ...]:
        """The backends that are still to be tried."""
        return tuple(name for name in self.present if name != self.backend)

    @property
    def files_at_fault(self) -> bool:
        """The bundle's files themselves are wrong, on any backend."""
        error = self.result.get("error")
        return error is not None and error.get("code") in file_codes

    @property
    def too_slow(self) -> bool:
        """Another backend is expected to take too long for even one case."""
        convolves = any("Conv" in kernel for kernel in self.result.get("kernels", ()))
        return float(self.result.get("caseSeconds", 0.0)) * slower[convolves] > longest


def read_trial(check: Check, result: Result, content: bytes, *, short: bool) -> Trial:
    """Compare what the harness wrote with the source model's answers."""
    from .compare import compare

    stages: list[Comparison] = []
    problem = failure_text(result["error"]) if result["error"] is not None else ""
    answers: Sequence[Tensors] | None = None
    expected = check.references if check.source is None else _cases(result["source"], content)
    known = (expected or ())[:1] if short else expected or ()
    try:
        for stage in result["stages"] if expected is not None else ():
            answers = _cases(stage["cases"], content) or []
            wanted = dict(check.stages).get(stage["name"])
            references = known if wanted is None else [_only(case, wanted) for case in known]
            stages.append(compare(stage["name"], answers, references, check.gate.metric, check.gate.boxes))
    except VerificationError as error:
        problem = problem or str(error)
    if not problem and not check.gate.admits(stages[-1]):
        problem = shortfall(check.gate, stages[-1])
    problem = problem or _unlike(check, result) or unheard(check, result)
    agreeing = None
    if not problem and expected is not None:
        try:
            agreeing = _agreeing(check, result, expected)
        except VerificationError as error:  # the source's outputs are not what its answer needs
            problem = str(error)
    least = check.gate.min_agreement
    if agreeing and least is not None and agreeing[0] < least * agreeing[1]:
        right = f"{agreeing[0]} of {agreeing[1]} {_things(check)}"
        problem = f"run gives the source's answer to {right}, asked for is {least:.1%}"
    return Trial(
        result["backend"] or "",
        tuple(result["present"]),
        problem,
        short,
        result,
        content,
        tuple(stages),
        answers,
        None if check.source is None else expected,
        agreeing,
    )


def _things(check: Check) -> str:
    if check.played:
        return "windows of sounds"
    kinds = {"pictures": check.shown, "texts": check.told, "windows of sounds": check.played}
    return " and ".join(kind for kind, given in kinds.items() if given)


def _unlike(check: Check, result: Result) -> str:
    """Say which text becomes other inputs in a page than the reference makes of it."""
    for told, got in zip(check.told, result.get("told") or (), strict=False):
        wanted = check.cases[told.case]
        if got["inputs"] != {name: v.reshape(-1).tolist() for name, v in wanted.items()}:
            return f"run makes other ids of {told.text[:40]!r} than the reference"
    return ""


def _agreeing(check: Check, result: Result, expected: Sequence[Tensors]) -> tuple[int, int] | None:
    """Count the answers of ``run`` that are those of the reference."""
    from ..answers.agreement import agree, reference

    answers, told = result.get("answers") or (), result.get("told") or ()
    if check.answer is None:
        heard = [window for _, window in windows_of(check, result) if window["input"] is not None]
        compared = len(told) + len(heard)  # their inputs
        return (compared, compared) if compared else None
    pictures = zip(check.shown, answers, strict=bool(answers))
    given: list[tuple[int, Frame | None, Any]] = [(shown.case, shown.frame, got) for shown, got in pictures]
    given += [(one.case, None, got["answer"]) for one, got in zip(check.told, told, strict=bool(told))]
    given += [(case, None, window["answer"]) for case, window in windows_of(check, result)]
    count = 0
    for case, frame, got in given:
        count += agree(got, reference(check.answer, expected[case], frame, check.cases[case], check.labels), frame)
    return (count, len(given)) if given else None


def settle(check: Check, first: Trial, second: Trial | None) -> Verification:
    """Judge a model by the results of its backends: one of them must be right.

    If TensorFlow.js runs the source model too, cpu is taken as right: a backend's wrong kernels affect both.
    """
    first, second = _believe_cpu(check, first, second)
    trials = [first, *([second] if second else [])]
    right = [trial for trial in trials if not trial.problem]
    if not right:
        problem = first.problem
        if second and second.problem != problem:
            problem = f"{problem}; on {second.backend}: {second.problem}"
        return _verification(check, first, problem=problem)
    slow = first.others if second is None and first.too_slow else ()
    if second and second.short and second.problem.startswith(silence):
        slow = (second.backend,)
    wrong = tuple((trial.backend, trial.problem) for trial in trials if trial.problem and trial.backend not in slow)
    notes = tuple(f"not run on {name}: it takes too long here" for name in slow)
    return _verification(check, right[0], tuple(trial.backend for trial in right), wrong=wrong, notes=notes)


def _believe_cpu(check: Check, first: Trial, second: Trial | None) -> tuple[Trial, Trial | None]:
    from .compare import compare

    if second is None or second.backend != "cpu" or second.problem or second.expected is None or not first.answers:
        return first, second
    expected = second.expected
    try:
        found = compare("full", first.answers[: len(expected)], expected, check.gate.metric, check.gate.boxes)
    except VerificationError:
        return first, second
    close = check.gate.admits(found)
    if first.problem and close and first.result.get("error") is None:
        return _with(first, "", (found,)), second
    if not first.problem and not close and found.max_error > check.tolerance and not _same_order(check, found):
        return _with(first, shortfall(Gate(check.tolerance), found), first.stages), second
    return first, second


def _same_order(check: Check, found: Comparison) -> bool:
    """Return whether a gate of agreement is met, which numbers say nothing of."""
    return check.gate.min_agreement is not None and found.agreement >= check.gate.min_agreement


def _with(trial: Trial, problem: str, stages: tuple[Comparison, ...]) -> Trial:
    from dataclasses import replace

    return replace(trial, problem=problem, stages=stages)


def _verification(
    check: Check,
    trial: Trial,
    backends: tuple[str, ...] = (),
    *,
    problem: str = "",
    wrong: tuple[tuple[str, str], ...] = (),
    notes: tuple[str, ...] = (),
) -> Verification:
    result, content = trial.result, trial.content
    runtime = str(result.get("runtime", "node"))
    also = [name for name in backends if name != trial.backend]
    sample = None if problem or trial.short else _sample(check, result.get("sample"), content)
    return Verification(
        runtime=", ".join([runtime, *also]),
        passed=not problem,
        stages=trial.stages,
        problem=problem,
        notes=notes,
        wrong=wrong,
        doubts=() if problem or trial.short else _doubts(check, trial),
        seconds=float(result.get("seconds", 0.0)),
        kernels=tuple(result.get("kernels", ())),
        cost=_cost(result.get("cost")),
        sample=sample,
        answers=trial.agreeing,
    )


def _cost(found: StoredCost | None) -> Cost | None:
    if not found:
        return None
    heaviest = tuple(HeavyKernel(heavy["kernel"], heavy["share"], tuple(heavy["sizes"])) for heavy in found["heaviest"])
    return Cost(found["macs"], found["ops"], found["elements"], heaviest)


def _doubts(check: Check, trial: Trial) -> tuple[str, ...]:
    result, content = trial.result, trial.content
    extra = _extra(result.get("extra"), content)
    wanted: Tensors | str | None = check.extra_reference
    if check.source is not None:
        wanted = _extra(result.get("sourceExtra"), content)
    sample = (result.get("sample") or {}).get("full")
    other = None if sample is None else {item["name"]: read_tensor(item, content) for item in sample}
    doubts = doubts_of(check, trial.stages[-1], trial.answers or (), (extra, wanted), other)
    if trial.agreeing and trial.agreeing[0] < trial.agreeing[1] and check.gate.min_agreement is None:
        agreeing, count = trial.agreeing
        return *doubts, f"run gives the source's answer to {agreeing} of {count} {_things(check)} only: {see_answers}"
    return doubts


def _extra(found: list[StoredTensor] | Complaint | None, content: bytes) -> Tensors | str | None:
    """Return the answer to the extra case, or the complaint."""
    if isinstance(found, dict):
        return str(found["message"])
    return None if found is None else {item["name"]: read_tensor(item, content) for item in found}


def _sample(check: Check, found: SampleAnswers | None, content: bytes) -> dict[str, object] | None:
    from .samples import make_sample

    if not found or not found.get("full"):
        return None
    base, full = (
        None if stored is None else [(item["name"], read_tensor(item, content)) for item in stored]
        for stored in (found.get("base"), found.get("full"))
    )
    return make_sample(check.sample, base, full or [], check.tolerance, numbered=found["numbered"])


def shortfall(gate: Gate, last: Comparison) -> str:
    """Describe how far the answers are from a gate."""
    if gate.max_error is not None and not last.max_error <= gate.max_error:
        size = f"{last.max_error:.2g}" if math.isfinite(last.max_error) else "without bound (NaN, infinity or shape)"
        return f"output {last.worst!r} differs from the source model's by {size}, allowed is {gate.max_error:g}"
    return (
        f"only {last.agreement:.1%} of the answers agree with the source model's ({gate.metric}), "
        f"asked for is {gate.min_agreement:.1%}"
    )


def _only(case: Tensors, names: tuple[str, ...]) -> Tensors:
    return {name: case[name] for name in names if name in case}


def _cases(cases: Sequence[Sequence[StoredTensor]] | None, content: bytes) -> list[Tensors] | None:
    if cases is None:
        return None
    return [{item["name"]: read_tensor(item, content) for item in case} for case in cases]
