"""Rate and distortion of each weight as points of a chart."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .languages import both
from .shape import MeasuredWeight

width, height = 1000.0, 300.0
left, bottom, right, top = 70.0, 62.0, 20.0, 26.0


def rate_distortion(layers: Sequence[MeasuredWeight]) -> dict[str, object] | None:
    """Place the weights by bits an element (across) and by how far the answers move (up, in powers of ten).

    Args:
        layers: the measured weights of ``report.json``; those that move nothing lie on the axis.
    """
    moved = [layer["distance"] for layer in layers if layer["distance"] > 0]
    if not layers or not moved:
        return None
    low = math.floor(math.log10(min(moved)))
    high = max(math.ceil(math.log10(max(moved))), low + 1)
    most = max(1, *(math.ceil(layer["bits"]) for layer in layers))
    largest = max(layer["size"] for layer in layers)

    def across(bits: float) -> float:
        return float(round(left + (width - left - right) * bits / most, 1))

    def up(power: float) -> float:
        return float(round(height - bottom - (height - top - bottom) * (power - low) / (high - low), 1))

    points = [
        {
            "x": across(layer["bits"]),
            "y": up(math.log10(layer["distance"]) if layer["distance"] > 0 else low),
            "radius": round(3 + 13 * math.sqrt(layer["size"] / largest), 1),
            "exact": layer["why"].startswith("exact"),
            "title": f"{layer['weight']}: {layer['size']:,} values, {layer['bits']:.2f} bits each, "
            f"moves the answers by {layer['distance']:.1e}; {layer['why']}",
            "zh": f"{layer['weight']}：{layer['size']:,} 个值，每个 {layer['bits']:.2f} 位，"
            f"使答案变动 {layer['distance']:.1e}；{both(layer['why']).zh}",
        }
        for layer in sorted(layers, key=lambda layer: -layer["size"])
    ]
    every = math.ceil((high - low) / 6)
    return {
        "width": width,
        "height": height,
        "left": left,
        "floor": height - bottom,
        "points": points,
        "bits": [{"x": across(bits), "label": bits} for bits in range(most + 1)],
        "powers": [{"y": up(power), "label": f"1e{power}"} for power in range(low, high + 1, every)],
    }
