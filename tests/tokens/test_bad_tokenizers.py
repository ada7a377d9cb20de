"""Bad tokenizer.json: an error with the part's name, a code and what to do, never ids that are wrong."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from builder.answers.describe import describe
from builder.config.models import ModelConfig
from builder.errors import ConfigError, SourceError
from builder.model import TensorSpec
from builder.tokens.patterns import translated
from builder.tokens.read import parse_tokenizer, read_tokenizer

word_piece = {
    "type": "WordPiece",
    "unk_token": "[UNK]",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
    "vocab": {"[UNK]": 0, "a": 1, "##b": 2},
}
bpe = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
unigram = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.5]]}
added = {
    "id": 3,
    "content": "x",
    "single_word": False,
    "lstrip": False,
    "rstrip": False,
    "normalized": False,
    "special": True,
}


def whole(**parts: Any) -> dict[str, Any]:
    return (
        {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None}
        | {
            "pre_tokenizer": None,
            "post_processor": None,
            "decoder": None,
            "model": word_piece,
        }
        | parts
    )


def sequence(depth: int) -> dict[str, Any]:
    return {"type": "Sequence", "normalizers": [sequence(depth - 1)] if depth else []}


def refusal(content: bytes | dict[str, Any]) -> SourceError:
    with pytest.raises(SourceError) as caught:
        parse_tokenizer(content if isinstance(content, bytes) else json.dumps(content).encode(), "t.json")
    assert caught.value.where.startswith("t.json")
    assert caught.value.hint
    return caught.value


def test_a_good_one_is_read() -> None:
    found = parse_tokenizer(json.dumps(whole(added_tokens=[added])).encode(), "t.json")
    assert found.spec["added"] == [[3, 1, 0]]
    assert (found.spec["words"], found.spec["known"], found.spec["unknown"]) == (4, 3, 0)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", "SP-420", "JSON"),
        (b"\xff\xfe", "SP-420", "JSON"),
        (b"[" * 200_000, "SP-420", "deep"),
        (b'{"a": 1, "a": 2}', "SP-420", "twice"),
        (b'{"model": {"x": NaN}}', "SP-420", "NaN"),
        (b"[]", "SP-421", "object"),
        (whole(version="2.0"), "SP-422", "2.0"),
        (whole(more=1), "SP-422", "more"),
        (whole(model=None), "SP-421", "object"),
        (whole(model={"type": "Neural"}), "SP-422", "Neural"),
        (whole(model=word_piece | {"vocab": []}), "SP-421", "vocab"),
        (whole(model=word_piece | {"vocab": {"[UNK]": 0, "a": 0}}), "SP-423", "same id 0"),
        (whole(model=word_piece | {"vocab": {"[UNK]": 0, "a": 10**9}}), "SP-423", "1000000000"),
        (whole(model=word_piece | {"vocab": {"[UNK]": 0, "a": -1}}), "SP-423", "-1"),
        (whole(model=word_piece | {"vocab": {"[UNK]": 0, "a": True}}), "SP-423", "True"),
        (whole(model=word_piece | {"vocab": {"[UNK]": 0, "\ud800": 1}}), "SP-423", "half"),
        (whole(model=word_piece | {"vocab": {"[UNK]": 0, "a" * 5000: 1}}), "SP-423", "4096"),
        (whole(model=word_piece | {"vocab": {"a": 0}}), "SP-423", "[UNK]"),
        (whole(model=word_piece | {"more": 0}), "SP-422", "more"),
        (whole(model=bpe | {"dropout": 0.1}), "SP-422", "dropout"),
        (whole(model=bpe | {"merges": [["a", "c"]]}), "SP-423", "'c'"),
        (whole(model=bpe | {"merges": [["b", "a"]]}), "SP-423", "'ba'"),
        (whole(model=bpe | {"merges": ["a b c"]}), "SP-423", "two words"),
        (whole(model=bpe | {"merges": [["a", 1]]}), "SP-423", "two words"),
        (whole(model=bpe | {"unk_token": "?"}), "SP-423", "unk_token"),
        (whole(model=unigram | {"unk_id": 9}), "SP-423", "unk_id"),
        (whole(model=unigram | {"vocab": [["a"]]}), "SP-423", "entry 0"),
        (whole(model=unigram | {"vocab": [["a", None]]}), "SP-423", "entry 0"),
        (whole(model=unigram | {"vocab": []}), "SP-423", "unk_id"),
        (whole(added_tokens=[added | {"id": 7}]), "SP-423", "'x'"),
        (whole(added_tokens=[added, added]), "SP-423", "'x'"),
        (whole(added_tokens=[added | {"new": 1}]), "SP-422", "new"),
        (whole(normalizer={"type": "Rot13"}), "SP-422", "Rot13"),
        (whole(normalizer={"type": "NFC", "more": 1}), "SP-422", "more"),
        (whole(normalizer={"type": "Strip"}), "SP-421", "strip_left"),
        (whole(normalizer=sequence(30)), "SP-422", "sequences"),
        (whole(normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}] * 100}), "SP-422", "64"),
        (whole(normalizer={"type": "Precompiled", "precompiled_charsmap": "?"}), "SP-421", "Base64"),
        (whole(normalizer={"type": "Replace", "pattern": {"String": ""}, "content": ""}), "SP-421", "String"),
        (whole(normalizer={"type": "Replace", "pattern": {"Regex": "(a)\\1"}, "content": ""}), "SP-424", "\\1"),
        (whole(pre_tokenizer={"type": "UnicodeScripts"}), "SP-422", "UnicodeScripts"),
        (whole(pre_tokenizer={"type": "Punctuation", "behavior": "Melt"}), "SP-421", "Melt"),
        (whole(pre_tokenizer={"type": "Metaspace", "replacement": "ab"}), "SP-421", "one character"),
        (whole(pre_tokenizer={"type": "Metaspace", "replacement": "_", "prepend_scheme": "?"}), "SP-421", "first"),
        (whole(post_processor={"type": "Other"}), "SP-422", "Other"),
        (whole(post_processor={"type": "BertProcessing", "sep": ["a"], "cls": ["a", 1]}), "SP-421", "sep"),
        (
            whole(post_processor={"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}),
            "SP-421",
            "once",
        ),
        (whole(truncation={"max_length": 0, "strategy": "LongestFirst", "stride": 0}), "SP-421", "room"),
        (whole(truncation={"max_length": 9, "strategy": "Random", "stride": 0}), "SP-422", "Random"),
        (whole(padding={"strategy": "Always", "direction": "Left", "pad_id": 0, "pad_type_id": 0}), "SP-421", "object"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
def test_what_is_refused(content: bytes | dict[str, Any], code: str, words: str) -> None:
    error = refusal(content)
    assert (error.code, words in str(error)) == (code, True), str(error)


def test_a_missing_file_and_one_that_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_tokenizer(tmp_path / "no.json")
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(SourceError, match="larger than 64 MB"):
        read_tokenizer(tmp_path / "large.json")


def charsmap(units: list[int], texts: bytes = b"x\0") -> bytes:
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + texts


@pytest.mark.parametrize(
    "content",
    [
        b"abc",
        b"\xff\xff\xff\x7f",
        charsmap([0] * 256)[:-200],
        # Every label leads back to the same unit: a circle.
        charsmap([label | label << 10 for label in range(256)]),
        # A leaf whose value is beyond the texts.
        charsmap([0, *([0] * 64), 65 | 1 << 8, *([0] * 200)], b""),
        # Texts that are no UTF-8.
        charsmap([0, *([0] * 64), 65 | 1 << 8 | 1 << 10, *([0] * 200)], b"\xff\0"),
    ],
    ids=["short", "length", "cut off", "circle", "value", "text"],
)
def test_damaged_charsmaps(content: bytes) -> None:
    text = base64.b64encode(content).decode()
    error = refusal(whole(normalizer={"type": "Precompiled", "precompiled_charsmap": text}))
    assert error.code == "SP-425"


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "(",
            ")",
            "a)",
            "[",
            "[]a]",
            "[a",
            "a**",
            "*",
            "a{2",
            "{",
            "a{3,1}",
            "a{1}{2}",
            "a{1}++",
            "(?=a)*",
            "^*",
            "\\",
            "\\k<a>",
        ),
        *("\\1", "\\G", "\\X", "\\R", "\\h", "(?<n>a)", "(?#a)", "(?m:a)", "(?ix:a)", "\\p{Klingon}", "\\p{", "\\pL"),
        *(
            "[a&&b]",
            "[[:alpha:]]",
            "[b-a]",
            "[\\W]",
            "[\\d-z]",
            "(?i:ß)",
            "(?i:ss)",
            "(?i:\\p{Lu})",
            "\\xff",
            "\\x{110000}",
        ),
        *("a{1}?", "\\u12", "(" * 60 + ")" * 60, "a" * 6000),
    ],
)
def test_patterns_that_are_refused(pattern: str) -> None:
    with pytest.raises(SourceError) as caught:
        translated(pattern, "here")
    assert caught.value.code == "SP-424"


def test_a_model_that_makes_ids_itself_takes_no_tokenizer() -> None:
    settings = ModelConfig(source="a.keras", tokenizer="t.json")
    inputs = (TensorSpec("text", "int32", (None, 6)),)
    texts = {"text": {"lower": True, "strip": True, "split": "whitespace"}}
    with pytest.raises(ConfigError, match="makes ids of them with its own words") as caught:
        describe("what-rung1", settings, inputs, (), tokenizer={"known": 5}, texts=texts)
    assert (caught.value.code, caught.value.where) == ("SP-426", "models.what-rung1.tokenizer")
