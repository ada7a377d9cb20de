"""The bodies that ONNX' specification gives to operators that are made of others."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..lowering.values import Value
from .package import load_onnx
from .read import own_domains

newest = 1 << 20  # of domains of which ONNX has one version
largest_told = 1 << 10  # elements of a constant that inference is told


def body_of(node: Any, inputs: Sequence[Value | None], opset: int) -> tuple[Any, int] | None:
    """Return the graph that stands for a node, with shapes inferred from what its inputs are here.

    Args:
        node: a ``NodeProto``.
        inputs: its inputs.
        opset: the version of the operators of its own domain.

    Returns:
        A ``GraphProto``, whose inputs and outputs have the names of the specification ("" where one is left out), and
        the version of its operators; None if the specification gives no body.
    """
    onnx = load_onnx()
    if any(value is not None and value.items is not None for value in inputs):
        return None
    function = _function(onnx, node, inputs, opset)
    if function is None:
        return None
    given = dict(zip(function.input, inputs, strict=False))
    missing = {name for name in function.input if given.get(name) is None}
    nodes = [_bound(onnx, one, node, missing) for one in function.node]
    infos = [onnx.helper.make_value_info(name, _type(onnx, value)) for name, value in given.items() if value]
    told = [
        onnx.numpy_helper.from_array(value.array, name)
        for name, value in given.items()
        if value is not None and value.array is not None and value.size <= largest_told and value.dtype != "string"
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in function.output]
    graph = onnx.helper.make_graph(nodes, node.op_type, infos, outputs, initializer=told)
    version = next((one.version for one in function.opset_import if one.domain == ""), opset)
    model = onnx.helper.make_model(graph, opset_imports=list(function.opset_import))
    with contextlib.suppress(Exception):  # the lowering finds shapes by itself; inference only helps
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    del graph.input[:], graph.initializer[:]
    graph.input.extend(onnx.ValueInfoProto(name="" if name in missing else name) for name in function.input)
    return graph, int(version)


def _function(onnx: Any, node: Any, inputs: Sequence[Value | None], opset: int) -> Any:
    opset = opset if node.domain in own_domains else newest
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, node.domain)
    except onnx.defs.SchemaError:
        return None
    text = None
    if schema.has_function:
        versions = [version for version in schema.function_opset_versions if version <= opset]
        text = schema.get_function_with_opset_version(max(versions)) if versions else None
    elif schema.has_context_dependent_function:
        versions = [version for version in schema.context_dependent_function_opset_versions if version <= opset]
        types = [b"" if value is None else _type(onnx, value).SerializeToString() for value in inputs]
        text = versions and schema.get_context_dependent_function_with_opset_version(
            max(versions), node.SerializeToString(), types
        )
    if not text:
        return None
    function = onnx.FunctionProto()
    function.ParseFromString(text)
    return function


def _bound(onnx: Any, inner: Any, node: Any, missing: set[str]) -> Any:
    """Return a node of a body with the attributes that it takes from the node that the body stands for."""
    copy = onnx.NodeProto()
    copy.CopyFrom(inner)
    copy.input[:] = ["" if name in missing else name for name in inner.input]
    given = {attribute.name: attribute for attribute in node.attribute}
    schema = onnx.defs.get_schema(node.op_type, domain=node.domain)
    kept = []
    for attribute in inner.attribute:
        if not attribute.ref_attr_name:
            kept.append(attribute)
            continue
        source = given.get(attribute.ref_attr_name)
        if source is None and attribute.ref_attr_name in schema.attributes:
            source = schema.attributes[attribute.ref_attr_name].default_value
        if source is not None and source.type:
            found = onnx.AttributeProto()
            found.CopyFrom(source)
            found.name = attribute.name
            kept.append(found)
    del copy.attribute[:]
    copy.attribute.extend(kept)
    return copy


def _type(onnx: Any, value: Value) -> Any:
    kind = onnx.TensorProto.STRING if value.type == "str" else None
    kind = kind or onnx.helper.np_dtype_to_tensor_dtype(np.dtype(value.type))
    return onnx.helper.make_tensor_type_proto(kind, value.shape)
