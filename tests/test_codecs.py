"""Planes and back: golden bytes of docs/format.md, and bit-exactness for anything."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.codecs.exact import Exact, smallest, suits
from builder.codecs.raw import Raw
from builder.errors import FormatError
from builder.model import BytesData, Weight


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
