"""Evidence of a build: what a person reads on the terminal, and the same as data."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ... import __version__
from ...bundle.files import StageSize
from ...bundle.head import count_ops
from ...cache.local import Cache, key_of
from ...config.tables import Config
from ...config.units import parse_size, show_size
from ...files.atomic import write_atomically
from ...packages import code_hash
from ...verify.run import Verification
from ...verify.types import Comparison
from ..bundled_tfjs import BundledTfjs
from ..fit import cost_of
from ..make_model import Built
from ..stock_copy import StockForm
from ..write_dist import Output
from .advice import advise
from .coarseness import advise_precision
from .details import byte_details
from .networks import networks
from .shape import (
    CostReport,
    Details,
    LadderReport,
    ModelReport,
    PrecisionReport,
    Previous,
    Report,
    RuntimeReport,
    StageBytes,
    Waterfall,
)
from .support import support_of
from .waterfall import simulate

most_sections = 40
passing = ("seconds", "previous")  # what differs between two builds of the same


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a build has to show.

    Attributes:
        models: in order of their names.
        verified: what became of each model's check.
        output: what was written.
        seconds: the whole build's time.
        own: the bundle's own TensorFlow.js, if it has one.
    """

    models: tuple[Built, ...]
    verified: dict[str, Verification]
    output: Output
    seconds: float
    own: BundledTfjs | None = None


def write_report(out: Path, config: Config, evidence: Evidence, cache: Cache) -> None:
    """Write ``report.json`` and ``report.html`` beside the bundle."""
    path = out / "report.json"
    old = _read(path)
    report = full_report(config, evidence, cache, old)
    write_atomically(path, json.dumps(report, indent=1).encode() + b"\n")
    page = out / "report.html"
    if old is None or not page.exists() or _lasting(old) != _lasting(json.loads(json.dumps(report))):
        from .page import report_page

        largest = sorted(report["models"], key=lambda name: -report["models"][name]["wire_bytes"])[:most_sections]
        shown = {name: report["models"][name] for name in sorted(largest)}
        left_out = len(report["models"]) - len(shown)
        write_atomically(page, report_page({**report, "models": shown, "left_out": left_out}).encode())


def full_report(config: Config, evidence: Evidence, cache: Cache, old: Report | None) -> Report:
    """Return all there is to report; ``old`` is the last build's."""
    release = evidence.output.index.release
    data = report_data(evidence.models, evidence.verified, evidence.seconds, evidence.own)
    previous = _previous(old, release)
    before = {url for model in (previous["models"] if previous else {}).values() for url in model["shards"]}
    code = code_hash("pipeline/report")
    for built in evidence.models:
        entry = data["models"][built.bundle.name]
        entry |= _details(built, cache, evidence.output.loader.wire, code)
        model = config.models.get(built.bundle.name)
        entry["budget_bytes"] = parse_size(model.budget) if model and model.budget is not None else None
        if previous:
            entry["new_bytes"] = sum(file.wire for file in built.bundle.shards if file.url not in before)
    return {"release": release, "generator": f"shardpress {__version__}", **data, "previous": previous}


