"""Reads WAV files as pages do: whole numbers of 8 to 32 bits and floats, any number of channels."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
pcm, floating, extensible = 1, 3, 0xFFFE
smallest_format = 16


def read_wav(content: bytes) -> tuple[Floats, int]:
    """Return the samples [channels, samples], whole numbers as -1 to 1, and the rate in Hz.

    A file that was cut off is read as far as it goes.

    Raises:
        ValueError: it is no WAV file, or compressed.
    """
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise ValueError("it is no WAV file")
    kind = channels = rate = bits = 0
    place = 12
    while place + 8 <= len(content):
        name, length = content[place : place + 4], struct.unpack_from("<I", content, place + 4)[0]
        body = content[place + 8 : place + 8 + length]
        if name == b"fmt " and len(body) >= smallest_format:
            kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
            if kind == extensible and len(body) >= 26:
                kind = struct.unpack_from("<H", body, 24)[0]
        elif name == b"data" and channels:
            if not rate:
                raise ValueError("its rate is 0")
            return _samples(body, kind, bits, channels), rate
        place += 8 + length + length % 2
    raise ValueError("it has no samples")


def _samples(body: bytes, kind: int, bits: int, channels: int) -> Floats:
    width = bits // 8
    if (kind, bits) not in {(pcm, 8), (pcm, 16), (pcm, 24), (pcm, 32), (floating, 32), (floating, 64)}:
        raise ValueError(f"it is compressed or of an unknown kind ({kind}, {bits} bits)")
    count = len(body) // (width * channels)
    body = body[: count * width * channels]
    if kind == floating:
        values = np.frombuffer(body, f"<f{width}").astype(np.float64)
    elif bits == 8:
        values = (np.frombuffer(body, np.uint8).astype(np.float64) - 128) / 128
    elif bits == 24:
        parts = np.frombuffer(body, np.uint8).reshape(-1, 3).astype(np.int32)
        whole = parts[:, 0] | parts[:, 1] << 8 | parts[:, 2] << 16
        values = (whole - (whole >> 23 << 24)) / float(1 << 23)
    else:
        values = np.frombuffer(body, f"<i{width}").astype(np.float64) / (1 << (bits - 1))
    return values.reshape(count, channels).T
