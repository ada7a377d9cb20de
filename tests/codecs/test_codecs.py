"""Planes and back: golden bytes of docs/format.md, and bit-exactness for anything."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.codecs import Layout
from builder.codecs.exact import Exact, smallest, suits
from builder.codecs.multiples import multiples
from builder.codecs.quantized import quantize, widen
from builder.codecs.raw import Raw
from builder.codecs.staged import Staged
from builder.codecs.steps import Steps, balanced, layout_of, on_grid
from builder.errors import FormatError
from builder.model import BytesData, Grid, Weight


def weight_of(content: bytes) -> Weight:
    return Weight("w", (len(content) // 4,), "float32", BytesData(content))


def split(content: bytes) -> dict[int, bytes]:
    return {plane.index: plane.read(0, plane.nbytes) for plane in Exact().planes(weight_of(content))}


def test_golden_planes() -> None:
    # 1.0, -2.5, 0.0, -0.0, smallest denormal, infinity, a NaN, pi
    bits = (0x3F800000, 0xC0200000, 0x00000000, 0x80000000, 0x00000001, 0x7F800000, 0x7FC00123, 0x40490FDB)
    planes = split(struct.pack("<8I", *bits))
    assert planes == {
        0: bytes((0x7F, 0x80, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0x80)),
        1: bytes((0x00, 0xA0, 0x00, 0x80, 0x00, 0x00, 0x40, 0x49)),
        2: bytes((0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x0F)),
        3: bytes((0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x23, 0xDB)),
    }
    base = struct.unpack("<8I", Exact().decode({0: planes[0], 1: planes[1]}))
    expected = (0x3F808000, 0xC0208000, 0x00000000, 0x80000000, 0x00000000, 0x7F800000, 0x7FC00000, 0x40498000)
    assert base == expected


@given(st.binary(max_size=400).map(lambda content: content[: len(content) // 4 * 4]))
def test_all_planes_give_the_same_bits(content: bytes) -> None:
    assert Exact().decode(split(content)) == content


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_base_is_within_one_part_in_256(values: list[float]) -> None:
    content = np.array(values, "<f4").tobytes()
    planes = split(content)
    base = np.frombuffer(Exact().decode({0: planes[0], 1: planes[1]}), "<f4").astype(np.float64)
    exact = np.frombuffer(content, "<f4").astype(np.float64)
    normal = np.abs(exact) >= 2.0**-126
    assert (np.abs(base - exact)[normal] <= np.abs(exact)[normal] / 256).all()


@given(st.binary(min_size=8, max_size=80).map(lambda content: content[: len(content) // 4 * 4]), st.data())
def test_a_part_of_a_plane_is_that_part(content: bytes, data: st.DataObject) -> None:
    for plane in Exact().planes(weight_of(content)):
        start = data.draw(st.integers(0, plane.nbytes))
        stop = data.draw(st.integers(start, plane.nbytes))
        assert plane.read(start, stop) == plane.read(0, plane.nbytes)[start:stop]


def test_planes_of_different_lengths_are_refused() -> None:
    with pytest.raises(FormatError):
        Exact().decode({0: b"\0", 1: b"\0\0"})


@pytest.mark.parametrize(
    ("size", "dtype", "expected"),
    [(smallest, "float32", True), (smallest - 1, "float32", False), (0, "float32", False), (200, "int32", False)],
)
def test_exact_is_for_float32_that_is_not_tiny(size: int, dtype: str, expected: bool) -> None:
    assert suits(Weight("w", (size,), dtype, BytesData(bytes(4 * size)))) is expected


def test_quantized_codes_stay_raw() -> None:
    codes = Weight("w", (100,), "float32", BytesData(bytes(100)), {"dtype": "uint8", "scale": 1.0, "min": 0.0})
    assert not suits(codes)
    (plane,) = Raw().planes(codes)
    assert Raw().decode({0: plane.read(0, plane.nbytes)}) == bytes(100)


vectors = Path(__file__).resolve().parents[1] / "golden"
golden = json.loads((vectors / "steps.json").read_text())


@pytest.mark.parametrize("vector", golden)
def test_golden_steps(vector: dict[str, Any]) -> None:
    ratio, channels, inner = vector["steps"]
    codec = Steps(Layout(channels, inner), ratio, np.array(vector["sizes"], "<u4").tobytes())
    planes = {0: np.array(vector["codes"], np.int8).tobytes(), 1: codec.steps}
    assert np.frombuffer(codec.decode(planes), "<u4").tolist() == vector["base"]
    planes[2] = np.array(vector["rest"], np.int8).tobytes()
    assert np.frombuffer(codec.decode(planes), "<u4").tolist() == vector["full"]


def test_steps_give_the_codes_that_they_came_from() -> None:
    for vector in golden:
        ratio, channels, inner = vector["steps"]
        codec = Steps(Layout(channels, inner), ratio, np.array(vector["sizes"], "<u4").tobytes())
        weight = weight_of(np.array(vector["full"], "<u4").tobytes())
        planes = {plane.index: plane.read(0, plane.nbytes) for plane in codec.planes(weight)}
        assert np.frombuffer(codec.decode(planes), "<u4").tolist() == vector["full"]


@pytest.mark.parametrize("vector", json.loads((vectors / "codes.json").read_text()))
def test_golden_codes(vector: dict[str, Any]) -> None:
    """Bits both ways: of denormal, negative and zero steps too."""
    _, channels, inner = vector["steps"]
    values = np.array(vector["full"], "<u4").tobytes()
    steps = np.array(vector["sizes"], "<u4").view("<f4")
    codec = multiples(replace(weight_of(values), grid=Grid(tuple(steps.tolist()), inner)))
    assert codec is not None
    assert codec.fields == {"steps": (1, channels, inner)}
    planes = {plane.index: plane.read(0, plane.nbytes) for plane in codec.planes(weight_of(values))}
    assert codec.decode(planes) == values
    assert codec.decode({0: np.array(vector["codes"], np.int8).tobytes(), 1: steps.tobytes()}) == values
    with pytest.raises(FormatError):
        codec.decode({0: planes[0], 1: planes[1] + bytes(4)})


@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(1, 5), st.integers(-30, 30))
def test_codes_of_a_source_come_back(seed: int, channels: int, inner: int, exponent: int) -> None:
    generator = np.random.Generator(np.random.PCG64(seed))
    steps = (generator.uniform(-1, 1, channels) * 10.0**exponent).astype("<f4")
    codes = generator.integers(-128, 128, 3 * channels * inner).astype(np.int8)
    layout = Layout(channels, inner)
    values = codes.astype("<f4") * steps[layout.channels_of(0, len(codes))]
    weight = replace(weight_of(values.tobytes()), grid=Grid(tuple(steps.tolist()), inner))
    codec = multiples(weight)
    assert codec is not None
    first, second = codec.planes(weight)
    assert first.read(0, first.nbytes) == codes.tobytes()
    assert first.read(1, first.nbytes - 1) == codes.tobytes()[1:-1]
    assert codec.decode({0: codes.tobytes(), 1: second.read(0, second.nbytes)}) == values.tobytes()


@pytest.mark.parametrize(
    ("values", "grid"),
    [
        ([0.0, 1.0, 2.0], None),
        ([0.0, 1.0, 2.5], Grid((1.0,), 1)),
        ([0.0, 1.0, 128.0], Grid((1.0,), 1)),
        ([0.0, 1.0, math.nan], Grid((1.0,), 1)),
        ([0.0, -0.0, 1.0], Grid((1.0,), 1)),
        ([0.0, 1.0, math.inf], Grid((1.0,), 1)),
        ([0.0, 1.0, 2.0], Grid((0.0,), 1)),
        ([0.0, 1.0, 2.0], Grid((1.0, 1.0), 2)),
    ],
)
def test_what_a_source_says_of_its_codes_is_checked(values: list[float], grid: Grid | None) -> None:
    weight = replace(weight_of(np.array(values, "<f4").tobytes()), grid=grid)
    assert multiples(weight) is None


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((3, 3, 4, 5), (3,), (5, 1)),
        ((3, 3, 4, 5), (2, 3), (20, 1)),
        ((3, 3, 4, 5), (2,), (4, 5)),
        ((7, 50), (0,), (7, 50)),
        ((7, 50), (), (1, 1)),
    ],
)
def test_layouts(shape: tuple[int, ...], axes: tuple[int, ...], expected: tuple[int, int]) -> None:
    layout = layout_of(shape, axes)
    assert (layout.channels, layout.inner) == expected
    index = np.indices(shape).reshape(len(shape), -1)
    wanted = np.zeros(index.shape[1], np.int64)
    for axis in axes:
        wanted = wanted * shape[axis] + index[axis]
    assert layout.channels_of(0, index.shape[1]).tolist() == wanted.tolist()


@given(st.integers(0, 2**32 - 1), st.sampled_from([(4, 6), (3, 3, 4, 5), (8, 40)]))
def test_balanced_is_within_a_step(seed: int, shape: tuple[int, ...]) -> None:
    generator = np.random.Generator(np.random.PCG64(seed))
    values = (generator.normal(size=shape) * 10.0 ** generator.integers(-6, 4, shape[-1])).astype("<f4")
    values[..., 0] = 0
    codec = balanced(Weight("w", shape, "float32", BytesData(values.tobytes())), layout_of(shape, (len(shape) - 1,)))
    assert codec is not None
    planes = {plane.index: plane.read(0, plane.nbytes) for plane in codec.planes(weight_of(values.tobytes()))}
    largest = np.abs(values).reshape(-1, shape[-1]).max(axis=0)
    for kept, bound in (({0, 1}, 1 / 195), ({0, 1, 2}, 1 / 25000)):
        got = np.frombuffer(codec.decode({index: planes[index] for index in kept}), "<f4").reshape(shape)
        assert (np.abs(got.astype(np.float64) - values) <= largest * bound).all()
        assert not got[values == 0].any()


@given(st.lists(st.floats(2.0**-100, 1e30), min_size=1, max_size=20))
def test_steps_on_the_grid_are_few_and_never_too_small(steps: list[float]) -> None:
    found = on_grid(np.array([*steps, 0.0]))
    assert found[-1] == 0
    assert (found[:-1] >= steps).all()
    assert (found[:-1] <= np.array(steps) * 1.1893).all()
    assert len({float(np.frexp(step)[0]) for step in found}) <= 5


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_not_balanced(value: float) -> None:
    values = np.full((10, 10), value, "<f4")
    assert balanced(Weight("w", (10, 10), "float32", BytesData(values.tobytes())), Layout(10, 1)) is None


@pytest.mark.parametrize("kind", ["float16", "uint8", "uint16"])
def test_stock_codes_decode_as_tensorflow_js_does(kind: str) -> None:
    values = np.random.Generator(np.random.PCG64(3)).normal(size=(20, 10)).astype("<f4") + 1
    values[0, 0] = 0
    weight = quantize(Weight("w", (20, 10), "float32", BytesData(values.tobytes())), kind)
    assert weight.quantization is not None
    content = weight.data.read(0, weight.data.nbytes)
    assert content[3:9] == weight.data.read(3, 9)
    if kind == "float16":
        got = np.frombuffer(content, "<f2").astype(np.float64)
        bound = 0.002
    else:
        scale = weight.quantization["scale"]
        got = np.frombuffer(content, "<u1" if kind == "uint8" else "<u2") * scale + weight.quantization["min"]
        bound = scale / 2 + 1e-7
    assert np.abs(got.reshape(20, 10) - values).max() <= bound
    assert got[0] == 0


def test_float16_codes_widen_to_the_values_they_stand_for() -> None:
    values = np.random.Generator(np.random.PCG64(3)).normal(size=(20, 10)).astype("<f4")
    codes = quantize(Weight("w", (20, 10), "float32", BytesData(values.tobytes())), "float16")
    wide = widen(codes)
    assert wide.quantization is None
    content = wide.data.read(0, wide.data.nbytes)
    assert content == values.astype("<f2").astype("<f4").tobytes()
    assert wide.data.read(5, 27) == content[5:27]
    assert widen(wide) is wide


def test_what_float16_cannot_hold_stays() -> None:
    weight = Weight("w", (2,), "float32", BytesData(struct.pack("<2f", 1.0, 1e6)))
    assert quantize(weight, "float16") is weight


def test_staged_values_replace_each_other() -> None:
    codec = Staged(b"abcd", b"efgh")
    planes = {plane.index: plane.read(0, plane.nbytes) for plane in codec.planes(weight_of(b"xxxx"))}
    assert codec.decode({0: planes[0]}) == b"abcd"
    assert codec.decode(planes) == b"efgh"
