"""The precompiled charsmap of SentencePiece: which texts stand for which.

The file has four bytes of length, a double array of that many bytes as darts-clone writes it, and the texts, each
ended by a zero. A unit of the array has a label in its lowest 8 bits, a leaf's flag in bit 8, an offset in bits 10 to
30 (times 256 where bit 9 is set), and the value of a leaf in bits 0 to 30.
"""

from __future__ import annotations

import struct

from ..errors import SourceError

most_keys = 20_000  # nmt_nfkc has some 5,000
longest_key = 64  # bytes


def read_charsmap(content: bytes, place: str) -> dict[str, str]:
    """Return what each text is replaced with.

    The reference takes the shortest key that a text begins with: keys that begin with another one are left out.

    Raises:
        SourceError: it is damaged.
    """
    if len(content) < 4:
        raise _damaged(place)
    size = struct.unpack_from("<I", content)[0]
    if size % 4 or size + 4 > len(content):
        raise _damaged(place)
    units = struct.unpack_from(f"<{size // 4}I", content, 4)
    texts = content[4 + size :]
    found: dict[str, str] = {}
    if not units:
        return found
    # A trie that runs in circles ends at the longest key; one that is too wide at the most keys.
    steps = 0
    waiting = [(_offset(units[0]), b"")]
    while waiting:
        node, key = waiting.pop()
        for label in range(1, 256):
            at = node ^ label
            if at >= len(units) or units[at] & 0x800000FF != label:
                continue
            steps += 1
            if len(key) >= longest_key or steps > 5 * most_keys:
                raise _damaged(place)
            child, longer = at ^ _offset(units[at]), key + bytes([label])
            if units[at] >> 8 & 1:
                if child >= len(units):
                    raise _damaged(place)
                found[_text(longer, place)] = _value(texts, units[child] & 0x7FFFFFFF, place)
            else:
                waiting.append((child, longer))
    return dict(sorted(found.items()))


def _offset(unit: int) -> int:
    return (unit >> 10) << ((unit & 0x200) >> 6)


def _value(texts: bytes, start: int, place: str) -> str:
    end = texts.find(b"\0", start)
    if start >= len(texts) or end < 0:
        raise _damaged(place)
    return _text(texts[start:end], place)


def _text(content: bytes, place: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _damaged(place) from error


def _damaged(place: str) -> SourceError:
    hint = "Convert the SentencePiece model again"
    return SourceError("precompiled_charsmap is damaged", code="SP-425", where=place, hint=hint)
