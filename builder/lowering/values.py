"""A tensor on its way into a TensorFlow.js graph: what it is logically, and how it is stored."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SourceError, UnsupportedOpsError
from .codes import Codes
from .layout import Order, Shape, plain, stored_shape

Array = npt.NDArray[Any]
held_types = {"f": "float32", "i": "int32", "u": "int32", "b": "bool", "c": "complex64", "U": "string", "O": "string"}
sequence = "sequence"  # of tensors, which is known at build time
variant = "variant"  # a list of tensors, which only the ops of lists take
# Types of ml_dtypes that TensorFlow.js has nothing for, by how their names begin: float8_e4m3fn, uint4, …
unheld = ("float8_", "float6_", "float4_", "int4", "uint4", "int2", "uint2")
enums = {
    "float32": "DT_FLOAT",
    "int32": "DT_INT32",
    "bool": "DT_BOOL",
    "complex64": "DT_COMPLEX64",
    "string": "DT_STRING",
    variant: "DT_VARIANT",
}


@functools.cache
def held_type(type_name: str) -> str:
    """Return the type in which TensorFlow.js holds numbers of a type of NumPy's: int64 and uint8 become int32.

    Raises:
        UnsupportedOpsError: it has none for them.
    """
    if type_name == variant:
        return variant
    if type_name == "bfloat16":
        return "float32"
    if type_name == sequence:
        raise UnsupportedOpsError(
            "gives a sequence of tensors where TensorFlow.js takes or gives one tensor",
            code="SP-385",
            hint="Export the model with tensors as inputs and outputs",
        )
    if not type_name.startswith(unheld):
        return held_types[np.dtype(type_name).kind]
    raise UnsupportedOpsError(
        f"has numbers of the type {type_name}, which TensorFlow.js cannot hold",
        code="SP-385",
        hint="Export the model with float32, or with int8 or uint8 where it is quantised",
    )


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One tensor.

    Attributes:
        type: NumPy's name of the type that the source gives it, as ``int64``; ``dtype`` is the one that it is held in.
        shape: lengths of its logical axes, as the source numbers them; None is an open one.
        order: which logical axis is stored where, see ``layout``.
        name: the node's output that gives it, as ``relu`` or ``split:1``; "" for a constant that is in no node yet.
        array: its content, with logical axes, where that is known at build time.
        codes: the whole numbers that the source gives for such a content.
        items: the tensors of a ``sequence``.
    """

    type: str
    shape: Shape
    order: Order
    name: str = ""
    array: Array | None = None
    codes: Codes | None = None
    items: tuple[Value, ...] | None = None

    @property
    def dtype(self) -> str:
        """The type in which TensorFlow.js holds it."""
        return held_type(self.type)

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def is_plain(self) -> bool:
        """Its axes are stored as they are numbered."""
        return self.order == plain(self.rank)

    @property
    def stored_shape(self) -> Shape:
        """Lengths in the order in which they are stored."""
        return stored_shape(self.shape, self.order)

    @property
    def is_static(self) -> bool:
        """All its lengths are known."""
        return None not in self.shape

    @property
    def size(self) -> int:
        """Number of elements; of a static one only."""
        return int(np.prod([length or 0 for length in self.shape], dtype=np.int64))

    def axis(self, axis: int) -> int:
        """Return where a logical axis, which may count from the end, is stored."""
        return self.order.index(axis % self.rank)

    def axes(self, axes: list[int] | tuple[int, ...]) -> list[int]:
        """Return where logical axes are stored."""
        return [self.axis(axis) for axis in axes]


def held(array: Array, where: str = "") -> Array:
    """Return a constant in the type that TensorFlow.js holds; float16 as it is, which TensorFlow.js widens.

    Raises:
        SourceError: a whole number does not fit into 32 bits.
    """
    kind = array.dtype.name
    if array.dtype.kind in "iu" and array.dtype != np.int32:
        limits = np.iinfo(np.int32)
        if array.size and (int(array.max()) > limits.max or int(array.min()) < limits.min):
            raise SourceError(
                f"holds whole numbers of type {kind} beyond 32 bits, and TensorFlow.js has none",
                code="SP-381",
                where=where,
                hint="Export the model with smaller numbers",
            )
    if kind == "float16":
        return array
    return np.asarray(array).astype(held_type(kind) if held_type(kind) != "string" else object)


def narrowed(array: npt.ArrayLike) -> Array:
    """Return what a source's own runtime computes, in the types that TensorFlow.js holds, without a check."""
    found = np.asarray(array)
    return found.astype({"f": np.float32, "i": np.int32, "u": np.int32}.get(found.dtype.kind, found.dtype))


def common_order(values: Sequence[Value]) -> Order:
    """Return the order for values that are broadcast together.

    It is that of the largest value that is computed, so that constants and small ones are moved.
    """
    rank = max(value.rank for value in values)
    computed = [value for value in values if value.array is None and value.rank == rank]
    # The one that fills the most axes; with channels last before one that is plain.
    weight = {id(value): (sum(n != 1 for n in value.shape), not value.is_plain) for value in computed}
    best = max(computed, key=lambda value: weight[id(value)], default=None)
    return best.order if best is not None else plain(rank)
