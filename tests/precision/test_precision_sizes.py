"""No precision makes weights larger than the stock converter's files, whatever they are like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.random import Generator
from numpy.typing import NDArray

from builder.cache.local import Cache
from builder.codecs.exact import Exact
from builder.codecs.fitting import may_be_coarse, no_larger
from builder.codecs.raw import Raw
from builder.model import BytesData, Grid, Model, Weight
from builder.packing.compress import Compressor
from builder.packing.segments import choose_codecs, quantize_weights
from builder.pipeline.assemble import assemble
from builder.pipeline.stock_copy import stock_files

Floats = NDArray[np.float32]
fixed, share = 512, 1.01  # bytes that tiny weights cost for being among others; for cuts between files


def tiled(values: Floats, period: int) -> Floats:
    return np.resize(values[:period], values.size)


kinds: dict[str, Callable[[Floats, Generator], Floats]] = {
    "trained": lambda v, g: v,
    "float16": lambda v, g: v.astype(np.float16).astype(np.float32),
    "bfloat16": lambda v, g: (v.view(np.uint32) & 0xFFFF0000).view(np.float32),
    "clustered": lambda v, g: v[:16][g.integers(0, min(16, v.size), v.size)],
    "binary": lambda v, g: np.sign(v) * np.float32(0.137),
    "constant": lambda v, g: np.full_like(v, 0.3),
    "zero": lambda v, g: np.zeros_like(v),
    "sparse": lambda v, g: np.where(g.random(v.size) < 0.9, 0, v).astype(np.float32),
    "noise": lambda v, g: np.frombuffer(g.bytes(4 * v.size), np.float32),
    "same rows": lambda v, g: tiled(v, 32),
    "far repeats": lambda v, g: tiled(v, max(1, v.size // 2)),
    "whole": lambda v, g: np.rint(20 * v),
    "wide": lambda v, g: v * (10.0 ** g.integers(-30, 30, v.size)).astype(np.float32),
    "stretched": lambda v, g: np.repeat(v, 7)[: v.size],
    "ramp": lambda v, g: np.linspace(0, 1, v.size, dtype=np.float32),
}


def weights_of(kind: str, shapes: list[tuple[int, ...]], seed: int) -> tuple[Weight, ...]:
    generator = np.random.Generator(np.random.PCG64(seed))
    found = []
    for number, shape in enumerate(shapes):
        values = generator.normal(size=int(np.prod(shape))).astype("<f4")
        content = kinds[kind](values, generator).astype("<f4").tobytes()
        found.append(Weight(f"w{number}", shape, "float32", BytesData(content)))
    return tuple(found)


def sent(folder: Path, weights: tuple[Weight, ...], precision: str, shard_bytes: int) -> tuple[int, int]:
    """Give wire bytes of the shards and of the stock converter's weight files."""
    cache = Cache(folder)
    compressor = Compressor(cache, 2)
    model = Model("graph-model", {"modelTopology": {"node": []}}, weights, (), ())
    built = assemble(
        "m", model, labels=None, precision=precision, shard_bytes=shard_bytes, cache=cache, compressor=compressor,
        begin=lambda count: None, advance=lambda blob: None,
    )  # fmt: skip
    *stock, _ = stock_files("m", model, cache, compressor)
    return sum(file.wire for file in built.bundle.shards), sum(file.wire for file in stock)


shapes = st.sampled_from([(70,), (3, 3, 8, 1), (40, 30), (3, 3, 16, 24), (130, 32)])
precisions = ["exact", "balanced", "small", "float16", "uint8", "uint16"]


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(kinds)), st.lists(shapes, min_size=1, max_size=3), st.sampled_from(precisions), st.integers()
)
def test_weights_never_get_larger(
    tmp_path: Path, kind: str, lengths: list[tuple[int, ...]], precision: str, seed: int
) -> None:
    weights = weights_of(kind, lengths, abs(seed))
    ours, stock = sent(tmp_path, weights, precision, 256 << 10)
    assert ours <= share * stock + fixed


@pytest.mark.parametrize("shapes", [[(70,), (3, 3, 16, 24)], [(130, 32), (3, 3, 16, 24), (70,)]])
def test_a_small_weight_does_not_make_odd_ones_around_it_larger(tmp_path: Path, shapes: list[tuple[int, ...]]) -> None:
    """Its byte planes made brotli take an eighth more for them."""
    ours, stock = sent(tmp_path, weights_of("bfloat16", shapes, 3), "exact", 256 << 10)
    assert ours <= share * stock


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["same rows", "far repeats", "float16", "clustered"])
def test_large_tables_never_get_larger(tmp_path: Path, kind: str) -> None:
    weights = weights_of(kind, [(1400, 48)], 3)
    for precision in ("exact", "balanced"):
        ours, stock = sent(tmp_path, weights, precision, 64 << 10)
        assert ours <= share * stock + fixed, precision


def test_ordinary_weights_keep_their_stages_and_odd_ones_come_whole() -> None:
    (trained,) = weights_of("trained", [(130, 32)], 1)
    (half,) = weights_of("float16", [(130, 32)], 1)
    (clustered,) = weights_of("clustered", [(130, 32)], 1)
    assert [may_be_coarse(weight) for weight in (trained, half, clustered)] == [True, True, False]
    kept = [no_larger(weight, Exact()) for weight in (trained, half, clustered)]
    assert [type(codec) for codec in kept] == [Exact, Exact, Raw]


def test_kernels_over_pixels_stay_exact_under_balanced() -> None:
    weights = weights_of("trained", [(5, 5, 3, 24), (3, 3, 16, 24)], 1)
    nodes = [{"name": f"c{n}", "op": "Conv2D", "input": ["x", weight.name]} for n, weight in enumerate(weights)]
    model = Model("graph-model", {"modelTopology": {"node": nodes}}, weights, (), ())
    assert [codec.name for codec in choose_codecs(model, "balanced")] == ["exact", "steps"]


def test_float16_values_stay_exact_under_balanced_because_that_takes_fewer_bytes() -> None:
    for kind, codec in (("float16", "exact"), ("trained", "steps")):
        (weight,) = weights_of(kind, [(3, 3, 16, 24)], 1)
        nodes = [{"name": "c", "op": "Conv2D", "input": ["x", weight.name]}]
        model = Model("graph-model", {"modelTopology": {"node": nodes}}, (weight,), (), ())
        assert [found.name for found in choose_codecs(model, "balanced")] == [codec]


@pytest.mark.parametrize("precision", ["exact", "balanced", "small", "float16", "uint8"])
def test_codes_of_a_source_stay_codes(precision: str) -> None:
    """Whatever the precision, and however few of a model's weights they are."""
    generator = np.random.Generator(np.random.PCG64(6))
    steps = generator.uniform(0.01, 0.02, 24).astype("<f4")
    values = generator.integers(-128, 128, (3, 3, 16, 24)).astype("<f4") * steps
    coded = Weight("k", (3, 3, 16, 24), "float32", BytesData(values.tobytes()), grid=Grid(tuple(steps.tolist()), 1))
    (constant,) = weights_of("constant", [(500, 100)], 1)
    nodes = [{"name": "c", "op": "Conv2D", "input": ["x", "k"]}]
    model = Model("graph-model", {"modelTopology": {"node": nodes}}, (coded, constant), (), ())
    (kept, _) = quantize_weights(model, precision).weights
    assert kept is coded
    codec, other = choose_codecs(model, precision)
    assert (codec.name, other.name) == ("codes", "raw")
    assert sum(plane.nbytes for plane in codec.planes(coded)) == coded.size + steps.nbytes
