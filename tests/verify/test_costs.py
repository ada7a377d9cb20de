"""How many multiply-adds a run takes: counted while TensorFlow.js runs a model, against known figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.sources.tfjs import read_model
from builder.verify.compare import Gate
from builder.verify.inputs import seeded_inputs
from builder.verify.run import Check, Verification, find_node_modules, verify
from tests.helpers import tiny
from tests.helpers.mobilenets import write_mobilenet

pytestmark = pytest.mark.slow


def verified(tmp_path: Path, source: Path) -> Verification:
    bundle = tiny.bundle(tmp_path / "cdn", {"m": source})
    check = Check("m", bundle.loader, cases=[seeded_inputs(read_model(source).inputs)], gate=Gate(1e-4), source=source)
    work = tmp_path / "work"
    work.mkdir()
    return verify(check, work=work, node_modules=find_node_modules(Path(__file__).parent), timeout=120)


@pytest.mark.parametrize(("width", "side", "millions"), [(1.0, 224, 300), (0.35, 224, 59)], ids=["whole", "narrow"])
def test_mobilenets_take_what_their_paper_says(tmp_path: Path, width: float, side: int, millions: float) -> None:
    result = verified(tmp_path, write_mobilenet(tmp_path / "m", width=width, side=side))
    assert result.passed, result.problem
    assert result.cost is not None
    assert result.cost.macs == pytest.approx(millions * 1e6, rel=0.02)
    assert 60 <= result.cost.ops <= 110
    assert result.cost.elements == 3 * side**2
    assert [one.kernel for one in result.cost.heaviest] == ["Conv2D", "DepthwiseConv2dNative"]


def test_layers_models_and_loops_are_counted_too(tmp_path: Path) -> None:
    layers = verified(tmp_path / "layers", tiny.layers_model(tmp_path / "layers" / "m")).cost
    loop = verified(tmp_path / "loop", tiny.loop_model(tmp_path / "loop" / "m")).cost
    assert layers is not None
    assert loop is not None
    assert (layers.macs, layers.elements) == (tiny.features * tiny.classes, tiny.features)
    assert loop.macs == 0
    assert loop.ops >= 11, "each time round"
