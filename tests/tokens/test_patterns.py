"""Patterns of published tokenizers, and each construct of them, cut texts where Oniguruma does."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from tokenizers import Regex, normalizers, pre_tokenizers

from tests.helpers.token_cases import cl100k, in_node, lines, odd, reference
from tests.tokens.test_characters import tokenizer_of

published = {
    "cl100k": cl100k,
    "cl100k possessive": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "deepseek": r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "han": "[一-龥\u3040-ゟ\u30a0-ヿ]+",
    "clip": r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
}
constructs = [
    *(r"^\w+", r"\w+$", r"\A.", r".\z", r".\Z", r"\bfoo\b|\Bo", r"(?<=a)b|(?<!a)c", r"a(?=b)|a(?!b)", r"(?>a+|b)c"),
    *(
        r"x*",
        r"\s*",
        r"a??",
        r"a+?b",
        r"a{2}",
        r"a{,2}b",
        r"a{1,}?",
        r"(ab)+",
        r"(?:a|b)*+c",
        r"(?i)don't|we",
        r"(?i:k)",
    ),
    *(
        r"[^a-c\-\]]",
        r"[\t\x{20}-\x{7e}]",
        r"\u4e2d|\x41",
        r"\p{^L}",
        r"\P{^L}",
        r"[\S]+",
        r"[\D]",
        r"\p{Han}+",
    ),
    *(r"(?i:[a-cx])", r"\.|\$|\/", r"\#|\-|\ ", r"a|", r"(?:)", r"\e|\a|\v|\f"),
]


@functools.cache
def some() -> list[str]:
    """Texts of many languages: Node makes them, so not while fast tests are collected."""
    return [*odd, *lines(120, 21), "aab abc xab\nfoo foo\n", "a\n", "\n\na", "aaaa bab cabc Kk\u212a s\u017f DON'T"]


@pytest.mark.slow
@pytest.mark.parametrize("pattern", [*published.values(), *constructs], ids=[*published, *constructs])
def test_patterns(pattern: str, tmp_path: Path) -> None:
    replacing = tokenizer_of(normalizers.Replace(Regex(pattern), "·"))
    for tokenizer in (tokenizer_of(splits=pre_tokenizers.Split(Regex(pattern), "isolated")), replacing):
        found, _, _ = in_node(tokenizer.to_str(), [[text] for text in some()], tmp_path)
        wrong = [text for text, got in zip(some(), found, strict=True) if got != reference(tokenizer, [text])]
        assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("behaviour", ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"])
def test_what_becomes_of_matches(behaviour: str, invert: bool, tmp_path: Path) -> None:
    for pattern in ("-", Regex("[-0-9]"), Regex("a*")):
        tokenizer = tokenizer_of(splits=pre_tokenizers.Split(pattern, behaviour, invert))
        batches = [
            [text]
            for text in ("", "-", "--", "a-b", "-a--b-", "the-final--countdown-1-2", "12-", "aa-aa", *some()[:30])
        ]
        found, _, _ = in_node(tokenizer.to_str(), batches, tmp_path)
        assert found == [reference(tokenizer, batch) for batch in batches]
