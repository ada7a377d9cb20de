"""How often one model answers as another does, on the same pictures or inputs: rungs of a ladder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import VerificationError
from .node import answer_of
from .tensors import read_tensor
from .types import Check

if TYPE_CHECKING:
    from .compare import Tensors


@dataclass(frozen=True, slots=True)
class Answered:
    """What a model answers at full precision.

    Attributes:
        outputs: by case.
        answers: of ``run``, to each picture that it was shown, as JSON.
    """

    outputs: Sequence[Tensors]
    answers: Sequence[Any]


def read_answers(job: Path) -> Answered | None:
    """Read what the harness wrote of a job; None where the model did not run."""
    result = json.loads(answer_of(job).read_bytes())
    if result["error"] is not None or not result["stages"]:
        return None
    content = job.with_name("result.bin").read_bytes()
    cases = [{item["name"]: read_tensor(item, content) for item in case} for case in result["stages"][-1]["cases"]]
    return Answered(cases, result.get("answers") or ())


def share_that_agrees(check: Check, got: Answered, last: Check, wanted: Answered, *, tensors: bool) -> float | None:
    """Return the share of a model's answers that are another one's, or None where they cannot be compared.

    Args:
        check: what the model was given; the gate's metric counts where heads describe no answer.
        got: what it answered.
        last: what the other one was given.
        wanted: what that answered.
        tensors: both have the same outputs.
    """
    from ..answers.agreement import agree, reference
    from .compare import compare

    try:
        if last.answer is not None and last.shown and len(got.answers) == len(last.shown):
            count = 0
            for answer, shown in zip(got.answers, last.shown, strict=True):
                outputs, inputs = wanted.outputs[shown.case], last.cases[shown.case]
                count += agree(answer, reference(last.answer, outputs, shown.frame, inputs, last.labels), shown.frame)
            return count / len(last.shown)
        if tensors and len(got.outputs) == len(wanted.outputs):
            return compare("full", got.outputs, wanted.outputs, check.gate.metric, check.gate.boxes).agreement
    except VerificationError:  # outputs that neither the metric nor the answer can read
        return None
    return None
