"""Writes ``docs/ops.md`` and ``docs/ops.zh.md``: what becomes of each op."""

from __future__ import annotations

from . import table_zh
from .ops import (
    advice_by_pattern,
    identities,
    input_edges,
    output_edges,
    picture_edges,
    supported_ops,
    text_edges,
    watchers,
)
from .rewrites import rewritten_ops

head = """# Ops

What becomes of each op of a TensorFlow graph. The list of supported ones is that of the installed converter; this page
is written by `builder/graphs/table.py` and checked by a test. `python build.py check` says it of your own models, with
the nodes and the way from input to output.
"""
outcomes = {
    "cut": (
        "Cut off at an edge",
        (
            "At the beginning or end of a model, where nothing before (or behind) computes with weights. The "
            "browser decodes and encodes pictures in `handle.run(picture)`; of all else the page feeds or gets "
            "the tensors, and a note of the build says which. In the middle of a model they are refused, unless "
            "`cut` says where to cut. Where a loop over pictures (`tf.map_fn`) decodes and then computes, only the "
            "decoder is taken out."
        ),
    ),
    "beside": (
        "Cut off beside a decoder or encoder",
        (
            "Never alone. `run` does ResizeBicubic and ResizeArea to a constant size as TensorFlow does; the "
            "others are the page's to do."
        ),
    ),
    "rewritten": (
        "Rewritten",
        (
            "Replaced by supported ops that give the same numbers. Roll needs a constant axis, FakeQuant… a constant "
            "range, ResizeBicubic, ResizeArea and ScaleAndTranslate a constant size before and after, Matrix…Diag… the "
            "main diagonal; AdjustHue and AdjustSaturation are for colours that are not negative. What is computed "
            "from constants and known lengths counts as constant, and a branch whose condition is known so and never "
            "taken is dropped. Rewritten too are nodes of supported ops that TensorFlow.js or a backend gets wrong: "
            "convolutions in groups, GatherV2 with batches, MatrixBandPart (causal masks), MaxPool3D, MaxPool with "
            "borders of its own, Mean of whole numbers, Select of rows by a vector, FusedBatchNorm… by a batch's own "
            "statistics or with channels first, Cumsum and Cumprod along an axis counted from the last."
        ),
    ),
    "removed": ("Removed", "They only watch, print, check or call: nothing of them is left in a page."),
    "refused": (
        "Refused",
        (
            "Everything else: the build fails, names the nodes and the tensors at which `cut` could be set. Ops "
            "that touch files, the network or Python, and ops that nobody has reviewed, are refused before anything "
            "runs. An op can also be written in JavaScript, see `docs/custom-ops.md`. For some there is advice:"
        ),
    ),
    "supported": ("Supported", "TensorFlow.js has them."),
}


def ops_table(*, chinese: bool = False) -> str:
    """Return the page.

    Args:
        chinese: in Chinese instead of English.
    """
    supported = supported_ops()
    cut = sorted({*input_edges, *output_edges, *text_edges} - supported)
    lists = {
        "cut": cut,
        "beside": sorted(set(picture_edges) - supported),
        "rewritten": sorted(rewritten_ops - supported),
        "removed": sorted((identities | watchers | {"PartitionedCall", "StatefulPartitionedCall"}) - supported),
        "refused": [],
        "supported": sorted(supported),
    }
    parts = [table_zh.head if chinese else head]
    for key, (title, text) in (table_zh.outcomes if chinese else outcomes).items():
        parts.append(f"## {title}\n\n{text}\n")
        if key == "refused":
            for patterns, advice in advice_by_pattern:
                names = ", ".join(f"`{pattern}`" for pattern in patterns)
                parts.append(f"- {names}：{table_zh.advice[advice]}" if chinese else f"- {names}: {advice}")
            parts.append("")
        else:
            parts.append(", ".join(f"`{op}`" for op in lists[key]) + "\n")
    return "\n".join(parts)
