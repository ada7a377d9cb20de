"""What the key of a built model is made of: everything in build.toml, but for what its files do not depend on."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from builder.cache.local import key_of
from builder.config.audio import AudioConfig
from builder.config.models import CutConfig, ModelConfig, StageConfig
from builder.config.pictures import PictureConfig
from builder.config.source_inputs import InputConfig
from builder.config.verify import VerifyConfig
from builder.convert.requests import SourceOptions
from builder.pipeline.plan_model import AssemblyInputs, ConversionInputs, relevant

plain = ModelConfig(source="a")
others: dict[str, Any] = {
    "source": "b", "load": "now", "priority": "high", "thread": "worker", "precision": "small",
    "stages": (StageConfig("a", ("b",)),), "budget": "1 kB", "first_budget": "1 kB",
    "labels": "l.txt", "compat": "float32", "signature": "s", "tags": ("t",), "outputs": ("o",),
    "weights": False, "cut": CutConfig(("a",)), "custom_ops": "o.js", "vocabulary": "v.txt", "rows_first": 7,
    "channels": "last", "inputs": {"i": InputConfig(shape=(1,))}, "member": "m.tflite",
    "picture": PictureConfig(size=9), "audio": AudioConfig(rate=8000), "answer": "classes", "tokenizer": "t.json",
    "trust": True, "license": "MIT", "card": "c", "verify": VerifyConfig(max_error=0.5),
}  # fmt: skip
by_content = {"source", "labels", "custom_ops", "vocabulary"}  # what they name is in the key by its hash
policies = {"load", "priority", "thread", "budget", "first_budget", "license", "card"}
expanded = {"ladder"}  # tables of its rungs are made of it before anything has a key
inputs = AssemblyInputs("c", "n", plain, (), None, None, None, [], 1, "code")


@pytest.mark.parametrize("measured", [True, False])
def test_every_setting_counts_but_those_that_files_do_not_depend_on(measured: bool) -> None:
    assert set(others) | expanded == set(ModelConfig.__struct_fields__), "say of a new key what another value is"
    before = key_of(relevant(plain, measured=measured))
    same = {
        name
        for name, value in others.items()
        if key_of(relevant(msgspec.structs.replace(plain, **{name: value}), measured=measured)) == before
    }
    assert same == by_content | policies | (set() if measured else {"verify"})


@pytest.mark.parametrize("field", [field.name for field in fields(AssemblyInputs)])
def test_every_field_of_a_request_is_in_its_key(field: str) -> None:
    value: Any = {"settings": msgspec.structs.replace(plain, rows_first=9), "samples": [["a", "b"]], "shard_bytes": 2}
    assert key_of(replace(inputs, **{field: value.get(field, "other")})) != key_of(inputs)


def test_the_order_of_patterns_counts() -> None:
    one, two = (
        replace(inputs, settings=msgspec.structs.replace(plain, precision=table), pattern_order=tuple(table))
        for table in ({"a*": "exact", "*": "float16"}, {"*": "float16", "a*": "exact"})
    )
    assert key_of(one) != key_of(two)


def test_a_source_is_known_by_its_content_and_not_by_its_place() -> None:
    source = SourceOptions(Path("x"), "keras-h5")
    one = ConversionInputs(replace(source, path=Path()), (("model.h5", "0"),), {}, "code")
    assert key_of(one) == key_of(replace(one, files=(("model.h5", "0"),)))
    assert key_of(one) != key_of(replace(one, files=(("model.h5", "1"),)))
    for field in fields(SourceOptions):
        changed = replace(one.source, **{field.name: ("other",)})
        assert key_of(replace(one, source=changed)) != key_of(one), field.name


def test_what_has_no_text_is_no_part_of_a_key() -> None:
    with pytest.raises(TypeError, match="no form in JSON"):
        key_of(object())


def test_numbers_and_texts_of_numpy_are_as_pythons_own() -> None:
    assert key_of(np.float64(0.5), np.str_("a"), {"b": np.float64(2.0)}) == key_of(0.5, "a", {"b": 2.0})
