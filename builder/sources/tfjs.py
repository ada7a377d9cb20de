"""Reads TensorFlow.js ``model.json`` artefacts, graph and layers, without TensorFlow.

The format is the one of tfjs-core's ``io`` module: ``weightsManifest`` is a list of groups
``{paths, weights: [{name, shape, dtype, quantization?}]}``; the files of a group, put together, hold its weights
tightly in order. Our own conversions add ``grid`` (``model.Grid``), which TensorFlow.js ignores.
"""

from __future__ import annotations

import json
import math
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import SourceError
from ..model import Extent, FileData, Grid, Model, Quantization, Weight, code_sizes, type_sizes
from .signature import graph_specs, layers_specs

artifact_keys = (
    "format",
    "generatedBy",
    "convertedBy",
    "signature",
    "userDefinedMetadata",
    "modelInitializer",
    "initializerSignature",
    "trainingConfig",
)
largest_dimension = 1 << 40
largest_step = 1e38  # which float32 holds


def read_model(path: Path, *, weights: bool = True) -> Model:
    """Read ``model.json`` at ``path`` and find its weights; no weight is loaded into memory.

    Args:
        path: the file.
        weights: False leaves them out, and the manifest of them may be missing; only layers models can do without.

    Raises:
        SourceError: the file or one it names is missing, damaged, of the wrong length or outside its folder.
    """
    content = read_json(path)
    try:
        return _model(content, path, weights=weights)
    except SourceError as error:
        if error.where:
            raise
        raise SourceError(error.what, code=error.code, where=str(path), hint=error.hint) from error


def weight_files(path: Path) -> tuple[Path, ...]:
    """Return the weight files that ``model.json`` at ``path`` names, in order.

    Raises:
        SourceError: see ``read_model``.
    """
    try:
        content = read_json(path)
        if content.get("weightsManifest") is None:  # whoever needs weights will miss them
            return ()
        return tuple(file for paths, _ in _groups(content, path.parent) for file in paths)
    except SourceError as error:
        raise SourceError(error.what, code=error.code, where=str(path), hint=error.hint) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        SourceError: missing, unreadable, not JSON or not an object.
    """
    try:
        content = json.loads(path.read_bytes(), parse_constant=_refuse, parse_float=_finite)
    except OSError as error:
        raise SourceError(
            f"cannot be read ({error.strerror})", code="SP-302", where=str(path), hint="Check the path in build.toml"
        ) from error
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"is not valid JSON ({_first_line(error)})",
            code="SP-309",
            where=str(path),
            hint="Export or download the model again",
        ) from error
    if not isinstance(content, dict):
        raise SourceError("is not a TensorFlow.js model: no JSON object", code="SP-309", where=str(path))
    return content


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _model(content: dict[str, Any], path: Path, *, weights: bool) -> Model:
    topology = content.get("modelTopology")
    if topology is None:
        raise SourceError(
            "has weights but no topology (modelTopology is null)",
            code="SP-310",
            hint="It was made from a weights-only file: save the whole model and convert that",
        )
    if not isinstance(topology, dict):
        raise SourceError("modelTopology is not an object", code="SP-330", hint="Export the model again")
    is_graph = content.get("format") == "graph-model" or "node" in topology or "library" in topology
    if is_graph and not weights:
        raise SourceError(
            "is a graph model, which cannot start from initial weights",
            code="SP-334",
            hint="Save the model from TensorFlow.js as a layers model, or leave `weights = false` out",
        )
    artifacts = {"modelTopology": topology}
    artifacts |= {key: content[key] for key in artifact_keys if content.get(key) is not None}
    try:
        inputs, outputs = graph_specs(artifacts) if is_graph else layers_specs(topology)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SourceError(
            f"the topology is malformed ({_first_line(error)})", code="SP-330", hint="Export the model again"
        ) from error
    return Model(
        kind="graph-model" if is_graph else "layers-model",
        artifacts=artifacts,
        weights=tuple(_weights(content, path.parent)) if weights else (),
        inputs=inputs,
        outputs=outputs,
    )


def _groups(content: dict[str, Any], folder: Path) -> list[tuple[list[Path], list[Any]]]:
    manifest = content.get("weightsManifest")
    if not isinstance(manifest, list):
        raise SourceError(
            "weightsManifest is missing", code="SP-330", hint="Name the model.json that the converter wrote"
        )
    groups = []
    for group in manifest:
        if not isinstance(group, dict):
            raise SourceError(
                "weightsManifest holds something that is not an object", code="SP-330", hint="Export the model again"
            )
        paths, weights = group.get("paths"), group.get("weights")
        if not isinstance(paths, list) or not isinstance(weights, list):
            raise SourceError(
                "a weights group lacks its paths or weights", code="SP-330", hint="Export the model again"
            )
        groups.append(([_inside(folder, name) for name in paths], weights))
    return groups


def _inside(folder: Path, name: object) -> Path:
    """Resolve a weight path; a model must not read files outside its folder."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise SourceError(f"weightsManifest names the path {name!r}", code="SP-338", hint="Export the model again")
    path = folder / PurePosixPath(name)
    outside = "\\" in name or not path.resolve().is_relative_to(folder.resolve())
    if outside:
        raise SourceError(
            f"weightsManifest names {name!r}, outside the model's folder",
            code="SP-338",
            hint="Put all weight files beside model.json",
        )
    return path