def _details(built: Built, cache: Cache, loader_wire: int, code: str) -> ModelReport:
    bundle = built.bundle
    key = key_of(bundle.head.blob.sha256, code)
    bytes_of: Details | None = cache.record("details", key)
    if bytes_of is None:
        bytes_of = byte_details(bundle)
        cache.put_record("details", key, bytes_of)
    names = bundle.content.stages
    groups = [("loader", [loader_wire]), ("head", [bundle.head.wire])]
    groups += [(name, [file.wire for file in bundle.stage_files(number)]) for number, name in enumerate(names)]
    usable = {"loader", "head", names[0]}
    waterfalls: list[Waterfall] = []
    for network in reversed(networks()):
        arrivals = simulate(groups, network.rate, network.latency)
        waterfalls.append(
            {
                "network": network.name,
                "usable": round(max(one.end for one in arrivals if one.group in usable), 3),
                "full": round(max(one.end for one in arrivals), 3),
                "files": [(one.group, round(one.start, 3), round(one.end, 3)) for one in arrivals],
            }
        )
    return {
        "format": bundle.content.kind,
        "load": built.settings.load,
        "priority": built.settings.priority,
        "head": bundle.head.blob.sha256,
        "first_use_bytes": _first_use(built),
        "shards": [file.url for file in bundle.shards],
        "weights": bytes_of["weights"],
        "planes": bytes_of["planes"],
        "waterfalls": waterfalls,
        "advice": [
            *advise(bundle.content, bytes_of["weights"]),
            *advise_precision(_measured(built), bytes_of["weights"]),
        ],
        "ops": count_ops(bundle.content),
        "support": support_of(built),
    }


def _previous(old: Report | None, release: str) -> Previous | None:
    """Return what the release before this one was like, also when this one is built again."""
    if old is None or "release" not in old:
        return None
    if old["release"] == release:
        return old["previous"] if isinstance(old.get("previous"), dict) else None
    kept = ("wire_bytes", "first_use_bytes", "head", "shards")
    models = {name: cast(ModelReport, {key: model.get(key) for key in kept}) for name, model in old["models"].items()}
    return {"release": old["release"], "models": models}


def _lasting(report: Report) -> dict[str, object]:
    models = {
        name: {key: value for key, value in model.items() if key != "cached"}
        for name, model in report.get("models", {}).items()
    }
    return {key: value for key, value in report.items() if key not in passing} | {"models": models}


def _read(path: Path) -> Report | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return cast(Report, found) if isinstance(found, dict) else None


def report_data(
    models: tuple[Built, ...], verified: dict[str, Verification], seconds: float, own: BundledTfjs | None = None
) -> Report:
    """Return the measurements of a build, for ``report.json`` and ``--json``.

    Sizes are in bytes, ``seconds`` is the whole build's time.
    """
    return {
        "seconds": round(seconds, 3),
        "runtime": None if own is None else _runtime(own),
        "models": {built.bundle.name: _model(built, verified.get(built.bundle.name)) for built in models},
    }


def _runtime(own: BundledTfjs) -> RuntimeReport:
    return {
        "version": own.version,
        "backends": own.backends,
        "kernels": None if own.kernels is None else len(own.kernels),
        "bytes": own.code.blob.nbytes,
        "wire_bytes": own.code.wire,
        "wasm_wire_bytes": {name: file.wire for name, file in own.wasm.items()},
        "notes": own.notes,
    }


def _measured(built: Built) -> PrecisionReport | None:
    return cast(PrecisionReport, built.assembly.precision) if built.assembly.precision else None


def _stage(stage: StageSize) -> StageBytes:
    return {"name": stage.name, "bytes": stage.nbytes, "wire_bytes": stage.wire}


def _model(built: Built, verification: Verification | None) -> ModelReport:
    bundle = built.bundle
    return {
        "source": built.source.kind,
        "bytes": bundle.nbytes,
        "wire_bytes": bundle.wire,
        "head_wire_bytes": bundle.head.wire,
        "stages": [_stage(stage) for stage in bundle.stage_sizes()],
        "stock": None if built.stock is None else _stock(built.stock),
        "cached": built.cached,
        "precision": _measured(built),
        "ladder": _ladder(built),
        "cost": _cost(verification),
        "notes": [*built.assembly.notes, *(verification.notes if verification else ())],
        "verification": None
        if verification is None
        else {
            "runtime": verification.runtime,
            "passed": verification.passed,
            "problem": verification.problem,
            "stages": [
                {
                    "name": stage.stage,
                    "max_error": stage.max_error if math.isfinite(stage.max_error) else None,
                    "agreement": stage.agreement,
                    "worst_output": stage.worst,
                }
                for stage in verification.stages
            ],
            "wrong": dict(verification.wrong),
            "doubts": verification.doubts,
            "answers": verification.answers,
            "seconds": round(verification.seconds, 3),
        },
    }


