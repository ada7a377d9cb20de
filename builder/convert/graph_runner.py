"""Runs a converted graph in TensorFlow with other weights, and gives the statistics that precision is chosen by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..errors import ConversionError
from ..graphs.topology import Node
from ..model import Model
from ..precision.network import tensor_names
from ..sources.safety import check_graph
from . import stock
from .constants import constant_of, without_value
from .session import feed, load_tensorflow
from .tf_types import Array, Arrays, Tensor

most_together = 1_300_000  # elements of inputs that run in one batch: 8 pictures of 224 x 224


class GraphRunner:
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
        self._cases = cases
        self._means: dict[str, Tensor] = {}
        # The last bits, and with them the steps, depend on the number of threads.
        options = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=2, inter_op_parallelism_threads=1)
        self._session = tf.compat.v1.Session(graph=self._graph, config=options)
        self._shapes = [tuple(sorted((name, array.shape) for name, array in case.items())) for case in cases]
        self._rows = [next((array.shape[0] for array in case.values() if array.ndim), 0) for case in cases]
        self._elements = [sum(array.size for array in case.values()) for case in cases]
        self._together = self._may_run_together()

    def outputs(self, cases: Sequence[int], feeds: Arrays) -> list[Arrays]:
        """Return the outputs for some cases."""
        found: list[Arrays] = []
        for group in self._groups(cases):
            answers, start = self._run(self._outputs, group, feeds), 0
            if len(group) == 1:
                found.append(answers)
                continue
            for case in group:
                stop = start + self._rows[case]
                found.append({name: array[start:stop] for name, array in answers.items()})
                start = stop
        return found

    def means(self, cases: Sequence[int], feeds: Arrays, results: Sequence[str]) -> list[Array]:
        """Return the means of tensors over all cases and all axes but the last."""
        with self._graph.as_default():
            for name in results:
                if name not in self._means:
                    tensor = self._graph.get_tensor_by_name(f"{name}:0")
                    flat = self._tf.reshape(tensor, [-1, self._tf.shape(tensor)[-1]])
                    self._means[name] = self._tf.reduce_mean(flat, 0)
        wanted = {name: self._means[name] for name in results}
        totals: dict[str, Array] = {}
        for group in self._groups(cases):
            for name, mean in self._run(wanted, group, feeds).items():
                totals[name] = totals.get(name, 0.0) + mean * (len(group) / len(cases))
        return [totals[name] for name in results]

    def covariances(self, cases: Sequence[int], results: Sequence[str]) -> list[Array]:
        """Return the covariances of the last axis of tensors over all cases and all other axes."""
        import numpy as np

        wanted: dict[str, Tensor] = {}
        with self._graph.as_default():
            for name in results:
                tensor = self._graph.get_tensor_by_name(f"{name}:0")
                rows = self._tf.reshape(tensor, [-1, self._tf.shape(tensor)[-1]])
                mean = self._tf.reduce_mean(rows, 0)
                # Without the mean: squares of large means would leave little of float32 for what varies.
                varying = rows - mean
                wanted |= {f"{name} rows": self._tf.shape(rows)[0], f"{name} mean": mean}
                wanted[f"{name} squares"] = self._tf.matmul(varying, varying, transpose_a=True)
        rows_of: dict[str, int] = dict.fromkeys(results, 0)
        sums: dict[str, Array | float] = dict.fromkeys(results, 0.0)
        squares: dict[str, Array | float] = dict.fromkeys(results, 0.0)
        for group in self._groups(cases):
            found = self._run(wanted, group, {})
            for name in results:
                count, mean = int(found[f"{name} rows"]), found[f"{name} mean"].astype(np.float64)
                rows_of[name] += count
                sums[name] = sums[name] + count * mean
                squares[name] = squares[name] + found[f"{name} squares"] + count * np.outer(mean, mean)
        return [
            squares[name] / rows_of[name] - np.outer(sums[name], sums[name]) / rows_of[name] ** 2 for name in results
        ]

    def _groups(self, cases: Sequence[int]) -> Iterator[list[int]]:
        """Return the cases that run together: as many as memory allows of those with like shapes, else one by one."""
        group: list[int] = []
        for case in cases:
            if group and (
                not self._together
                or self._shapes[case] != self._shapes[group[0]]
                or (len(group) + 1) * self._elements[case] > most_together
            ):
                yield group
                group = []
            group.append(case)
        if group:
            yield group

    def _may_run_together(self) -> bool:
        """Return whether two cases in one batch give what each gives by itself."""
        if len(self._cases) < 2 or not all(self._rows) or self._shapes[0] != self._shapes[1]:
            return False
        tensors = (self._graph.get_tensor_by_name(name) for name in (*self._inputs.values(), *self._outputs.values()))
        if any(tensor.shape.rank is None or not tensor.shape.rank or tensor.shape[0] is not None for tensor in tensors):
            return False
        import numpy as np

        both = self._run(self._outputs, [0, 1], {})
        apart = [self._run(self._outputs, [case], {}) for case in (0, 1)]
        return all(
            array.shape == (joined := np.concatenate([one[name] for one in apart])).shape
            and np.allclose(array, joined, rtol=1e-3, atol=1e-4)
            for name, array in both.items()
        )

    def _run(self, wanted: Mapping[str, Tensor | str], group: list[int], feeds: Arrays) -> Arrays:
        import numpy as np

        fed = {f"{name}:0": array for name, array in feeds.items()}
        for name, tensor_name in self._inputs.items():
            tensor = self._graph.get_tensor_by_name(tensor_name)
            arrays = [feed(self._cases[case], name, tensor.dtype, tensor.shape) for case in group]
            fed[tensor] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        return dict(self._session.run(wanted, fed))


def unregistered_ops(nodes: Sequence[Node]) -> set[str]:
    """Return the ops of a graph that TensorFlow does not have; it says so itself."""
    load_tensorflow()
    return {op for node in nodes if not stock.is_registered(op := str(node["op"]))}
