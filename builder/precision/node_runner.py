"""Runs a converted graph in TensorFlow.js under Node with other weights, as GraphRunner does in TensorFlow.

So a machine without TensorFlow can choose precisions, and what is measured is what pages run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConversionError
from ..model import Model, TensorSpec, chunks
from ..verify.result import StoredTensor
from ..verify.tensors import read_tensor, write_tensor
from .frames import Node
from .layers import Feeds
from .measure import measure_model
from .network import plain_nodes, tensor_names
from .node_process import NodeProcess, require_runtime
from .runner import BatchRunner, Case, Doubles
from .types import MeasureRequest, MeasureResult

Arrays = dict[str, NDArray[Any]]
held_types = {"float32": "<f4", "int32": "<i4", "bool": "?", "complex64": "<c8"}


def measure_in_node(request: MeasureRequest, model: Model, node_modules: Path | None, folder: Path) -> MeasureResult:
    """Find how coarse the weights of a graph model may be, by running it in TensorFlow.js.

    Args:
        request: what to measure.
        model: a graph model, whose artefact is the request's or was made from it.
        node_modules: where TensorFlow.js and its wasm backend are installed.
        folder: an existing folder for scratch files; the caller removes it.

    Raises:
        ConversionError: Node or TensorFlow.js is missing, or cannot run the model.
        VerificationError: ``verify.boxes`` does not fit the outputs.
    """
    node, packages = require_runtime(node_modules)
    (own := folder / "node").mkdir()  # in which nothing else lies
    with ExitStack() as stack:

        def make_runner(graph: Model, nodes: list[Node], cases: list[Case], tensors: Sequence[str]) -> NodeRunner:
            process = stack.enter_context(NodeProcess(node, packages, own))
            return NodeRunner(process, graph, nodes, cases, tensors)

        return measure_model(request, model, make_runner, _only_graphs)


def _only_graphs(model: Model) -> Model:
    raise ConversionError(
        f"a {model.kind} cannot be measured in TensorFlow.js", code="SP-413", hint='Use precision = "balanced"'
    )


class NodeRunner(BatchRunner):
    """Runs a graph in TensorFlow.js; constants that are fed have the fed values."""

    def __init__(
        self,
        process: NodeProcess,
        model: Model,
        nodes: list[Node],
        cases: Sequence[Case],
        tensors: Sequence[str] = (),
    ) -> None:
        """Hand the graph and the inputs to a process.

        Args:
            process: has nothing else to do.
            model: the model.
            nodes: its nodes, see ``plain_nodes``, and others that were added.
            cases: the inputs, by name.
            tensors: names of those that are to be given beside the outputs.

        Raises:
            ConversionError: TensorFlow.js does not take the graph.
        """
        super().__init__(cases)
        signature = model.artifacts.get("signature", {})
        inputs = tensor_names(signature.get("inputs", {}), model.inputs)
        self._process = process
        self._model = model
        # TensorFlow.js takes fused nodes as pages run them; only what was added comes from the plain ones.
        topology = model.artifacts["modelTopology"]
        plain = {node["name"] for node in plain_nodes(topology)}
        self._nodes = [*topology["node"], *(node for node in nodes if node["name"] not in plain)]
        self._outputs = tensor_names(signature.get("outputs", {}), model.outputs) | {name: name for name in tensors}
        self._statistics: dict[str, Node] = {}
        self._loaded = False
        self._fed: Feeds = {}
        self._weights = _write_weights(model, process.folder / "weights.bin")
        with (process.folder / "inputs.bin").open("wb") as file:
            self._stored = [
                {
                    tensor: write_tensor(file, tensor, held(case.get(spec.name), spec))
                    for spec in model.inputs
                    if (tensor := inputs[spec.name])
                }
                for case in cases
            ]
        self.join_batches()

    def takes_batches(self) -> bool:
        """Return whether the first axis of all inputs and outputs is of an open length."""
        return all(spec.shape and spec.shape[0] is None for spec in (*self._model.inputs, *self._model.outputs))

    def group_outputs(self, group: Sequence[int], feeds: Feeds) -> Arrays:
        """Return the outputs for a group of cases."""
        found = self._run(group, feeds, list(dict.fromkeys(self._outputs.values())))
        return {name: found[tensor] for name, tensor in self._outputs.items()}

    def group_means(self, group: Sequence[int], feeds: Feeds, results: Sequence[str]) -> Feeds:
        """Return the means of tensors over a group, and all axes but the last, by name."""
        names = self._ask_for("Means", results)
        found = self._run(group, feeds, [f"{names[name]}:0" for name in results])
        return {name: found[f"{names[name]}:0"] for name in results}

    def group_spreads(self, group: Sequence[int], results: Sequence[str]) -> Mapping[str, tuple[int, Doubles, Doubles]]:
        """Return by name the number of rows of tensors, their mean, and the sum of squares about it."""
        names = self._ask_for("Spread", results)
        found = self._run(group, {}, [f"{names[name]}:{part}" for name in results for part in range(3)])

        def part(name: str, number: int) -> Doubles:
            return found[f"{names[name]}:{number}"].astype(np.float64)

        return {name: (int(part(name, 2)), part(name, 1), part(name, 0)) for name in results}

    def _ask_for(self, statistic: str, results: Sequence[str]) -> dict[str, str]:
        """Return by name the nodes that give a statistic of tensors; those that are not there yet are added."""
        names = {name: f"{name}/shardpress-{statistic}" for name in results}
        for name, node in names.items():
            if node not in self._statistics:
                self._statistics[node] = {"name": node, "op": f"Shardpress{statistic}", "input": [name], "attr": {}}
                self._loaded = False
        return names

    def _run(self, group: Sequence[int], feeds: Feeds, outputs: Sequence[str]) -> Arrays:
        if not self._loaded:
            self._load()
        if feeds is not self._fed and (feeds or self._fed):
            self._feed(feeds)
        stored = [self._stored[case] for case in group]
        inputs = {tensor: [case[tensor] for case in stored] for tensor in stored[0]}
        tensors, numbers = self._process.ask({"ask": "run", "inputs": inputs, "outputs": list(outputs)})
        return _read(tensors, numbers, outputs)

    def _load(self) -> None:
        """Give the process the graph with all statistics that are asked for."""
        topology = self._model.artifacts["modelTopology"]
        content = {
            "format": "graph-model",
            "modelTopology": {"versions": {}, **topology, "node": [*self._nodes, *self._statistics.values()]},
            "weightsManifest": [{"paths": ["weights.bin"], "weights": self._weights}],
        }
        path = self._process.folder / "model.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        self._process.ask({"ask": "load", "model": str(path.resolve())})
        self._loaded = True

    def _feed(self, feeds: Feeds) -> None:
        path = self._process.folder / "feeds.bin"
        with path.open("wb") as file:
            tensors = [write_tensor(file, name, array) for name, array in feeds.items()]
        self._process.ask({"ask": "feed", "data": str(path.resolve()), "tensors": tensors})
        self._fed = feeds


def held(array: NDArray[Any] | None, spec: TensorSpec) -> NDArray[Any]:
    """Return an input in the type that TensorFlow.js holds it in; what the converted model dropped gets zeros."""
    if array is None:
        lengths = [length or 1 for length in spec.shape or ()]
        return np.zeros(lengths, held_types.get(spec.dtype, "S1"))
    return array.astype(held_types[spec.dtype]) if spec.dtype in held_types else array


def _write_weights(model: Model, path: Path) -> list[dict[str, Any]]:
    """Write the weights behind each other, and give what the manifest says of them."""
    specs = []
    with path.open("wb") as file:
        for weight in model.weights:
            spec: dict[str, Any] = {"name": weight.name, "shape": list(weight.shape), "dtype": weight.dtype}
            specs.append(spec | ({"quantization": weight.quantization} if weight.quantization else {}))
            file.writelines(chunks(weight.data))
    return specs


def _read(tensors: Sequence[StoredTensor], numbers: bytes, names: Sequence[str]) -> Arrays:
    """Read the tensors of an answer.

    Raises:
        ConversionError: they are others than those asked for, or damaged.
    """
    try:
        found = {item["name"]: read_tensor(item, numbers) for item in tensors}
        return {name: found[name] for name in names}
    except (KeyError, ValueError) as error:
        raise ConversionError(
            f"Node gave an invalid answer ({error})", code="SP-413", hint="Do not trust this model"
        ) from error
