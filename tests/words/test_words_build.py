"""Whole builds of word vectors, without TensorFlow: files, verification through the loader, cache, bad input."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from builder.bundle.manifest import Manifest
from builder.cache.local import Cache
from builder.cli.main import main
from builder.develop.session import shape_of
from builder.packing.compress import Compressor
from builder.pipeline.assemble import assemble_vectors
from builder.words.answers import best_rows, unit_rows
from builder.words.decode import decode_vectors
from builder.words.table import make_table
from tests.helpers.whole import assert_whole
from tests.helpers.word_tables import batch, table, write_binary, write_numpy, write_text

count, dim, first = 1200, 16, 300


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wörter"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def configure(folder: Path, **models: str) -> None:
    text = '[build]\nshard_bytes = "8 KiB"\n' + "".join(f"[models.{name}]\n{body}\n" for name, body in models.items())
    (folder / "build.toml").write_text(text, encoding="utf-8")


def heads(cdn: Path) -> dict[str, dict[str, Any]]:
    index = assert_whole(cdn)
    return {
        name: json.loads((cdn / f"assets/{name}.{entry.head_sha256[:16]}.json").read_bytes())
        for name, entry in index.models.items()
    }


def bodies() -> dict[str, str]:
    return {
        "a": f'source = "a.bin"\nrows_first = {first}',
        "b": f'source = "b.vec"\nrows_first = {first}',
        "c": f'source = "c.npy"\nvocabulary = "c.txt"\nrows_first = {first}',
    }


@pytest.mark.slow
def test_every_format_gives_the_same_table_and_answers_as_its_source(project: Path) -> None:
    names, vectors = table(count, dim)
    write_binary(project / "a.bin", names, vectors)
    write_text(project / "b.vec", names, vectors, header=True)
    write_numpy(project / "c.npy", names, vectors)
    configure(project, **bodies())
    assert main(["--strict", "--quiet"]) == 0
    cdn = project / "dist" / "cdn"
    found = heads(cdn)
    shards = {name: [shard["sha256"] for shard in head["shards"]] for name, head in found.items()}
    assert shards["a"] == shards["b"] == shards["c"]
    assert found["a"]["stages"] == ["base", "rest"]
    files = sorted(
        cdn.glob("assets/a-*.bin"), key=lambda path: (path.name.split("-")[1], int(path.name[:-21].split("-")[2]))
    )
    decoded = decode_vectors(found["a"], lambda number: files[number].read_bytes())
    assert set(decoded.words[:first]) == set(names[:first])
    best, _ = best_rows(unit_rows(vectors), vectors[:50], [[row] for row in range(50)], 1)
    rows = {word: row for row, word in enumerate(decoded.words)}
    asked = [rows[name] for name in names[:50]]
    again, _ = best_rows(unit_rows(decoded.vectors), decoded.vectors[asked], [[row] for row in asked], 1)
    assert np.mean([decoded.words[a] == names[b] for (a,), (b,) in zip(again, best, strict=True)]) > 0.9
    manifest = msgspec.json.decode((project / "dist" / "manifest.json").read_bytes(), type=Manifest)
    for model in manifest.models.values():
        assert model.format == "word-vectors"
        assert model.precision == "int8"
        assert model.verified is not None
        assert model.verified.runtime == "node"
        assert 0 < model.verified.max_error < 0.02
        assert model.verified.agreement > 0.9
        assert [weight.shape for weight in model.weights] == [[count], [count], [count, dim]]
    report = json.loads((project / "dist" / "report.json").read_bytes())
    assert [stage["name"] for stage in report["models"]["a"]["verification"]["stages"]] == ["base", "full"]
    assert sum(weight["bytes"] for weight in report["models"]["a"]["weights"]) == sum(
        shard["bytes"] for shard in found["a"]["shards"]
    )


@pytest.mark.slow
def test_what_is_unchanged_costs_nothing_and_two_builds_are_the_same(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names, vectors = table(count, dim)
    write_numpy(project / "c.npy", names, vectors)
    configure(project, c=bodies()["c"])
    assert main(["--json", "--quiet"]) == 0
    one = json.loads(capsys.readouterr().out)
    assert main(["--json", "--quiet"]) == 0
    two = json.loads(capsys.readouterr().out)
    assert [one["models"]["c"]["cached"], two["models"]["c"]["cached"]] == [False, True]
    before = {path.name for path in (project / "dist" / "cdn" / "assets").iterdir()}
    assert main(["--no-cache", "--jobs", "2", "--quiet", "--out", "other"]) == 0
    assert {path.name for path in (project / "other" / "cdn" / "assets").iterdir()} == before
    (project / "c.txt").write_text("".join(f"{name}x\n" for name in names), encoding="utf-8")
    assert main(["--quiet"]) == 0
    assert {path.name for path in (project / "dist" / "cdn" / "assets").iterdir()} != before


@pytest.mark.slow
def test_a_gate_that_is_not_met_fails_the_build(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_numpy(project / "c.npy", *table(count, dim))
    configure(project, c=bodies()["c"] + "\n[models.c.verify]\nmax_error = 1e-6")
    assert main(["--quiet"]) == 1
    said = capsys.readouterr().err
    assert "differ from the source's by" in said
    assert "allowed is 1e-06" in said
    assert not (project / "dist" / "cdn" / "loader.js").exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('source = "c.npy"', "holds no words"),
        ('source = "c.npy"\nvocabulary = "none.txt"', "none.txt"),
        ('source = "c.npy"\nvocabulary = "c.txt"\nprecision = "small"', "models.c.precision"),
        ('source = "c.npy"\nvocabulary = "c.txt"\nlabels = "c.txt"', "models.c.labels"),
        ('source = "c.npy"\nvocabulary = "c.txt"\n[models.c.verify]\ninputs = "*.npz"', "models.c.verify.inputs"),
        ('source = "c.npy"\nvocabulary = "c.txt"\nrows_first = 0', "rows_first"),
    ],
)
def test_settings_that_do_not_go_together(
    body: str, said: str, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builder.words.check.shutil.which", lambda name: None)
    write_numpy(project / "c.npy", *table(40, 3))
    configure(project, c=body)
    assert main(["--quiet"]) in {1, 2}
    assert said in capsys.readouterr().err


def test_without_node_the_model_is_unverified(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builder.words.check.shutil.which", lambda name: None)
    write_text(project / "w.txt", *table(40, 3), header=False)
    configure(project, c='source = "w.txt"\nload = "now"')
    assert main([]) == 0
    # Their module is asked for with the page; TensorFlow.js they do without.
    assert json.loads((project / "dist" / "manifest.json").read_bytes())["preload"]["modules"] == ["vectors"]
    captured = capsys.readouterr()
    assert "not verified: Node is not installed" in captured.out + captured.err
    assert heads(project / "dist" / "cdn")["c"]["stages"] == ["base"]
    assert main(["--strict"]) == 1


def test_check_and_init_know_word_vectors(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text(project / "fine.vec", *table(40, 3), header=False)
    write_binary(project / "cut.bin", *table(40, 3))
    (project / "cut.bin").write_bytes((project / "cut.bin").read_bytes()[:-4])
    assert main(["init", "."]) == 0
    text = (project / "build.toml").read_text(encoding="utf-8")
    assert "[models.fine]" in text
    assert "rows_first = 5000" in text
    assert main(["check"]) == 1
    said = capsys.readouterr().out
    assert "ends after 39" in said
    assert "fine  word-vectors    ok" in said


@pytest.mark.slow
def test_pages_load_cancel_keep_and_dispose_word_vectors(project: Path) -> None:
    write_numpy(project / "c.npy", *table(count, dim))
    configure(project, w=bodies()["c"])
    assert main(["--quiet"]) == 0
    cdn = project / "dist" / "cdn"
    # Node takes .js files for modules only where their folder says so.
    (cdn / "package.json").write_text('{"type": "module"}')
    script = Path(__file__).resolve().parents[1] / "js" / "words.mjs"
    command = ["node", script, cdn, str(first), str(count)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"


def test_live_update_swaps_no_words(project: Path) -> None:
    """Words are no tensors: a page that has some loads again when they change."""
    shapes = []
    cache = Cache(project / "cache")
    for seed in (1, 2):
        made = make_table([batch(*table(50, 4, seed))], 20, 4096)
        assembly = assemble_vectors(
            "w", made, cache=cache, compressor=Compressor(cache, 1, True), begin=lambda _: None, advance=lambda _: None
        )
        shapes.append(shape_of(assembly.bundle))
    assert shapes[0] != shapes[1]
