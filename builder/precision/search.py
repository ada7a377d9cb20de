"""Chooses a step for each layer by running the model.

1. Each layer alone gets a trial step and a corrected bias; how far the outputs move is its distance. The correction is
   the mean of what the change of the weight makes of the layer's input.
2. The coarsest steps for a given sum of distances follow: all ``trial * c * sqrt(size / distance)``, one ``c`` for the
   whole model, and never so fine that a code needs more than a byte. Where that is much too coarse, as in the first
   layers, which are small, the weight is stored as float16: each element of the others moves the outputs by ``c**2``,
   and halving that costs them ``1 / (2 ln 2)`` bits for each ``c**2`` that is gained.
3. ``c`` grows as long as the base stage, all layers coarse and all biases corrected, stays within its limit.
4. Then plain products are rounded anew with the same steps, so that errors of inputs that move together cancel
   (``rounding``). The steps are found without it: it does better on the calibration's own inputs than on others.
5. At last the biases are corrected once more, front to back, by what each layer's mean is still off. This and the
   rounding stay only if the outputs are closer with them.
6. The refining stage has an eighth of the steps, and biases of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from builder.codecs import Codec, Layout
from builder.codecs.exact import Exact
from builder.codecs.steps import Steps, on_grid
from builder.model import Weight
from builder.precision.distance import Arrays, distance, entropy, interval
from builder.precision.nouns import LayerFacts, StageFacts
from builder.precision.rounding import round_together
from builder.verify.compare import compare
from builder.verify.nouns import Comparison, Gate

Floats = NDArray[np.float32]
Feeds = dict[str, Floats]
Spreads = dict[str | None, NDArray[np.float64]]
Choice = Floats | Literal["exact", "float16"]  # fine steps, or how the weight is stored without any
ratio = 8
trial_share = 8.0  # the trial step is the channel's rms divided by this
largest_code = 127
limit = 0.0047  # KL in nats: about 98 of 100 answers stay
half_bits = 6.6  # more for an element as float16 than as the finest codes of a byte
half_limit = 65504.0
first_bits, last_bits = 10, 15  # of the biases' mantissas, in the base stage and in the last
searches = 8
least_cases, most_cases, most_runs = 4, 16, 512
least_distance = 1e-10
dampings = (0.1, 0.3, 1.0)
most_rows = 2048  # inputs of a product: the work of rounding grows with their cube


class Runner(Protocol):
    """Runs the model with other weights."""

    def outputs(self, cases: Sequence[int], feeds: Feeds) -> Sequence[Arrays]:
        """Give the outputs for some cases."""

    def means(self, cases: Sequence[int], feeds: Feeds, results: Sequence[str]) -> list[Floats]:
        """Give the means of tensors over all cases and all axes but the last."""

    def covariances(self, cases: Sequence[int], results: Sequence[str]) -> list[NDArray[np.float64]]:
        """Give the covariances of the last axis of tensors over all cases and all other axes."""


@dataclass(frozen=True, slots=True)
class LayerData:
    """A layer with its values.

    Attributes:
        weight: as in the model.
        values: its float32 values.
        layout: of its channels.
        bias: name and values of what can be corrected, or None.
        result: the node that adds the bias.
        shadow: the node that applies what is fed to ``shadow_input`` to the layer's own input.
        shadow_input: its placeholder.
        rows: the node whose rows are multiplied with the values, or None if the layer is no plain product.
        codes: the base codes, where they are not the nearest.
    """

    weight: Weight
    values: Floats
    layout: Layout
    bias: tuple[str, Floats] | None
    result: str
    shadow: str
    shadow_input: str
    rows: str | None = None
    codes: NDArray[np.int8] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Steps and biases, and what they were found from.

    Attributes:
        steps: the fine step of each channel, for each layer, or how it is stored without steps.
        first: corrected biases of the base stage, by name.
        last: those of the last stage.
        codes: the base codes that are not the nearest, by name of the weight.
        layers: for each layer, what is reported.
        stages: of both stages.
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
    steered: bool = False,
) -> Found:
    """Find the coarsest steps that keep the base stage within ``gate`` if it is ``steered``, else within the limit.

    Args:
        layers: what may become coarse.
        runner: runs the model.
        count: number of cases; every second one is kept for judging, if there are at least four.
        gate: says what agreement is.
        steered: see ``MeasureRequest``.
    """
    everything = list(range(count))
    calibrating = everything[::2] if count >= least_cases else everything
    judging = everything[1::2] if count >= least_cases else everything
    expected = runner.outputs(judging, {})
    # A number of runs, not of seconds: the same model gives the same bytes on slow machines.
    few = calibrating[: max(2, min(most_cases, most_runs // max(1, len(layers))))]
    trials = [_trial(layer) for layer in layers]
    distances = _sensitivities(layers, trials, runner, few)
    job = _Job(layers, runner, calibrating, judging, expected, gate, steered)

    factor = math.sqrt(limit / max(1, sum(layer.weight.size for layer in layers)))
    best: tuple[list[Choice], Feeds] | None = None
    low, high = 0.0, math.inf
    for _ in range(searches):
        steps = _choose(layers, trials, distances, factor)
        first = job.correct(steps, 1)
        fits, moved = job.judge(steps, first)
        if fits:
            low, best = factor, (steps, first)
        else:
            high = factor
        if math.isfinite(high) and low:
            if high / low < 1.08:
                break
            factor = math.sqrt(low * high)
        else:
            aim = math.sqrt(limit / moved) if not steered and 0 < moved < math.inf else (1.5 if fits else 1 / 1.5)
            factor *= min(3.0, max(1 / 3.0, aim)) * (1.02 if fits else 0.98)
    if best is None:
        best = _spare(job, trials, distances)
    steps = best[0]
    job, first = _rounded_together(job, *best)
    first = _shortened(job.settle(steps, first, few), first_bits)
    met, _ = job.judge(steps, first)
    last = _shortened(job.correct(steps, 0), last_bits)
    return Found(
        tuple(steps),
        first,
        last,
        {layer.weight.name: layer.codes for layer in job.layers if layer.codes is not None},
        tuple(_facts(*item) for item in zip(job.layers, steps, distances, strict=True)),
        (job.stage("base", steps, first, 1), job.stage("full", steps, last, 0)),
        met,
    )


def _rounded_together(job: _Job, steps: list[Choice], first: Feeds) -> tuple[_Job, Feeds]:
    """Round products with regard to their inputs and correct the biases anew, if the outputs are closer with it."""
    products = {
        layer.rows: layer
        for layer, step in zip(job.layers, steps, strict=True)
        if layer.rows and not isinstance(step, str) and layer.values.shape[-2] <= most_rows
    }
    found = job.runner.covariances(job.calibrating, list(products))
    spreads: Spreads = dict(zip(products, found, strict=True))
    best = job, first
    fitted, least = job.judge(steps, first)
    for damping in dampings:
        rounded = replace(job, layers=[_round(*item, spreads, damping) for item in zip(job.layers, steps, strict=True)])
        corrected = rounded.correct(steps, 1)
        fits, moved = rounded.judge(steps, corrected)
        if moved < least and (fits or not fitted):
            best, fitted, least = (rounded, corrected), fits, moved
    return best


def _round(layer: LayerData, steps: Choice, spreads: Spreads, damping: float) -> LayerData:
    if isinstance(steps, str) or layer.rows not in spreads:
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


def _spare(job: _Job, trials: Sequence[Floats], distances: Sequence[float]) -> tuple[list[Choice], Feeds]:
    """Leave the layers exact that hurt most for their size, twice as many each time, until the rest may have bytes."""
    finest = [_steps(layer, trial, 0.0) for layer, trial in zip(job.layers, trials, strict=True)]
    hurt = [
        moved * float(np.mean((steps * ratio / np.maximum(trial, 1e-30)) ** 2)) / layer.weight.size
        for layer, trial, steps, moved in zip(job.layers, trials, finest, distances, strict=True)
    ]
    order = sorted(range(len(finest)), key=lambda index: -hurt[index])
    number = 1
    while True:
        spared = set(order[:number])
        steps: list[Choice] = ["exact" if index in spared else step for index, step in enumerate(finest)]
        first = job.correct(steps, 1)
        if number >= len(order) or job.judge(steps, first)[0]:
            return steps, first
        number *= 2


def _trial(layer: LayerData) -> Floats:
    """Give a step for each channel: an eighth of its root mean square."""
    channels = layer.layout.channels_of(0, layer.weight.size)
    squares = np.bincount(channels, np.square(layer.values.ravel(), dtype=np.float64), layer.layout.channels)
    rms: Floats = np.sqrt(squares / (layer.weight.size / layer.layout.channels)).astype(np.float32)
    return rms / np.float32(trial_share)


def _steps(layer: LayerData, trial: Floats, factor: float) -> Floats:
    """Give fine steps: an eighth of the base step, which is within what a byte can tell and the largest value."""
    largest = np.zeros(layer.layout.channels)
    np.maximum.at(largest, layer.layout.channels_of(0, layer.weight.size), np.abs(layer.values.ravel()))
    clipped = np.clip(trial * np.float64(factor), largest / largest_code, largest)
    return on_grid(clipped / ratio).astype(np.float32)


def _choose(
    layers: Sequence[LayerData], trials: Sequence[Floats], distances: Sequence[float], factor: float
) -> list[Choice]:
    """Give the steps of all layers, float16 where the finest step of a byte is too coarse for what it saves."""
    chosen: list[Choice] = []
    for layer, trial, moved in zip(layers, trials, distances, strict=True):
        steps = _steps(layer, trial, factor * math.sqrt(layer.weight.size / moved))
        left = moved * float(np.mean((steps * ratio / np.maximum(trial, 1e-30)) ** 2)) / layer.weight.size
        suffers = left > half_bits * 2 * math.log(2) * factor**2
        chosen.append("float16" if suffers and np.abs(layer.values).max() < half_limit else steps)
    return chosen


def _codec(layer: LayerData, steps: Floats) -> Codec:
    codes = None if layer.codes is None else layer.codes.tobytes()
    return Steps(layer.layout, ratio, steps.astype("<f4").tobytes(), codes)


def _quantized(layer: LayerData, steps: Choice, stage: int) -> Floats:
    """Give the values as a page has them: stage 1 is the base, 0 the last."""
    if isinstance(steps, str):
        if steps == "float16":
            return layer.values.astype(np.float16).astype(np.float32)
        codec: Codec = Exact()
    else:
        codec = _codec(layer, steps)
    planes = {
        plane.index: plane.read(0, plane.nbytes) for plane in codec.planes(layer.weight) if not (stage and plane.refine)
    }
    return np.frombuffer(codec.decode(planes), "<f4").reshape(layer.weight.shape)


def _sensitivities(
    layers: Sequence[LayerData], trials: Sequence[Floats], runner: Runner, cases: Sequence[int]
) -> list[float]:
    expected = runner.outputs(cases, {})
    coarse = [_quantized(layer, _steps(layer, trial, 1.0), 1) for layer, trial in zip(layers, trials, strict=True)]
    shifts = _shifts(layers, coarse, runner, cases)
    found = []
    for layer, values, shift in zip(layers, coarse, shifts, strict=True):
        feeds = {layer.weight.name: values}
        if layer.bias:
            feeds[layer.bias[0]] = layer.bias[1] - shift
        found.append(max(least_distance, distance(runner.outputs(cases, feeds), expected)))
    return found


def _shifts(
    layers: Sequence[LayerData], changed: Sequence[Floats], runner: Runner, cases: Sequence[int]
) -> list[Floats]:
    """Give the means of what the change of each weight makes of its layer's input."""
    feeds = {layer.shadow_input: values - layer.values for layer, values in zip(layers, changed, strict=True)}
    return runner.means(cases, feeds, [layer.shadow for layer in layers])


