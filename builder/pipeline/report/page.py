"""``report.html`` from the data of ``report.json``: everything in one file, in English and Chinese."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ...bundle.render import render
from ...config.units import show_count, show_size
from .chart import rate_distortion
from .labels import Label, telling
from .languages import Both, both, word
from .shape import CostReport, LadderReport, ModelReport, Previous, Report, RuntimeReport, Waterfall, WeightBytes
from .treemap import Box, squarify

View = dict[str, object]  # what the template names

width, height = 1000.0, 420.0
most_boxes = 120
most_rows = 40


def report_page(report: Report) -> str:
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
        runtime=_runtime(report.get("runtime")),
        overview=_overview(report["models"]),
        both=both,
        word=word,
        width=width,
    )


def runtime_line(data: RuntimeReport | None) -> str:
    """Tell of the bundle's own TensorFlow.js, or give ""."""
    told = _runtime(data)
    return told.en if told else ""


def _runtime(data: RuntimeReport | None) -> Both | None:
    if not data:
        return None
    count = data["kernels"]
    kernels = Both("all kernels", "全部算子") if count is None else Both(f"{count} kernels", f"{count} 个算子")
    wasm = max(data["wasm_wire_bytes"].values(), default=0)
    more = Both(f", and {show_size(wasm)} where wasm is used", f"，使用 wasm 时另加 {show_size(wasm)}")
    start = f"TensorFlow.js {data['version']}"
    size, backends = show_size(data["wire_bytes"]), ", ".join(data["backends"])
    return Both(
        f"{start}: {size} ({backends}; {kernels.en}){more.en if wasm else ''}",
        f"{start}：{size}（{backends}；{kernels.zh}）{more.zh if wasm else ''}",
    )


def _overview(models: Mapping[str, ModelReport]) -> list[View]:
    items = sorted(models.items(), key=lambda item: -item[1]["wire_bytes"])
    boxes = squarify([data["wire_bytes"] for _, data in items], Box(0, 0, width, height / 2))
    found: list[View] = []
    for (name, data), box in zip(items, boxes, strict=True):
        parts = [("head", data["head_wire_bytes"]), *((s["name"], s["wire_bytes"]) for s in data["stages"])]
        found += _parts(Both(name, name), Label(name), parts, box, height / 2)
    return found


def _model(name: str, data: ModelReport, report: Report) -> View:
    weights = sorted(data["weights"], key=lambda weight: -weight["wire_bytes"])
    return {
        "name": name,
        "data": data,
        "cells": _cells(weights),
        "sizes": {
            "bytes": show_size(data["bytes"]),
            "wire_bytes": show_size(data["wire_bytes"]),
            "first_use_bytes": show_size(data["first_use_bytes"]),
            "head_wire_bytes": show_size(data["head_wire_bytes"]),
        },
        "rungs": _rungs(name, data.get("ladder")),
        "cost": cost_text(data.get("cost")),
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
        "advice": [
            {**one, "text": both(one["text"]), "saves": show_size(one["saves_bytes"])} for one in data["advice"]
        ],
        "heaviest": [
            {**weight, "wire": show_size(weight["wire_bytes"]), "bits": _bits(weight)} for weight in weights[:most_rows]
        ],
        "chart": rate_distortion((data["precision"] or {}).get("weights", [])),
    }


def cost_text(cost: CostReport | None) -> Both | None:
    """Say what a run takes."""
    if cost is None:
        return None
    return Both(
        f"A run takes {show_count(cost['macs'])} multiply-adds in {cost['ops']} ops",
        f"一次运行需要 {cost['macs']:,} 次乘加，共 {cost['ops']} 个算子",
    )


def _rungs(name: str, ladder: LadderReport | None) -> list[Both]:
    """Say how often each lower rung answers as the last one."""
    told = []
    for rung, share in zip(ladder["rungs"], ladder["agreement"], strict=True) if ladder else ():
        if share is None:
            told.append(Both(f"{rung} was not compared with {name}", f"{rung} 未与 {name} 比较"))
        else:
            told.append(
                Both(
                    f"{rung} answers as {name} in {share:.1%} of the cases",
                    f"{rung} 在 {share:.1%} 的样例上与 {name} 答案一致",
                )
            )
    return told


