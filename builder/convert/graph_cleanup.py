"""What is done to graphs between freezing and writing; needs no TensorFlow, only its messages or ``graphdef``'s."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from ..errors import SourceError, UnsupportedOpsError
from ..graphs.messages import AttrValue, FunctionDef, GraphDef, Keyed, NodeDef

idle_ops = {"Const", "NoOp", "Placeholder", "PlaceholderWithDefault", "Assert", "VariableV2", "VarHandleOp"}
counted_argument = re.compile(r"_\d+___(redundant_placeholder\d+)$")
least_merged = 128
least_taken = 4 << 20
assigning = {"AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"}
whole_numbers = {3, 9, 22, 23}  # int32, int64, uint32, uint64, as numbers of DataType
opaque_ops = {"MatMul", "BatchMatMul", "BatchMatMulV2", "Gather", "GatherV2"}


def frozen_outputs(graph: GraphDef, wanted: tuple[str, ...], where: str) -> dict[str, str]:
    """Return the tensors of a frozen graph's outputs by name: those wanted, else the one node that nothing uses.

    Raises:
        SourceError: a wanted node is missing, or none is wanted and several could be meant.
    """
    nodes = {node.name: node for node in graph.node}
    used = {reference.lstrip("^").split(":")[0] for node in graph.node for reference in node.input}
    sinks = sorted(name for name, node in nodes.items() if name not in used and node.op not in idle_ops)
    if not wanted:
        if len(sinks) == 1:
            return {sinks[0]: f"{sinks[0]}:0"}
        raise SourceError(
            f"has {len(sinks)} nodes that could be its output",
            code="SP-315",
            where=where,
            hint=f"Set outputs to some of {sinks[:20]}",
        )
    for name in wanted:
        if name.split(":")[0] not in nodes:
            raise SourceError(
                f"has no node {name!r}", code="SP-315", where=where, hint=f"Set outputs to some of {sinks[:20]}"
            )
    return {name: name if ":" in name else f"{name}:0" for name in wanted}


def prune_functions(graph_def: GraphDef) -> None:
    """Drop functions that nothing calls: their constants would be shipped. The others come in order of first call."""
    functions = {definition.signature.name: definition for definition in graph_def.library.function}
    queue = list(graph_def.node)
    used: dict[str, None] = {}
    while queue:
        node = queue.pop(0)
        values = [node.attr[key] for key in sorted(node.attr)]
        references = [item.name for value in values for item in (value.func, *value.list.func)]
        for name in (node.op, *references):
            if name in functions and name not in used:
                used[name] = None
                queue.extend(functions[name].node_def)
    copies = [type(functions[name]).FromString(functions[name].SerializeToString()) for name in used]
    graph_def.library.Clear()
    graph_def.library.function.extend(copies)


def check_supported(graphs: list[GraphDef], supported: set[str], where: str) -> None:
    """Check that TensorFlow.js has every op of the graphs and their functions.

    Raises:
        UnsupportedOpsError: it lacks some; they are named with their nodes.
    """
    missing: dict[str, list[str]] = {}
    for graph in graphs:
        functions = {definition.signature.name for definition in graph.library.function}
        nodes = [*graph.node, *(node for definition in graph.library.function for node in definition.node_def)]
        for node in nodes:
            if node.op not in supported and node.op not in functions:
                missing.setdefault(node.op, []).append(node.name)
    if missing:
        found = "; ".join(f"{op} at {_some(sorted(nodes))}" for op, nodes in sorted(missing.items()))
        raise UnsupportedOpsError(
            f"TensorFlow.js lacks ops of this model: {found}",
            code="SP-370",
            where=where,
            hint="Choose a signature or outputs that do not need them, or do that part in the page and feed its result",
        )


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def prepare_function(definition: FunctionDef) -> None:
    """Make a function of the library ready for the converter, which puts the function's name before its constants'.

    It goes by beginnings of names, which would tear the edges of other nodes, and forgets the function's results.
    Names that count the functions of this process become ones that do not.
    """
    names = [node.name for node in definition.node_def]
    arguments = [argument.name for argument in definition.signature.input_arg]
    constants = {node.name for node in definition.node_def if node.op == "Const"}
    others = [name for name in (*names, *arguments) if name not in constants]
    renamed: dict[str, str] = {}
    for name in sorted(constants):
        candidate = name
        while any(other.startswith(candidate) for other in others):
            candidate += "_value"
        if candidate != name:
            renamed[name] = candidate
    for argument in definition.signature.input_arg:
        if counted := counted_argument.search(argument.name):
            renamed[argument.name] = counted.group(1)
            argument.name = counted.group(1)
    for node in definition.node_def:
        node.name = renamed.get(node.name, node.name)
        node.input[:] = [_replace_source(text, renamed) for text in node.input]
    for results in (definition.ret, definition.control_ret):
        for key in list(results):
            head, colon, rest = results[key].partition(":")
            prefix = f"{definition.signature.name}/" if head in constants else ""
            results[key] = f"{prefix}{renamed.get(head, head)}{colon}{rest}"


def unique(names: list[str]) -> list[str]:
    """Number names that come more than once."""
    found: dict[str, None] = {}
    for name in names:
        candidate, number = name, 0
        while candidate in found:
            number += 1
            candidate = f"{name}_{number}"
        found[candidate] = None
    return list(found)


def node_name(name: str) -> str:
    """Make a layer's name one that TensorFlow accepts for a node."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return plain if plain[:1].isalnum() else f"input{plain}"


