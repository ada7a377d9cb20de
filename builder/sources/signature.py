"""What a model takes and gives, read from TensorFlow.js topologies."""

from __future__ import annotations

from typing import Any

from ..model import TensorSpec

tensorflow_types = {
    "DT_FLOAT": "float32",
    "DT_INT32": "int32",
    "DT_INT64": "int32",  # TensorFlow.js has no int64 and reads it as int32
    "DT_BOOL": "bool",
    "DT_STRING": "string",
    "DT_COMPLEX64": "complex64",
    "DT_HALF": "float32",
    "DT_DOUBLE": "float32",
    "DT_UINT8": "int32",
    "DT_INT8": "int32",
    "DT_INT16": "int32",
    "DT_UINT16": "int32",
}
Specs = tuple[TensorSpec, ...]


def graph_specs(artifacts: dict[str, Any]) -> tuple[Specs, Specs]:
    """Return inputs and outputs of a graph model, by signature name, else by node name.

    The order is that of the signature, else of the nodes. Inputs that carry a resource (lookup tables) are left
    out: TensorFlow.js feeds them itself.
    """
    nodes = artifacts["modelTopology"].get("node", [])
    own = artifacts.get("userDefinedMetadata") or {}
    signature = own.get("signature") or artifacts.get("signature") or {}  # TensorFlow.js prefers them in this order
    inputs = {name: info for name, info in signature.get("inputs", {}).items() if info.get("dtype") != "DT_RESOURCE"}
    if inputs or signature.get("outputs"):
        return _signature(inputs), _signature(signature.get("outputs", {}))
    used = {reference.lstrip("^").split(":")[0] for node in nodes for reference in node.get("input", [])}
    found = tuple(
        TensorSpec(node["name"], _type(node, "dtype"), _shape(node.get("attr", {}).get("shape", {}).get("shape")))
        for node in nodes
        if node["op"] == "Placeholder"
    )
    sinks = tuple(
        TensorSpec(node["name"], _type(node, "T"), None)
        for node in nodes
        if node["name"] not in used and node["op"] not in {"Const", "Placeholder", "NoOp"}
    )
    return found, sinks


def layers_specs(topology: dict[str, Any]) -> tuple[Specs, Specs]:
    """Return inputs and outputs of a layers model, by layer name.

    Shapes of outputs are not in the topology; they are None.
    """
    config = topology.get("model_config", topology)
    body = config["config"]
    layers = body if isinstance(body, list) else body["layers"]
    by_name = {layer["config"].get("name", layer.get("name", "")): layer for layer in layers}
    if isinstance(body, dict) and "input_layers" in body:
        inputs = tuple(_layer_input(name, by_name[name]) for name in _endpoints(body["input_layers"]))
        outputs = tuple(TensorSpec(name, "float32", None) for name in _endpoints(body["output_layers"]))
        return inputs, outputs
    first, last = layers[0], layers[-1]
    first_name = first["config"].get("name", "input")
    name = first_name if first["class_name"] == "InputLayer" else f"{first_name}_input"
    return (_layer_input(name, first),), (TensorSpec(last["config"].get("name", "output"), "float32", None),)


def _endpoints(references: list[Any]) -> list[str]:
    """Return layer names of ``[["name", 0, 0], …]`` or of the single ``["name", 0, 0]``."""
    if references and isinstance(references[0], str):
        return [references[0]]
    return [reference[0] for reference in references]


def _layer_input(name: str, layer: dict[str, Any]) -> TensorSpec:
    config = layer["config"]
    shape = config.get("batch_input_shape") or config.get("batch_shape")
    if shape is None and isinstance(config.get("layers"), list):  # a Sequential that starts with a nested model
        return _layer_input(name, config["layers"][0])
    dtype = config.get("dtype") or "float32"
    kind = dtype if dtype in {"float32", "int32", "bool", "string"} else "float32"
    return TensorSpec(name, kind, None if shape is None else tuple(None if n is None else int(n) for n in shape))


def _signature(entries: dict[str, Any]) -> Specs:
    return tuple(
        TensorSpec(
            name,
            tensorflow_types.get(info.get("dtype", "DT_FLOAT"), "float32"),
            _shape(info.get("tensorShape")),
        )
        for name, info in entries.items()
    )


def _type(node: dict[str, Any], attribute: str) -> str:
    kind = node.get("attr", {}).get(attribute, {}).get("type", "DT_FLOAT")
    return tensorflow_types.get(kind, "float32")


def _shape(shape: dict[str, Any] | None) -> tuple[int | None, ...] | None:
    """Read a TensorShapeProto in JSON; lengths are strings there, -1 is unknown."""
    if shape is None or shape.get("unknownRank"):
        return None
    lengths = (int(dimension.get("size", 0)) for dimension in shape.get("dim", []))
    return tuple(None if length < 0 else length for length in lengths)