@dataclass(frozen=True, slots=True)
class _Job:
    """What all trials of whole models share."""

    layers: Sequence[LayerData]
    runner: Runner
    calibrating: Sequence[int]
    judging: Sequence[int]
    expected: Sequence[Arrays]
    gate: Gate
    steered: bool

    def feeds(self, steps: Sequence[Choice], biases: Mapping[str, Floats], stage: int) -> Feeds:
        kernels = {
            layer.weight.name: _quantized(layer, step, stage) for layer, step in zip(self.layers, steps, strict=True)
        }
        return kernels | dict(biases)

    def correct(self, steps: Sequence[Choice], stage: int) -> Feeds:
        """Give biases that undo what the rounding of each layer by itself does to its mean."""
        values = [_quantized(layer, step, stage) for layer, step in zip(self.layers, steps, strict=True)]
        shifts = _shifts(self.layers, values, self.runner, self.calibrating)
        return {
            layer.bias[0]: layer.bias[1] - shift for layer, shift in zip(self.layers, shifts, strict=True) if layer.bias
        }

    def settle(self, steps: Sequence[Choice], biases: Feeds, cases: Sequence[int]) -> Feeds:
        """Correct the biases of the base stage by what each layer's mean is off with all before it corrected."""
        corrected = [layer for layer in self.layers if layer.bias]
        wanted = self.runner.means(cases, {}, [layer.result for layer in corrected])
        feeds = self.feeds(steps, biases, 1)
        for layer, target in zip(corrected, wanted, strict=True):
            (mean,) = self.runner.means(cases, feeds, [layer.result])
            if layer.bias:
                feeds[layer.bias[0]] = feeds[layer.bias[0]] + target - mean
        settled = {name: feeds[name] for name in biases}
        return settled if self.judge(steps, settled)[1] <= self.judge(steps, biases)[1] else biases

    def judge(self, steps: Sequence[Choice], biases: Mapping[str, Floats]) -> tuple[bool, float]:
        got = self.runner.outputs(self.judging, self.feeds(steps, biases, 1))
        moved = distance(got, self.expected)
        if not self.steered:
            return moved <= limit, moved
        return self.gate.admits(self.compare("base", got)), moved

    def compare(self, name: str, got: Sequence[Arrays]) -> Comparison:
        return compare(name, got, self.expected, self.gate.metric, self.gate.boxes)

    def stage(self, name: str, steps: Sequence[Choice], biases: Mapping[str, Floats], stage: int) -> StageFacts:
        got = self.runner.outputs(self.judging, self.feeds(steps, biases, stage))
        share = self.compare(name, got).agreement
        count = len(self.judging)
        return StageFacts(name, distance(got, self.expected), share, *interval(share, count), count)


