"""``init``: what it finds, what it writes, and that a build takes that as it is."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

from builder.cli.init import Found, find_damaged, find_models, find_unreadable, write_config
from builder.cli.main import main
from builder.config.tables import load_config
from builder.config.units import parse_size
from builder.sources.members import chosen_member
from tests.helpers import tiny
from tests.helpers.models import write_model


@pytest.fixture
def project(tmp_path: Path) -> Path:
    tiny.graph_model(tmp_path / "assets/models/Face Finder")
    tiny.layers_model(tmp_path / "assets/models/words")
    (tmp_path / "assets/models/words/labels.txt").write_text("cat\n")
    for place in ("node_modules/x", ".hidden", "build"):
        tiny.graph_model(tmp_path / place)
    (tmp_path / "package.json").write_text('{"name": "a page"}')
    (tmp_path / "broken.h5").write_bytes(b"no")
    saved = tmp_path / "training/export/12"
    (saved / "variables").mkdir(parents=True)
    (saved / "saved_model.pb").write_bytes(b"\x08\x01")
    (saved / "samples").mkdir()
    (saved / "samples/1.png").write_bytes(b"")
    return tmp_path


def test_only_models_are_found_and_each_has_a_name(project: Path) -> None:
    found = {model.name: model for model in find_models(project, (project,))}
    assert set(found) == {"face-finder", "words", "training"}
    assert found["words"].path == "assets/models/words/model.json"
    assert found["words"].labels == "assets/models/words/labels.txt"
    assert found["training"].kind == "saved-model"
    assert found["training"].path == "training/export/12"
    assert found["training"].samples == "training/export/12/samples/*.png"
    assert found["face-finder"].nbytes > 4 * tiny.features * tiny.classes


def test_archives_of_models_are_looked_into(tmp_path: Path) -> None:
    """A MediaPipe task of one model needs no member; of several, also in a task within, each is proposed."""
    with zipfile.ZipFile(tmp_path / "face.task", "w") as archive:
        archive.writestr("detector.tflite", b"x" * 70)
    with zipfile.ZipFile(tmp_path / "hands.zip", "w") as archive:
        archive.writestr("read.me", b"")
        archive.writestr("palm_detection.tflite", b"x" * 50)
        archive.writestr("inner.task", (tmp_path / "face.task").read_bytes())
    (tmp_path / "broken.task").write_bytes(b"PK\x03\x04 no archive")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.png", b"")
    found = find_models(tmp_path, (tmp_path,))
    assert [(model.name, model.path, model.member) for model in found] == [
        ("face", "face.task", ""),
        ("detector", "hands.zip", "inner.task/detector.tflite"),
        ("palm-detection", "hands.zip", "palm_detection.tflite"),
    ]
    assert [model.nbytes for model in found[1:]] == [70, 50]
    config = tmp_path / "build.toml"
    config.write_text(write_config(found, {}))
    settings = load_config(config).models
    assert (settings["face"].member, settings["detector"].member) == ("", "inner.task/detector.tflite")
    assert chosen_member(tmp_path / settings["detector"].source, settings["detector"].member or "")


@pytest.mark.slow
def test_what_it_writes_builds_within_its_budgets(project: Path) -> None:
    config = project / "build.toml"
    assert main(["init", str(project / "assets"), "--config", str(config)]) == 0
    settings = load_config(config)
    assert set(settings.models) == {"face-finder", "words"}
    assert settings.models["words"].labels == "assets/models/words/labels.txt"
    assert main(["--config", str(config), "--quiet"]) == 0
    worker = (project / "sw.js").read_text()
    (imported,) = re.findall(r'^importScripts\("/(dist/cdn/sw\.[0-9a-f]{16}\.js)"\);$', worker, re.MULTILINE)
    assert (project / imported).is_file()
    assert 'base: "/dist/cdn/"' in worker
    report = json.loads((project / "dist/report.json").read_bytes())
    for name, model in settings.models.items():
        budget = parse_size(model.budget or 0)
        size = report["models"][name]["wire_bytes"]
        assert size * 1.2 <= budget <= size * 1.2 + 2000


def test_a_file_that_is_there_is_kept(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = project / "build.toml"
    config.write_text("# mine\n")
    (project / "sw.js").write_text("// mine\n")
    assert main(["init", str(project), "--config", str(config)]) == 2
    assert config.read_text() == "# mine\n"
    assert "--force" in capsys.readouterr().err
    assert main(["init", str(project), "--config", str(config), "--force", "--no-build"]) == 0
    assert len(load_config(config).models) == 3
    assert (project / "sw.js").read_text() == "// mine\n"


def test_one_that_cannot_be_built_has_no_budget(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = project / "build.toml"
    assert main(["init", str(project / "training"), "--config", str(config)]) == 0
    assert "cannot be built yet" in capsys.readouterr().out
    assert load_config(config).models["training"].budget is None


def test_nothing_found_says_what_a_model_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path), "--config", str(tmp_path / "build.toml")]) == 2
    assert "--example classify DIR" in capsys.readouterr().err
    assert not (tmp_path / "build.toml").exists()
    assert main(["init", str(tmp_path / "none"), "--config", str(tmp_path / "build.toml")]) == 2


def test_large_models_wait_to_be_asked_for_and_any_path_is_quoted(tmp_path: Path) -> None:
    found = (
        Found("small", 'a "quoted" \\ path/model.json', "tfjs", 1000),
        Found("large", "ünïcode/modèle.h5", "keras-h5", 9_000_000, samples="s/*.png"),
    )
    (tmp_path / "build.toml").write_text(write_config(found, {"small": 123_456}))
    models = load_config(tmp_path / "build.toml").models
    assert models["small"].source == found[0].path
    assert models["small"].budget == "150 kB"
    assert (models["large"].load, models["large"].priority) == ("interaction", "low")
    assert models["large"].source == found[1].path
    assert models["large"].verify.inputs == "s/*.png"


def test_it_names_what_it_saw_and_cannot_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.graph_model(tmp_path / "faces")
    (tmp_path / "speech.safetensors").write_bytes(b"x")
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules/other.pt").write_bytes(b"x")
    assert [(path.name, advice.split(":")[0]) for path, advice in find_unreadable((tmp_path,))] == [
        ("speech.safetensors", "Export it to ONNX in Python and name that file")
    ]
    assert main(["init", str(tmp_path), "--no-build", "--config", str(tmp_path / "build.toml")]) == 0
    assert "speech.safetensors cannot be read: Export it to ONNX in Python" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["model.onnx", "deep/model.keras", "net.tflite", "weights.h5"])
def test_the_only_model_that_is_damaged_is_said_to_be(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"<html>not found</html>")
    damage = find_damaged((tmp_path,))
    assert damage is not None
    assert name in damage.where


def test_a_model_json_without_its_weights_is_said_to_lack_them(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    (tmp_path / "package.json").write_text("{}")
    assert find_damaged((tmp_path,)) is None
    next(tmp_path.glob("*.bin")).unlink()
    damage = find_damaged((tmp_path,))
    assert damage is not None
    assert damage.where == str(path)