def trim(graph_def: GraphDef, wanted: set[str], fed: set[str]) -> None:
    """Keep the nodes that the ``wanted`` need, and the ``fed``: the optimiser looks up every input of the signature."""
    nodes = {node.name: node for node in graph_def.node}
    kept: set[str] = set()
    queue = list(wanted)
    while queue:
        name = queue.pop()
        if name not in kept:
            kept.add(name)
            queue.extend(_source(text) for text in nodes[name].input)
    kept |= fed
    _keep_nodes(graph_def, lambda node: node.name in kept)


def take_large_constants(graph_def: GraphDef) -> dict[str, AttrValue]:
    """Put placeholders for large constants that the optimiser would only copy, a dozen times; give their values."""
    consumers: dict[str, list[NodeDef]] = {}
    for node in graph_def.node:
        for text in node.input:
            if not text.startswith("^"):
                consumers.setdefault(_source(text), []).append(node)

    def is_opaque(name: str) -> bool:
        users = consumers.get(name, [])
        return bool(users) and all(
            user.op in opaque_ops or (user.op == "Identity" and is_opaque(user.name)) for user in users
        )

    taken = {}
    for node in graph_def.node:
        if node.op == "Const" and node.attr["value"].ByteSize() >= least_taken and is_opaque(node.name):
            value = node.attr.pop("value")
            node.op = "Placeholder"
            node.attr["shape"].shape.CopyFrom(value.tensor.tensor_shape)
            taken[node.name] = value
    return taken


def restore_constants(graph_def: GraphDef, taken: dict[str, AttrValue]) -> None:
    """Undo ``take_large_constants``; empties ``taken``."""
    for node in graph_def.node:
        if node.name in taken:
            node.op = "Const"
            del node.attr["shape"]
            node.attr["value"].CopyFrom(taken.pop(node.name))


def merge_constants(graph_def: GraphDef) -> None:
    """Keep one of the constants that are equal: lowered loops come with copies of their weights.

    Where a constant alone tells to which branch or loop its user belongs, it stays apart from those of others.
    """
    first: dict[bytes, str] = {}
    merged: dict[str, str] = {}
    constants = {node.name for node in graph_def.node if node.op == "Const"}
    telling: set[str] = set()
    for node in graph_def.node:
        sources = {_source(text) for text in node.input if not text.startswith("^")}
        if node.op == "Merge" or sources <= constants:
            telling |= sources & constants
    for node in graph_def.node:
        if node.op == "Const" and node.attr["value"].ByteSize() >= least_merged:
            content = node.attr["value"].SerializeToString(deterministic=True)
            if node.name in telling:
                content += "".join(sorted(_orders(node))).encode()
            key = hashlib.sha256(content).digest()
            if first.setdefault(key, node.name) != node.name:
                merged[node.name] = first[key]
    for node in graph_def.node:
        for number, text in enumerate(node.input):
            if (name := text.partition(":")[0]) in merged:
                node.input[number] = merged[name]
        if merged and "_class" in node.attr:  # it may ask for a place beside a node that is gone
            del node.attr["_class"]
    _keep_nodes(graph_def, lambda node: node.name not in merged)


def drop_control_edges(graph_def: GraphDef) -> None:
    """Remove the edges that only order nodes: TensorFlow.js takes them for data, and then finds no way to loops' ends.

    A node that takes nothing but constants keeps them, or takes over those of its constants: they alone tell to which
    round of which loop, or to which branch, it belongs. For TensorFlow.js itself, a constant is always there.
    """
    _tie_constants(graph_def)
    constants = {node.name for node in graph_def.node if node.op == "Const"}
    for node in graph_def.node:
        data = [text for text in node.input if not text.startswith("^")]
        if len(data) < len(node.input) and (node.op == "Const" or any(_source(text) not in constants for text in data)):
            node.input[:] = data
    used = {_source(text) for node in graph_def.node for text in node.input}
    _keep_nodes(graph_def, lambda node: node.op != "NoOp" or node.name in used)


