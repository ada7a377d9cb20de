"""The reference of spectrograms that pages make: frames, their Fourier transforms, bands, logarithms.

Formulas: librosa's ``filters.mel`` (``scale = "htk"``: its ``htk=True``, ``area``: its ``norm="slaney"``) and
torchaudio's ``melscale_fbanks``; with ``slopes = "mel"`` TensorFlow's ``tf.signal.linear_to_mel_weight_matrix``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
slaney_break, slaney_step, slaney_log = 1000.0, 200.0 / 3, np.log(6.4) / 27


def spectrogram(samples: Floats, mel: Mapping[str, Any], rate: int) -> Floats:
    """Return [frames, bands] of samples [n].

    Args:
        samples: of one window, already scaled.
        mel: of a head's ``audio``, with nothing left open.
        rate: Hz.
    """
    fft, frame, hop = mel["fft"], mel["frame"], mel["hop"]
    if mel["centre"]:
        side = frame // 2
        samples = np.pad(samples, (side, side), mode="reflect" if mel["padding"] == "reflect" else "constant")
    count = max(0, (len(samples) - frame) // hop + 1)
    places = np.arange(count)[:, None] * hop + np.arange(frame)
    spectrum = np.fft.rfft(samples[places] * window_of(mel["window"], frame), fft)
    powers = np.abs(spectrum) ** mel["power"]
    bands = powers[:, : mel["mels"]] if mel["scale"] == "linear" else powers @ filters(mel, rate).T
    return _scaled(bands, mel)


def _scaled(bands: Floats, mel: Mapping[str, Any]) -> Floats:
    values = np.maximum(bands + mel["offset"], mel["least"])
    if mel["log"] == "ln":
        values = np.log(values)
    elif mel["log"] != "none":
        tens = {"log10": 1, "db": 10 * (3 - mel["power"])}[mel["log"]]
        values = tens * np.log10(values)
    if "span" in mel and values.size:
        values = np.maximum(values, values.max() - mel["span"])
    values = (values + mel["shift"]) * mel["factor"]
    if mel["normalise"] and values.size:
        deviation = float(values.std())
        values = (values - values.mean()) / (deviation or 1)
    found: Floats = values
    return found


def window_of(name: str, length: int) -> Floats:
    """Return a periodic window [length]."""
    angle = 2 * np.pi * np.arange(length) / length
    found: Floats = {
        "hann": 0.5 - 0.5 * np.cos(angle),
        "hamming": 0.54 - 0.46 * np.cos(angle),
        "blackman": 0.42 - 0.5 * np.cos(angle) + 0.08 * np.cos(2 * angle),
        "none": np.ones(length),
    }[name]
    return found


def filters(mel: Mapping[str, Any], rate: int) -> Floats:
    """Return the weights [bands, frequencies] of triangles whose corners are even in mel."""
    scale = mel["scale"]
    frequencies = np.arange(mel["fft"] // 2 + 1) * (rate / mel["fft"])
    corners = np.linspace(to_mel(mel["low"], scale), to_mel(mel["high"], scale), mel["mels"] + 2)
    hertz = from_mel(corners, scale)
    places = frequencies
    if mel["slopes"] == "mel":
        places = to_mel(frequencies, scale)
    else:
        corners = hertz
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    weights: Floats = np.maximum(0, np.minimum((places - left) / (middle - left), (right - places) / (right - middle)))
    return weights * (2 / (hertz[2:, None] - hertz[:-2, None])) if mel["area"] else weights


def to_mel(hertz: Any, scale: str) -> Any:
    """Return mels of Hz."""
    hertz = np.asarray(hertz, np.float64)
    if scale == "htk":
        return 2595 * np.log10(1 + hertz / 700)
    above = slaney_break / slaney_step + np.log(np.maximum(hertz, slaney_break) / slaney_break) / slaney_log
    return np.where(hertz < slaney_break, hertz / slaney_step, above)


def from_mel(mels: Any, scale: str) -> Any:
    """Return Hz of mels."""
    mels = np.asarray(mels, np.float64)
    if scale == "htk":
        return 700 * (10 ** (mels / 2595) - 1)
    edge = slaney_break / slaney_step
    above = slaney_break * np.exp(slaney_log * (np.maximum(mels, edge) - edge))
    return np.where(mels < edge, mels * slaney_step, above)
