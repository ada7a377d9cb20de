"""What a loaded Keras model takes and gives: the structure of its inputs and outputs, and a name for each of them.

Keras keeps the structure in private places, which ``stock`` knows. Keras is not imported here: a model comes from the
module that does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

from . import stock
from .graph_cleanup import unique
from .tf_types import Tensor


class KerasTensor(Protocol):
    """A symbolic tensor of Keras 2 or 3, whose shapes and types differ."""

    name: str
    shape: object
    dtype: object


@dataclass(frozen=True, slots=True)
class KerasEnds:
    """The ends of a model, in the order in which Keras flattens them.

    Attributes:
        tree: the module that flattens and packs: ``tf.nest`` or ``keras.tree``.
        structure: the nested inputs with which the model is called.
        inputs: Keras' symbolic tensor of each input, by name.
        outputs: a name for each output.
    """

    tree: ModuleType
    structure: object
    inputs: dict[str, KerasTensor]
    outputs: list[str]

    def packed(self, tensors: tuple[Tensor, ...]) -> object:
        """Return flat inputs in the structure that the model takes."""
        return self.tree.pack_sequence_as(self.structure, list(tensors))


def ends_of(model: object, tree: ModuleType) -> KerasEnds | None:
    """Find the ends of a model; None for one that was never called, so that it has none.

    Values of a dict are named by their keys, as the author did; all else by its layer.

    Args:
        model: a model of Keras 2 or 3.
        tree: ``tf.nest`` for Keras 2, ``keras.tree`` for Keras 3.
    """
    graph = stock.keras_graph(model)
    if not getattr(graph, "inputs", None):
        return None
    inputs, outputs = (stock.keras_structure(graph, side) for side in ("inputs", "outputs"))
    names = _names(tree, inputs, [tensor.name for tensor in graph.inputs])
    return KerasEnds(
        tree,
        inputs,
        dict(zip(names, graph.inputs, strict=True)),
        _names(tree, outputs, _layer_names(graph)),
    )


def _layer_names(graph: Any) -> list[str]:
    names = getattr(graph, "output_names", None)
    if names and len(names) == len(graph.outputs):
        return list(names)
    return [stock.keras_layer_name(tensor) for tensor in graph.outputs]


def _names(tree: ModuleType, structure: object, layers: list[str]) -> list[str]:
    """Name the leaves of a structure by the keys above them, or by their layers where there are none."""
    numbered = tree.pack_sequence_as(structure, list(range(len(layers))))
    keys = {number: name for name, number in _keyed(numbered)}
    return unique([keys[number] or layer for number, layer in enumerate(layers)])


def _keyed(structure: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, int]]:
    """Return every leaf with the keys above it; places in lists count below a key only."""
    if isinstance(structure, Mapping):
        for key, value in structure.items():
            yield from _keyed(value, (*path, str(key)))
    elif isinstance(structure, list | tuple):
        fields = getattr(structure, "_fields", None) or [
            str(number) if path else "" for number in range(len(structure))
        ]
        for key, value in zip(fields, structure, strict=True):
            yield from _keyed(value, (*path, key) if key else path)
    elif isinstance(structure, int):
        yield "/".join(path), structure