def _cells(weights: Sequence[WeightBytes]) -> list[View]:
    """Lay out the weights, largest first; those beyond the most that can be told apart share a box."""
    shown, rest = weights[:most_boxes], weights[most_boxes:]
    labels = telling([weight["name"] for weight in weights])
    items = [
        (Both(weight["name"], weight["name"]), label, list(weight["stages"].items()), _kind(weight))
        for weight, label in zip(shown, labels[: len(shown)], strict=True)
    ]
    if rest:
        stages: dict[str, int] = {}
        for weight in rest:
            for stage, wire in weight["stages"].items():
                stages[stage] = stages.get(stage, 0) + wire
        more = Both(f"{len(rest)} more", f"另外 {len(rest)} 个")
        items.append((more, Label(f"+{len(rest)}"), list(stages.items()), ""))
    boxes = squarify([max(1, sum(wire for _, wire in stages)) for _, _, stages, _ in items], Box(0, 0, width, height))
    cells: list[View] = []
    for (name, label, parts, kind), box in zip(items, boxes, strict=True):
        cells += _parts(name, label, parts, box, height, kind)
    return cells


def _kind(weight: WeightBytes) -> str:
    return f", {weight['dtype']}{weight['shape']}, {weight['codec']}"


def _bits(weight: WeightBytes) -> float | None:
    count = math.prod(weight["shape"])
    return 8 * weight["wire_bytes"] / count if count and weight["dtype"] != "string" else None


def _parts(
    name: Both, label: Label, parts: list[tuple[str, int]], box: Box, whole_height: float, more: str = ""
) -> list[View]:
    """Split a box between the stages, along its longer side; places are in percent of the whole picture."""
    whole = sum(size for _, size in parts) or 1
    found: list[View] = []
    at = 0.0
    for stage, size in parts:
        share = size / whole
        if box.width >= box.height:
            part = Box(box.x + at * box.width, box.y, share * box.width, box.height)
        else:
            part = Box(box.x, box.y + at * box.height, box.width, share * box.height)
        at += share
        sizes = show_size(size), show_size(whole)
        title = Both(
            f"{name.en}: {stage} {sizes[0]} of {sizes[1]}{more}",
            f"{name.zh}：{word(stage).zh} {sizes[0]}，共 {sizes[1]}{more}",
        )
        found.append({"stage": _colour(stage), "title": title, "place": _percent(part, whole_height), "label": None})
    if found:
        found.append({"stage": "edge", "title": None, "place": _percent(box, whole_height), "label": label})
    return found


def _percent(box: Box, whole_height: float) -> str:
    across, down = 100 / width, 100 / whole_height
    places = {"left": box.x * across, "top": box.y * down, "width": box.width * across, "height": box.height * down}
    return "; ".join(f"{side}: {value:.3f}%" for side, value in places.items())


def _colour(stage: str) -> str:
    return stage if stage in {"head", "loader", "refine"} else "base"


def _waterfall(one: Waterfall) -> View:
    whole = one["full"] or 1.0
    bars = [
        {
            "x": round(start / whole * width, 2),
            "width": max(1.0, round((end - start) / whole * width, 2)),
            "stage": _colour(group),
            "title": Both(f"{group}: {start:.2f} s to {end:.2f} s", f"{word(group).zh}：{start:.2f} 秒到 {end:.2f} 秒"),
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


def _change(name: str, data: ModelReport, previous: Previous | None) -> Both:
    if previous is None:
        return Both("first report", "首份报告")
    old = previous["models"].get(name)
    if old is None:
        return Both("new model", "新模型")
    if data["head"] == old["head"]:
        return Both("unchanged", "没有变化")
    difference = data["wire_bytes"] - old["wire_bytes"]
    sign = "+" if difference > 0 else ""
    much = f"{sign}{show_size(difference)} ({difference / max(1, old['wire_bytes']):+.1%})"
    if data.get("new_bytes") is None:
        return Both(much, much)
    new = show_size(data["new_bytes"])
    return Both(f"{much}; {new} of shards are new", f"{much}；其中新分片 {new}")


def _budget(data: ModelReport) -> View | None:
    if not data["budget_bytes"]:
        return None
    share = data["wire_bytes"] / data["budget_bytes"]
    size = show_size(data["budget_bytes"])
    text = Both(f"{share:.0%} of {size}", f"{size} 的 {share:.0%}")
    return {"share": min(1.0, share), "text": text, "tight": share > 0.9}
