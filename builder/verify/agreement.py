"""How often one model answers as another does, on the same pictures, texts, sounds or inputs: rungs of a ladder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import VerificationError
from .node import answer_of
from .result import HeardWindow, Result
from .tensors import read_tensor
from .types import Check

if TYPE_CHECKING:
    from ..answers.frame import Frame
    from .compare import Tensors

Pair = tuple[Any, Any, "Frame | None"]
"""What one model answers, as JSON, what the other one does, and where the picture lay, if it was one."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a model answers at full precision.

    Attributes:
        outputs: by case.
        answers: of ``run``, to each picture that it was shown, as JSON.
        told: the same to each text.
        heard: the same to each window of each sound.
    """

    outputs: Sequence[Tensors]
    answers: Sequence[Any]
    told: Sequence[Any] = ()
    heard: Sequence[Sequence[HeardWindow]] = ()


def read_answers(job: Path) -> Answered | None:
    """Read what the harness wrote of a job; None where the model did not run."""
    result: Result = json.loads(answer_of(job).read_bytes())
    if result["error"] is not None or not result["stages"]:
        return None
    content = job.with_name("result.bin").read_bytes()
    cases = [{item["name"]: read_tensor(item, content) for item in case} for case in result["stages"][-1]["cases"]]
    told = [one["answer"] for one in result.get("told") or ()]
    return Answered(cases, result.get("answers") or (), told, result.get("heard") or ())


def share_that_agrees(check: Check, got: Answered, last: Check, wanted: Answered, *, tensors: bool) -> float | None:
    """Return the share of a model's answers that are another one's, or None where they cannot be compared.

    Args:
        check: what the model was given; the gate's metric counts where heads describe no answer.
        got: what it answered.
        last: what the other one was given.
        wanted: what that answered.
        tensors: both have the same outputs.
    """
    from ..answers.agreement import agree
    from .compare import compare

    try:
        pairs = [*_shown(got, last, wanted), *_told(got, last, wanted), *_heard(got, last, wanted)]
        if pairs:
            return sum(agree(*pair) for pair in pairs) / len(pairs)
        if tensors and len(got.outputs) == len(wanted.outputs):
            return compare("full", got.outputs, wanted.outputs, check.gate.metric, check.gate.boxes).agreement
    except VerificationError:  # outputs that neither the metric nor the answer can read
        return None
    return None


def _shown(got: Answered, last: Check, wanted: Answered) -> Iterator[Pair]:
    if len(got.answers) == len(last.shown):
        for answer, shown in zip(got.answers, last.shown, strict=True):
            yield from _pair(answer, last, wanted, shown.case, shown.frame)


def _told(got: Answered, last: Check, wanted: Answered) -> Iterator[Pair]:
    if len(got.told) == len(last.told):
        for answer, told in zip(got.told, last.told, strict=True):
            yield from _pair(answer, last, wanted, told.case)


def _heard(got: Answered, last: Check, wanted: Answered) -> Iterator[Pair]:
    """Compare windows, which may be of other lengths: with each of the last rung's what is heard at its middle."""
    if last.answer is None or not len(got.heard) == len(wanted.heard) == len(last.played):
        return
    for played, ours, theirs in zip(last.played, got.heard, wanted.heard, strict=True):
        for case, window in zip(played.cases, theirs, strict=False):
            middle = _middle(window)
            around = [one for one in ours if one["start"] <= middle <= one["end"]]
            if not around:
                continue
            nearest = min(around, key=lambda one, middle=middle: abs(_middle(one) - middle))  # type: ignore[misc]
            if last.answer["kind"] == "classes":
                # State goes from window to window in a page's run, not from case to case.
                yield nearest["answer"], _classes(window["answer"]), None
            elif set(last.cases[case]) == {last.heard}:
                yield from _pair(nearest["answer"], last, wanted, case)


def _middle(window: HeardWindow) -> float:
    return (window["start"] + window["end"]) / 2


def _pair(answer: Any, last: Check, wanted: Answered, case: int, frame: Frame | None = None) -> Iterator[Pair]:
    from ..answers.agreement import reference

    if last.answer is not None and answer is not None:
        yield answer, reference(last.answer, wanted.outputs[case], frame, last.cases[case], last.labels), frame


def _classes(answer: Any) -> Any:
    """Return the classes that a page's answer names."""
    from ..answers.classes import Classes, Scored

    top = tuple(Scored(one.get("label"), one["index"], one["score"]) for one in answer["top"])
    return Classes(answer.get("label"), answer["index"], answer["score"], answer["unsure"], top)
