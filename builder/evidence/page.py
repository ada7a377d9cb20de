"""``report.html`` from the data of ``report.json``: pictures as SVG, everything in one file."""

from __future__ import annotations

import math
from typing import Any

from builder.evidence.chart import rate_distortion
from builder.evidence.treemap import Box, squarify
from builder.render import render
from builder.units import show_size

width, height = 1000.0, 420.0
most_boxes = 120
least_label = 44.0
most_rows = 40


def report_page(report: dict[str, Any]) -> str:
    """Draw a report."""
    models = [_model(name, data, report) for name, data in report["models"].items()]
    total = {
        "wire": show_size(sum(data["wire_bytes"] for data in report["models"].values())),
        "first": show_size(sum(data["first_use_bytes"] for data in report["models"].values())),
    }
    return render(
        "report.html.j2",
        report=report,
        models=models,
        total=total,
        runtime=runtime_line(report.get("runtime")),
        overview=_overview(report["models"]),
        width=width,
        height=height,
    )


def runtime_line(data: dict[str, Any] | None) -> str:
    """Tell of the bundle's own TensorFlow.js, or give ""."""
    if not data:
        return ""
    kernels = "all kernels" if data["kernels"] is None else f"{data['kernels']} kernels"
    wasm = max(data["wasm_wire_bytes"].values(), default=0)
    more = f", and {show_size(wasm)} where wasm is used" if wasm else ""
    backends = ", ".join(data["backends"])
    return f"TensorFlow.js {data['version']}: {show_size(data['wire_bytes'])} ({backends}; {kernels}){more}"


def _overview(models: dict[str, Any]) -> list[dict[str, Any]]:
    items = sorted(models.items(), key=lambda item: -item[1]["wire_bytes"])
    boxes = squarify([data["wire_bytes"] for _, data in items], Box(0, 0, width, height / 2))
    found: list[dict[str, Any]] = []
    for (name, data), box in zip(items, boxes, strict=True):
        parts = [("head", data["head_wire_bytes"]), *((s["name"], s["wire_bytes"]) for s in data["stages"])]
        found += _parts(name, parts, box)
    return found


def _model(name: str, data: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    weights = sorted(data["weights"], key=lambda weight: -weight["wire_bytes"])
    shown, rest = weights[:most_boxes], weights[most_boxes:]
    items = [(weight["name"], list(weight["stages"].items()), weight) for weight in shown]
    if rest:
        stages: dict[str, int] = {}
        for weight in rest:
            for stage, wire in weight["stages"].items():
                stages[stage] = stages.get(stage, 0) + wire
        items.append((f"{len(rest)} more", list(stages.items()), None))
    boxes = squarify([max(1, sum(wire for _, wire in stages)) for _, stages, _ in items], Box(0, 0, width, height))
    cells: list[dict[str, Any]] = []
    for (label, parts, weight), box in zip(items, boxes, strict=True):
        shape = f", {weight['dtype']}{weight['shape']}, {weight['codec']}" if weight else ""
        cells += _parts(label, parts, box, shape)
    return {
        "name": name,
        "data": data,
        "cells": cells,
        "sizes": {key: show_size(data[key]) for key in ("bytes", "wire_bytes", "first_use_bytes", "head_wire_bytes")},
        "change": _change(name, data, report.get("previous")),
        "budget": _budget(data),
        "planes": [
            {
                **plane,
                "size": show_size(plane["bytes"]),
                "wire": show_size(plane["wire_bytes"]),
                "share": plane["wire_bytes"] / plane["bytes"] if plane["bytes"] else 0,
            }
            for plane in data["planes"]
        ],
        "waterfalls": [_waterfall(one) for one in data["waterfalls"]],
        "advice": [{**one, "saves": show_size(one["saves_bytes"])} for one in data["advice"]],
        "heaviest": [
            {**weight, "wire": show_size(weight["wire_bytes"]), "bits": _bits(weight)} for weight in weights[:most_rows]
        ],
        "chart": rate_distortion((data["precision"] or {}).get("weights", [])),
    }


def _bits(weight: dict[str, Any]) -> float | None:
    count = math.prod(weight["shape"])
    return 8 * weight["wire_bytes"] / count if count and weight["dtype"] != "string" else None


def _parts(label: str, parts: list[tuple[str, int]], box: Box, more: str = "") -> list[dict[str, Any]]:
    """Split a box between the stages, along its longer side."""
    whole = sum(size for _, size in parts) or 1
    found: list[dict[str, Any]] = []
    at = 0.0
    for number, (stage, size) in enumerate(parts):
        share = size / whole
        if box.width >= box.height:
            part = Box(box.x + at * box.width, box.y, share * box.width, box.height)
        else:
            part = Box(box.x, box.y + at * box.height, box.width, share * box.height)
        at += share
        fits = number == 0 and box.width > least_label and box.height > 16
        found.append(
            {
                "x": round(part.x, 1),
                "y": round(part.y, 1),
                "width": round(part.width, 1),
                "height": round(part.height, 1),
                "stage": _colour(stage),
                "title": f"{label}: {stage} {show_size(size)} of {show_size(whole)}{more}",
                "label": _short(label, box.width) if fits else "",
                "outer": [round(box.x, 1), round(box.y, 1), round(box.width, 1), round(box.height, 1)]
                if number == 0
                else None,
            }
        )
    return found


def _short(label: str, room: float) -> str:
    most = int((room - 10) / 7)
    return label if len(label) <= most else "…" + label[-(most - 1) :] if most > 3 else ""


def _colour(stage: str) -> str:
    return stage if stage in {"head", "loader", "refine"} else "base"


def _waterfall(one: dict[str, Any]) -> dict[str, Any]:
    whole = one["full"] or 1.0
    bars = [
        {
            "x": round(start / whole * width, 2),
            "width": max(1.0, round((end - start) / whole * width, 2)),
            "stage": _colour(group),
            "title": f"{group}: {start:.2f} s to {end:.2f} s",
        }
        for group, start, end in one["files"]
    ]
    # Many shards make thin rows; the picture stays as high as a hand.
    row = min(12.0, max(2.0, 160.0 / max(1, len(bars))))
    for number, bar in enumerate(bars):
        bar["y"] = round(number * row, 2)
        bar["height"] = round(max(1.5, row - 1), 2)
    return {
        **one,
        "bars": bars,
        "height": round(row * len(bars) + 2, 2),
        "mark": round(one["usable"] / whole * width, 2),
    }


def _change(name: str, data: dict[str, Any], previous: dict[str, Any] | None) -> str:
    if previous is None:
        return "first report"
    old = previous["models"].get(name)
    if old is None:
        return "new model"
    difference = data["wire_bytes"] - old["wire_bytes"]
    if data["head"] == old["head"]:
        return "unchanged"
    again = f"{show_size(data['new_bytes'])} of shards are new" if data.get("new_bytes") is not None else ""
    sign = "+" if difference > 0 else ""
    return f"{sign}{show_size(difference)} ({difference / max(1, old['wire_bytes']):+.1%}); {again}".rstrip("; ")


def _budget(data: dict[str, Any]) -> dict[str, Any] | None:
    if not data["budget_bytes"]:
        return None
    share = data["wire_bytes"] / data["budget_bytes"]
    return {"share": min(1.0, share), "text": f"{share:.0%} of {show_size(data['budget_bytes'])}", "tight": share > 0.9}
