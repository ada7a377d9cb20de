"""The reference of what pages make of a sound: one channel, the model's rate, windows, and spectrograms of these."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mel import spectrogram

Floats = NDArray[np.float64]
zeros_each_side, rolloff = 16, 0.95
rows_at_once = 1 << 14


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a sound.

    Attributes:
        start, end: seconds of the sound that it shows; what it knows of earlier (``lead``) is not counted.
        tensor: what the model is given.
    """

    start: float
    end: float
    tensor: NDArray[np.generic]


def to_windows(channels: Floats, rate: int, spec: Mapping[str, Any]) -> list[Window]:
    """Return what a model is given of a sound [channels, samples]: windows of its own length, or the whole as one.

    The last window is filled up with silence, so that no sample is left out.

    Raises:
        ValueError: the sound is empty, or has samples that are no numbers.
    """
    if not channels.size:
        raise ValueError("it is empty")
    if not np.isfinite(channels).all():
        raise ValueError("it has samples that are no numbers")
    sound = resample(channels.mean(axis=0).astype(np.float32).astype(np.float64), rate, spec["rate"])
    sound = sound.astype(np.float32).astype(np.float64)
    if "samples" not in spec:
        return [Window(0.0, len(sound) / spec["rate"], to_tensor(sound, spec))]
    length, hop, lead = spec["samples"], spec["hop"], spec.get("lead", 0)
    count = max(1, math.ceil((len(sound) + lead - length) / hop) + 1)
    whole = np.zeros(lead + max(len(sound), (count - 1) * hop + length - lead))
    whole[lead : lead + len(sound)] = sound
    found = []
    for start in range(0, count * hop, hop):
        end = min(start + length - lead, len(sound))
        tensor = to_tensor(whole[start : start + length], spec)
        found.append(Window(start / spec["rate"], end / spec["rate"], tensor))
    return found


def to_tensor(samples: Floats, spec: Mapping[str, Any]) -> NDArray[np.generic]:
    """Return samples [n] as the model takes them.

    Raises:
        ValueError: there are too few for a single frame.
    """
    values = samples * spec["scale"] + spec["offset"]
    shape = spec["shape"]
    mel = spec.get("mel")
    if mel:
        if mel["centre"] and mel["padding"] == "reflect" and len(values) <= mel["frame"] // 2:
            values = np.pad(values, (0, mel["frame"] // 2 + 1 - len(values)))
        if not mel["centre"]:
            values = np.pad(values, (0, max(0, mel["frame"] - len(values))))
        values = spectrogram(values, mel, spec["rate"])
        values = values if None in shape else values[: math.prod(shape) // mel["mels"]]
        values = values.T if mel["layout"] == "mels" else values
    if spec["dtype"] == "int32":
        low, high = spec["offset"] - spec["scale"], spec["offset"] + spec["scale"]
        values = np.floor(values + 0.5)
        values = values if mel else np.clip(values, low, high - 1)
    found: NDArray[np.generic] = values.astype(spec["dtype"])
    return found.reshape([-1 if length is None else length for length in shape])


def resample(samples: Floats, rate: int, wanted: int) -> Floats:
    """Return samples [n] at another rate: ⌈n · wanted / rate⌉ of them, what lies outside being silence.

    A windowed sinc, torchaudio's ``functional.resample`` (``sinc_interp_hann``), 16 zeros to each side, rolloff 0.95:
    y(k) = Σ x(i) h(i - k · rate / wanted), h(t) = c · sinc(c · t) · cos²(π · c · t / 32), |c · t| < 16,
    c = 0.95 · min(1, wanted / rate).
    """
    if rate == wanted:
        return samples
    common = math.gcd(rate, wanted)
    step, phases = rate // common, wanted // common
    cutoff = rolloff * min(1.0, wanted / rate)
    reach = math.ceil(zeros_each_side / cutoff)
    count = -(-len(samples) * phases // step)
    padded = np.concatenate([np.zeros(reach), samples, np.zeros(reach + step + 1)])
    offsets = np.arange(-reach, reach + 1)
    found = np.empty(count)
    for begin in range(0, count, rows_at_once):
        places = np.arange(begin, min(begin + rows_at_once, count), dtype=np.int64) * step
        base, part = places // phases, places % phases
        kinds, which = np.unique(part, return_inverse=True)
        taps = kernel(offsets - kinds[:, None] / phases, cutoff)
        found[begin : begin + len(places)] = (padded[base[:, None] + reach + offsets] * taps[which]).sum(axis=1)
    return found


def kernel(distance: Floats, cutoff: float) -> Floats:
    """Return the weight of samples that are so far away."""
    t = distance * cutoff
    found: Floats = np.where(
        np.abs(t) < zeros_each_side, cutoff * np.sinc(t) * np.cos(np.pi * t / (2 * zeros_each_side)) ** 2, 0.0
    )
    return found
