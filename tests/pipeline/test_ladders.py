"""Ladders from build.toml to dist/: what pages are given, what is refused, what is measured."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.bundle.index import Index, read_index
from builder.cli.main import main
from tests.helpers.models import write_model
from tests.helpers.rungs import labels, ladder_of, write_classifier
from tests.helpers.whole import assert_whole

coarse, exact = 'source = "a/model.json", precision = "float16"', 'source = "a/model.json"'
pictures = 'labels = "labels.txt"\npicture = {}\nanswer = "classes"'
small, large = 'source = "small/model.json"', 'source = "large/model.json"'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with sources of rungs, without Node in reach."""
    write_model(tmp_path / "a", width=400, seed=1)
    write_classifier(tmp_path / "small", side=8, hidden=30)
    write_classifier(tmp_path / "large", side=12, hidden=3000)
    (tmp_path / "labels.txt").write_text("\n".join(labels))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    return tmp_path


def write(folder: Path, text: str) -> None:
    (folder / "build.toml").write_text(f'[build]\nshard_bytes = "4 KiB"\n{text}')


def build(folder: Path, text: str) -> tuple[Index, dict[str, Any]]:
    write(folder, text)
    assert main(["-q", "--fast"]) == 0
    manifest: dict[str, Any] = json.loads((folder / "dist/manifest.json").read_bytes())
    return assert_whole(folder / "dist" / "cdn"), manifest["models"]


def failure(folder: Path, text: str, capsys: pytest.CaptureFixture[str], status: int = 1) -> str:
    write(folder, text)
    assert main(["-q", "--fast"]) == status
    assert not (folder / "dist/cdn/loader.js").exists()
    return capsys.readouterr().err


def test_rungs_of_one_contract_take_tensors(project: Path) -> None:
    index, models = build(project, ladder_of(coarse, exact, more='load = "now"'))
    last, first = index.models["what"], index.models["what-rung1"]
    assert last.encode()[-1] == {"ladder": {"rungs": ["what-rung1"], "bytes": first.nbytes, "tensors": True}}
    assert len(first.encode()) == 7
    assert models["what"]["contract"] == models["what-rung1"]["contract"]
    assert models["what"]["ladder"] == {"rungs": ["what-rung1"], "agreement": [None], "tensors": True}
    assert (models["what"]["rung_of"], models["what-rung1"]["rung_of"]) == (None, "what")
    plain, _ = build(project, f"[models.what]\n{exact}\n")
    assert plain.models["what"].head_sha256 == last.head_sha256, "the last rung is the model that it would be alone"
    assert plain.release != index.release
    types = (project / "dist/cdn/loader.d.ts").read_text()
    assert "rung" not in types.split("export interface Signatures")[1]


def test_pages_know_the_ladder_by_its_name_alone(project: Path) -> None:
    index, _ = build(project, ladder_of(coarse, exact, more='load = "now"'))
    types = (project / "dist/cdn/loader.d.ts").read_text().split("export interface Signatures")[1]
    assert 'stages: "rung:1" | "rung:2";' in types
    assert 'Ladder<NamedGraphModel<Signatures["what"]["inputs"]' in types
    assert "what-rung1" not in types
    preload = (project / "dist/preload.html").read_text()
    assert f"ladder.{index.modules['ladder'][:16]}.js" in preload
    assert "assets/what-rung1." in preload
    assert "assets/what-rung1-base-0." in preload
    assert "assets/what." not in preload, "what answers first is all that is urgent"
    assert not any(f"{name}." in preload for name in ("answers", "classes", "glue")), "tensors need none of them"


def test_what_answers_is_preloaded_with_the_first_rung(project: Path) -> None:
    index, _ = build(project, ladder_of(small, large, more=f'{pictures}\nload = "now"'))
    preload = (project / "dist/preload.html").read_text()
    for name in ("answers", "classes", "ladder"):
        assert f'rel="modulepreload" href="BASE/{name}.{index.modules[name][:16]}.js"' in preload
    assert "device." not in preload, "only a higher rung is compiled before it answers"
    assert "glue." not in preload, "nothing was cut off the model"
    assert preloads(project)["modules"] == ["tf", "answers", "classes", "ladder"]