def _weights(content: dict[str, Any], folder: Path) -> list[Weight]:
    weights = []
    for paths, specs in _groups(content, folder):
        extents = [Extent(path, 0, _length(path)) for path in paths]
        available = sum(extent.length for extent in extents)
        offset = 0
        for spec in specs:
            name, shape, dtype, quantization = _spec(spec)
            if dtype == "string" and quantization is None:
                length = _string_length(name, math.prod(shape), FileData(_cut(extents, offset, available - offset)))
            else:
                item = code_sizes[quantization["dtype"]] if quantization else type_sizes[dtype]
                length = math.prod(shape) * item
            if offset + length > available:
                raise SourceError(
                    f"weight {name!r} ends at byte {offset + length}, but its files hold only {available}",
                    code="SP-332",
                    hint=f"{_names(paths)} truncated or of another model: download or export again",
                )
            data = FileData(_cut(extents, offset, length))
            weights.append(Weight(name, shape, dtype, data, quantization, _grid(spec)))
            offset += length
        if offset != available:
            raise SourceError(
                f"the weight files hold {available} bytes, but the manifest describes only {offset}",
                code="SP-332",
                hint=f"{_names(paths)} of another model: download or export again",
            )
    return weights


def _spec(spec: object) -> tuple[str, tuple[int, ...], str, Quantization | None]:
    if not isinstance(spec, dict):
        raise SourceError("a weight's entry is not an object", code="SP-330", hint="Export the model again")
    name, shape, dtype, quantization = (spec.get(key) for key in ("name", "shape", "dtype", "quantization"))
    if not isinstance(name, str):
        raise SourceError("a weight has no name", code="SP-330", hint="Export the model again")
    if not isinstance(shape, list) or not all(type(n) is int and 0 <= n < largest_dimension for n in shape):
        raise SourceError(
            f"weight {name!r} has the impossible shape {shape!r}", code="SP-330", hint="Export the model again"
        )
    if dtype not in {*type_sizes, "string"}:
        raise SourceError(
            f"weight {name!r} has the unknown dtype {dtype!r}", code="SP-335", hint="Export the model again"
        )
    if quantization is not None:
        known = isinstance(quantization, dict) and quantization.get("dtype") in code_sizes
        numbers = known and (
            quantization["dtype"] == "float16"
            or all(isinstance(quantization.get(key), int | float) for key in ("scale", "min"))
        )
        if not numbers or dtype not in {"float32", "int32"}:
            raise SourceError(
                f"weight {name!r} has a malformed quantization", code="SP-330", hint="Export the model again"
            )
    return name, tuple(shape), dtype, quantization


def _grid(spec: dict[str, Any]) -> Grid | None:
    """Return what our own conversions say of values that are multiples of steps; what is malformed says nothing."""
    found = spec.get("grid")
    if not isinstance(found, dict) or spec.get("dtype") != "float32" or spec.get("quantization") is not None:
        return None
    steps, inner = found.get("steps"), found.get("inner")
    if not isinstance(steps, list) or not steps or type(inner) is not int or inner < 1:
        return None
    if not all(type(step) in (int, float) and abs(step) < largest_step for step in steps):
        return None
    return Grid(tuple(map(float, steps)), inner)


def _length(path: Path) -> int:
    try:
        if path.is_file():
            return path.stat().st_size
    except OSError:
        pass
    raise SourceError(
        f"the weights file {path.name!r} is missing", code="SP-331", hint="Download or export the model again"
    )


def _cut(extents: list[Extent], offset: int, length: int) -> tuple[Extent, ...]:
    """Return the parts of ``extents`` that hold the ``length`` bytes from ``offset``."""
    parts = []
    begin = 0
    for extent in extents:
        low, high = max(offset, begin), min(offset + length, begin + extent.length)
        if low < high:
            parts.append(Extent(extent.path, extent.offset + low - begin, high - low))
        begin += extent.length
    return tuple(parts)


def _string_length(name: str, count: int, data: FileData) -> int:
    """Walk ``count`` strings (uint32 length, then bytes) and give the bytes they take."""
    end = 0
    for _ in range(count):
        prefix = data.read(end, end + 4)
        if len(prefix) < 4:
            raise SourceError(
                f"string weight {name!r} is truncated", code="SP-332", hint="Download or export the model again"
            )
        end += 4 + int.from_bytes(prefix, "little")
    return end


def _names(paths: list[Path]) -> str:
    return ", ".join(repr(path.name) for path in paths[:3]) + (" and more are" if len(paths) > 3 else " may be")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
