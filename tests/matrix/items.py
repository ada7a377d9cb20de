"""What the matrix tries: every layer class that a Keras has, found by introspection, and the options that matter.

Nothing here imports Keras: the library is an argument. A class that neither the tables nor its defaults can make is an
error, so that a new release of Keras is noticed.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

Shape = tuple[int | None, ...]

# What the constructors ask for, by name of the argument.
arguments: dict[str, Any] = {
    "axes": -1, "cell": None, "dims": (2, 1), "equation": "ab,bc->ac", "factor": 0.2, "filters": 4, "function": None,
    "head_dim": 4, "height": 4, "height_factor": 0.1, "input_dim": 9, "kernel_size": 2, "key_dim": 4, "max_number": 3,
    "n": 3, "num_bins": 5, "num_heads": 2, "num_key_value_heads": 1, "num_query_heads": 2, "output_dim": 4,
    "output_shape": 4, "output_size": 2, "pool_size": 2, "rate": 0.3, "scale": 0.5, "stddev": 0.1,
    "target_shape": (-1, 2), "units": 4, "width": 4, "width_factor": 0.1, "activation": "tanh",
}  # fmt: skip
# Inputs that are tried one after another where no table says.
vector, steps, picture, volume = (6,), (6, 4), (6, 6, 3), (4, 4, 4, 2)
candidates = {"1D": (steps,), "2D": (picture,), "3D": (volume,), "": (vector, steps, picture)}
# Classes that are nothing by themselves: bases of others, or parts that only others call.
abstract = {"AbstractRNNCell", "InputLayer", "Layer", "RNN", "Wrapper"}
batches = (2, 3)
lacking = "lacks ops of this model"


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the matrix.

    Attributes:
        name: what is special about it, else its class.
        kind: the layer class that it stands for.
        inputs: shape and kind (float32, ids, text) of each input.
        apply: gives the output for the library's tensors.
        outcome: ``built``, or words that the refusal has.
        saved: the same for SavedModels, where it differs.
        h5: the same for HDF5 files, where it differs.
        is_sequence: a Sequential can hold it: one layer, one input.
        layers: makes the layers of a Sequential.
        batch: the one batch size that it takes, or None.
        is_alone: it shares no model with others.
    """

    name: str
    kind: str
    inputs: tuple[tuple[Shape, str], ...]
    apply: Callable[..., Any]
    outcome: str = "built"
    saved: str = ""
    h5: str = ""
    is_sequence: bool = True
    layers: Callable[[], list[Any]] = field(default=list)
    batch: int | None = None
    is_alone: bool = False

    def wanted(self, form: str) -> str:
        """Give the outcome that it must have in a form."""
        return {"saved": self.saved, "h5": self.h5}.get(form.partition("-")[2], "") or self.outcome


def layer(
    name: str, make: Callable[[], Any], shape: Shape = vector, kind: str = "float32", outcome: str = "built"
) -> Item:
    """Give the item of one layer with one input; its class is what comes before the first dash."""

    def apply(x: Any) -> Any:
        return make()(x)

    return Item(name, name.partition("-")[0], ((shape, kind),), apply, outcome, layers=lambda: [make()])


def pair(name: str, apply: Callable[..., Any], *shapes: Shape, kind: str = "float32") -> Item:
    """Give the item of what takes several inputs, or gives several outputs."""
    return Item(name, name.partition("-")[0], tuple((shape, kind) for shape in shapes), apply, is_sequence=False)


def classes(library: Any) -> dict[str, Any]:
    """Give all layer classes by the name that is their own."""
    found: dict[str, Any] = {}
    for name in dir(library.layers):
        value = getattr(library.layers, name)
        if inspect.isclass(value) and issubclass(value, library.layers.Layer) and name not in abstract:
            found.setdefault(value.__name__, value)
    return found


def required(kind: Any) -> list[str]:
    """Give the names of the arguments that a constructor must have."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [item.name for item in parameters if item.default is inspect.Parameter.empty and item.kind in kinds]


def by_default(library: Any, kind: Any) -> Item:
    """Make the item of a class from what its constructor asks for and the first input that it accepts.

    Raises:
        LookupError: neither is enough; the tables need an entry.
    """
    import numpy as np

    name = kind.__name__
    rank = next((suffix for suffix in ("1D", "2D", "3D") if suffix in name), "")
    try:
        given = {key: arguments[key] for key in required(kind)}
    except KeyError as error:
        raise LookupError(
            f"{library.__name__}.layers.{name} needs the argument {error}: give it in arguments or special"
        ) from error
    shapes: tuple[Shape, ...] = candidates[rank]
    if "image" in kind.__module__:
        shapes = (picture,)
    if name.startswith("ConvLSTM"):
        shapes = ((3, *shapes[0]),)
    troubles = []
    for shape in shapes:
        try:
            kind(**given)(library.Input(shape))
            kind(**given)(np.zeros((2, *map(int, shape)), np.float32))  # type: ignore[arg-type]
        except Exception as error:  # whatever a layer says to an input that it does not take
            troubles.append(f"{shape}: {str(error)[:200]}")
            continue
        return layer(name, lambda: kind(**given), shape)
    raise LookupError(f"{library.__name__}.layers.{name} takes none of the inputs: {troubles}; give it in special")


def class_items(library: Any) -> list[Item]:
    """Give one item or more for each layer class.

    Raises:
        LookupError: a class cannot be made; all such are named.
    """
    from tests.matrix.special import apart, draws, special

    table = special(library)
    found: list[Item] = []
    troubles = []
    for name, kind in classes(library).items():
        try:
            made = table[name] if name in table else [by_default(library, kind)]
            saved = {"saved": lacking} if draws(library, kind) else {}
            found += [replace(item, kind=name, is_alone=item.is_alone or name in apart, **saved) for item in made]
        except LookupError as error:
            troubles.append(str(error))
    if troubles:
        raise LookupError("; ".join(troubles))
    return [*found, *application_items(library)]


def application_items(library: Any) -> list[Item]:
    """Give the layers that networks of ``keras.applications`` have of their own."""
    convnext, inception = (
        importlib.import_module(f"{library.__name__}.src.applications.{family}")
        for family in ("convnext", "inception_resnet_v2")
    )
    return [
        layer("LayerScale", lambda: convnext.LayerScale(0.5, 4), steps),
        replace(layer("StochasticDepth", lambda: convnext.StochasticDepth(0.3), steps), is_alone=True),
        pair("CustomScaleLayer", lambda a, b: inception.CustomScaleLayer(0.3)([a, b]), steps, steps),
    ]


def option_items(library: Any) -> list[Item]:
    """Give the activations of a library, and the options of its layers."""
    from tests.matrix.options import activations, options

    return [*activations(library), *options(library)]
