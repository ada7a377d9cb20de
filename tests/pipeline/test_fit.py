"""What the index says a device is asked for a model: the cost of a run, and the budgets of build.toml."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from builder.bundle.index import Extras, Fit, Index, IndexEntry, make_index, read_index
from builder.bundle.render import render_loader
from builder.cli.main import main
from builder.config.tables import load_config
from builder.errors import ConfigError
from builder.pipeline.fit import most_macs, probe_of
from builder.verify.types import Cost, HeavyKernel
from tests.helpers.rungs import ladder_of, write_classifier
from tests.helpers.whole import assert_whole

small, large = 'source = "small/model.json"', 'source = "large/model.json"'
budgets = "frame_ms = 33\nanswer_ms = 2500.5\nmemory_share = 0.125"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with sources of rungs, without Node in reach: nothing is counted."""
    write_classifier(tmp_path / "small", hidden=30)
    write_classifier(tmp_path / "large", hidden=3000)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    return tmp_path


def build(folder: Path, text: str) -> Index:
    (folder / "build.toml").write_text(text)
    assert main(["-q", "--fast"]) == 0
    return assert_whole(folder / "dist" / "cdn")


def test_times_stand_at_the_ladder_and_the_memory_at_each_rung(project: Path) -> None:
    index = build(project, ladder_of(small, large, more=f'{budgets}\nload = "now"'))
    last, first = (index.models[name].extras.fit for name in ("what", "what-rung1"))
    assert last == Fit(memory=0.125, frame=33, answer=2500.5, probe=())
    assert first == Fit(memory=0.125)
    modules = (project / "dist/preload.html").read_text()
    assert "/ladder." in modules
    assert "/fit." in modules


def test_a_model_alone_may_have_a_budget_and_others_say_nothing(project: Path) -> None:
    text = f"[models.a]\n{small}\nframe_ms = 33\n[models.b]\n{small}\n[models.c]\n{small}\nmemory_share = 0.5\n"
    index = build(project, text)
    assert index.models["a"].extras.fit == Fit(frame=33, probe=())
    assert len(index.models["b"].encode()) == 7
    assert index.models["c"].encode()[7:] == [{"fit": {"memory": 0.5}}]
    assert "/fit." not in (project / "dist/preload.html").read_text()


def test_the_index_is_read_as_it_was_written() -> None:
    fit = Fit(5, 2, 7, ("webgl",), 0.5, 33.5, 2000, (("Conv2D", 0.9, 1, 2, 3, 4, 5, 6),))
    entry = IndexEntry("a" * 64, 9, "now", "high", "graph-model", 100, 50, Extras(fit=fit, unknown={"later": [1]}))
    index = make_index({"m": entry})
    assert read_index(render_loader(index.encode())) == index


def test_kernels_that_probe_a_device_are_few_and_small() -> None:
    heaviest = (
        HeavyKernel("FusedConv2D", 0.931, (112, 112, 320, 1280, 3, 3)),
        HeavyKernel("_FusedMatMul", 0.001, (1, 100_000, 50_000)),
    )
    (convolution, share, *sizes), (product, least, *lengths) = probe_of(Cost(10, 2, 3, heaviest))
    assert (convolution, share, product, least) == ("FusedConv2D", 0.93, "_FusedMatMul", 0.01)
    assert sizes == [1, 1, 320, 1280, 3, 3]
    assert math.prod(map(int, lengths)) <= most_macs
    assert probe_of(Cost(10, 2, 3, (HeavyKernel("Conv2D", 1, (14, 14, 96, 576, 1, 1)),))) == (
        ("Conv2D", 1, 5, 14, 96, 576, 1, 1),
    )
    assert (
        probe_of(Cost(10, 2, 3, (HeavyKernel("Conv3D", 1, (1,)), HeavyKernel("Conv2D", 1, (0, 1, 1, 1, 1, 1))))) == ()
    )
    assert probe_of(None) == ()


@pytest.mark.parametrize(
    "line",
    [
        *("frame_ms = 0", "frame_ms = -5", "frame_ms = nan", "frame_ms = inf", 'frame_ms = "33 ms"', "frame_ms = true"),
        *("answer_ms = 0.5", "answer_ms = 1e9", "memory_share = 0", "memory_share = 1.5", "memory_share = nan"),
    ],
)
def test_what_is_no_budget_is_refused(tmp_path: Path, line: str) -> None:
    (path := tmp_path / "build.toml").write_text(f'[models.a]\nsource = "a"\n{line}\n')
    with pytest.raises(ConfigError, match=line.split()[0]) as caught:
        load_config(path)
    assert caught.value.code == "SP-205"


def test_a_rung_has_no_budget_of_its_own(tmp_path: Path) -> None:
    (path := tmp_path / "build.toml").write_text(ladder_of(f"{small}, frame_ms = 5", large))
    with pytest.raises(ConfigError, match="unknown key 'frame_ms'"):
        load_config(path)
