"""Ladders of build.toml become a table for each rung."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.config.audio import AudioConfig
from builder.config.schema import json_schema
from builder.config.tables import Config, load_config
from builder.config.tokenizer import TokenizerConfig
from builder.errors import ConfigError
from tests.helpers.rungs import ladder_of

small, large = 'source = "a"', 'source = "b"'


def load(folder: Path, text: str) -> Config:
    path = folder / "build.toml"
    path.write_text(text)
    return load_config(path)


def test_rungs_are_models_and_the_last_one_has_the_ladders_name(tmp_path: Path) -> None:
    more = 'load = "now"\nbudget = "3 MB"\nfirst_budget = "1 MB"\ncompat = "float32"\nlabels = "l.txt"'
    rungs = ('source = "a", precision = "small", budget = "1 MB"', 'source = "b", picture = { size = 9 }')
    config = load(tmp_path, ladder_of(*rungs, large, more=more) + '[models.z]\nsource = "z"\n')
    assert list(config.models) == ["what-rung1", "what-rung2", "what", "z"]
    assert config.ladders["what"].rungs == ("what-rung1", "what-rung2", "what")
    assert config.ladders["what"].budget == "3 MB"
    first, second, last = (config.models[name] for name in config.ladders["what"].rungs)
    assert [one.source for one in (first, second, last)] == ["a", "b", "b"]
    assert (first.precision, second.precision) == ("small", "exact"), "what a rung lacks is the table's"
    assert (first.budget, second.budget, last.budget) == ("1 MB", None, None)
    assert (first.first_budget, second.first_budget) == ("1 MB", None)
    assert second.picture is not None
    assert first.picture is None
    assert {one.labels for one in (first, second, last)} == {"l.txt"}
    assert [one.compat for one in (first, second, last)] == [None, None, "float32"]
    assert {one.load for one in (first, second, last)} == {"now"}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (ladder_of(small), "SP-250", r"models.what.ladder: a ladder has 2 to 9 rungs, and this one has 1"),
        (ladder_of(*[small] * 10), "SP-250", "this one has 10"),
        ("[models.what]\nladder = []", "SP-205", "or 'ladder' with two models or more"),
        (ladder_of(small, large, more='source = "c"'), "SP-205", "source and ladder exclude each other"),
        (ladder_of(small, "precision = 'small'"), "SP-205", r"models.what.ladder\[1\]: missing the key 'source'"),
        (
            ladder_of(small, large + ", load = 'now'"),
            "SP-203",
            "unknown key 'load'. All rungs share it: write it beside",
        ),
        (ladder_of(small, large + ", labels = 'l.txt'"), "SP-203", "unknown key 'labels'. All rungs share it"),
        (ladder_of(small, large + ", precison = 'small'"), "SP-203", "Did you mean 'precision'"),
        (ladder_of(small, large + ", precision = 'smal'"), "SP-205", "Did you mean 'small'"),
        (ladder_of(small, large, more='stages = [{ name = "s", outputs = ["o"] }]'), "SP-251", "rungs are its stages"),
        (ladder_of(small, large + ", tokenizer = { words = 't.json' }"), "SP-203", "unknown key 'words'"),
        (ladder_of(small, large + ", audio = { rate = 3 }"), "SP-205", "ladder\\[1\\].audio.rate"),
        (ladder_of(small, large, more="weights = false"), "SP-251", "a model to train"),
        (ladder_of(small, large, more='vocabulary = "v.txt"'), "SP-251", "word vectors"),
        (
            ladder_of(small, large, more='[models.what-rung1]\nsource = "x"'),
            "SP-208",
            "is the name of a rung of 'what'",
        ),
        (ladder_of(small, large + ", budget = '3 apples'"), "SP-205", r"models.what.ladder\[1\].budget"),
        (ladder_of(small, large, more="budget = '3 apples'"), "SP-205", "models.what, budget of all rungs"),
        (ladder_of(small, large, more="first_budget = '3 apples'"), "SP-205", "models.what.first_budget"),
    ],
)
def test_what_is_no_ladder_is_told_in_words(tmp_path: Path, text: str, code: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load(tmp_path, text)
    assert caught.value.code == code


def test_a_rung_has_its_own_tokenizer_or_sound_else_the_tables(tmp_path: Path) -> None:
    own = f'{small}, tokenizer = "small.json"', f"{large}, audio = {{ rate = 8000, samples = 80 }}"
    config = load(tmp_path, ladder_of(*own, more='tokenizer = { file = "t.json" }\n[models.what.audio]\nhop = 512'))
    first, last = (config.models[name] for name in config.ladders["what"].rungs)
    assert first.tokenizer == "small.json"
    assert last.tokenizer == TokenizerConfig(file="t.json")
    assert first.audio == AudioConfig(hop=512)
    assert last.audio == AudioConfig(rate=8000, samples=80), "a table of its own, and nothing of the other one"


def test_the_schema_knows_the_keys_of_a_rung() -> None:
    schema = json_schema()["$defs"]
    assert {"source", "precision", "picture", "audio", "tokenizer", "budget"} <= set(schema["RungConfig"]["properties"])
    assert schema["RungConfig"]["required"] == ["source"]
    assert "ladder" in schema["ModelConfig"]["properties"]
