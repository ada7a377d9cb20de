"""Whole builds of TensorFlow.js sources: output, cache, determinism, bad input; no TensorFlow needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from builder.bundle.head import read_head
from builder.bundle.index import reachable, read_index
from builder.bundle.manifest import Manifest
from builder.cli.main import main
from tests.helpers.models import write_model
from tests.helpers.whole import assert_whole

root = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two models, without Node in reach: verification has its own tests."""
    folder = tmp_path / "a project ü"
    write_model(folder / "models one" / "a", seed=1)
    write_model(folder / "b", width=40, seed=2)
    (folder / "labels.txt").write_text("cat\n</script>\n猫\n", encoding="utf-8")
    configure(
        folder, a='source = "models one/a/model.json"\nload = "now"\nlabels = "labels.txt"', b='source = "b/model.json"'
    )
    monkeypatch.chdir(folder)
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    return folder


def configure(folder: Path, *, build: str = "", **models: str) -> None:
    tables = [f"[build]\n{build}", *(f"[models.{name}]\n{body}" for name, body in models.items())]
    (folder / "build.toml").write_text("\n".join(tables) + "\n", encoding="utf-8")


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_a_build_writes_what_the_contract_names(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = project / "dist"
    index = assert_whole(out / "cdn")
    assert set(index.models) == {"a", "b"}
    for name in (
        "package/index.js",
        "package/index.d.ts",
        "package/package.json",
        "preload.html",
        "headers.json",
        "report.json",
    ):
        assert (out / name).stat().st_size > 0, name
    manifest = msgspec.json.decode((out / "manifest.json").read_bytes(), type=Manifest)
    assert manifest.release == index.release
    assert [stage.name for stage in manifest.models["b"].stages] == ["base", "refine"]
    for entry in manifest.models.values():
        stored = [sum(weight.bytes.get(stage.name, 0) for weight in entry.weights) for stage in entry.stages]
        assert stored == [stage.bytes for stage in entry.stages]
    said = capsys.readouterr()
    assert "not checked" in said.out
    assert "a, b: not verified: Node is not installed" in said.err


def test_pinned_loader_is_a_copy(project: Path) -> None:
    assert main(["-q"]) == 0
    cdn = project / "dist" / "cdn"
    (pinned,) = cdn.glob("loader.*.js")
    assert pinned.read_bytes() == (cdn / "loader.js").read_bytes()


def test_preload_html_names_the_first_stage_of_now_models(project: Path) -> None:
    assert main(["-q"]) == 0
    text = (project / "dist" / "preload.html").read_text()
    head = json.loads(next((project / "dist" / "cdn" / "assets").glob("a.*.json")).read_text())
    assert head["labels"] == ["cat", "</script>", "猫"]
    assert "assets/a-base-0." in text
    assert "assets/a-refine" not in text
    assert "assets/b" not in text


def test_same_inputs_give_the_same_bytes(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["-q", "--jobs", "1"]) == 0
    first = tree(project / "dist" / "cdn")
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(project, elsewhere, ignore=shutil.ignore_patterns("dist", ".shardpress"))
    monkeypatch.chdir(elsewhere)
    assert main(["-q", "--jobs", "3", "--no-cache"]) == 0
    assert tree(elsewhere / "dist" / "cdn") == first
    assert not (elsewhere / ".shardpress").exists()


def test_a_second_build_changes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-q"]) == 0
    before = {path: path.stat().st_mtime_ns for path in (project / "dist" / "cdn").rglob("*")}
    assert main(["--json", "-q"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["changed"] == []
    assert all(model["cached"] for model in document["models"].values())
    assert {path: path.stat().st_mtime_ns for path in (project / "dist" / "cdn").rglob("*")} == before


def test_a_changed_model_leaves_the_other_and_old_files_go(project: Path) -> None:
    assert main(["-q"]) == 0
    before = tree(project / "dist" / "cdn" / "assets")
    write_model(project / "b", width=40, seed=3)
    assert main(["-q"]) == 0
    after = tree(project / "dist" / "cdn" / "assets")
    assert {name for name in before if name.startswith("a")} == {name for name in after if name.startswith("a")}
    assert not {name for name in before if name.startswith("b")} & {name for name in after if name.startswith("b")}
    assert_whole(project / "dist" / "cdn")


def test_only_keeps_the_other_models_as_they_were(project: Path) -> None:
    assert main(["-q"]) == 0
    write_model(project / "b", width=40, seed=4)
    write_model(project / "models one" / "a", seed=5)
    before = read_index((project / "dist" / "cdn" / "loader.js").read_bytes()).models
    assert main(["-q", "--only", "b"]) == 0
    after = read_index((project / "dist" / "cdn" / "loader.js").read_bytes()).models
    assert after["a"] == before["a"]
    assert after["b"] != before["b"]


def test_compat_is_a_stock_model(project: Path) -> None:
    configure(project, b='source = "b/model.json"\ncompat = "float32"')
    assert main(["-q"]) == 0
    assets = project / "dist" / "cdn" / "assets"
    stock = json.loads(next(assets.glob("b-stock.*.json")).read_text())
    (group,) = stock["weightsManifest"]
    content = b"".join((assets / path).read_bytes() for path in group["paths"])
    assert content == (project / "b" / "shard0.bin").read_bytes()
    assert main(["-q"]) == 0
    assert next(assets.glob("b-stock.*.json")).exists()


def test_identical_models_are_built_once_each_and_told_apart(project: Path) -> None:
    configure(project, a='source = "b/model.json"', b='source = "b/model.json"')
    assert main(["-q"]) == 0
    assert set(assert_whole(project / "dist" / "cdn").models) == {"a", "b"}


broken: list[tuple[str, dict[str, str], int, str]] = [
    ("missing", {"a": 'source = "none/model.json"'}, 1, "model a: models.a.source = 'none/model.json': does not exist"),
    ("unknown key", {"a": 'source = "b/model.json"\nlaod = "now"'}, 2, "unknown key 'laod'. Did you mean 'load'?"),
    ("budget", {"a": 'source = "b/model.json"\nbudget = "100 B"'}, 1, "over the budget of 100 B"),
    ("labels", {"a": 'source = "b/model.json"\nlabels = "none.txt"'}, 2, "models.a.labels = 'none.txt'"),
    ("no models", {}, 2, "no model to build"),
]


@pytest.mark.parametrize(("models", "status", "words"), [row[1:] for row in broken], ids=[row[0] for row in broken])
def test_bad_input_is_one_paragraph_and_costs_nothing(
    project: Path, capsys: pytest.CaptureFixture[str], models: dict[str, str], status: int, words: str
) -> None:
    assert main(["-q"]) == 0
    before = tree(project / "dist")
    configure(project, **models)
    capsys.readouterr()
    assert main(["-q"]) == status
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    assert words in said
    assert "\n" not in said
    assert "Traceback" not in said
    assert tree(project / "dist") == before


def test_every_failed_model_is_named_at_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "b" / "shard0.bin").write_bytes(b"short")
    configure(project, a='source = "none"', b='source = "b/model.json"')
    assert main(["--json"]) == 1
    said = capsys.readouterr()
    assert "model a:" in said.err
    assert "model b:" in said.err
    assert [error["model"] for error in json.loads(said.out)["errors"]] == ["a", "b"]


def test_strict_refuses_what_was_not_verified(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-q", "--strict"]) == 1
    said = capsys.readouterr().err
    assert all(f"model {name}: --strict: could not be verified: Node is not installed" in said for name in "ab")
    assert not (project / "dist" / "cdn" / "loader.js").exists()


def test_usage_errors(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "c"]) == 2
    assert "there is no model 'c'" in capsys.readouterr().err
    assert main(["--nonsense"]) == 2
    assert main(["--config", "none.toml"]) == 2
    assert main(["--help"]) == 0


def test_a_traceback_only_with_vv(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(project, a='source = "none"')
    assert main(["-vv"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_names_of_weights_may_hold_anything(project: Path) -> None:
    path = project / "b" / "model.json"
    text = path.read_text().replace('"product"', json.dumps("</script> \"'&é模\u2028 \ud800"))
    path.write_text(text)
    assert main(["-q"]) == 0
    index = assert_whole(project / "dist" / "cdn")
    head = json.loads((project / "dist" / "cdn" / f"assets/b.{index.models['b'].head_sha256[:16]}.json").read_bytes())
    assert "</script> \"'&é模\u2028 \ud800" in [node["name"] for node in head["artifacts"]["modelTopology"]["node"]]


def test_nan_weights_are_kept_and_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = project / "b" / "shard0.bin"
    shard.write_bytes(b"\x00\x00\xc0\x7f" + shard.read_bytes()[4:])
    assert main(["-q"]) == 0
    assert "b: the weight 'w' holds NaN or infinities" in capsys.readouterr().err


def test_check_writes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    (project / "b" / "shard0.bin").unlink()
    assert main(["check", "--json"]) == 1
    document = json.loads(capsys.readouterr().out.partition("\n{")[2].join(["{", ""]))
    assert {model["name"]: bool(model["problem"]) for model in document["models"]} == {"a": False, "b": True}
    assert not (project / "dist").exists()
    assert not (project / ".shardpress").exists()


def test_schemas_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for what in ("config", "manifest"):
        assert main(["schema", what]) == 0
        assert "$defs" in json.loads(capsys.readouterr().out)


def run(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), "PATH": ""}
    command = [sys.executable, str(root / "build.py"), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, **options)


@pytest.mark.slow
def test_a_no_op_build_imports_nothing_heavy(project: Path) -> None:
    assert run(project, "-q").returncode == 0
    code = (
        "import sys; sys.argv = ['build.py', '-q']; from builder.cli.main import main; status = main();"
        "print(status, sorted({'tensorflow', 'numpy', 'rich', 'boto3'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(root), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "0 []\n"


def test_reachable_names_every_shard(project: Path) -> None:
    assert main(["-q"]) == 0
    cdn = project / "dist" / "cdn"
    index = read_index((cdn / "loader.js").read_bytes())
    heads = {
        name: read_head((cdn / f"assets/{name}.{entry.head_sha256[:16]}.json").read_bytes())
        for name, entry in index.models.items()
    }
    on_disk = {
        path.relative_to(cdn).as_posix() for path in (cdn / "assets").iterdir() if path.suffix in {".json", ".bin"}
    }
    on_disk |= {path.name for path in cdn.glob("*.js") if not path.name.startswith(("loader.", "sw."))}
    assert len(on_disk) > len(heads)
    assert reachable(index, heads) == on_disk


def test_an_interrupted_build_says_so_and_leaves_what_was_published(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-q"]) == 0
    before = tree(project / "dist")
    write_model(project / "b", width=40, seed=9)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("builder.pipeline.assemble.pack", interrupt)
    capsys.readouterr()
    assert main(["-q"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted; what was published before is unchanged"
    assert tree(project / "dist") == before
