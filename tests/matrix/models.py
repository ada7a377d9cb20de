"""Models of the matrix's items, in all forms of file, with numbers to feed them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.matrix.items import Item, Shape

forms = (
    "functional-keras",
    "sequential-h5",
    "functional-saved",
    "sequential-keras",
    "functional-h5",
    "sequential-saved",
)
# Activations and options change the graph, not the file: two forms tell of them.
forms_of_options = ("functional-keras", "sequential-h5")
together = 12  # items of one functional model
open_length = 7  # what open axes are taken for


def make_model(library: Any, group: Sequence[Item], form: str) -> Any:
    """Give a model of some items: each a branch of a functional one, or the layers of a Sequential."""
    if form.startswith("sequential"):
        (item,) = group
        ((shape, kind),) = item.inputs
        return library.Sequential([_input(library, shape, kind, None, item.batch), *item.layers()])
    inputs: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    for item in group:
        tensors = []
        for number, (shape, kind) in enumerate(item.inputs):
            name = input_name(item, number)
            inputs[name] = _input(library, shape, kind, name, item.batch)
            tensors.append(inputs[name])
        outputs[item.name] = _called(library, item.apply(*tensors), item.name, form)
    return library.Model(inputs, outputs)


def _called(library: Any, tensor: Any, name: str, form: str) -> Any:
    """Give an output a name: Keras 2 calls those of SavedModels by their layers, not by their keys."""
    if library.__name__ == "tf_keras" and form.endswith("saved"):
        return library.layers.Activation("linear", name=name)(tensor)
    return tensor


def input_name(item: Item, number: int) -> str:
    """Name an input of a functional model; TensorFlow's signatures know small letters only."""
    return f"{item.name.replace('-', '_').replace('.', '_').lower()}_{number}"


def _input(library: Any, shape: Shape, kind: str, name: str | None, batch: int | None) -> Any:
    dtype = {"ids": "int32", "text": "string"}.get(kind, kind)
    return library.Input(shape, dtype=dtype, name=name, batch_size=batch)


def shake(model: Any, random: Any) -> None:
    """Give all float weights other numbers: zeros and ones of a new model hide mistakes."""
    for variable in model.weights:
        if "float" in str(variable.dtype):
            values = random.normal(scale=0.4, size=tuple(variable.shape)).astype("float32")
            name = getattr(variable, "path", variable.name)
            variable.assign(abs(values) + 0.3 if "variance" in name else values)


def save(library: Any, model: Any, form: str, path: Path) -> Path:
    """Write a model in a form; gives where."""
    kind = form.partition("-")[2]
    if kind == "saved":
        if library.__name__ == "keras":
            model.export(str(path), verbose=False)
        else:
            model.save(str(path), save_format="tf")
        return path
    file = path.with_suffix(f".{kind}")
    model.save(str(file))
    return file


def arrays(group: Sequence[Item], rows: int, random: Any) -> list[Any]:
    """Give numbers for the inputs of some items, in their order."""
    import numpy as np

    found = []
    for item in group:
        for shape, kind in item.inputs:
            lengths = [rows, *(open_length if length is None else length for length in shape)]
            if kind == "ids":
                found.append(random.integers(0, 9, lengths).astype(np.int32))
            elif kind == "text":
                values = random.choice(["one", "two", "three"], lengths)
                values[0] = "two"  # never all the same
                values[1] = "three"
                found.append(values)
            else:
                values = random.normal(size=lengths).astype(np.float32)
                if "masked" in item.name:  # steps of nothing but zeros are what masks are made of
                    values[:, -2:] = 0
                found.append(values)
    return found


def groups(found: Sequence[Item], form: str, *, alone: bool = False) -> list[list[Item]]:
    """Divide items into models: what shall be refused, and what a Sequential holds, is alone."""
    if form.startswith("sequential"):
        return [[item] for item in found if item.is_sequence]
    single = [item for item in found if alone or item.is_alone or item.wanted(form) != "built" or item.batch]
    rest = [item for item in found if item not in single]
    return [[item] for item in single] + [rest[at : at + together] for at in range(0, len(rest), together)]


def sample(found: Sequence[Item]) -> list[tuple[str, list[Item]]]:
    """Divide items into models of forms that take turns, so that each item is in one."""
    turns: dict[str, list[Item]] = {form: [] for form in forms}
    for number, item in enumerate(found):
        form = forms[number % len(forms)]
        if form.startswith("sequential") and not item.is_sequence:
            form = form.replace("sequential", "functional")
        turns[form].append(item)
    return [(form, group) for form, members in turns.items() for group in groups(members, form)]
