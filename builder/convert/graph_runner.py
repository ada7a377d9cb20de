"""Runs a converted graph in TensorFlow with other weights, and gives the statistics that precision is chosen by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import ConversionError
from ..graphs.topology import Node
from ..model import Model
from ..precision.network import tensor_names
from ..precision.runner import BatchRunner
from ..sources.safety import check_graph
from . import stock
from .constants import constant_of, without_value
from .session import feed, load_tensorflow
from .tf_types import Array, Arrays, Tensor


class GraphRunner(BatchRunner):
    """Runs a TensorFlow.js graph in TensorFlow; constants that are fed have the fed values."""

    def __init__(
        self,
        model: Model,
        nodes: list[Node],
        cases: list[Arrays],
        tensors: Sequence[str] = (),
        *,
        trust: bool = False,
    ) -> None:
        """Make the graph and a session.

        Args:
            model: the model.
            nodes: its nodes, see ``plain_nodes``.
            cases: the inputs, by name.
            tensors: names of those that are to be given beside the outputs.
            trust: the user trusts its ops.

        Raises:
            UnsafeModelError: it holds ops that reach files, scripts or the network.
            ConversionError: TensorFlow does not take the graph.
        """
        from google.protobuf.json_format import ParseDict

        super().__init__(cases)
        self._tf = tf = load_tensorflow()
        topology = model.artifacts["modelTopology"]
        weights = {weight.name: weight for weight in model.weights}
        graph_def = tf.compat.v1.GraphDef()
        try:
            ParseDict(
                {**topology, "node": [without_value(node) if node["name"] in weights else node for node in nodes]},
                graph_def,
            )
            functions = [node for function in graph_def.library.function for node in function.node_def]
            for node in (*graph_def.node, *functions):
                if node.op == "Const" and node.name in weights:
                    node.attr["value"].CopyFrom(constant_of(tf, weights[node.name], node.attr["dtype"].type))
            if not trust:
                check_graph(graph_def, "model.json", unregistered_ops(nodes))
            self._graph = tf.Graph()
            with self._graph.as_default():
                tf.import_graph_def(graph_def, name="")
        except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
            raise ConversionError(
                f"TensorFlow cannot run the converted model, so its precision cannot be measured: {error}",
                code="SP-413",
                hint='Use precision = "balanced" or "exact"',
            ) from error
        signature = model.artifacts.get("signature", {})
        self._inputs = tensor_names(signature.get("inputs", {}), model.inputs)
        self._outputs = tensor_names(signature.get("outputs", {}), model.outputs) | {name: name for name in tensors}
        self._means: dict[str, Tensor] = {}
        self._spreads: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        # The last bits, and with them the steps, depend on the number of threads.
        options = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=2, inter_op_parallelism_threads=1)
        self._session = tf.compat.v1.Session(graph=self._graph, config=options)
        self.join_batches()

    def takes_batches(self) -> bool:
        """Return whether the first axis of all inputs and outputs is of an open length."""
        tensors = (self._graph.get_tensor_by_name(name) for name in (*self._inputs.values(), *self._outputs.values()))
        return all(tensor.shape.rank and tensor.shape[0] is None for tensor in tensors)

    def group_outputs(self, group: Sequence[int], feeds: Arrays) -> Arrays:
        """Return the outputs for a group of cases."""
        return self._run(self._outputs, group, feeds)

    def group_means(self, group: Sequence[int], feeds: Arrays, results: Sequence[str]) -> Arrays:
        """Return the means of tensors over a group, and all axes but the last, by name."""
        with self._graph.as_default():
            for name in results:
                if name not in self._means:
                    tensor = self._graph.get_tensor_by_name(f"{name}:0")
                    flat = self._tf.reshape(tensor, [-1, self._tf.shape(tensor)[-1]])
                    self._means[name] = self._tf.reduce_mean(flat, 0)
        return self._run({name: self._means[name] for name in results}, group, feeds)

    def group_spreads(self, group: Sequence[int], results: Sequence[str]) -> dict[str, tuple[int, Array, Array]]:
        """Return by name the number of rows of tensors, their mean, and the sum of squares about it."""
        with self._graph.as_default():
            for name in results:
                if name not in self._spreads:
                    tensor = self._graph.get_tensor_by_name(f"{name}:0")
                    rows = self._tf.reshape(tensor, [-1, self._tf.shape(tensor)[-1]])
                    mean = self._tf.reduce_mean(rows, 0)
                    # Without the mean: squares of large means would leave little of float32 for what varies.
                    varying = rows - mean
                    squares = self._tf.matmul(varying, varying, transpose_a=True)
                    self._spreads[name] = self._tf.shape(rows)[0], mean, squares
        parts = {f"{name} {part}": self._spreads[name][part] for name in results for part in range(3)}
        found = self._run(parts, group, {})
        doubles = {key: array.astype("f8") for key, array in found.items()}
        return {name: (int(found[f"{name} 0"]), doubles[f"{name} 1"], doubles[f"{name} 2"]) for name in results}

    def _run(self, wanted: Mapping[str, Tensor | str], group: Sequence[int], feeds: Arrays) -> Arrays:
        import numpy as np

        fed = {f"{name}:0": array for name, array in feeds.items()}
        for name, tensor_name in self._inputs.items():
            tensor = self._graph.get_tensor_by_name(tensor_name)
            arrays = [feed(self.cases[case], name, tensor.dtype, tensor.shape) for case in group]
            fed[tensor] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        return dict(self._session.run(wanted, fed))


def unregistered_ops(nodes: Sequence[Node]) -> set[str]:
    """Return the ops of a graph that TensorFlow does not have; it says so itself."""
    load_tensorflow()
    return {op for node in nodes if not stock.is_registered(op := str(node["op"]))}
