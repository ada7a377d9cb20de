"""Evidence of a build: what a person reads on the terminal, and the same as data."""

from __future__ import annotations

import math
from typing import Any

from builder.pipeline import Built
from builder.units import show_size
from builder.verify.run import Verification


def report_data(models: tuple[Built, ...], verified: dict[str, Verification], seconds: float) -> dict[str, Any]:
    """Give the measurements of a build, for ``report.json`` and ``--json``.

    Sizes are in bytes, ``seconds`` is the whole build's time.
    """
    return {
        "seconds": round(seconds, 3),
        "models": {built.bundle.name: _model(built, verified.get(built.bundle.name)) for built in models},
    }


def _model(built: Built, verification: Verification | None) -> dict[str, Any]:
    bundle = built.bundle
    return {
        "source": built.source.kind,
        "bytes": bundle.nbytes,
        "wire_bytes": bundle.wire,
        "head_wire_bytes": bundle.head.wire,
        "stages": [{"name": name, "bytes": nbytes, "wire_bytes": wire} for name, nbytes, wire in bundle.stage_sizes()],
        "stock": None if built.stock is None else {"bytes": built.stock[0], "wire_bytes": built.stock[1]},
        "cached": built.cached,
        "notes": [*built.notes, *(verification.notes if verification else ())],
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
            "seconds": round(verification.seconds, 3),
        },
    }


def summary(models: tuple[Built, ...], verified: dict[str, Verification]) -> str:
    """Give the table that ends a build: sizes on the wire, against the stock form where measured, and the check."""
    compared = any(built.stock for built in models)
    head = [
        "model",
        "source",
        "first use",
        "all",
        *(["stock + br", "ratio"] if compared else []),
        "checked by",
        "max error",
    ]
    rows = [head, *(_row(built, verified.get(built.bundle.name), compared) for built in models)]
    if len(models) > 1:
        rows.append(_total(models, compared))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _first_use(built: Built) -> int:
    return built.bundle.head.wire + built.bundle.stage_sizes()[0][2]


def _row(built: Built, verification: Verification | None, compared: bool) -> list[str]:
    bundle = built.bundle
    stock = []
    if compared:
        stock = ["", ""] if built.stock is None else [show_size(built.stock[1]), f"{bundle.wire / built.stock[1]:.2f}"]
    checked = verification is not None and verification.passed
    runtime = verification.runtime if verification is not None and checked else None
    error = f"{verification.stages[-1].max_error:.1e}" if verification is not None and checked else ""
    sizes = [show_size(_first_use(built)), show_size(bundle.wire)]
    return [bundle.name, built.source.kind, *sizes, *stock, runtime or "not checked", error]


def _total(models: tuple[Built, ...], compared: bool) -> list[str]:
    first, all_ = sum(map(_first_use, models)), sum(built.bundle.wire for built in models)
    stock = []
    if compared:
        measured = [built for built in models if built.stock]
        stock_wire = sum(built.stock[1] for built in measured if built.stock)
        ratio = sum(built.bundle.wire for built in measured) / stock_wire if stock_wire else 0
        stock = [show_size(stock_wire), f"{ratio:.2f}"]
    return ["all", "", show_size(first), show_size(all_), *stock, "", ""]
