"""Words front-coded: the length that each shares with the previous one, and its remaining bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import FormatError


def encode_words(words: Sequence[bytes]) -> bytes:
    """Write words as ``docs/format.md`` has it: lengths in common, lengths of the rest, the rests."""
    common = bytearray()
    lengths = bytearray()
    rests = []
    previous = b""
    for word in words:
        shared = _common(previous, word)
        common += _varint(shared)
        lengths += _varint(len(word) - shared)
        rests.append(word[shared:])
        previous = word
    return bytes(common) + bytes(lengths) + b"".join(rests)


def _common(left: bytes, right: bytes) -> int:
    length = min(len(left), len(right))
    return next((at for at in range(length) if left[at] != right[at]), length)


def decode_words(content: bytes, count: int) -> list[bytes]:
    """Read the words of a block of ``count`` rows.

    Raises:
        FormatError: the block is cut off, too long, or has more in common than there is.
    """
    common, at = _varints(content, 0, count)
    lengths, at = _varints(content, at, count)
    words: list[bytes] = []
    previous = b""
    for shared, length in zip(common, lengths, strict=True):
        if shared > len(previous) or at + length > len(content):
            raise FormatError("has a damaged vocabulary", code="SP-504", where=f"word {len(words)}", hint="Build again")
        previous = previous[:shared] + content[at : at + length]
        at += length
        words.append(previous)
    if at != len(content):
        raise FormatError(f"has {len(content) - at} bytes after its vocabulary", code="SP-504", hint="Build again")
    return words


def encode_numbers(numbers: Iterable[int]) -> bytes:
    """Write whole numbers from 0 as ``docs/format.md`` has it: seven bits a byte."""
    return b"".join(map(_varint, numbers))


def _varint(number: int) -> bytes:
    """Write seven bits a byte, the lowest first; all but the last byte have their top bit set."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _varints(content: bytes, at: int, count: int) -> tuple[list[int], int]:
    numbers = []
    for _ in range(count):
        number = shift = 0
        while True:
            if at >= len(content) or shift > 21:
                raise FormatError("has a truncated vocabulary", code="SP-504", hint="Build again")
            byte = content[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        numbers.append(number)
    return numbers, at
