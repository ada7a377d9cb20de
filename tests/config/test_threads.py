"""Where models run, in build.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.bundle.index import Extras
from builder.config.schema import json_schema
from builder.config.tables import load_config
from builder.errors import ConfigError
from builder.pipeline.plan_model import relevant
from tests.helpers.rungs import ladder_of


def test_a_model_runs_on_the_pages_thread_unless_its_table_says_something_else(tmp_path: Path) -> None:
    path = tmp_path / "build.toml"
    rungs = ladder_of('source = "a"', 'source = "b"', more='thread = "worker"')
    path.write_text(f'[models.a]\nsource = "a"\n[models.b]\nsource = "b"\nthread = "worker"\n{rungs}')
    models = load_config(path).models
    assert {name: model.thread for name, model in models.items()} == {
        "a": "page",
        "b": "worker",
        "what-rung1": "worker",
        "what": "worker",
    }
    settings = [relevant(models[name], measured=False) for name in ("a", "b")]
    assert settings[0] == settings[1], "the files are the same"
    assert json_schema()["$defs"]["ModelConfig"]["properties"]["thread"]["enum"] == ["page", "worker"]


def test_a_model_to_train_stays_on_the_pages_thread(tmp_path: Path) -> None:
    path = tmp_path / "build.toml"
    path.write_text('[models.a]\nsource = "a"\nweights = false\nthread = "worker"\n')
    with pytest.raises(ConfigError, match="pages train") as caught:
        load_config(path)
    assert caught.value.code == "SP-252"
    assert "models.a.thread" in str(caught.value)


def test_the_index_names_what_runs_in_a_worker() -> None:
    assert Extras(thread="worker").encode() == {"thread": "worker"}
    assert Extras().encode() == {}
