"""The module for pages gives the ids that the tokenizers package gives, for texts in more than twenty languages."""

from __future__ import annotations

import functools
import random
import time
from pathlib import Path

import brotli
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from builder.bundle.render import render_module
from tests.helpers.token_cases import Text, in_node, kinds, lines, odd, reference, texts

trained = functools.cache(lambda kind: kinds[kind]())


def compare(tokenizer: Tokenizer, batches: list[list[Text]], folder: Path) -> None:
    found, _, _ = in_node(tokenizer.to_str(), batches, folder)
    for batch, got in zip(batches, found, strict=True):
        assert got == reference(tokenizer, batch), batch


def test_the_module_keeps_its_size() -> None:
    assert len(brotli.compress(render_module("tokens"), quality=11)) <= 8000


@pytest.mark.slow
def test_there_are_texts_of_many_languages() -> None:
    assert {"ar", "de", "en", "hi", "ja", "ko", "ru", "th", "zh-cn", "emoji"} <= texts().keys()
    assert all(len(set(found)) >= 600 for found in texts().values())


@pytest.mark.slow
@pytest.mark.parametrize("kind", kinds)
def test_lines_of_all_languages(kind: str, tmp_path: Path) -> None:
    compare(trained(kind), [[text] for text in [*lines(500, 11), *odd]], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", kinds)
def test_batches_and_pairs(kind: str, tmp_path: Path) -> None:
    tokenizer, chance, some = trained(kind), random.Random(3), lines(240, 12)
    tokenizer = Tokenizer.from_str(tokenizer.to_str())
    if tokenizer.padding is None:
        tokenizer.enable_padding(pad_id=1)
    pairs: list[Text] = [(chance.choice(some), chance.choice(some)[: chance.randint(0, 90)]) for _ in range(120)]
    batches = [pairs[start : start + 6] for start in range(0, 120, 6)] + [list(some[:9]), ["", "a"], [("", "")]]
    compare(tokenizer, batches, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bert", "llama3", "unigram"])
def test_any_text(kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    tokenizer = trained(kind)

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
    @given(st.lists(st.text(st.characters(max_codepoint=0x32FFF), max_size=40), min_size=60, max_size=60))
    def check(some: list[str]) -> None:
        compare(tokenizer, [[text] for text in some], tmp_path_factory.mktemp("any"))

    check()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["longest_first", "only_first", "only_second"])
@pytest.mark.parametrize("direction", ["left", "right"])
def test_texts_that_are_too_long(strategy: str, direction: str, tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_str(trained("bert").to_str())
    tokenizer.enable_truncation(20, strategy=strategy, direction=direction)
    words = lines(400, 13)
    pairs: list[Text] = [(" ".join(words[i : i + i % 4]), words[i + 1][: 4 * i]) for i in range(60)]
    found, _, _ = in_node(tokenizer.to_str(), [[pair] for pair in pairs], tmp_path)
    refused = 0
    for pair, got in zip(pairs, found, strict=True):
        try:
            want = reference(tokenizer, [pair])
        except Exception:
            refused += 1
            assert "too long" in got
        else:
            assert got == want, pair
    assert refused == 0 if strategy == "longest_first" else 0 < refused < 60


@pytest.mark.slow
def test_a_model_of_fixed_length(tmp_path: Path) -> None:
    some = lines(60, 14)
    tokenizer = Tokenizer.from_str(trained("bert").to_str())
    found, _, _ = in_node(tokenizer.to_str(), [[text] for text in some], tmp_path, length=32)
    tokenizer.enable_truncation(32)
    tokenizer.enable_padding(length=32)
    assert found == [reference(tokenizer, [text]) for text in some]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama2", "unigram_whole"])
def test_a_text_of_a_megabyte(kind: str, tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_str(trained(kind).to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    text = " ".join(lines(12_000, 15))[:1_000_000]
    # A run of one character is the worst that patterns, merges and lattices may meet.
    hard = [" " * 300_000 + "a", "a" * 300_000, "的" * 200_000, "\u0301" * 100_000, "<" * 300_000]
    start = time.monotonic()
    found, _, milliseconds = in_node(tokenizer.to_str(), [[text], *([one] for one in hard)], tmp_path)
    assert milliseconds < 20_000, time.monotonic() - start
    assert found[0] == reference(tokenizer, [text])
    assert found[1:3] == [reference(tokenizer, [one]) for one in hard[:2]]


@pytest.mark.slow
def test_halves_of_characters_are_replaced(tmp_path: Path) -> None:
    compare(trained("gpt2"), [["a\ud83d b\udc00c\ud83d\ude00"], ["\udfff"]], tmp_path)
