"""Models that pages run in a worker are checked as all others are: under Node, where there is no page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.bundle.index import read_index
from builder.cli.main import main
from tests.helpers.rungs import labels, ladder_of, write_classifier
from tests.helpers.word_tables import table, write_text

apart = 'thread = "worker"\nframe_ms = 50'
pictures = 'labels = "labels.txt"\npicture = {}\nanswer = "classes"'


@pytest.mark.slow
def test_models_of_a_worker_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_classifier(tmp_path / "small", side=8, hidden=30)
    write_classifier(tmp_path / "large", side=12, hidden=3000)
    write_text(tmp_path / "words.vec", *table(40, 3), header=True)
    (tmp_path / "labels.txt").write_text("\n".join(labels))
    small, large = 'source = "small/model.json"', 'source = "large/model.json"'
    (tmp_path / "build.toml").write_text(
        f"[models.plain]\n{small}\n{apart}\n[models.whole]\n{small}\n{apart}\n{pictures}\n"
        f'[models.words]\nsource = "words.vec"\nthread = "worker"\n'
        + ladder_of(small, large, more=f"{apart}\n{pictures}")
    )
    monkeypatch.chdir(tmp_path)
    assert main(["--strict", "--quiet"]) == 0
    models = json.loads((tmp_path / "dist/manifest.json").read_bytes())["models"]
    assert {name for name, model in models.items() if model["verified"]} == {
        "plain",
        "whole",
        "words",
        "what",
        "what-rung1",
    }
    index = read_index((tmp_path / "dist/cdn/loader.js").read_bytes())
    threads = {name: entry.extras.thread for name, entry in index.models.items()}
    assert threads == {**dict.fromkeys(("plain", "whole", "words", "what"), "worker"), "what-rung1": None}
    assert "workerTf" in (tmp_path / "dist/cards/what.md").read_text()
