"""Writes TensorFlow's colour ops in ops that TensorFlow.js has.

The formulas are those of tensorflow/core/kernels/image/colorspace_op.h: hue, saturation and value between 0 and 1.
AdjustHue and AdjustSaturation have kernels of their own, with the same results for colours between 0 and any maximum.
"""

from __future__ import annotations

from .formulas import number, select, two
from .nodes import NodeBuilder, float32, int32

Planes = tuple[str, str, str]


def rgb_to_hsv(build: NodeBuilder) -> str:
    """Hue by the largest channel, saturation = range / value, value = the largest channel."""
    return _join(build, _to_hsv(build, _split(build, build.node.input[0])))


def hsv_to_rgb(build: NodeBuilder) -> str:
    """Each channel = (1 - s + s * ramp(h)) * v."""
    return _join(build, _to_rgb(build, _split(build, build.node.input[0])))


def adjust_hue(build: NodeBuilder) -> str:
    """Turn the hue: (h + delta) mod 1."""
    picture, delta = build.node.input[:2]
    hue, saturation, value = _to_hsv(build, _split(build, picture))
    turned = two(build, "AddV2", hue, delta)
    turned = two(build, "Sub", turned, build.add("Floor", [turned], T=float32))
    return _join(build, _to_rgb(build, (turned, saturation, value)))


def adjust_saturation(build: NodeBuilder) -> str:
    """Scale the saturation and keep it between 0 and 1."""
    picture, factor = build.node.input[:2]
    hue, saturation, value = _to_hsv(build, _split(build, picture))
    return _join(build, _to_rgb(build, (hue, _clip(build, two(build, "Mul", saturation, factor)), value)))


def _to_hsv(build: NodeBuilder, planes: Planes) -> Planes:
    red, green, blue = planes
    value = two(build, "Maximum", red, two(build, "Maximum", green, blue))
    least = two(build, "Minimum", red, two(build, "Minimum", green, blue))
    span = two(build, "Sub", value, least)
    # Where all channels are equal this is 0, and so is the hue.
    step = two(build, "DivNoNan", number(build, 1 / 6), span)

    def part(first: str, second: str, offset: float) -> str:
        return two(build, "AddV2", two(build, "Mul", step, two(build, "Sub", first, second)), number(build, offset))

    rest = select(build, two(build, "Equal", green, value), part(blue, red, 2 / 6), part(red, green, 4 / 6))
    hue = select(build, two(build, "Equal", red, value), part(green, blue, 0), rest)
    below = two(build, "Less", hue, number(build, 0))
    hue = select(build, below, two(build, "AddV2", hue, number(build, 1)), hue)
    return hue, two(build, "DivNoNan", span, value), value


def _to_rgb(build: NodeBuilder, planes: Planes) -> Planes:
    hue, saturation, value = planes
    angle = two(build, "Mul", hue, number(build, 6))
    rest = two(build, "Sub", number(build, 1), saturation)

    def channel(centre: float, base: float, sign: str) -> str:
        apart = build.add("Abs", [two(build, "Sub", angle, number(build, centre))], T=float32)
        ramp = _clip(build, two(build, sign, number(build, base), apart))
        return two(build, "Mul", two(build, "AddV2", rest, two(build, "Mul", saturation, ramp)), value)

    return channel(3, -1, "AddV2"), channel(2, 2, "Sub"), channel(4, 2, "Sub")


def _split(build: NodeBuilder, picture: str) -> Planes:
    name = build.add("Split", [build.const(-1), picture], T=float32, num_split=3)
    return name, f"{name}:1", f"{name}:2"


def _join(build: NodeBuilder, planes: Planes) -> str:
    return build.add("ConcatV2", [*planes, build.const(-1)], T=float32, Tidx=int32, N=3)


def _clip(build: NodeBuilder, tensor: str) -> str:
    return two(build, "Minimum", two(build, "Maximum", tensor, number(build, 0)), number(build, 1))
