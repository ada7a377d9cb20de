"""Measures one model: from its artefact and inputs to steps and biases in a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codecs import Layout
from ..codecs.exact import smallest_of, suits
from ..codecs.fitting import may_be_coarse
from ..codecs.quantized import widen
from ..codecs.steps import layout_of
from ..files.npz import write_npz
from ..model import Model, Weight
from ..transforms.channels import channel_axes
from ..transforms.dedupe import find_same
from ..transforms.order import order_weights
from .frames import Node
from .layers import Floats, LayerData, ratio
from .network import (
    Layer,
    add_shadows,
    find_layers,
    plain_nodes,
    product_input,
    shadow,
    shadow_input,
    tensor_names,
)
from .runner import Runner
from .search import Found, search
from .types import MeasureRequest, MeasureResult
from .yardstick import yardstick_of

Arrays = dict[str, NDArray[Any]]
MakeRunner = Callable[[Model, list[Node], list[Arrays], Sequence[str]], Runner]


def measure_model(
    request: MeasureRequest, model: Model, make_runner: MakeRunner, as_graph: Callable[[Model], Model]
) -> MeasureResult:
    """Find how coarse the weights of a model may be and write steps and biases.

    Args:
        request: what to measure.
        model: what was read of its artefact.
        make_runner: gives what runs the model, from its nodes in TensorFlow's ops, the inputs, and what is asked for
            beside the outputs.
        as_graph: turns a layers model into a graph with the same weights.
    """
    began = time.monotonic()
    model = order_weights(model)
    model = replace(model, weights=tuple(widen(weight) for weight in model.weights))
    graph = model if model.kind == "graph-model" else as_graph(model)
    nodes = plain_nodes(graph.artifacts["modelTopology"])
    layouts = _layouts(model)
    places = find_layers(nodes, model, frozenset(layouts))
    layers = _layers(model, nodes, layouts, places)
    if not layers:
        return MeasureResult((), (), (), (), (), (), ratio, False, 0.0)
    outputs = tensor_names(graph.artifacts.get("signature", {}).get("outputs", {}), graph.outputs)
    yardstick = yardstick_of(nodes, outputs, request.gate)
    cases = [_read(path) for path in request.cases]
    runner = make_runner(graph, add_shadows(nodes, places), cases, yardstick.tensors)
    found = search(layers, runner, len(cases), request.gate, yardstick, request.steered)
    names = [layer.weight.name for layer in layers]
    chosen = list(zip(names, found.steps, strict=True))
    coarse = {name: steps for name, steps in chosen if not isinstance(steps, str)}
    write_npz(request.out, _arrays(found, coarse))
    return MeasureResult(
        tuple(coarse),
        tuple(name for name, steps in chosen if isinstance(steps, str) and steps == "exact"),
        tuple(name for name, steps in chosen if isinstance(steps, str) and steps == "float16"),
        tuple(found.first),
        found.layers,
        found.stages,
        ratio,
        found.met,
        time.monotonic() - began,
    )


def _layouts(model: Model) -> dict[int, Layout]:
    """Return the layout of the channels of each weight that may be coarse, by its number."""
    repeated, least = _repeated(model), smallest_of(model.weights)
    return {
        index: layout_of(weight.shape, axes)
        for index, (weight, axes) in enumerate(zip(model.weights, channel_axes(model), strict=True))
        if axes
        and index not in repeated
        and suits(weight, least)
        and np.isfinite(_values(weight)).all()
        and may_be_coarse(weight)
    }


def _layers(
    model: Model, nodes: Sequence[Node], layouts: Mapping[int, Layout], places: Iterable[Layer]
) -> list[LayerData]:
    """Return the layers of weights that may be coarse, with their values."""
    by_name = {node["name"]: node for node in nodes}
    found = []
    for layer in places:
        layout = layouts[layer.weight]
        weight = model.weights[layer.weight]
        bias = None if layer.bias is None else model.weights[layer.bias]
        twin = shadow(layer.op), shadow_input(layer.op)
        known = None if bias is None else (bias.name, _values(bias))
        rows = product_input(by_name[layer.op], weight.shape) if layout.inner == 1 else None
        found.append(LayerData(weight, _values(weight), layout, known, layer.result, *twin, rows))
    return found


def _arrays(found: Found, coarse: Mapping[str, Floats]) -> Arrays:
    """Return what goes into the file of a measurement, see ``MeasureResult``."""
    arrays: Arrays = {f"step{number}": steps for number, steps in enumerate(coarse.values())}
    arrays |= {f"codes{number}": found.codes[name] for number, name in enumerate(coarse) if name in found.codes}
    for number, name in enumerate(found.first):
        arrays |= {f"first{number}": found.first[name], f"last{number}": found.last[name]}
    return arrays


def _read(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _repeated(model: Model) -> set[int]:
    """Return the weights that have twins: stored once they cost less than with steps of their own."""
    same = find_same(model.weights, ("",) * len(model.weights))
    return {index for pair in enumerate(same) if pair[1] is not None for index in pair if index is not None}


def _values(weight: Weight) -> Floats:
    values: Floats = np.frombuffer(weight.data.read(0, weight.data.nbytes), "<f4").reshape(weight.shape)
    return values
