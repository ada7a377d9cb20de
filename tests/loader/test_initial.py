"""Models without weights: for pages that train them from their initial ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.cli.main import main
from builder.sources.tfjs import read_model
from tests.helpers import tiny

slow_with_node = pytest.mark.slow


def topology_only(folder: Path) -> Path:
    """Write a layers model's topology, as ``model.toJSON()`` gives it."""
    path = tiny.layers_model(folder)
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps({"modelTopology": content["modelTopology"]}))
    for file in folder.glob("*.bin"):
        file.unlink()
    return path


def test_weights_may_be_missing_only_where_none_are_wanted(tmp_path: Path) -> None:
    model = read_model(topology_only(tmp_path / "m"), weights=False)
    assert (model.kind, model.weights) == ("layers-model", ())
    assert [spec.name for spec in model.inputs] == ["image"]


@pytest.mark.slow
@pytest.mark.parametrize("bare", [True, False])
def test_a_topology_builds_and_tensorflow_js_starts_it(tmp_path: Path, bare: bool) -> None:
    if bare:
        topology_only(tmp_path / "m")
    else:
        tiny.layers_model(tmp_path / "m")
    (tmp_path / "build.toml").write_text('[models.a]\nsource = "m/model.json"\nweights = false\nprecision = "small"\n')
    assert main(["--config", str(tmp_path / "build.toml")]) == 0
    made = json.loads((tmp_path / "dist/manifest.json").read_bytes())["models"]["a"]
    assert made["shards"] == made["weights"] == []
    assert made["verified"]["max_error"] == 0


def test_what_cannot_start_from_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.graph_model(tmp_path / "m")
    settings = tmp_path / "build.toml"
    settings.write_text('[models.a]\nsource = "m/model.json"\nweights = false\n')
    assert main(["--config", str(settings)]) == 1
    assert "graph model, which cannot start from initial weights" in capsys.readouterr().err
    (tmp_path / "m.pb").write_bytes(b"\x0a\x07\x0a\x01x\x12\x02No")
    settings.write_text('[models.a]\nsource = "m.pb"\nweights = false\n')
    assert main(["--config", str(settings)]) == 1
    assert "layers model of TensorFlow.js" in capsys.readouterr().err
    topology_only(tmp_path / "t")
    settings.write_text('[models.a]\nsource = "t/model.json"\n')
    assert main(["--config", str(settings)]) == 1
    assert "weightsManifest is missing" in capsys.readouterr().err
