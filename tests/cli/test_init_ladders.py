"""``init`` proposes a ladder of models of one kind, and of no others; a build takes it as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.answers.clues import Proposal
from builder.bundle.index import read_index
from builder.cli.init import Found
from builder.cli.init_ladders import Seen, Steps, find_ladders
from builder.cli.main import main
from builder.config.tables import load_config
from tests.helpers.models import write_model
from tests.helpers.rungs import labels, write_classifier

classes = Proposal("it is a classifier", {"kind": "classes"}, {"fit": "cover"})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without Node in reach."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    return tmp_path


def init(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["init", str(folder / "models"), "--config", str(folder / "build.toml")]) == 0
    return capsys.readouterr().out


def add(folder: Path, name: str, *, side: int, hidden: int, words: tuple[str, ...] = labels) -> None:
    write_classifier(folder / "models" / name, side=side, hidden=hidden, answers=len(words))
    (folder / "models" / name / "labels.txt").write_text("\n".join(words))


def ladders(
    *models: tuple[str, int], scores: int | None = 1000, proposal: Proposal | None = classes, folder: Path = Path()
) -> list[tuple[str, list[str]]]:
    """Propose for models of these names and bytes, each with a contract of its own."""
    found = tuple(Found(name, f"{name}.onnx", "onnx", wire) for name, wire in models)
    seen = {name: Seen(wire, name, 1, scores, True) for name, wire in models}
    proposals = {name: proposal for name, _ in models} if proposal else {}
    return [(one.name, [rung.name for rung in one.rungs]) for one in find_ladders(found, seen, proposals, folder)]


def test_models_of_one_kind_become_a_ladder_that_builds(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(project, "colour-100", side=12, hidden=3000)
    add(project, "colour-035", side=8, hidden=300)
    write_model(project / "models" / "other", width=20)
    told = init(project, capsys)
    assert "colour: a ladder of colour-035, colour-100 (the same 3 labels)" in told
    settings = load_config(project / "build.toml")
    assert set(settings.models) == {"colour", "colour-rung1", "other"}
    assert settings.ladders["colour"].rungs == ("colour-rung1", "colour")
    assert settings.models["colour-rung1"].source == "models/colour-035/model.json"
    assert settings.models["colour"].labels == "models/colour-100/labels.txt"
    text = (project / "build.toml").read_text()
    assert "# A guess: pixels from 0 to 1" in text
    assert "}, # " in text, "also behind long lines"
    assert main(["-q", "--fast"]) == 0
    index = read_index((project / "dist/cdn/loader.js").read_bytes())
    assert index.models["colour"].rungs == ("colour-rung1",)


def test_models_that_say_something_else_stay_apart(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(project, "colour-100", side=12, hidden=3000)
    add(project, "colour-035", side=8, hidden=300, words=("rouge", "vert", "bleu"))
    assert "ladder" not in init(project, capsys)
    assert set(load_config(project / "build.toml").models) == {"colour-035", "colour-100"}


def test_the_same_tensors_need_no_picture(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, hidden in (("net-small", 300), ("net-large", 3000)):
        write_classifier(project / "models" / name, hidden=hidden)
    assert "net: a ladder of net-small, net-large (names and answers alike)" in init(project, capsys)
    assert "picture" not in (project / "build.toml").read_text()
    assert main(["-q", "--fast"]) == 0
    manifest = json.loads((project / "dist/manifest.json").read_bytes())
    assert manifest["models"]["net"]["ladder"]["tensors"] is True


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([("mobilenet-v2-100", 9000), ("mobilenet-v2-035", 3000)], ("mobilenet-v2", ["-035", "-100"])),
        ([("yolo11s", 9000), ("yolo11n", 3000)], ("yolo11", ["n", "s"])),
        ([("net-050", 5000), ("net-035", 3000), ("net-100", 9000)], ("net", ["-035", "-050", "-100"])),
    ],
)
def test_ladders_are_named_by_what_their_rungs_share(
    models: list[tuple[str, int]], expected: tuple[str, list[str]]
) -> None:
    name, ends = expected
    assert ladders(*models) == [(name, [name + end for end in ends])]


def test_a_name_that_is_taken_is_not_given_again() -> None:
    proposed = ladders(("net-035", 3000), ("net-100", 9000), ("net", 8000))
    assert proposed == [("net", ["net-035", "net"])], "net-100 is hardly larger than net"


@pytest.mark.parametrize(
    ("sizes", "scores", "proposal"),
    [
        ((3000, 4000), 1000, classes),
        ((3000, 9000), 1000, Proposal("it describes", {"kind": "vector"}, {"fit": "cover"})),
        ((3000, 9000), 1000, Proposal("it listens", {"kind": "classes"}, audio={"hop": 512})),
        ((3000, 9000), 1000, None),
    ],
)
def test_no_ladder_is_proposed_where_none_is_certain(
    sizes: tuple[int, int], scores: int, proposal: Proposal | None
) -> None:
    names = ("net-a", "net-b")
    assert ladders(*zip(names, sizes, strict=True), scores=scores, proposal=proposal) == []


def test_models_with_other_names_need_as_many_classes_as_nobody_has_by_chance() -> None:
    assert ladders(("cats", 3000), ("defects", 9000), scores=2) == []
    assert ladders(("squeeze", 3000), ("resnet", 9000), scores=1000) == [("resnet", ["squeeze", "resnet"])]


def test_rungs_keep_what_is_their_own(tmp_path: Path) -> None:
    found = tuple(Found(name, f"{name}.onnx", "onnx", wire) for name, wire in (("net-a", 100), ("net-b", 900)))
    seen = {one.name: Seen(one.nbytes, one.name, 1, 1000, True) for one in found}
    mine = Proposal("it says so", {"kind": "classes"}, {"fit": "cover", "range": [-1, 1]})
    proposals = {"net-a": mine, "net-b": classes}
    (ladder,) = find_ladders(found, seen, proposals, tmp_path)
    assert isinstance(ladder, Steps)
    from builder.cli.init import write_config
    from builder.cli.init_ladders import ladder_tables

    path = tmp_path / "build.toml"
    path.write_text(write_config(found, {}, ladders=ladder_tables((ladder,), found, seen, proposals)))
    settings = load_config(path)
    rung, last = (settings.models[name] for name in settings.ladders[ladder.name].rungs)
    assert (rung.picture, last.picture) != (None, None)
    assert rung.picture != last.picture
    assert rung.answer == last.answer
