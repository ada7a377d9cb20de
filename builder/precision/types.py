"""What a measurement is asked and what it answers: small, frozen, picklable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..verify.types import Gate


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """Find how coarse the weights of a graph model may be.

    Attributes:
        model_json: the stock artefact.
        cases: one ``.npz`` file for each input to run, arrays by input name.
        out: the ``.npz`` file that gets steps and biases.
        gate: says what agreement is.
        steered: the base stage has to meet the gate, fitted to half of the inputs and judged by the others, and fitted
            to all and judged by all; else the limit on the distance of the outputs.
        trust: the user trusts the code inside the model.
    """

    model_json: Path
    cases: tuple[Path, ...]
    out: Path
    gate: Gate
    steered: bool = False
    trust: bool = False


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What was found for one weight.

    Attributes:
        weight: its name.
        size: number of elements.
        step: the base stage's step, the mean of all channels.
        bits: order-0 entropy of what the base stage has of it, in bits an element.
        error: root mean square of the base stage's error, relative to that of the values.
        distance: how far the outputs move when it alone has the trial step.
        why: what the step follows from.
    """

    weight: str
    size: int
    step: float
    bits: float
    error: float
    distance: float
    why: str


@dataclass(frozen=True, slots=True)
class StageFacts:
    """How far the outputs of one stage, fitted to half of the inputs, are from the source's on the others.

    Attributes:
        stage: ``base`` or ``full``.
        distance: KL divergence of probabilities in nats, twice the relative squared error of other outputs.
        agreement: share of what agrees by the gate's metric.
        low: lower end of the agreement's 95 % confidence interval.
        high: its upper end.
        inputs: number of inputs.
    """

    stage: str
    distance: float
    agreement: float
    low: float
    high: float
    inputs: int


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """What a measurement found.

    Attributes:
        weights: names of the weights with steps, in the order of the arrays ``step0``, ``step1``, … of the file.
        fine: names of the weights that stay ``exact``, because no coarse form is good enough.
        halves: names of those that are ``float16``, because a byte is too coarse.
        biases: names of the corrected biases, in the order of ``first0`` and ``last0``, …
        layers: facts of all of them.
        stages: of the base stage and of the last.
        ratio: fine steps of a base step.
        met: the base stage meets what it has to.
        seconds: time taken.
    """

    weights: tuple[str, ...]
    fine: tuple[str, ...]
    halves: tuple[str, ...]
    biases: tuple[str, ...]
    layers: tuple[LayerFacts, ...]
    stages: tuple[StageFacts, ...]
    ratio: int
    met: bool
    seconds: float
