"""A charsmap of SentencePiece replaces what the reference replaces, graphemes of several characters included."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from tokenizers import normalizers

from tests.helpers.token_cases import in_node, lines, odd, reference
from tests.tokens.test_characters import tokenizer_of

replaced = {
    "\ufb01": "fi",
    "\r": " ",
    "e\u0301": "\u00e9",
    "\u338f": "kg",
    "\u200b": "",
    "\uff21": "A",
    "\uff71": "\u30a2",
    "a\u0308": "\u00e4",
    "\U0001d400": "A",
    "\n": " ",
    "\u00ad": "",
    "ab": "X",
    "\u0e33": "\u0e4d\u0e32",
}


def darts(keys: dict[str, str]) -> bytes:
    """Write a double array as darts-clone has it, each node's children in a block of 256 units of their own."""
    texts, places = b"", {}
    for value in keys.values():
        places[value] = len(texts)
        texts += value.encode() + b"\0"
    units = [0] * (256 * (1 + sum(len(key.encode()) + 1 for key in keys)))
    blocks = {b"": 256}
    units[0] = 256 << 10
    for key, value in keys.items():
        at, content = 0, key.encode()
        for end in range(1, len(content) + 1):
            at = blocks[content[: end - 1]] ^ content[end - 1]
            base = blocks.setdefault(content[:end], 256 * (len(blocks) + 1))
            units[at] = (units[at] & 0x100) | (at ^ base) << 10 | content[end - 1]
        units[at] |= 0x100
        units[blocks[content]] = 0x80000000 | places[value]
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + texts


@pytest.mark.slow
def test_charsmaps(tmp_path: Path) -> None:
    tokenizer = tokenizer_of(normalizers.Precompiled(darts(replaced)))
    some = [
        *odd,
        *lines(150, 31),
        *replaced,
        "".join(replaced),
        "x\r\ny",
        "e\u0301\u0323",
        "\uff71\uff9e",
        "abc a b cab",
        "ก\u0e33",
    ]
    found, _, _ = in_node(tokenizer.to_str(), [[text] for text in some], tmp_path)
    assert [text for text, got in zip(some, found, strict=True) if got != reference(tokenizer, [text])] == []
    assert reference(tokenizer, ["\ufb01"]) == reference(tokenizer, ["fi"])
