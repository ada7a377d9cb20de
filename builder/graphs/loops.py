"""Takes the decoding of pictures out of loops over lists of them, which is how serving signatures write it.

``tf.map_fn(lambda one: normalise(decode_jpeg(one)), photos)`` becomes the same loop over pixels: the input takes a list
of pictures, ``[n, height, width, channels]``, and all behind the decoder stays in the model.
"""

from __future__ import annotations

from collections.abc import Mapping

from .messages import GraphDef, NodeDef
from .nodes import int32, string, uint8, write_constant
from .ops import decoding
from .outline import data_inputs, source_of

passing = frozenset(("Identity", "EnsureShape", "DecodeBase64"))
loop_states = frozenset(("Identity", "Enter", "Switch", "Merge"))


def take_decoders(graph: GraphDef, inputs: Mapping[str, str]) -> dict[str, NodeDef]:
    """Let inputs be pixels where a loop decodes them and then computes.

    Loops that only decode stay: they are cut off as a whole.

    Args:
        graph: a GraphDef without function calls, changed in place.
        inputs: name of each input's tensor.

    Returns:
        The node that decoded, by the name of the input that it is now taken from.
    """
    loops = _Loops(graph)
    taken: dict[str, NodeDef] = {}
    for decoder in [node for node in graph.node if node.op in decoding]:
        getter, steps = loops.origin(decoder)
        if getter is None or loops.is_stored_at_once(decoder.name):
            continue
        maker = loops.maker(getter)
        if maker is None or [node for node in loops.getters if loops.maker(node) is maker] != [getter]:
            continue
        placeholder, before = loops.walk(maker.input[0], passing)
        names = [name for name, text in inputs.items() if source_of(text) == placeholder.name]
        between = {placeholder.name, *(node.name for node in before)}
        if len(names) != 1 or placeholder.op != "Placeholder" or placeholder.attr["dtype"].type != string:
            continue
        counters = loops.counters(between, maker.name)
        if counters is None:
            continue
        taken[names[0]] = type(decoder).FromString(decoder.SerializeToString())
        _change(graph, placeholder, maker, getter, decoder, [*before, *steps], counters)
    return taken


class _Loops:
    """Ways through a graph whose loops are written as Enter, Merge, Switch and NextIteration."""

    def __init__(self, graph: GraphDef) -> None:
        self.nodes = {node.name: node for node in graph.node}
        self.getters = [node for node in graph.node if node.op == "TensorListGetItem"]
        self.users: dict[str, list[NodeDef]] = {}
        for node in graph.node:
            for text in data_inputs(node):
                self.users.setdefault(source_of(text), []).append(node)

    def walk(self, text: str, through: frozenset[str]) -> tuple[NodeDef, list[NodeDef]]:
        """Go up through ops of one kind; give the first other node, and those passed."""
        passed = []
        node = self.nodes[source_of(text)]
        while node.op in through and node not in passed:
            passed.append(node)
            entered = [one for one in data_inputs(node) if self.nodes[source_of(one)].op != "NextIteration"]
            node = self.nodes[source_of(entered[0])]
        return node, passed

    def origin(self, decoder: NodeDef) -> tuple[NodeDef | None, list[NodeDef]]:
        """Return the node that takes the decoder's bytes out of a list for it alone, and what is between."""
        getter, steps = self.walk(decoder.input[0], passing)
        if getter.op != "TensorListGetItem" or any(len(self.users[node.name]) > 1 for node in (getter, *steps)):
            return None, []
        return getter, steps

    def maker(self, getter: NodeDef) -> NodeDef | None:
        """Return the node that makes the list, if the loop does not change it."""
        maker, passed = self.walk(getter.input[0], loop_states)
        for merge in (node for node in passed if node.op == "Merge"):
            again = [self.nodes[source_of(text)] for text in merge.input]
            for turn in (node for node in again if node.op == "NextIteration"):
                if self.walk(turn.input[0], loop_states)[0] is not maker:
                    return None
        return maker if maker.op == "TensorListFromTensor" else None

    def is_stored_at_once(self, name: str) -> bool:
        """Return whether a tensor goes into a list as it is."""
        users = self.users.get(name, [])
        while len(users) == 1 and users[0].op in {"Identity", "EnsureShape"}:
            users = self.users.get(users[0].name, [])
        return all(user.op == "TensorListSetItem" for user in users)

    def counters(self, names: set[str], maker: str) -> list[NodeDef] | None:
        """Return the nodes that take the shape of these only to count them, or None if something else uses them."""
        counters = []
        for user in (user for name in names for user in self.users[name]):
            if user.name in names or user.name == maker:
                continue
            slices = self.users.get(user.name, [])
            if user.op != "Shape" or any(not self._takes_first(node) for node in slices):
                return None
            counters.append(user)
        return counters

    def _takes_first(self, node: NodeDef) -> bool:
        if node.op != "StridedSlice" or node.attr["shrink_axis_mask"].i != 1:
            return False
        begin = self.nodes[source_of(node.input[1])]
        content = begin.attr["value"].tensor
        return begin.op == "Const" and not any(content.tensor_content) and not any(content.int_val)


def _change(
    graph: GraphDef,
    placeholder: NodeDef,
    maker: NodeDef,
    getter: NodeDef,
    decoder: NodeDef,
    passed: list[NodeDef],
    counters: list[NodeDef],
) -> None:
    kind = decoder.attr["dtype"].type or uint8
    shape = [-1, -1, decoder.attr["channels"].i or 3]
    placeholder.attr["dtype"].type = kind
    del placeholder.attr["shape"].shape.dim[:]
    for length in (-1, *shape):
        placeholder.attr["shape"].shape.dim.add(size=length)
    placeholder.attr["shape"].shape.unknown_rank = False
    for node in counters:
        node.attr["T"].type = kind
    for node in (maker, getter):
        node.attr["element_dtype"].type = kind
    nodes = {node.name: node for node in graph.node}
    for node, place in ((maker, 1), (getter, 2)):
        # A copy keeps the edges that put the constant into the loop.
        copy = graph.node.add()
        copy.CopyFrom(nodes[source_of(node.input[place])])
        copy.name = f"{node.name}/pixels"
        write_constant(copy, shape, int32)
        node.input[place] = copy.name
    maker.attr["shape_type"].type = int32
    for node in (*passed, decoder):
        waits = [text for text in node.input if text.startswith("^")]
        node.op = "Identity"
        node.input[:] = [node.input[0], *waits]
        for key in list(node.attr):
            del node.attr[key]
        node.attr["T"].type = kind
