"""A layer with its values: the steps it may have, what a page makes of them, and what is reported of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..codecs import Codec, Layout
from ..codecs.exact import Exact
from ..codecs.steps import Steps, on_grid
from ..model import Weight
from .distance import entropy
from .types import LayerFacts

Floats = NDArray[np.float32]
Feeds = dict[str, Floats]
Choice = Floats | Literal["exact", "float16"]  # fine steps, or how the weight is stored without any
ratio = 7  # odd, so that no refinement is there twice: -3 … 3 beside the nearest code
trial_share = 8.0  # the trial step is the channel's rms divided by this
largest_code = 127
half_bits = 6.6  # more for an element as float16 than as the finest codes of a byte
half_limit = 65504.0


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


def trial_steps(layer: LayerData) -> Floats:
    """Return a step for each channel: an eighth of its root mean square."""
    channels = layer.layout.channels_of(0, layer.weight.size)
    squares = np.bincount(channels, np.square(layer.values.ravel(), dtype=np.float64), layer.layout.channels)
    rms: Floats = np.sqrt(squares / (layer.weight.size / layer.layout.channels)).astype(np.float32)
    return rms / np.float32(trial_share)


def fine_steps(layer: LayerData, trial: Floats, factor: float) -> Floats:
    """Return fine steps: a share of the base step, which is within what a byte can tell and the largest value."""
    largest = np.zeros(layer.layout.channels)
    np.maximum.at(largest, layer.layout.channels_of(0, layer.weight.size), np.abs(layer.values.ravel()))
    clipped = np.clip(trial * np.float64(factor), largest / largest_code, largest)
    return on_grid(clipped / ratio).astype(np.float32)


def choose_steps(
    layers: Sequence[LayerData], trials: Sequence[Floats], distances: Sequence[float], factor: float
) -> list[Choice]:
    """Return the steps of all layers, float16 where the finest step of a byte is too coarse for what it saves."""
    chosen: list[Choice] = []
    for layer, trial, moved in zip(layers, trials, distances, strict=True):
        steps = fine_steps(layer, trial, factor * math.sqrt(layer.weight.size / moved))
        left = moved * float(np.mean((steps * ratio / np.maximum(trial, 1e-30)) ** 2)) / layer.weight.size
        suffers = left > half_bits * 2 * math.log(2) * factor**2
        chosen.append("float16" if suffers and np.abs(layer.values).max() < half_limit else steps)
    return chosen


def _codec(layer: LayerData, steps: Floats) -> Codec:
    codes = None if layer.codes is None else layer.codes.tobytes()
    return Steps(layer.layout, ratio, steps.astype("<f4").tobytes(), codes)


def quantized(layer: LayerData, steps: Choice, stage: int) -> Floats:
    """Return the values as a page has them: stage 1 is the base, 0 the last."""
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


def bits_of(layer: LayerData, steps: Choice) -> float:
    """Return the order-0 entropy of what the base stage has of a layer, in bits an element."""
    if isinstance(steps, str):
        words = layer.values.astype("<f2" if steps == "float16" else "<f4").tobytes()
        width = len(words) // layer.weight.size
        return sum(entropy(np.frombuffer(words, np.int8)[byte::width]) for byte in range(width - 2, width))
    first = _codec(layer, steps).planes(layer.weight)[0]
    return entropy(np.frombuffer(first.read(0, layer.weight.size), np.int8))


def facts_of(layer: LayerData, steps: Choice, moved: float) -> LayerFacts:
    """Say what became of a layer that moves the outputs so far when it alone has the trial step."""
    name, size, bits = layer.weight.name, layer.weight.size, bits_of(layer, steps)
    off = quantized(layer, steps, 1).astype(np.float64) - layer.values
    error = math.sqrt(float(np.sum(off**2)) / max(float(np.sum(layer.values.astype(np.float64) ** 2)), 1e-30))
    if isinstance(steps, str):
        return LayerFacts(name, size, 0.0, bits, error, moved, f"{steps}: a byte is too coarse")
    coarse = steps.astype(np.float64) * ratio
    largest = np.zeros(layer.layout.channels)
    np.maximum.at(largest, layer.layout.channels_of(0, size), np.abs(layer.values.ravel()))
    floored = float(np.mean(coarse <= largest / largest_code * 1.001))
    why = "as fine as a byte can tell" if floored > 0.5 else "as coarse as its distance allows"
    return LayerFacts(name, size, float(coarse.mean()), bits, error, moved, why)
