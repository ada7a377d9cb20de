"""Squarified treemaps (Bruls, Huizing, van Wijk 2000): areas as their values, shapes as square as can be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


def squarify(values: list[float], box: Box) -> list[Box]:
    """Return a box for each value, in the order given; values are best sorted, largest first."""
    total = sum(values)
    boxes: list[Box] = []
    if total <= 0:
        return [Box(box.x, box.y, 0, 0) for _ in values]
    scale = box.width * box.height / total
    areas = [value * scale for value in values]
    start = 0
    while start < len(areas):
        side = min(box.width, box.height)
        stop = start + 1
        while stop < len(areas) and _worst(areas[start : stop + 1], side) <= _worst(areas[start:stop], side):
            stop += 1
        row, box = _lay(areas[start:stop], box)
        boxes += row
        start = stop
    return boxes


def _worst(areas: list[float], side: float) -> float:
    """Return the largest ratio of sides in a row along ``side``."""
    whole = sum(areas)
    smallest, largest = min(areas), max(areas)
    if not whole or not smallest or not side:
        return float("inf")
    return max(side * side * largest / (whole * whole), whole * whole / (side * side * smallest))


def _lay(areas: list[float], box: Box) -> tuple[list[Box], Box]:
    """Lay a row along the shorter side; give its boxes and what is left."""
    whole = sum(areas)
    upright = box.width >= box.height
    side = box.height if upright else box.width
    depth = whole / side if side else 0.0
    row = []
    at = 0.0
    for area in areas:
        length = area / depth if depth else 0.0
        row.append(Box(box.x, box.y + at, depth, length) if upright else Box(box.x + at, box.y, length, depth))
        at += length
    if upright:
        return row, Box(box.x + depth, box.y, max(0.0, box.width - depth), box.height)
    return row, Box(box.x, box.y + depth, box.width, max(0.0, box.height - depth))
