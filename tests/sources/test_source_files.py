"""Which files make a source, for the cache's key."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.convert.handover import files_of
from builder.convert.reasons import explain
from builder.sources.model_folders import teachable_labels
from builder.sources.source_files import source_files
from tests.helpers.models import write_model


def test_a_model_json_names_its_shards(tmp_path: Path) -> None:
    path = write_model(tmp_path, shard_bytes=200)
    assert [name for name, _ in source_files(path, "tfjs")] == ["model.json", "shard0.bin", "shard1.bin"]


def test_a_folder_is_all_its_files_but_the_random_one(tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    for name in ("saved_model.pb", "fingerprint.pb", "variables/variables.index"):
        (tmp_path / name).write_bytes(b"x")
    assert [name for name, _ in source_files(tmp_path, "saved-model")] == [
        "saved_model.pb",
        "variables/variables.index",
    ]


def test_what_a_build_writes_into_a_saved_model_s_folder_is_none_of_it(tmp_path: Path) -> None:
    for name in ("saved_model.pb", "assets/words.txt", "build.toml", "dist/cdn/a.bin", ".shardpress/x", "page.pb.js"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "dist" / "elsewhere").symlink_to("/")
    assert [name for name, _ in source_files(tmp_path, "saved-model")] == ["assets/words.txt", "saved_model.pb"]
    assert [name for name, _ in files_of(tmp_path)] == ["assets/words.txt", "saved_model.pb"]


def test_the_folder_that_one_is_in_can_be_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`init` in a SavedModel's own folder proposes `source = "."`, whose name is empty."""
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert not teachable_labels(Path())
    assert [name for name, _ in source_files(Path(), "saved-model")] == ["saved_model.pb"]


def test_a_saved_model_without_variables_is_told_which_folder_is_missing() -> None:
    told = "Unsuccessful TensorSliceReader constructor: Failed to find any matching files for /a/variables/variables"
    error = explain(ValueError(told), "model")
    assert (error.code, error.where) == ("SP-308", "model")
    assert "without its weights" in str(error)
    assert "variables" in error.hint


def test_a_single_file_is_itself(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(b"x")
    assert source_files(path, "keras3") == (("m.keras", path),)
