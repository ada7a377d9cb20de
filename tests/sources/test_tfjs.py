"""Reading model.json: right models read right, wrong ones give one clear error, whatever the bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.errors import ShardpressError, SourceError
from builder.sources.tfjs import read_model
from tests.helpers.models import graph_json, write_model


def test_reads_weights_across_shards(tmp_path: Path) -> None:
    path = write_model(tmp_path, shard_bytes=50)
    model = read_model(path)
    assert [weight.name for weight in model.weights] == ["w", "b"]
    assert model.weights[0].data.read(0, 256) == bytes(range(256))
    assert model.weights[0].data.read(40, 60) == bytes(range(40, 60))
    assert [spec.name for spec in model.inputs] == ["x"]
    assert model.inputs[0].shape == (None, 8)
    assert [spec.name for spec in model.outputs] == ["y"]


def change(path: Path, **entries: Any) -> None:
    content = json.loads(path.read_text())
    content.update(entries)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"modelTopology": None}, "no topology"),
        ({"modelTopology": []}, "not an object"),
        ({"weightsManifest": None}, "weightsManifest is missing"),
        ({"weightsManifest": [{"paths": ["../secret.bin"], "weights": []}]}, "outside the model's folder"),
        ({"weightsManifest": [{"paths": ["/etc/passwd"], "weights": []}]}, "outside the model's folder"),
        ({"weightsManifest": [{"paths": ["nothing.bin"], "weights": []}]}, "'nothing.bin' is missing"),
        ({"weightsManifest": [{"paths": [], "weights": [{"name": "w", "shape": [-1], "dtype": "int32"}]}]}, "shape"),
        ({"weightsManifest": [{"paths": [], "weights": [{"name": "w", "shape": [1], "dtype": "half"}]}]}, "dtype"),
        (
            {"weightsManifest": [{"paths": [], "weights": [{"name": "w", "shape": [1 << 60], "dtype": "int32"}]}]},
            "shape",
        ),
        (
            {"weightsManifest": [{"paths": [], "weights": [{"name": "w", "shape": [1 << 30], "dtype": "int32"}]}]},
            "only 0",
        ),
    ],
)
def test_damage_is_named(tmp_path: Path, entries: dict[str, Any], words: str) -> None:
    path = write_model(tmp_path)
    change(path, **entries)
    with pytest.raises(SourceError, match=words) as caught:
        read_model(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("delta", "words"), [(-1, "hold only"), (3, "describes only")])
def test_wrong_length_of_shards_is_named(tmp_path: Path, delta: int, words: str) -> None:
    path = write_model(tmp_path)
    shard = tmp_path / "shard0.bin"
    content = shard.read_bytes()
    shard.write_bytes(content[:delta] if delta < 0 else content + bytes(delta))
    with pytest.raises(SourceError, match=words):
        read_model(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"a": NaN}', '{"a": 1e999}', "\xff"])
def test_what_is_not_json_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SourceError):
        read_model(path)


def test_two_weights_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    content = json.loads(path.read_text())
    content["weightsManifest"][0]["weights"][1]["name"] = "w"
    path.write_text(json.dumps(content))
    with pytest.raises(SourceError, match="two weights are named 'w'"):
        read_model(path)


def test_strings_are_walked(tmp_path: Path) -> None:
    strings = ["", "é", "</script>"]
    content = b"".join(len(text.encode()).to_bytes(4, "little") + text.encode() for text in strings)
    (tmp_path / "s.bin").write_bytes(content + bytes(8))
    group = {
        "paths": ["s.bin"],
        "weights": [
            {"name": "words", "shape": [3], "dtype": "string"},
            {"name": "n", "shape": [2], "dtype": "int32"},
        ],
    }
    path = tmp_path / "model.json"
    path.write_text(json.dumps({**graph_json(), "weightsManifest": [group]}))
    words, _ = read_model(path).weights
    assert words.data.read(0, words.data.nbytes) == content


mutations = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(mutations, st.booleans())
def test_random_damage_never_escapes_the_error_tree(tmp_path: Path, edits: list[tuple[float, int]], cut: bool) -> None:
    path = write_model(tmp_path)
    content = bytearray(path.read_bytes())
    for place, value in edits:
        content[int(place * len(content))] = value
    if cut:
        del content[int(edits[0][0] * len(content)) :]
    path.write_bytes(content)
    try:
        model = read_model(path)
    except ShardpressError:
        return
    for weight in model.weights:
        assert weight.expected_bytes() in {None, weight.data.nbytes}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["node", "name", "op", "input", "attr", "paths", "weights", "shape", "dtype", "config", "layers"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("modelTopology", "weightsManifest", "signature"), values)))
def test_random_structures_never_escape_the_error_tree(tmp_path: Path, content: dict[str, Any]) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps(content))
    try:
        read_model(path)
    except ShardpressError:
        return