def test_the_manifest_names_where_each_module_is_imported(project: Path) -> None:
    """A model that loads later is nobody's first answer."""
    plain = f'[models.plain]\n{exact}\nload = "now"\n[models.later]\n{exact}\nload = "idle"\nlabels = "labels.txt"\n'
    index, models = build(project, plain + ladder_of(small, large, more=f'{pictures}\nload = "now"\nthread = "worker"'))
    told = preloads(project)
    assert told["modules"] == ["tf", "thread"]
    assert told["worker"] == ["tf", "answers", "classes", "ladder", "worker"]
    wanted = [models[name] for name in ("plain", "what-rung1")]
    files = [[model["head"]["url"], *first_stage(model)] for model in wanted]
    assert told["files"] == [url for urls in files for url in urls]
    snippet = (project / "dist/preload.html").read_text()
    pinned = snippet.split("<!--")[2]
    scripts = [f"BASE/{name}.{index.modules[name][:16]}.js" for name in sorted({*told["worker"], "thread"} - {"tf"})]
    assert re.findall('modulepreload" href="([^"]+)"', pinned)[1:] == scripts
    assert re.findall('crossorigin href="BASE/([^"]+)"', pinned) == told["files"]


@pytest.mark.parametrize("policy", ["idle", "visible", "interaction", "manual"])
def test_what_does_not_load_at_once_is_not_preloaded(policy: str, project: Path) -> None:
    build(project, ladder_of(small, large, more=f'{pictures}\nload = "{policy}"\nthread = "worker"'))
    assert preloads(project) == {"modules": [], "worker": [], "ops": [], "files": []}
    assert (project / "dist/preload.html").read_text().count("<link") == 2, "the loader alone"


def preloads(project: Path) -> dict[str, list[str]]:
    told: dict[str, list[str]] = json.loads((project / "dist/manifest.json").read_bytes())["preload"]
    return told


def first_stage(model: dict[str, Any]) -> list[str]:
    return [shard["url"] for shard in model["shards"] if shard["stage"] == "base"]


def test_rungs_with_other_inputs_have_the_contract_of_what_a_page_sees(project: Path) -> None:
    index, models = build(project, ladder_of(small, large, more=pictures))
    assert models["what"]["ladder"]["tensors"] is False
    seen = models["what"]["contract"]
    assert models["what-rung1"]["contract"] == seen
    assert index.models["what"].rungs == ("what-rung1",)
    assert "RunOnly," in (project / "dist/cdn/loader.d.ts").read_text()
    write_classifier(project / "large", side=16, hidden=4000)
    _, again = build(project, ladder_of(small, large, more=pictures))
    assert again["what"]["contract"] == seen, "the shape of a tensor is nothing that a page sees"
    assert again["what-rung1"]["head"] == models["what-rung1"]["head"], "what is unchanged costs nothing"
    (project / "labels.txt").write_text("rouge\nvert\nbleu")
    _, others = build(project, ladder_of(small, large, more=pictures))
    assert others["what"]["contract"] != seen


def test_a_build_of_one_ladder_makes_all_its_rungs_and_no_rung_alone(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, ladder_of(coarse, exact) + f"[models.other]\n{exact}\n")
    assert main(["-q", "--fast", "--only", "what"]) == 0
    index = read_index((project / "dist/cdn/loader.js").read_bytes())
    assert set(index.models) == {"what", "what-rung1"}
    assert main(["-q", "--fast", "--only", "other"]) == 0
    index = read_index((project / "dist/cdn/loader.js").read_bytes())
    assert set(index.models) == {"other", "what", "what-rung1"}
    assert index.models["what"].rungs == ("what-rung1",)
    assert main(["-q", "--fast", "--only", "what-rung1"]) == 2
    assert "build.toml has what, other" in capsys.readouterr().err


def test_rungs_that_are_no_ladder_are_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = failure(project, ladder_of(exact, coarse), capsys)
    assert "SP-562" in said
    assert "rung 1 takes" in said
    assert "nobody would wait for it" in said
    said = failure(project, ladder_of(coarse, large, more="outputs = []"), capsys)
    assert "SP-563" in said
    assert "can only use run()" in said
    write_classifier(project / "large", side=8, hidden=3000, answers=4)
    said = failure(project, ladder_of(small, f"{large}, answer = 'picture'", more=pictures), capsys, status=1)
    assert "SP-" in said


def test_rungs_that_give_something_else_are_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = f"{large}, answer = {{ kind = 'vector', output = 'probs' }}"
    said = failure(project, ladder_of(small, other, more=pictures), capsys, status=2)
    assert "SP-251" in said
    assert "vectors of two models cannot be compared" in said
    said = failure(project, ladder_of('source = "a/model.json", picture = {}', large, more=pictures), capsys, 2)
    assert "a picture is float32 or int32" in said