def _cost(verification: Verification | None) -> CostReport | None:
    cost = cost_of(verification)
    return {"macs": cost.macs, "ops": cost.ops} if cost else None


def _ladder(built: Built) -> LadderReport | None:
    ladder = built.ladder
    if ladder is None:
        return None
    return {"rungs": list(ladder.lower), "agreement": list(ladder.agreement), "tensors": ladder.tensors}


def _stock(stock: StockForm) -> dict[str, object]:
    return {"form": stock.form, "bytes": stock.nbytes, "wire_bytes": stock.wire}


def describe_runtime(own: BundledTfjs) -> str:
    """Return the line that tells of a bundle's own TensorFlow.js."""
    from .page import runtime_line

    return runtime_line(_runtime(own))


def summary(models: tuple[Built, ...], verified: dict[str, Verification]) -> str:
    """Return the table that ends a build: sizes on the wire, against the stock form where measured, and the check."""
    compared = any(built.stock for built in models)
    head = [
        "model",
        "source",
        "first use",
        "all",
        *(["stock + br", "ratio"] if compared else []),
        "checked by",
        "max error",
        *(["answers"] if any(check.answers for check in verified.values()) else []),
    ]
    rows = [head, *(_row(built, verified.get(built.bundle.name), compared) for built in models)]
    if len(models) > 1:
        rows.append(_total(models, compared))
    rows = [[*row, ""][: len(head)] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    ladders = ((built.bundle.name, _ladder(built)) for built in models)
    return "\n".join([*lines, *(told for name, ladder in ladders if ladder for told in agreements(name, ladder))])


def _first_use(built: Built) -> int:
    return built.bundle.head.wire + built.bundle.stage_sizes()[0].wire


def _row(built: Built, verification: Verification | None, compared: bool) -> list[str]:
    bundle = built.bundle
    stock = []
    if compared:
        stock = (
            ["", ""] if built.stock is None else [show_size(built.stock.wire), f"{bundle.wire / built.stock.wire:.2f}"]
        )
    checked = verification is not None and verification.passed
    runtime = verification.runtime if verification is not None and checked else None
    error = show_error(verification.stages[-1]) if verification is not None and checked else ""
    answers = verification.answers if verification is not None and checked else None
    sizes = [show_size(_first_use(built)), show_size(bundle.wire)]
    told = [runtime or "not checked", error, f"{answers[0]} of {answers[1]}" if answers else ""]
    return [bundle.name, built.source.kind, *sizes, *stock, *told]


def agreements(name: str, ladder: LadderReport) -> list[str]:
    """Say how often each lower rung of a ladder answers as the last one, where that was measured."""
    shares = zip(ladder["rungs"], ladder["agreement"], strict=True)
    return [f"{rung} answers as {name} in {share:.1%} of the cases" for rung, share in shares if share is not None]


def show_error(comparison: Comparison) -> str:
    """Return the max error or, where that is of indices or of rows in another order, what agrees."""
    if comparison.max_error <= 1:
        return f"{comparison.max_error:.1e}"
    return f"{comparison.agreement:.1%} agree"


def _total(models: tuple[Built, ...], compared: bool) -> list[str]:
    first, all_ = sum(map(_first_use, models)), sum(built.bundle.wire for built in models)
    stock = []
    if compared:
        stock_wire = sum(built.stock.wire for built in models if built.stock)
        whole = all(built.stock for built in models)  # word vectors have no stock form, and sums of some say nothing
        stock = [show_size(stock_wire), f"{all_ / stock_wire:.2f}"] if whole and stock_wire else ["", ""]
    return ["all", "", show_size(first), show_size(all_), *stock, "", ""]