def _facts(layer: LayerData, steps: Choice, moved: float) -> LayerFacts:
    name, size = layer.weight.name, layer.weight.size
    off = _quantized(layer, steps, 1).astype(np.float64) - layer.values
    error = math.sqrt(float(np.sum(off**2)) / max(float(np.sum(layer.values.astype(np.float64) ** 2)), 1e-30))
    if isinstance(steps, str):
        words = layer.values.astype("<f2" if steps == "float16" else "<f4").tobytes()
        width = len(words) // size
        bits = sum(entropy(np.frombuffer(words, np.int8)[byte::width]) for byte in range(width - 2, width))
        return LayerFacts(name, size, 0.0, bits, error, moved, f"{steps}: a byte is too coarse")
    first = _codec(layer, steps).planes(layer.weight)[0]
    bits = entropy(np.frombuffer(first.read(0, size), np.int8))
    coarse = steps.astype(np.float64) * ratio
    largest = np.zeros(layer.layout.channels)
    np.maximum.at(largest, layer.layout.channels_of(0, size), np.abs(layer.values.ravel()))
    floored = float(np.mean(coarse <= largest / largest_code * 1.001))
    why = "as fine as a byte can tell" if floored > 0.5 else "as coarse as its distance allows"
    return LayerFacts(name, size, float(coarse.mean()), bits, error, moved, why)
