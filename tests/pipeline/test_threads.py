"""Models that pages run in a worker are verified as all others: what checks them has no worker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.bundle.index import read_index
from builder.cli.main import main
from tests.helpers.rungs import ladder_of, write_classifier
from tests.helpers.word_tables import table, write_text

pytestmark = pytest.mark.slow
settings = """
[models.words]
source = "words.txt"
thread = "worker"
"""


def test_models_of_the_worker_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_classifier(tmp_path / "small", side=8, hidden=30)
    write_classifier(tmp_path / "large", side=12, hidden=600)
    write_text(tmp_path / "words.txt", *table(60, 8), header=True)
    more = 'picture = {}\nanswer = "classes"\nthread = "worker"'
    rungs = ('source = "small/model.json"', 'source = "large/model.json"')
    (tmp_path / "build.toml").write_text(ladder_of(*rungs, more=more) + settings)
    (tmp_path / "node_modules").symlink_to(Path(__file__).resolve().parents[2] / "node_modules")
    monkeypatch.chdir(tmp_path)
    assert main(["-q"]) == 0
    models = json.loads((tmp_path / "dist/manifest.json").read_bytes())["models"]
    assert set(models) == {"what", "what-rung1", "words"}
    assert all(model["verified"] for model in models.values())
    index = read_index((tmp_path / "dist/cdn/loader.js").read_bytes())
    assert {name: entry.extras.thread for name, entry in index.models.items()} == {
        "what": "worker",
        "what-rung1": None,
        "words": "worker",
    }
    assert "workerTf" in (tmp_path / "dist/cards/what.md").read_text()
