"""build.toml: what is right is read, what is wrong is named with its place and a way on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.config.tables import load_config
from builder.config.units import parse_size, show_size
from builder.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "build.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, '[models.face]\nsource = "m.json"\n'))
    assert config.shard_bytes == 256 * 1024
    assert config.models["face"].load == "visible"
    assert config.models["face"].verify.max_error is None
    assert config.folder == tmp_path


def test_all_keys_of_the_contract_that_are_built(tmp_path: Path) -> None:
    text = """
[build]
out = "o"
cache = "c"
shard_bytes = "64 KiB"
[models.face-2]
source = "a path/模型.json"
load = "now"
priority = "high"
precision = "exact"
budget = "600 kB"
labels = "l.txt"
compat = "float32"
signature = "s"
tags = ["serve", "gpu"]
outputs = ["a"]
trust = true
license = "MIT"
card = "card.md"
[models.face-2.verify]
inputs = "*.npz"
max_error = 1e-3
min_agreement = 0.99
metric = "top1"
[targets.prod]
type = "s3"
bucket = "b"
"""
    config = load_config(write(tmp_path, text))
    assert config.models["face-2"].tags == ("serve", "gpu")
    assert config.targets["prod"].keep_releases == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[models]\n[", "line 2|end of document"),
        ("[build]\nshard_byte = 3", r"build: unknown key 'shard_byte'.*'shard_bytes'"),
        ("[bild]", r"unknown key 'bild'.*'build'"),
        ('[models.face]\nsuorce = "x"', r"models.face: unknown key 'suorce'.*'source'"),
        ('[models.face]\nload = "now"', r"models.face: missing the key 'source'|[Mm]issing"),
        ('[models.face]\nsource = "x"\nload = "soon"', r"models.face.load: cannot be 'soon'.*manual"),
        ('[models.face]\nsource = "x"\nprecision = "smal"', r"models.face.precision: cannot be 'smal'.*mean 'small'"),
        ('[models.face]\nsource = "x"\nverify.metric = "iou"', r"models.face.verify.metric: .*Use one of top1, boxes"),
        (
            '[models.face]\nsource = "x"\n[models.face.verify]\nmax_eror = 1',
            r"models.face.verify: unknown key 'max_eror'.*'max_error'",
        ),
        ('[models.face]\nsource = "x"\n[models.face.verify]\nmax_error = -1', "above 0"),
        ('[models."a b"]\nsource = "x"', "'a b' is not allowed"),
        ('[models."</script>"]\nsource = "x"', "is not allowed"),
        ("models = 3", r"models must be a table"),
        ('[build]\nshard_bytes = "many"', "not a size"),
        ("[build]\nshard_bytes = 3", "too small"),
        ('[models.face]\nsource = "x"\nbudget = "1 parsec"', r"models.face.budget.*not a size"),
        ("[build]\nout = 3", r"build.out: expected 'str', got 'int'"),
    ],
)  # fmt: skip
def test_errors_name_place_and_way_on(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load_config(write(tmp_path, text))
    assert str(tmp_path) in str(caught.value)
    assert caught.value.exit_status == 2


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "build.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(tmp_path / "build.toml")


@given(st.text(max_size=60))
def test_any_text_gives_a_config_or_a_config_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("toml") / "build.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load_config(path)
    except ConfigError:
        return


@pytest.mark.parametrize(
    ("text", "count"),
    [("256 KiB", 262144), ("600 kB", 600_000), ("1.5MB", 1_500_000), (7, 7), ("12", 12), ("1 gib", 1 << 30)],
)
def test_sizes(text: str | int, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "kB", "-1", "1 kBB", "one", -1])
def test_wrong_sizes(text: str | int) -> None:
    with pytest.raises(ValueError, match=r"size|negative"):
        parse_size(text)


def test_shown_sizes() -> None:
    assert [show_size(n) for n in (0, 999, 1234, 44_000, 123_456, 5_600_000, 2_500_000_000)] == [
        "0 B", "999 B", "1.2 kB", "44.0 kB", "123 kB", "5.6 MB", "2.50 GB",
    ]  # fmt: skip
