"""What of a model TensorFlow.js does not do by itself."""

from __future__ import annotations

from contextlib import suppress

from ...bundle.head import count_ops
from ...errors import ConversionError
from ...graphs.ops import supported_ops
from ..make_model import Built
from .shape import Support


def support_of(built: Built) -> Support:
    """Tell which ops TensorFlow.js lacks, which ones the page registers, and what the browser does."""
    content = built.bundle.content
    custom = sorted(set(count_ops(content)) & set(built.source.custom_ops))
    lacking: list[str] | None = None
    if content.kind == "graph-model":
        with suppress(ConversionError):
            lacking = sorted(set(count_ops(content)) - supported_ops() - set(custom))
    if built.is_kept and built.bundle.ops and lacking is not None:
        custom, lacking = lacking, []  # such a build does not read the module of its ops
    browser = []
    for side, words in (("inputs", "is decoded and fitted"), ("outputs", "is encoded")):
        for end in (content.glue or {}).get(side, []):
            kind = end.get("type", "picture" if side == "inputs" else "data")
            browser.append(f"{end.get('input' if side == 'inputs' else 'output', end.get('name'))}: {kind} {words}")
    return {"custom": custom, "lacking": lacking, "browser": browser}
