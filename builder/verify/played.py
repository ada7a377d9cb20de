"""Sounds that a page's ``run`` is given, for the check of the whole way from sound to answers."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..answers.audio import to_windows
from ..answers.wav import floating, read_wav
from ..errors import ConfigError
from ..files.npz import write_npz
from ..model import TensorSpec

Case = dict[str, NDArray[np.generic]]
Floats = NDArray[np.float64]
most_windows = 64  # of a sound that go the whole way; the rest of it is cut off
most_numbers = 1 << 22  # in all windows of a sound
seeded_rate, seeded_seconds = 22_050, 3.0


@dataclass(frozen=True, slots=True)
class Played:
    """A sound.

    Attributes:
        cases: numbers of the cases that its windows became.
        content: of a WAV file.
    """

    cases: tuple[int, ...]
    content: bytes


def make_cases(content: bytes, spec: Mapping[str, Any], specs: Sequence[TensorSpec]) -> tuple[list[Case], bytes]:
    """Return the inputs that the windows of a WAV file become, and the file, cut off where it has too many.

    State is 0 in all of them: what it is after the first window only the source knows.

    Raises:
        ValueError: it is no WAV file, empty, or has samples that are no numbers.
        ConfigError: the model takes more than sound and state.
    """
    state = spec.get("state", {})
    missing = [one.name for one in specs if one.name != spec["input"] and one.name not in state]
    if missing:
        raise ConfigError(
            f"is a sound, and the model also takes {', '.join(map(repr, missing))}",
            code="SP-227",
            hint="Store the inputs as .npz instead",
        )
    channels, rate = read_wav(content)
    if "samples" in spec:
        most = max(1, min(most_windows, most_numbers // spec["samples"]))
        reach = (most - 1) * spec["hop"] + spec["samples"] - spec.get("lead", 0)
        longest = math.floor(reach * rate / spec["rate"])
        if channels.shape[1] > longest >= 1:
            channels = channels[:, :longest].astype(np.float32).astype(np.float64)
            content = write_wav(channels, rate)
    empty = {name: np.zeros(one["shape"], one["dtype"]) for name, one in state.items()}
    return [{**empty, spec["input"]: window.tensor} for window in to_windows(channels, rate, spec)], content


def write_wav(channels: Floats, rate: int) -> bytes:
    """Return a WAV file of 32-bit floats with samples [channels, samples]."""
    count = len(channels)
    body = channels.T.astype("<f4").tobytes()
    kind = struct.pack("<HHIIHH", floating, count, rate, rate * count * 4, count * 4, 32)
    chunks = b"WAVEfmt " + struct.pack("<I", len(kind)) + kind + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def seeded_sound(spec: Mapping[str, Any], specs: Sequence[TensorSpec]) -> tuple[list[Case], bytes] | None:
    """Make cases of two channels with a rising tone, noise and silence; None where the model takes more than sound."""
    count = round(seeded_rate * seeded_seconds)
    time = np.arange(count) / seeded_rate
    generator = np.random.Generator(np.random.PCG64(20261129))
    tone = 0.4 * np.sin(2 * np.pi * (150 + 400 * time) * time) * (np.sin(2 * np.pi * 3 * time) > -0.3)
    noise = 0.2 * generator.normal(size=count) * (np.floor(4 * time) % 3 == 1)
    channels = np.stack([tone + noise, tone - noise / 2]) * (time < 0.8 * seeded_seconds)
    try:
        return make_cases(write_wav(channels, seeded_rate), spec, specs)
    except ConfigError:
        return None


def write_played(path: Path, content: bytes, count: int) -> None:
    """Keep a sound and how many cases it became."""
    write_npz(path, {"content": np.frombuffer(content, np.uint8), "count": np.array(count)})


def read_played(path: Path, first: int) -> Played:
    """Read what ``write_played`` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return Played(tuple(range(first, first + int(arrays["count"]))), arrays["content"].tobytes())
