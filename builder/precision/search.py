"""Chooses a step for each layer by running the model.

1. Each layer alone gets a trial step and a corrected bias; how far the outputs move is its distance. The correction is
   the mean of what the change of the weight makes of the layer's input.
2. The coarsest steps for a given sum of distances follow: all ``trial * c * sqrt(size / distance)``, one ``c`` for the
   whole model, and never so fine that a code needs more than a byte. Where that is much too coarse, as in the first
   layers, which are small, the weight is stored as float16: each element of the others moves the outputs by ``c**2``,
   and halving that costs them ``1 / (2 ln 2)`` bits for each ``c**2`` that is gained.
3. ``c`` grows as long as the outputs of the base stage, all layers coarse and all biases corrected, stay within the
   limit. For that, codes are the nearest ones.
4. Then plain products are rounded anew with the same steps, so that errors of inputs that move together cancel
   (``rounding``), with the damping that brings the outputs closest, or not at all.
5. Where a gate is to be met instead, ``c`` is sought once more, with codes that are rounded so: from the limit's in
   small notches, because where two answers are nearly even, the next notch may turn them again. It is then made less by
   a margin, if that costs few bits: the coarsest of several tries that meets a gate was lucky with these inputs.
6. All this is fitted to half of the inputs and judged by the others. What is stored is at last rounded and corrected
   with all of them, in the same way.
7. The refining stage has a seventh of the steps, and biases of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..verify.compare import compare
from ..verify.types import Comparison, Gate
from .distance import Arrays, interval
from .layers import (
    Choice,
    Feeds,
    Floats,
    LayerData,
    bits_of,
    choose_steps,
    facts_of,
    fine_steps,
    quantized,
    ratio,
    trial_steps,
)
from .rounding import round_together
from .runner import Runner
from .types import LayerFacts, StageFacts
from .yardstick import Yardstick

T = TypeVar("T")
Spreads = Mapping[str, NDArray[np.float64]]
limit = 0.0059  # KL in nats: about 98 of 100 answers stay
first_bits, last_bits = 10, 15  # of the biases' mantissas, in the base stage and in the last
searches = 10
near_enough = 1.04  # of the largest factor that fits to the smallest that does not
margin = math.sqrt(2)  # below the largest factor that meets a gate: half the divergence
max_bit_growth = 1.125  # that the margin may cost
least_cases, most_cases, most_runs = 4, 16, 512
most_turns = 16  # between calibrating and judging
least_distance = 1e-10
byte = 8.0  # bits: more than that for each weight means that many have more than codes
dampings = (0.3, 1.0)  # less fits the calibration's own inputs, and costs the refinement more bits
most_rows = 2048  # inputs of a product: the work of rounding grows with their cube


@dataclass(frozen=True, slots=True)
class Found:
    """Steps and biases, and what they were found from.

    Attributes:
        steps: the fine step of each channel, for each layer, or how it is stored without steps.
        first: corrected biases of the base stage, by name.
        last: those of the last stage.
        codes: the base codes that are not the nearest, by name of the weight.
        layers: for each layer, what is reported.
        stages: of both stages, fitted to half of the inputs and judged by the others.
        met: the base stage is within its limit.
    """

    steps: tuple[Choice, ...]
    first: Feeds
    last: Feeds
    codes: Mapping[str, NDArray[np.int8]]
    layers: tuple[LayerFacts, ...]
    stages: tuple[StageFacts, ...]
    met: bool


def search(
    layers: Sequence[LayerData],
    runner: Runner,
    count: int,
    gate: Gate,
    yardstick: Yardstick,
    steered: bool = False,
) -> Found:
    """Find the coarsest steps that keep the base stage within ``gate`` if it is ``steered``, else within the limit.

    Args:
        layers: what may become coarse.
        runner: runs the model.
        count: number of cases, see ``split``.
        gate: says what agreement is.
        yardstick: what distances are taken from.
        steered: see ``MeasureRequest``.
    """
    every = list(range(count))
    answers = runner.outputs(every, {})
    calibrating, judging = split(count)
    half = _Job(layers, runner, calibrating, judging, [answers[case] for case in judging], gate, yardstick)
    whole = replace(half, calibrating=every, judging=every, expected=answers) if calibrating != every else half
    # A number of runs, not of seconds: the same model gives the same bytes on slow machines.
    few = spread(calibrating, max(2, min(most_cases, most_runs // max(1, len(layers)))))
    trials = [trial_steps(layer) for layer in layers]
    tries = _Tries(half, whole, trials, _sensitivities(layers, trials, runner, few, yardstick))
    start = math.sqrt(limit / max(1, sum(layer.weight.size for layer in layers)))
    factor, best = _coarsest(start, tries.nearest)
    best = best or _spare(half, trials, tries.distances, lambda fit: fit.moved <= limit)
    spreads, whole_spreads = half.spreads(), whole.spreads()
    best = min((best, *(half.fit(best.steps, damping, spreads) for damping in dampings)), key=lambda fit: fit.moved)
    if steered:
        best = tries.meet_gate(factor or start, best.damping, spreads, whole_spreads)
    final = whole.fit(best.steps, best.damping, whole_spreads)
    full = half.judge("full", best.layers, best.steps, half.correct(best.layers, best.steps, 0), 0)
    return Found(
        tuple(best.steps),
        final.biases,
        whole.correct(final.layers, best.steps, 0),
        {layer.weight.name: layer.codes for layer in final.layers if layer.codes is not None},
        tuple(facts_of(*item) for item in zip(final.layers, best.steps, tries.distances, strict=True)),
        (_stage(best.base, best.moved, len(half.judging)), _stage(*full, len(half.judging))),
        gate.admits(best.base) and gate.admits(final.base) if steered else best.moved <= limit,
    )


def split(count: int) -> tuple[list[int], list[int]]:
    """Return the cases to calibrate with and those to judge by: all for both, where they are less than four.

    Neighbours tend to be alike, as frames of one video are, and to judge by what is like the calibration's own would
    promise too much: so runs of neighbours take turns, short enough for both to have some of every kind.
    """
    every = list(range(count))
    if count < least_cases:
        return every, every
    run = max(1, count // most_turns)
    return [case for case in every if case // run % 2 == 0], [case for case in every if case // run % 2]


def spread(cases: Sequence[T], most: int) -> list[T]:
    """Return at most so many of them, from all over."""
    return [cases[number * len(cases) // most] for number in range(most)] if len(cases) > most else list(cases)


def _coarsest(
    start: float, attempt: Callable[[float], tuple[T, bool, float]], near: float = near_enough
) -> tuple[float, T | None]:
    """Return the largest factor that fits, and what was found with it: 0 and None if none does.

    Args:
        start: the first to try.
        attempt: gives what was found with a factor, whether it fits, and what to multiply the factor by if it is not
            known yet what does and what does not.
        near: see ``near_enough``.
    """
    factor, low, high = start, 0.0, math.inf
    best: T | None = None
    for _ in range(searches):
        found, fits, aim = attempt(factor)
        if fits:
            low, best = factor, found
        else:
            high = factor
        if math.isfinite(high) and low:
            if high / low <= near:
                break
            factor = math.sqrt(low * high)
        else:
            factor *= min(3.0, max(1 / 3.0, aim)) * (1.02 if fits else 0.98)
    return low, best


@dataclass(frozen=True, slots=True)
class _Fit:
    """Steps, with codes and biases of the base stage, and what they give.

    Attributes:
        steps: as in ``Found``.
        layers: with codes.
        damping: they were rounded together with; None: codes are the nearest ones.
        biases: corrected ones, by name.
        base: how the answers of the cases for judging compare.
        moved: their distance.
    """

    steps: list[Choice]
    layers: Sequence[LayerData]
    damping: float | None
    biases: Feeds
    base: Comparison
    moved: float

    @property
    def bits(self) -> float:
        """Bits of all base codes."""
        pairs = zip(self.layers, self.steps, strict=True)
        return sum(bits_of(*pair) * pair[0].weight.size for pair in pairs)


@dataclass(frozen=True, slots=True)
class _Job:
    """What all trials with the same inputs share."""

    layers: Sequence[LayerData]
    runner: Runner
    calibrating: Sequence[int]
    judging: Sequence[int]
    expected: Sequence[Arrays]
    gate: Gate
    yardstick: Yardstick

    def fit(self, steps: list[Choice], damping: float | None = None, spreads: Spreads | None = None) -> _Fit:
        """Round, correct and judge."""
        layers = [_round(*pair, spreads or {}, damping or 0.0) for pair in zip(self.layers, steps, strict=True)]
        biases = self.correct(layers, steps, 1)
        return _Fit(steps, layers, damping, biases, *self.judge("base", layers, steps, biases, 1))

    def spreads(self) -> Spreads:
        """Return the covariances of what is multiplied with the layers, by ``LayerData.rows``."""
        names = {layer.rows: None for layer in self.layers if layer.rows and layer.values.shape[-2] <= most_rows}
        return dict(zip(names, self.runner.covariances(self.calibrating, list(names)), strict=True))

    def correct(self, layers: Sequence[LayerData], steps: Sequence[Choice], stage: int) -> Feeds:
        """Return biases that undo what the rounding of each layer by itself does to its mean."""
        values = [quantized(*pair, stage) for pair in zip(layers, steps, strict=True)]
        shifts = _shifts(layers, values, self.runner, self.calibrating)
        pairs = zip(layers, shifts, strict=True)
        biases = {layer.bias[0]: layer.bias[1] - shift for layer, shift in pairs if layer.bias}
        return _shortened(biases, first_bits if stage else last_bits)

    def judge(
        self, name: str, layers: Sequence[LayerData], steps: Sequence[Choice], biases: Feeds, stage: int
    ) -> tuple[Comparison, float]:
        """Compare the outputs of a stage, and give their distance."""
        kernels = {layer.weight.name: quantized(layer, step, stage) for layer, step in zip(layers, steps, strict=True)}
        got = self.runner.outputs(self.judging, kernels | biases)
        beside = set(self.yardstick.tensors)
        answers = [{name: array for name, array in case.items() if name not in beside} for case in self.expected]
        return (
            compare(name, got, answers, self.gate.metric, self.gate.boxes),
            self.yardstick.distance(got, self.expected),
        )


@dataclass(frozen=True, slots=True)
class _Tries:
    """Steps for the whole model from one factor, and how they are judged.

    Attributes:
        half: fits to half of the inputs and judges by the others.
        whole: fits to all and judges by all.
        trials: a trial step for each channel, for each layer.
        distances: how far the outputs move when a layer alone has its trial step.
    """

    half: _Job
    whole: _Job
    trials: Sequence[Floats]
    distances: Sequence[float]

    def nearest(self, factor: float) -> tuple[_Fit, bool, float]:
        """Try a factor with the nearest codes, for ``_coarsest``; what fits is within the limit."""
        fit = self.half.fit(choose_steps(self.half.layers, self.trials, self.distances, factor))
        return fit, fit.moved <= limit, math.sqrt(limit / fit.moved) if 0 < fit.moved < math.inf else 1 / 1.5

    def meet_gate(self, start: float, damping: float | None, spreads: Spreads, whole_spreads: Spreads) -> _Fit:
        """Return the coarsest steps that meet the gate, with half of the inputs and with all.

        Args:
            start: the first factor to try.
            damping: codes are rounded together with it; None: they are the nearest ones.
            spreads: covariances over half of the inputs.
            whole_spreads: covariances over all of them.
        """
        half, gate = self.half, self.half.gate

        def admitted(fit: _Fit) -> bool:
            return gate.admits(fit.base) and gate.admits(self.whole.fit(fit.steps, fit.damping, whole_spreads).base)

        def gated(factor: float) -> tuple[_Fit, bool, float]:
            fit = half.fit(choose_steps(half.layers, self.trials, self.distances, factor), damping, spreads)
            fits = admitted(fit)
            return fit, fits, 1.5 if fits else 1 / 1.2

        factor, best = _coarsest(start, gated, near=1.25)
        if best:
            careful, fits, _ = gated(factor / margin)
            best = careful if fits and careful.bits <= best.bits * max_bit_growth else best
        if not best or best.bits > byte * sum(layer.weight.size for layer in half.layers):
            spared = _spare(half, self.trials, self.distances, admitted, damping, spreads)
            best = spared if not best or (spared.bits < best.bits and admitted(spared)) else best
        return best


def _round(layer: LayerData, steps: Choice, spreads: Spreads, damping: float) -> LayerData:
    if isinstance(steps, str) or not layer.rows or layer.rows not in spreads:
        return layer
    values = layer.values.reshape(layer.values.shape[-2:]).astype(np.float64)
    codes = round_together(values, steps.astype(np.float64) * ratio, spreads[layer.rows], damping)
    return replace(layer, codes=codes.reshape(layer.values.shape))


def _shortened(biases: Feeds, bits: int) -> Feeds:
    """Round the mantissas of corrected biases to what matters, so that they compress."""
    shortened = {}
    for name, values in biases.items():
        mantissas, exponents = np.frexp(values.astype(np.float64))
        shortened[name] = np.ldexp(np.rint(np.ldexp(mantissas, bits)), exponents - bits).astype(np.float32)
    return shortened


def _spare(
    job: _Job,
    trials: Sequence[Floats],
    distances: Sequence[float],
    enough: Callable[[_Fit], bool],
    damping: float | None = None,
    spreads: Spreads | None = None,
) -> _Fit:
    """Leave the fewest layers exact that let the rest have bytes: those that hurt most for their size."""
    finest = [fine_steps(layer, trial, 0.0) for layer, trial in zip(job.layers, trials, strict=True)]
    hurt = [
        moved * float(np.mean((steps * ratio / np.maximum(trial, 1e-30)) ** 2)) / layer.weight.size
        for layer, trial, steps, moved in zip(job.layers, trials, finest, distances, strict=True)
    ]
    order = sorted(range(len(finest)), key=lambda index: -hurt[index])

    def sparing(number: int) -> _Fit:
        spared = set(order[:number])
        steps: list[Choice] = ["exact" if index in spared else step for index, step in enumerate(finest)]
        return job.fit(steps, damping, spreads)

    low, high = 0, 1
    best = sparing(high)
    while high < len(order) and not enough(best):
        low, high = high, min(2 * high, len(order))
        best = sparing(high)
    while high - low > 1:
        middle = (low + high) // 2
        fit = sparing(middle)
        if enough(fit):
            high, best = middle, fit
        else:
            low = middle
    return best


def _sensitivities(
    layers: Sequence[LayerData],
    trials: Sequence[Floats],
    runner: Runner,
    cases: Sequence[int],
    yardstick: Yardstick,
) -> list[float]:
    expected = runner.outputs(cases, {})
    coarse = [quantized(layer, fine_steps(layer, trial, 1.0), 1) for layer, trial in zip(layers, trials, strict=True)]
    shifts = _shifts(layers, coarse, runner, cases)
    found = []
    for layer, values, shift in zip(layers, coarse, shifts, strict=True):
        feeds = {layer.weight.name: values}
        if layer.bias:
            feeds[layer.bias[0]] = layer.bias[1] - shift
        found.append(max(least_distance, yardstick.distance(runner.outputs(cases, feeds), expected)))
    return found


def _shifts(
    layers: Sequence[LayerData], changed: Sequence[Floats], runner: Runner, cases: Sequence[int]
) -> list[Floats]:
    """Return the means of what the change of each weight makes of its layer's input."""
    feeds = {layer.shadow_input: values - layer.values for layer, values in zip(layers, changed, strict=True)}
    return runner.means(cases, feeds, [layer.shadow for layer in layers])


def _stage(comparison: Comparison, moved: float, count: int) -> StageFacts:
    share = comparison.agreement
    return StageFacts(comparison.stage, moved, share, *interval(share, count), count)
