"""Which graph of a file is the model, and what its inputs and outputs are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import SourceError
from .types import File, Subgraph

default_key = "serving_default"


@dataclass(frozen=True, slots=True)
class Interface:
    """What pages see of a model.

    Attributes:
        key: of the signature; "" where the file has none.
        subgraph: its number.
        inputs, outputs: numbers of tensors by name.
    """

    key: str
    subgraph: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


def interface_of(file: File, wanted: str, where: str) -> Interface:
    """Choose a signature, or the first subgraph where the file has none.

    Args:
        file: as ``read_tflite`` gives it.
        wanted: the setting ``signature``; by default the only one counts too.
        where: the file, for messages.

    Raises:
        SourceError: there is no such signature, or it names tensors that are not there.
    """
    found = next((item for item in file.signatures if item.key == wanted), None)
    if found is None and file.signatures and wanted == default_key:
        found = file.signatures[0]
    if found is None:
        if wanted != default_key:
            keys = ", ".join(item.key for item in file.signatures) or "none"
            raise SourceError(f"has no signature {wanted!r}", code="SP-314", where=where, hint=f"It has these: {keys}")
        subgraph = file.subgraphs[0]
        return Interface("", 0, named(subgraph, subgraph.inputs), named(subgraph, subgraph.outputs))
    subgraph = file.subgraphs[found.subgraph]
    numbers = (*found.inputs.values(), *found.outputs.values())
    if any(not 0 <= number < len(subgraph.tensors) for number in numbers) or not found.outputs:
        raise SourceError("its signature is malformed", code="SP-386", where=where, hint="Convert it again")
    return Interface(found.key, found.subgraph, found.inputs, found.outputs)


def named(subgraph: Subgraph, numbers: Sequence[int]) -> dict[str, int]:
    """Name tensors as TensorFlow did, without the ``:0`` of a first output where that is unambiguous."""
    plain = [subgraph.tensors[number].name.removesuffix(":0") for number in numbers]
    found: dict[str, int] = {}
    for place, (name, number) in enumerate(zip(plain, numbers, strict=True)):
        full = subgraph.tensors[number].name
        chosen = name if plain.count(name) == 1 and name else full
        found[chosen if chosen and chosen not in found else f"{chosen}_{place}"] = number
    return found