def _tie_constants(graph_def: GraphDef) -> None:
    """Return the edges that order constants to what takes them; where branches meet, a node between is given them."""
    constants = {node.name: node for node in graph_def.node if node.op == "Const"}
    tied: dict[str, str] = {}
    for node in list(graph_def.node):
        data = [text for text in node.input if not text.startswith("^")]
        edges = {text: _orders(constants[_source(text)]) for text in data if _source(text) in constants}
        if node.op == "Merge":
            for text in [text for text, found in edges.items() if found]:
                constant = constants[_source(text)]
                if constant.name not in tied:
                    tied[constant.name] = name = f"{constant.name}/tied"
                    identity = graph_def.node.add(name=name, op="Identity", input=[text, *edges[text]])
                    identity.attr["T"].type = constant.attr["dtype"].type
            node.input[:] = [tied.get(_source(text), text) for text in node.input]
        elif len(data) == len(node.input) and len(edges) == len(set(data)):
            node.input.extend(dict.fromkeys(text for found in edges.values() for text in found))


def _orders(node: NodeDef) -> list[str]:
    return [text for text in node.input if text.startswith("^")]


def drop_process_details(graphs: list[GraphDef]) -> None:
    """Remove what differs from process to process, and what only TensorFlow reads.

    That is attributes with a leading underscore, devices, names that are counters, and names of shared tables.
    """
    tables: dict[bytes, bytes] = {}
    for graph in graphs:
        functions = graph.library.function
        for node in [*graph.node, *(node for definition in functions for node in definition.node_def)]:
            _forget_attributes(node.attr)
            node.device = ""
            node.ClearField("experimental_debug_info")
            if node.op.startswith("HashTable") and node.attr["shared_name"].s:
                name = node.attr["shared_name"].s
                node.attr["shared_name"].s = tables.setdefault(name, b"table_%d" % len(tables))
        for definition in functions:
            _forget_attributes(definition.attr)
            definition.ClearField("arg_attr")
        counters = [node.name for node in graph.node if node.name.isdigit()]
        renamed = {name: f"constant_{number}" for number, name in enumerate(counters)}
        for node in graph.node:
            node.name = renamed.get(node.name, node.name)
            node.input[:] = [_replace_source(text, renamed) for text in node.input]


def _forget_attributes(attributes: Keyed[AttrValue]) -> None:
    for key in [key for key in attributes if key.startswith("_")]:
        del attributes[key]


def _replace_source(reference: str, renamed: dict[str, str]) -> str:
    mark = "^" if reference.startswith("^") else ""
    head, colon, rest = reference[len(mark) :].partition(":")
    return f"{mark}{renamed.get(head, head)}{colon}{rest}"


def _keep_nodes(graph_def: GraphDef, wanted: Callable[[NodeDef], bool]) -> None:
    for number in reversed(range(len(graph_def.node))):
        if not wanted(graph_def.node[number]):
            del graph_def.node[number]


def _source(reference: str) -> str:
    return reference.lstrip("^").partition(":")[0]


def drop_counters(graph_def: GraphDef) -> None:
    """Remove what counts in variables of whole numbers: Keras' random layers count at inference, but draw nothing.

    A variable that is assigned to cannot become a constant; floats that are assigned to are state, and stay.
    """
    gone = {node.name for node in graph_def.node if node.op in assigning and node.attr["dtype"].type in whole_numbers}
    for node in graph_def.node:
        kept = [text for text in node.input if _source(text) not in gone]
        if len(kept) < len(node.input):
            node.input[:] = kept
    _keep_nodes(graph_def, lambda node: node.name not in gone)


def allow_inlining(graph_def: GraphDef) -> None:
    """Take from functions and calls that XLA must compile them, as Keras asks for convolutions in groups."""
    definitions = graph_def.library.function
    nodes = [*graph_def.node, *(node for item in definitions for node in item.node_def)]
    for attributes in (*(node.attr for node in nodes), *(item.attr for item in definitions)):
        if attributes.pop("_XlaMustCompile", None) is not None:
            attributes.pop("_noinline", None)


def drop_placements(graph_def: GraphDef) -> None:
    """Remove what asks for a place beside another node: that may be gone, in a branch that was inlined."""
    for node in [*graph_def.node, *(node for item in graph_def.library.function for node in item.node_def)]:
        node.attr.pop("_class", None)


def replace_defaults(graph_def: GraphDef, fed: set[str]) -> None:
    """Make each placeholder with a default that is not fed its default: it would be one input more."""
    for node in graph_def.node:
        if node.op == "PlaceholderWithDefault" and node.name not in fed:
            node.op = "Identity"
            node.attr["T"].type = node.attr["dtype"].type
            del node.attr["dtype"], node.attr["shape"]
