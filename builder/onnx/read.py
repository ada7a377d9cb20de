"""Reads an ONNX file: limits and confined paths first, then ONNX' own checks, functions inlined, shapes inferred."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import SourceError, UnsupportedOpsError
from .external import load_weights
from .package import load_onnx
from .registry import table
from .subgraphs import graphs_within

oldest_opset = 7
most_nodes = 200_000
deepest = 16  # graphs within graphs
largest_file = 2_000_000_000  # protobuf's own limit is 2 GiB
own_domains = frozenset({"", "ai.onnx"})


def read_onnx(path: Path, where: str = "", change: Callable[[Any], None] | None = None) -> Any:
    """Read a model, with the weights that lie in files beside it.

    Args:
        path: the ``.onnx`` file.
        where: the file, for messages.
        change: what is done to the model before shapes are inferred.

    Returns:
        A ``ModelProto`` without functions, with shapes as far as ONNX infers them.

    Raises:
        SourceError: damaged, too large, or of an opset that is too old or unknown.
        UnsupportedOpsError: it has ops of domains that are not ONNX' own.
    """
    onnx = load_onnx()
    where = where or str(path)
    if path.stat().st_size > largest_file:
        raise SourceError("is larger than 2 GB", code="SP-380", where=where, hint="Save its weights as external data")
    try:
        model = onnx.load_model(path, format="protobuf", load_external_data=False)
    except Exception as error:  # protobuf's DecodeError, by whichever implementation is installed
        raise SourceError(
            "is damaged or truncated, or no ONNX file", code="SP-308", where=where, hint="Download or export it again"
        ) from error
    if not model.graph.node or _count(model.graph) > most_nodes:
        what = "has no nodes" if not model.graph.node else f"has more than {most_nodes:,} nodes, or graphs too deep"
        raise SourceError(what, code="SP-380", where=where, hint="Export the model again")
    load_weights(model, path.parent, where)
    try:
        model = onnx.inliner.inline_local_functions(model) if model.functions else model
        _check_domains(model, where)
        model = _upgraded(model)
        if change is not None:
            change(model)
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (UnsupportedOpsError, SourceError):
        raise
    except Exception as error:
        raise SourceError(
            f"is not a valid ONNX model ({_first_line(error)})", code="SP-380", where=where, hint="Export it again"
        ) from error


def _count(graph: Any, depth: int = 0) -> int:
    """Return the nodes of a graph and of those within it; more than are allowed, if these are too deep."""
    if depth > deepest:
        return most_nodes + 1
    found = len(graph.node)
    for node in graph.node:
        for inner in graphs_within(node):
            found += _count(inner, depth + 1)
            if found > most_nodes:
                return found
    return found


def opset_of(model: Any, where: str) -> int:
    """Return the version of ONNX' operators.

    Raises:
        SourceError: older than 7, or newer than the installed onnx.
    """
    onnx = load_onnx()
    found = [entry.version for entry in model.opset_import if entry.domain in own_domains]
    opset = found[0] if found else 1
    newest = onnx.defs.onnx_opset_version()
    if not oldest_opset <= opset <= newest:
        how = "older than 7" if opset < oldest_opset else f"newer than {newest}, which the installed onnx knows"
        hint = "Convert it with onnx.version_converter" if opset < oldest_opset else "Run pip install --upgrade onnx"
        raise SourceError(f"has opset {opset}, {how}", code="SP-382", where=where, hint=hint)
    return int(opset)


def _upgraded(model: Any) -> Any:
    """Write the operators of opset 6 as opset 7 has them, which is when NumPy's broadcasting came."""
    if [entry.version for entry in model.opset_import if entry.domain in own_domains] != [oldest_opset - 1]:
        return model
    from onnx import version_converter

    # Slopes of PRelu were one a channel, which the converter takes for one a column.
    slopes = {node.input[1] for node in model.graph.node if node.op_type == "PRelu" and len(node.input) > 1}
    single = {one.name for one in model.graph.initializer if math.prod(one.dims) == 1}
    if slopes <= single:
        with contextlib.suppress(Exception):  # what it cannot convert is refused for its opset
            return version_converter.convert_version(model, oldest_opset)
    return model


# Trees, scalers and encoders of scikit-learn, LightGBM and XGBoost.
tensors_hint = (
    "It is no network, but made of trees or other classical steps: Hummingbird (PyPI hummingbird-ml) turns these into "
    "tensor operations, and exports ONNX without them"
)


def _check_domains(model: Any, where: str) -> None:
    foreign = sorted(
        {
            f"{node.domain}.{node.op_type}"
            for node in model.graph.node
            if node.domain not in own_domains
            and f"{node.domain}.{node.op_type}" not in table
            and not _is_specified(node)
        }
    )
    classical = any(name.startswith("ai.onnx.ml.") for name in foreign)
    if foreign:
        raise UnsupportedOpsError(
            f"has ops that are not ONNX' own: {', '.join(foreign[:5])}",
            code="SP-383",
            where=where,
            hint=tensors_hint if classical else "Export the model without them, before it is optimised for one runtime",
        )


def _is_specified(node: Any) -> bool:
    """Whether ONNX' specification gives the operator a body of ONNX' own operators."""
    onnx = load_onnx()
    try:
        schema = onnx.defs.get_schema(node.op_type, domain=node.domain)
    except onnx.defs.SchemaError:
        return False
    return bool(schema.has_function or schema.has_context_dependent_function)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
