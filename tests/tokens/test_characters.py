"""All code points that Unicode has assigned, and pairs of those that combine, through each class of characters."""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from tests.helpers.token_cases import in_node, reference

recent = """0x88f 0xc5c 0x1acf 0x1ae0 0x20c1 0x2b96 0xa7d2 0x10ec5 0x11b60 0x11de0 0x16ea0 0x16ff4 0x1ccfa
    0x1e6e3 0x1fac8 0x323b0 0x105c9 0x105d2 0x11383 0x113c5 0x16121 0x1611e 0x16d63 0x16d67 0x16d68
    0x1ccd6 0x10d69 0xa7cb 0x1c89 0x378"""
alike = (
    unicodedata.name(chr(0x4E00)).split("-")[0],
    "HANGUL SYLLABLE",
    "EGYPTIAN HIEROGLYPH",
    "CUNEIFORM",
    "TANGUT",
    "YI SYLLABLE",
)


@functools.cache
def known() -> list[int]:
    """Give what Python's Unicode has, and examples of what came later."""
    points = (code for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF)
    assigned = (code for code in points if unicodedata.category(chr(code)) not in {"Cn", "Co"})
    return sorted({*assigned, *(int(code, 16) for code in recent.split())})


@functools.cache
def sparse() -> list[str]:
    """Give all but most of the large blocks whose characters are alike."""
    return [
        chr(code)
        for code in known()
        if chr(code) != "a" and (code % 61 == 0 or not unicodedata.name(chr(code), "").startswith(alike))
    ]


def tokenizer_of(normalizer: object = None, splits: object = None) -> Tokenizer:
    """Spell each piece out, so that ids tell what became of a text and where it was cut."""
    alphabet = {f"<0x{byte:02X}>": byte for byte in range(256)}
    tokenizer = Tokenizer(models.BPE(alphabet | {"[": 256, "<u>": 257}, [], byte_fallback=True, unk_token="<u>"))
    if normalizer:
        tokenizer.normalizer = normalizer
    marked = pre_tokenizers.Metaspace("[", prepend_scheme="always", split=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([splits, marked]) if splits else marked
    return tokenizer


def check(tokenizer: Tokenizer, units: list[str], folder: Path) -> None:
    batches = [["a".join(units[start : start + 500])] for start in range(0, len(units), 500)]
    found, _, _ = in_node(tokenizer.to_str(), batches, folder)
    for batch, got in zip(batches, found, strict=True):
        if got == reference(tokenizer, batch):
            continue
        singles = [[f"a{unit}a"] for unit in batch[0].split("a")]
        apart, _, _ = in_node(tokenizer.to_str(), singles, folder)
        wrong = [single for single, one in zip(singles, apart, strict=True) if one != reference(tokenizer, single)]
        pytest.fail(f"{len(wrong)} wrong: {[ascii(one[0]) for one in wrong[:20]]}")


normalizing = {
    "NFC": normalizers.NFC(),
    "NFD": normalizers.NFD(),
    "NFKC": normalizers.NFKC(),
    "NFKD": normalizers.NFKD(),
    "Lowercase": normalizers.Lowercase(),
    "StripAccents": normalizers.StripAccents(),
    "Nmt": normalizers.Nmt(),
    "Bert": normalizers.BertNormalizer(),
    "BertCased": normalizers.BertNormalizer(lowercase=False, strip_accents=True),
}
cutting = {
    "Bert": pre_tokenizers.BertPreTokenizer(),
    "Whitespace": pre_tokenizers.Whitespace(),
    "WhitespaceSplit": pre_tokenizers.WhitespaceSplit(),
    "Punctuation": pre_tokenizers.Punctuation("merged_with_previous"),
    "Digits": pre_tokenizers.Digits(),
    "ByteLevel": pre_tokenizers.ByteLevel(add_prefix_space=False),
}
patterns = [
    r"\s",
    r"\S+",
    r"\w+",
    r"\W",
    r"\d",
    r"[\p{Lu}\p{Lt}]",
    r"\p{Ll}",
    r"\p{Lo}+",
    r"\P{L}",
    r"[^\p{M}\p{P}]",
    r"\p{S}",
    r"\p{Cn}",
    r"\p{Han}|\p{Hiragana}",
    ".",
    r"\b",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", normalizing)
def test_normalizers(name: str, tmp_path: Path) -> None:
    check(tokenizer_of(normalizing[name]), sparse(), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["NFC", "NFD", "NFKC", "Bert"])
def test_characters_that_combine(name: str, tmp_path: Path) -> None:
    marks = [
        chr(code)
        for code in known()
        if unicodedata.category(chr(code))[0] == "M" or (code > 0x10D00 and code < 0x17000)
    ]
    parts = [unicodedata.normalize("NFD", chr(code)) for code in known() if unicodedata.decomposition(chr(code))]
    units = [part for part in parts if len(part) > 1]
    units += [f"e{mark}\u0334\u0301{mark}" for mark in marks] + [f"\u0345{mark}\u0300" for mark in marks]
    check(tokenizer_of(normalizing[name]), units, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", cutting)
def test_pre_tokenizers(name: str, tmp_path: Path) -> None:
    check(tokenizer_of(splits=cutting[name]), sparse(), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", patterns)
def test_classes_of_patterns(pattern: str, tmp_path: Path) -> None:
    cut = pre_tokenizers.Split(Regex(pattern), "isolated")
    check(tokenizer_of(splits=cut), sparse(), tmp_path)
