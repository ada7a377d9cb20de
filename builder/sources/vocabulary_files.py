"""Finds tables that are filled from a SavedModel's own vocabulary files, which is no danger, unlike any other file.

An op that fills a table reads the file that a tensor names. It is harmless only where that tensor is what TensorFlow's
loader gives for an asset, whose place in the checked folder it makes up itself. So the tensor is followed back,
through identities, arguments of functions and all their callers: each way has to end at an asset.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.message import DecodeError

from ..errors import SourceError, UnsafeModelError
from ..graphs.messages import AttrValue, FunctionDef, MetaGraphDef

collection = "saved_model_assets"
table_ops = frozenset(("InitializeTableFromTextFile", "InitializeTableFromTextFileV2"))
calls = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
given = frozenset(("Const", "Placeholder"))
most_bytes = 64 << 20
string_type = 7
Functions = Mapping[str, FunctionDef]


def declare_assets(meta_graph: MetaGraphDef, where: str) -> None:
    """Put assets that TensorFlow 1 lists in a collection where later versions list them, so that all are looked at.

    Args:
        meta_graph: a MetaGraphDef; changed.
        where: the file, for messages.

    Raises:
        SourceError: the list is damaged.
    """
    if collection not in meta_graph.collection_def:
        return
    if not meta_graph.asset_file_def:  # else nobody reads the collection
        for item in meta_graph.collection_def[collection].any_list.value:
            try:
                meta_graph.asset_file_def.add().MergeFromString(item.value)
            except DecodeError as error:
                raise SourceError(
                    "has a damaged list of assets", code="SP-308", where=where, hint="Copy or save the model again"
                ) from error
    del meta_graph.collection_def[collection]


def own_tables(meta_graph: MetaGraphDef, functions: Functions) -> frozenset[tuple[str, str]]:
    """Return the nodes that fill tables from the model's own assets alone: function ("" for the graph) and node.

    Assets of graphs of TensorFlow 1 lose the name that they have in the graph: the loader gives another one, and
    nothing may be read where it does not.

    Args:
        meta_graph: a MetaGraphDef whose assets' names were checked; changed.
        functions: those of its library, by name.
    """
    ways = _Ways(meta_graph, functions)
    found = {
        (name, node.name)
        for name, nodes in ways.bodies.items()
        for node in nodes.values()
        if node.op in table_ops and len(node.input) > 1 and ways.ends_at_asset(name, node.input[1])
    }
    if found:
        for node in meta_graph.graph_def.node:
            if node.op == "Const" and f"{node.name}:0" in ways.assets:
                tensor = node.attr["value"].tensor
                tensor.Clear()
                tensor.dtype = string_type
                tensor.string_val.append(b"")
    return frozenset(found)


def check_vocabulary_files(meta_graph: MetaGraphDef, folder: Path, where: str) -> None:
    """Check that assets which fill tables are plain texts of a reasonable size.

    Args:
        meta_graph: as ``own_tables`` takes it.
        folder: the SavedModel, in which no link leads outside.
        where: for messages.

    Raises:
        SourceError: a file is missing.
        UnsafeModelError: one is no text, or absurdly large.
    """
    nodes = [*meta_graph.graph_def.node, *(n for f in meta_graph.graph_def.library.function for n in f.node_def)]
    if not any(node.op in table_ops for node in nodes):
        return
    for asset in meta_graph.asset_file_def:
        path = folder / "assets" / asset.filename
        if not path.is_file():
            raise SourceError(
                f"has no assets/{asset.filename}", code="SP-307", where=where, hint="Copy the whole SavedModel folder"
            )
        if path.stat().st_size > most_bytes or b"\0" in path.read_bytes():
            raise UnsafeModelError(
                f"fills a table from assets/{asset.filename}, which is not text, or is larger than 64 MiB",
                code="SP-366",
                where=where,
                hint="Save the model with a vocabulary of one word per line",
            )


class _Ways:
    """Follows tensors back."""

    def __init__(self, meta_graph: MetaGraphDef, functions: Functions) -> None:
        self._functions = functions
        self._objects = meta_graph.object_graph_def
        fed = {info.name for item in meta_graph.signature_def.values() for info in item.inputs.values()}
        self.assets = {asset.tensor_info.name for asset in meta_graph.asset_file_def} - fed
        self.bodies = {name: {node.name: node for node in item.node_def} for name, item in functions.items()}
        self.bodies[""] = {node.name: node for node in meta_graph.graph_def.node}
        self._arguments = {name: [argument.name for argument in item.signature.input_arg]
                           for name, item in functions.items()}  # fmt: skip
        self._proven: set[tuple[str, int]] = set()

    def ends_at_asset(self, body: str, text: str) -> bool:
        """Return whether a tensor of a function, or of the graph, is the name of an asset, whoever calls."""
        nodes, seen = self.bodies[body], set[str]()
        name = text.partition(":")[0]
        while name in nodes and nodes[name].op == "Identity" and nodes[name].input and name not in seen:
            seen.add(name)
            text = nodes[name].input[0]
            name = text.partition(":")[0]
        if not body:
            full = text if ":" in text else f"{text}:0"
            return full in self.assets and name in nodes and nodes[name].op in given
        arguments = self._arguments[body]
        return name not in nodes and name in arguments and self._is_given(body, arguments.index(name))

    def _is_given(self, function: str, place: int) -> bool:
        """Return whether an argument is an asset's name in every call."""
        if (function, place) in self._proven:  # under way, or done
            return True
        self._proven.add((function, place))
        ways = [*self._bound(function, place), *self._called(function, place)]
        if ways and all(ways):
            return True
        self._proven.clear()
        return False

    def _bound(self, function: str, place: int) -> Iterator[bool]:
        """Look at what the loader binds to the last arguments."""
        if function in self._objects.concrete_functions:
            bound = self._objects.concrete_functions[function].bound_inputs
            number = place - (len(self._arguments[function]) - len(bound))
            known = 0 <= number < len(bound) and 0 <= bound[number] < len(self._objects.nodes)
            yield known and self._objects.nodes[bound[number]].WhichOneof("kind") == "asset"

    def _called(self, function: str, place: int) -> Iterator[bool]:
        for name, nodes in self.bodies.items():
            for node in nodes.values():
                if node.op == function or (node.op in calls and node.attr["f"].func.name == function):
                    inputs = [text for text in node.input if not text.startswith("^")]
                    yield place < len(inputs) and self.ends_at_asset(name, inputs[place])
                elif any(function in _named(value) for value in node.attr.values()):
                    yield False  # a loop, a branch, a gradient: nobody follows it there


def _named(value: AttrValue) -> set[str]:
    return {value.func.name, value.s.decode(errors="replace"), *(item.name for item in value.list.func)}
