"""Which files make a source, for the cache's key."""

from __future__ import annotations

from pathlib import Path

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


def test_a_single_file_is_itself(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(b"x")
    assert source_files(path, "keras3") == (("m.keras", path),)