def test_what_is_wrong_about_a_rung_is_said_where_build_toml_has_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = failure(project, ladder_of(small, 'source = "lagre/model.json"', more=pictures), capsys)
    assert "models.what.ladder[1].source = 'lagre/model.json': does not exist" in said
    said = failure(project, ladder_of('source = "smal/model.json"', large, more=pictures), capsys)
    assert "models.what.ladder[0].source = 'smal/model.json': does not exist" in said
    (project / "labels.txt").write_text("red\nred")
    said = failure(project, ladder_of(small, large, more=pictures), capsys)
    assert "models.what." in said
    assert "models.what-rung1." not in said


@pytest.mark.parametrize("words", ["", 'labels = "labels.txt"\n'])
def test_rungs_that_tell_other_classes_apart_are_refused(
    project: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    write_classifier(project / "large", side=12, hidden=3000, answers=4)
    said = failure(project, ladder_of(small, large, more=f'{words}picture = {{}}\nanswer = "classes"'), capsys)
    assert ("SP-432" if words else "SP-563") in said
    assert "3 labels for 4 classes" in said if words else "its answers tell 3 apart, not 4" in said


def test_budgets_of_a_rung_of_all_and_of_the_first_answer(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for rungs, more, where in (
        ((coarse, exact + ', budget = "1 kB"'), "", "models.what.ladder[1].budget"),
        ((coarse + ', budget = "1 kB"', exact), "", "models.what.ladder[0].budget"),
        ((coarse, exact), 'budget = "4 kB"', "rungs of"),
        ((coarse, exact), 'first_budget = "1 kB"', "models.what.first_budget"),
    ):
        said = failure(project, ladder_of(*rungs, more=more), capsys)
        assert "SP-560" in said
        assert where in said
    generous = 'budget = "1 MB"\nfirst_budget = "100 kB"'
    build(project, ladder_of(coarse + ', budget = "100 kB"', exact + ', budget = "1 MB"', more=generous))
    said = f'[models.what]\n{exact}\nfirst_budget = "1 kB"\n'
    write(project, said)
    assert main(["-q", "--fast"]) == 1
    assert "until it first answers" in capsys.readouterr().err


@pytest.mark.slow
def test_agreement_with_the_last_rung_is_measured_on_pictures(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    monkeypatch.undo()
    monkeypatch.chdir(project)
    (project / "node_modules").symlink_to(Path(__file__).resolve().parents[2] / "node_modules")
    # Of four pictures one is of a colour that the small model takes for another.
    (folder := project / "pictures").mkdir()
    colours = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (20, 60, 50)]
    for number, colour in enumerate(colours):
        Image.fromarray(np.full((20, 30, 3), colour, np.uint8)).save(folder / f"{number}.png")
    path = project / "small" / "weights.bin"
    content = bytearray(path.read_bytes())
    second = np.frombuffer(bytes(content[-30 * 3 * 4 :]), np.float32).reshape(30, 3) * [1, 1, 1.5]
    path.write_bytes(bytes(content[: -30 * 3 * 4]) + second.astype(np.float32).tobytes())
    more = f'{pictures}\n[models.what.verify]\ninputs = "pictures/*.png"'
    index, models = build(project, ladder_of(small, large, more=f"frame_ms = 33\n{more}"))
    assert models["what"]["ladder"]["agreement"] == [0.75]
    # Two products of matrices by way of as many hidden numbers; the mean and the softmax take more ops than one.
    costs = {name: models[name]["cost"] for name in ("what", "what-rung1")}
    assert [cost["macs"] for cost in costs.values()] == [6 * 3000, 6 * 30]
    last, first = (index.models[name].extras.fit for name in ("what", "what-rung1"))
    assert last is not None
    assert first is not None
    assert [(fit.macs, fit.ops, fit.size) for fit in (last, first)] == [
        (18000, costs["what"]["ops"], 12 * 12 * 3),
        (180, costs["what-rung1"]["ops"], 8 * 8 * 3),
    ]
    assert last.probe
    assert (last.probe[0][1], last.probe[0][2:]) == (1, (1, 3, 3000))
    assert first.probe is None
    assert "A run takes 18,000 multiply-adds in" in (project / "dist/report.html").read_text()
    assert "A run takes 18,000 multiply-adds in" in (project / "dist/cards/what.md").read_text()
    assert "18,000 次乘加" in (project / "dist/cards/what.zh.md").read_text()
    report = json.loads((project / "dist/report.json").read_bytes())
    assert report["models"]["what"]["ladder"] == models["what"]["ladder"]
    assert "what-rung1 answers as what in 75.0% of the cases" in (project / "dist/report.html").read_text()
    capsys.readouterr()
    assert main(["--fast"]) == 0
    assert "compare the rungs" not in capsys.readouterr().err, "it is remembered"
