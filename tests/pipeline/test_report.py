"""The report: what it computes, and that its page holds all it needs and shows nothing as markup."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.bundle.format import Kind
from builder.bundle.head import Head, HeadWeight
from builder.cli.main import main
from builder.pipeline.report.advice import advise
from builder.pipeline.report.chart import rate_distortion
from builder.pipeline.report.coarseness import advise_precision, spread_of
from builder.pipeline.report.details import byte_details
from builder.pipeline.report.labels import Label, telling
from builder.pipeline.report.languages import both
from builder.pipeline.report.networks import networks
from builder.pipeline.report.page import report_page
from builder.pipeline.report.report import show_error
from builder.pipeline.report.treemap import Box, squarify
from builder.pipeline.report.waterfall import simulate
from builder.verify.types import Comparison
from tests.helpers import tiny
from tests.helpers.browsing import chromium
from tests.helpers.paging import violations

settings = '[models.one]\nsource = "one/model.json"\nbudget = "9 kB"\n[models.two]\nsource = "two/model.json"\n'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    tiny.graph_model(folder / "one")
    tiny.layers_model(folder / "two")
    (folder / "build.toml").write_text(settings)
    assert build(folder) == 0
    return folder


def build(folder: Path) -> int:
    return main(["--config", str(folder / "build.toml"), "--quiet"])


def read(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "dist/report.json").read_bytes())
    return report


def test_areas_are_as_values_and_nothing_overlaps() -> None:
    values = [60.0, 30, 20, 20, 10, 5, 3, 1, 0.5]
    boxes = squarify(values, Box(10, 20, 300, 200))
    for value, box in zip(values, boxes, strict=True):
        assert box.width * box.height == pytest.approx(value / sum(values) * 60_000)
        assert box.x >= 10 - 1e-6
        assert box.y >= 20 - 1e-6
        assert box.x + box.width <= 310 + 1e-6
        assert box.y + box.height <= 220 + 1e-6
    for first in range(len(boxes)):
        for second in range(first):
            a, b = boxes[first], boxes[second]
            wide = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
            high = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
            assert min(wide, high) < 1e-6
    assert max(max(box.width / box.height, box.height / box.width) for box in boxes[:5]) < 3
    assert squarify([0, 0], Box(0, 0, 9, 9)) == [Box(0, 0, 0, 0)] * 2


def test_files_share_the_line_and_groups_wait() -> None:
    arrivals = simulate([("loader", [100]), ("base", [1000, 1000]), ("refine", [500])], rate=1000, latency=0.5)
    assert [(one.group, one.start, one.end) for one in arrivals] == [
        ("loader", 0, pytest.approx(0.6)),
        ("base", 0.6, pytest.approx(3.1)),
        ("base", 0.6, pytest.approx(3.1)),
        ("refine", pytest.approx(3.1), pytest.approx(4.1)),
    ]
    # Five files over four slots: the fifth asks when the first is there.
    five = simulate([("base", [10, 100, 100, 100, 10])], rate=1e9, latency=1)
    assert [one.start for one in five[:4]] == [0, 0, 0, 0]
    assert five[4].start == pytest.approx(1, abs=1e-5)
    assert simulate([("base", [])], rate=1, latency=1) == []


def test_bytes_add_up(tmp_path: Path) -> None:
    model = tiny.bundle(tmp_path / "cdn", {"one": tiny.graph_model(tmp_path / "one")}).models[0]
    details = byte_details(model)
    shards = sum(file.blob.nbytes for file in model.shards), sum(file.wire for file in model.shards)
    for part in ("weights", "planes"):
        assert sum(one["bytes"] for one in details[part]) == shards[0]
        assert sum(one["wire_bytes"] for one in details[part]) == pytest.approx(shards[1], abs=8)
    kernel = next(weight for weight in details["weights"] if weight["name"] == "kernel")
    assert kernel["bytes"] == 4 * tiny.features * tiny.classes
    assert set(kernel["stages"]) == {"base", "refine"}


def head_of(kind: Kind, topology: dict[str, Any], *weights: HeadWeight) -> Head:
    """Give a head with nothing but a topology and weights."""
    return Head(
        format=1,
        name="m",
        kind=kind,
        contract="0" * 16,
        artifacts={"modelTopology": topology},
        stages=("base",),
        shards=(),
        weights=weights,
    )


def test_advice_names_heavy_convolutions() -> None:
    nodes = [
        {"op": "_FusedConv2D", "input": ["x", "heavy", "bias"]},
        {"op": "Conv2D", "input": ["x", "point"]},
        {"op": "DepthwiseConv2dNative", "input": ["x", "light"]},
    ]
    shapes = {"heavy": [3, 3, 64, 64], "point": [1, 1, 128, 128], "light": [3, 3, 64, 1]}
    stored = [HeadWeight(name, tuple(shape), "float32") for name, shape in shapes.items()]
    content = head_of("graph-model", {"node": nodes}, *stored, HeadWeight("again", (4, 4), "float32", same=0))
    weights = [{"name": name, "shape": shape, "wire_bytes": int(np.prod(shape))} for name, shape in shapes.items()]
    heavy, point, repeated = advise(content, weights)
    assert (heavy["weight"], heavy["kind"]) == ("heavy", "depthwise-separable")
    assert heavy["saves_bytes"] == 36_864 - (9 * 64 + 64 * 64)
    assert heavy["times_fewer_flops"] == pytest.approx(36_864 / (9 * 64 + 64 * 64), abs=0.05)
    assert (point["kind"], point["saves_bytes"]) == ("grouped", 128 * 128 * 3 // 4)
    assert repeated["kind"] == "repeated"


def layer(name: str, bits: float, distance: float, why: str, size: int = 1000) -> dict[str, Any]:
    return {"weight": name, "size": size, "step": 0.01, "bits": bits, "distance": distance, "why": why}


measured = [
    layer("plain", 3.5, 1e-3, "as coarse as its distance allows", 4000),
    layer("fine", 7.5, 1e-2, "as fine as a byte can tell"),
    layer("stubborn", 10.5, 0.0, "exact: a byte is too coarse"),
]


def test_hardly_quantizable_weights_are_named_as_measured_or_as_their_values_tell(tmp_path: Path) -> None:
    sizes = [{"name": name, "wire_bytes": size} for name, size in (("plain", 9), ("fine", 5), ("stubborn", 7))]
    advice = advise_precision({"weights": measured}, sizes)
    assert [(one["weight"], one["kind"]) for one in advice] == [("stubborn", "precision"), ("fine", "precision")]
    guesses = [{"name": "far", "wire_bytes": 1, "spread": 80.0}, {"name": "near", "wire_bytes": 1, "spread": 4.0}]
    assert [one["weight"] for one in advise_precision(None, guesses)] == ["far"]
    assert advise_precision(None, [{"name": "vectors", "wire_bytes": 1}]) == []


@pytest.mark.parametrize("outlier", [None, 40.0])
def test_how_far_the_largest_value_is_from_the_typical_is_guessed_from_exponents(outlier: float | None) -> None:
    values = np.random.default_rng(1).normal(size=10_000).astype(np.float32)
    if outlier:
        values[5] = outlier * 2
    exponents = np.bincount((values.view(np.uint32) >> 23) & 255, minlength=256)
    wanted = np.abs(values).max() / np.sqrt(np.mean(values**2))
    assert spread_of(exponents) == pytest.approx(wanted, rel=0.35)
    assert spread_of(np.zeros(256)) is None


def test_weights_lie_where_their_bits_and_their_effect_are() -> None:
    chart = rate_distortion(measured)
    assert chart
    plain, fine, stubborn = (
        next(p for p in chart["points"] if p["title"].startswith(name)) for name in ("plain", "fine", "stub")
    )
    assert plain["x"] < fine["x"] < stubborn["x"]
    assert fine["y"] < plain["y"]
    assert stubborn["y"] == chart["floor"]
    assert plain["radius"] > fine["radius"]
    assert [p["exact"] for p in (plain, fine, stubborn)] == [False, False, True]
    assert rate_distortion([]) is None


@pytest.mark.slow
def test_the_page_shows_what_was_measured(project: Path) -> None:
    report = read(project)
    stage = {"stage": "base", "distance": 0.01, "agreement": 0.97, "low": 0.9, "high": 0.99, "inputs": 40}
    report["models"]["one"]["precision"] = {"weights": measured, "stages": [stage], "met": True}
    report["models"]["one"]["support"] = {
        "custom": ["Twirl"],
        "lacking": ["Qr"],
        "browser": ["photo: picture is decoded"],
    }
    page = report_page({**report, "left_out": 0})
    assert page.count("<circle") == 3
    for words in ("90 to 99 %", "<code>Twirl</code>", "lacks</span>", "<code>Qr</code>", "photo: picture is decoded"):
        assert words in page


def test_the_kernels_of_layers_models_are_found() -> None:
    inner = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Conv2D", "config": {"name": "deep"}}]}}
    outer = {
        "class_name": "Functional",
        "config": {"layers": [inner, {"class_name": "Dense", "config": {"name": "d"}}]},
    }
    content = head_of("layers-model", {"model_config": outer})
    weights = [{"name": "deep/kernel", "shape": [5, 5, 32, 32], "wire_bytes": 1000}]
    assert [one["weight"] for one in advise(content, weights)] == ["deep/kernel"]


def test_a_build_writes_the_page_and_the_same_as_data(project: Path) -> None:
    report = read(project)
    page = (project / "dist/report.html").read_text()
    assert set(report["models"]) == {"one", "two"}
    one = report["models"]["one"]
    assert [fall["network"] for fall in one["waterfalls"]] == [network.name for network in reversed(networks())]
    assert 0 < one["waterfalls"][0]["usable"] < one["waterfalls"][0]["full"] < one["waterfalls"][2]["full"]
    assert one["budget_bytes"] == 9000
    assert one["ops"] == {"BiasAdd": 1, "Const": 2, "Identity": 2, "MatMul": 1, "Placeholder": 1, "Softmax": 1}
    assert one["support"]["lacking"] in ([], None)  # None: the converter's list is not installed
    assert one["weights"][0]["spread"] is None or one["weights"][0]["spread"] > 1
    assert report["models"]["two"]["ops"] == {"Dense": 1, "InputLayer": 1}
    for word in (report["release"], "kernel", "first report", "slow-4g"):
        assert word in page
    # Self-contained: nothing is fetched.
    assert not re.search(r'(src|href)="(?!#|data:|cards/)|url\(|@import|<script[^>]|import\(|fetch\(', page)


@pytest.mark.slow
def test_the_next_build_tells_the_change_and_goes_on_telling_it(project: Path) -> None:
    before = read(project)
    tiny.graph_model(project / "one", tiny.weights(8))
    assert build(project) == 0
    for _ in range(2):
        report = read(project)
        assert report["previous"]["release"] == before["release"]
        assert report["models"]["one"]["new_bytes"] > 0
        assert report["models"]["two"]["new_bytes"] == 0
        assert "unchanged" in (project / "dist/report.html").read_text()
        assert build(project) == 0


def test_a_build_that_changes_nothing_leaves_the_page_alone(project: Path) -> None:
    assert build(project) == 0
    page = project / "dist/report.html"
    time = page.stat().st_mtime_ns
    assert build(project) == 0
    assert page.stat().st_mtime_ns == time


def test_names_enter_the_page_escaped(project: Path) -> None:
    report = read(project)
    model = report["models"]["one"]
    model["weights"][0]["name"] = "<script>alert(1)</script>"
    model["notes"] = ["<img src=x onerror=alert(2)>"]
    model["advice"] = [{"kind": "x", "weight": '"><b>', "text": "<i>", "saves_bytes": 10, "times_fewer_flops": 2.0}]
    page = report_page({**report, "left_out": 0})
    for word in ("<script>alert", "<img", "<b>", "<i>"):
        assert word not in page


def test_the_command_names_the_page(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--config", str(project / "build.toml")]) == 0
    assert capsys.readouterr().out.strip() == str(project / "dist/report.html")
    assert main(["report", "--out", str(project / "none")]) == 2
    assert "Build first" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_offline(project: Path, scheme: str) -> None:
    wrong: list[str] = []
    with chromium() as browser:
        page = browser.new_page(color_scheme=scheme, offline=True, viewport={"width": 1000, "height": 800})  # type: ignore[arg-type]
        page.on("console", lambda message: wrong.append(message.text))
        page.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
        page.goto((project / "dist/report.html").as_uri())
        treemap = page.locator("#one .map")
        box = treemap.bounding_box()
        assert box
        assert box["width"] > 500
        areas = treemap.locator("i.s-base, i.s-refine").evaluate_all(
            "parts => parts.map((part) => part.getBoundingClientRect()).map(({ width, height }) => width * height)"
        )
        assert sum(areas) == pytest.approx(box["width"] * box["height"], rel=0.02)
        back = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (back == "rgb(255, 255, 255)") is (scheme == "light")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert wrong == []


@pytest.fixture(scope="module")
def telling_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with all that can be in one, and long names."""
    folder = tmp_path_factory.mktemp("telling")
    tiny.graph_model(folder / "one")
    (folder / "build.toml").write_text('[models.one]\nsource = "one/model.json"\nbudget = "9 kB"\n')
    assert build(folder) == 0
    report = read(folder)
    model = report["models"]["one"]
    prefix = "StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1"
    model["weights"] = [
        {
            "name": f"{prefix}/a_block_of_the_network_{number}/Conv2D_weights",
            "shape": [3, 3, 16, 16],
            "dtype": "float32",
            "codec": "steps",
            "bytes": 3000,
            "wire_bytes": 9000 // number,
            "stages": {"base": 6000 // number, "refine": 3000 // number},
            "spread": None,
        }
        for number in range(1, 150)
    ]
    measured_stage = {"stage": "base", "distance": 0.01, "agreement": 0.97, "low": 0.9, "high": 0.99, "inputs": 40}
    model["precision"] = {"weights": measured, "stages": [measured_stage], "met": True}
    model["support"] = {"custom": ["Twirl"], "lacking": ["Qr"], "browser": ["photo: picture is decoded and fitted"]}
    model["notes"] = ["not run on cpu: it takes too long here"]
    model["advice"] = [
        {"kind": "x", "weight": f"{prefix}/a", "text": advised, "saves_bytes": 9, "times_fewer_flops": 4.0}
        for advised in advice_texts()
    ]
    runtime = {"version": "4.22.0", "wire_bytes": 1, "backends": ["wasm"], "kernels": 9, "wasm_wire_bytes": {"a": 1}}
    path = folder / "report.html"
    path.write_text(report_page({**report, "runtime": runtime, "left_out": 3}), encoding="utf-8")
    return path


def advice_texts() -> set[str]:
    """Every kind of advice, as it is given."""
    graph = {"node": [{"op": "Conv2D", "input": ["x", name]} for name in ("wide", "point")]}
    content = head_of("graph-model", graph, HeadWeight("again", (9,), "float32", same=0))
    shapes = {"wide": [3, 3, 64, 64], "point": [1, 1, 64, 64]}
    weights = [{"name": name, "shape": shape, "wire_bytes": 1000, "spread": 80.0} for name, shape in shapes.items()]
    measured_or_not = ({"weights": measured}, None)
    given = [*advise(content, weights), *(one for found in measured_or_not for one in advise_precision(found, weights))]
    assert {one["kind"] for one in given} == {"depthwise-separable", "grouped", "repeated", "precision"}
    return {one["text"] for one in given}


def test_what_a_build_says_has_chinese() -> None:
    sentences = advice_texts() | {layer["why"] for layer in measured[:2]} | {"float16: a byte is too coarse"}
    assert [one for one in sentences if not re.search("[\u4e00-\u9fff]", both(one).zh)] == []
    assert both("a sentence that nobody knows").zh == "a sentence that nobody knows"


def test_boxes_are_labelled_with_what_tells_a_weight_from_the_others() -> None:
    names = ["Call/net/conv_1/kernel", "Call/net/conv_1/bias", "Call/net/conv_2/kernel", "Call/net/conv_2/bias"]
    names += ["Call/net/conv_3/kernel", "Call/net/dense/kernel"]
    assert telling(names)[:2] == [Label("conv_1", "kernel"), Label("conv_1", "bias")]
    assert telling(names)[-1] == Label("dense", "kernel")
    assert telling(["unknown_15", "/", ""]) == [Label("unknown_15"), Label("/"), Label("")]


@pytest.mark.slow
def test_the_report_speaks_the_browsers_language_shows_the_ends_of_names_and_fits_a_phone(
    telling_report: Path, tmp_path: Path
) -> None:
    chinese = "[\u4e00-\u9fff]"
    cut = """() => [...document.querySelectorAll("#one .map b")].flatMap((box) => {
      const label = box.querySelector("bdi");
      if (!label.getClientRects().length) return [];
      const { left, right, top, bottom } = box.getBoundingClientRect();
      const range = document.createRange();
      const text = label.firstChild;
      range.setStart(text, text.length - 2);
      range.setEnd(text, text.length);
      const end = range.getBoundingClientRect();
      return [[text.data, end.left >= left && end.right <= right + 1 && end.top >= top && end.bottom <= bottom + 1]];
    })"""
    wrong: list[str] = []
    with chromium() as browser:
        for locale, width in (("en-US", 1100), ("zh-CN", 360), ("en-US", 360)):
            page = browser.new_context(locale=locale, viewport={"width": width, "height": 800}).new_page()
            page.on("console", lambda message: wrong.append(message.text))
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.goto(telling_report.as_uri())
            page.locator("#one summary").click()
            for told in ((locale == "zh-CN"), (locale != "zh-CN")):
                assert bool(re.search(chinese, page.title())) is told
                text = page.locator("body").inner_text().replace("中文", "")
                assert bool(re.search(chinese, text)) is told
                if told:
                    # Names, numbers and what the terminal says stay; no sentence of the page does.
                    sentences = re.findall(r"[A-Za-z]+ [a-z]+ [a-z]+ [a-z]+", text)
                    assert sentences == []
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                outside = "(one) => one.getBoundingClientRect().right > innerWidth + 1"
                assert page.evaluate(f"[...document.querySelectorAll('body *')].filter({outside}).length") == 0
                titles = page.locator("#one .map i").first.get_attribute("title") or ""
                assert bool(re.search(chinese, titles)) is told
                labels = page.evaluate(cut)
                assert len(labels) >= (8 if width > 360 else 5)
                assert {text[:23] for text, _ in labels} <= {"a_block_of_the_network_", "+29"}
                assert [text for text, whole in labels if not whole] == []
                page.locator("#language").click()
            page.locator("#language").click()
            for _ in range(5):  # Chromium writes what pages of files store after they have gone on
                page.reload()
                if bool(re.search(chinese, page.title())) is (locale != "zh-CN"):
                    break
            assert bool(re.search(chinese, page.title())) is (locale != "zh-CN")
            page.screenshot(path=tmp_path / f"report-{locale}-{width}.png", full_page=True)
            assert violations(page) == []
    assert wrong == []


def test_errors_of_indices_are_not_shown_as_if_they_told_something() -> None:
    assert show_error(Comparison("full", 3e-7, 1.0, "y")) == "3.0e-07"
    assert show_error(Comparison("full", 12832.0, 0.998, "rows")) == "99.8% agree"
