"""Tells what a tensor of a graph is without running it: constants, known lengths, and what is computed from these.

Tracing leaves such computations in the graph, sizes of pictures and conditions above all. An element may be unknown,
as the number of rows in a batch is, while its neighbours are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .messages import NodeDef, TensorProto
from .ops import identities
from .outline import data_inputs, source_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Shape = list[int | None] | None
ShapeOf = Callable[[str], Shape]
Found = Any  # a numpy masked array, or None; a masked element is unknown

most_elements = 4096  # of what is computed: sizes and conditions, never weights
deepest = 64

# Numbers of DataType in tensorflow/core/framework/types.proto, and the fields of TensorProto that hold them.
_types = MappingProxyType({1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 10: "?"})
_fields = {1: "float_val", 2: "double_val", 3: "int_val", 9: "int64_val", 10: "bool_val"}
_elementwise = MappingProxyType(
    {
        "Add": "add", "AddV2": "add", "Sub": "subtract", "Mul": "multiply", "Maximum": "maximum", "Minimum": "minimum",
        "Equal": "equal", "NotEqual": "not_equal", "Greater": "greater", "GreaterEqual": "greater_equal",
        "Less": "less", "LessEqual": "less_equal", "Neg": "negative", "LogicalNot": "logical_not",
    }
)  # fmt: skip
_divisions = MappingProxyType({"RealDiv": "true_divide", "FloorDiv": "floor_divide", "FloorMod": "mod"})
_logic = MappingProxyType({"LogicalAnd": False, "LogicalOr": True, "All": False, "Any": True})  # what decides each
_totals = MappingProxyType({"Sum": "sum", "Prod": "prod", "Max": "max", "Min": "min"})


def known_value(nodes: Mapping[str, NodeDef], tensor: str, shape_of: ShapeOf) -> Array | None:
    """Return the value of a tensor, or None if any of it depends on what is fed.

    Args:
        nodes: of a GraphDef or of a function in its library, by name.
        tensor: its name.
        shape_of: gives what is known of a tensor's shape.
    """
    import numpy as np

    found = _Reader(nodes, shape_of).read(tensor)
    if found is None or _masked().getmaskarray(found).any():
        return None
    value: Array = np.asarray(found)
    return value


def read_tensor(tensor: TensorProto) -> Array | None:
    """Read a constant of numbers or truth values out of its message, or give None if it is of another type."""
    import numpy as np

    if tensor.dtype not in _types:
        return None
    shape = [dimension.size for dimension in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        content: Array = np.frombuffer(tensor.tensor_content, _types[tensor.dtype])
        return content.reshape(shape)
    field = getattr(tensor, _fields[tensor.dtype], None)  # not all are in the messages that need no TensorFlow
    if field is None:
        return None
    values = np.array(list(field) or [0], _types[tensor.dtype])
    count = int(np.prod(shape, dtype=np.int64))
    # A message leaves out what repeats its last value.
    filled: Array = np.concatenate([values, np.repeat(values[-1:], max(0, count - len(values)))])
    return filled[:count].reshape(shape)


def _masked() -> Any:
    """Return numpy's masked arrays, most of which have no types."""
    import numpy as np

    return np.ma


class _Reader:
    """Reads tensors of one graph."""

    def __init__(self, nodes: Mapping[str, NodeDef], shape_of: ShapeOf) -> None:
        self.nodes = nodes
        self.shape_of = shape_of
        self.known: dict[str, Found] = {}

    def read(self, tensor: str, depth: int = 0) -> Found:
        name = source_of(tensor)
        if name not in self.known:
            self.known[name] = None  # for a loop, which comes back here
            self.known[name] = self._compute(name, depth) if depth < deepest else None
        return self.known[name]

    def _compute(self, name: str, depth: int) -> Found:
        node = self.nodes.get(name)
        if node is None:
            return None
        if node.op == "Const":
            value = read_tensor(node.attr["value"].tensor)
            return None if value is None else _masked().masked_array(value)
        sources = data_inputs(node)
        if node.op == "Identity" or node.op in identities - {"PlaceholderWithDefault"}:  # which may be fed
            return self.read(sources[0], depth + 1)
        if node.op in {"Shape", "Size", "Rank"}:
            return _length(node.op, self.shape_of(sources[0]))
        if node.op not in _elementwise and node.op not in _steps:
            return None
        given = [self.read(text, depth + 1) for text in sources]
        if node.op == "Pack" or node.op in _logic:
            given = [_masked().masked_all(()) if value is None else value for value in given]
        if any(value is None or value.size > most_elements for value in given):
            return None
        try:
            return _apply(node, given)
        except (IndexError, TypeError, ValueError):  # shapes that do not fit: of no use, or not as they seem
            return None


def _length(op: str, shape: Shape) -> Found:
    import numpy as np

    if shape is None:
        return None
    if op == "Rank":
        return _masked().masked_array(np.int32(len(shape)))
    lengths = _masked().masked_array([length or 0 for length in shape], [length is None for length in shape], np.int32)
    if op == "Shape":
        return lengths
    return _masked().masked_all(()) if lengths.mask.any() else _masked().masked_array(np.int32(np.prod(lengths.data)))


def _apply(node: NodeDef, given: Sequence[Found]) -> Found:
    """Compute a node, as TensorFlow does; None where it is of no known kind."""
    import numpy as np

    with np.errstate(all="ignore"):
        if node.op in _elementwise:
            found = getattr(_masked(), _elementwise[node.op])(*given)
        else:
            found = _steps[node.op](node, given)
    return None if found is None else _masked().masked_array(found)


def _divide(node: NodeDef, given: Sequence[Found]) -> Found:
    # numpy masks what is divided by zero; TensorFlow gives infinity or an error.
    if (given[1].filled(1) == 0).any() or (node.op == "RealDiv" and given[0].dtype.kind != "f"):
        return None
    return getattr(_masked(), _divisions[node.op])(*given)


def _cast(node: NodeDef, given: Sequence[Found]) -> Found:
    kind = _types.get(node.attr["DstT"].type)
    return None if kind is None else given[0].astype(kind)


def _pack(node: NodeDef, given: Sequence[Found]) -> Found:
    return _masked().stack(given, axis=node.attr["axis"].i)


def _concat(_: NodeDef, given: Sequence[Found]) -> Found:
    return None if _is_unknown(given[-1:]) else _masked().concatenate(given[:-1], axis=int(given[-1]))


def _expand(_: NodeDef, given: Sequence[Found]) -> Found:
    return None if _is_unknown(given[1:]) else _masked().expand_dims(given[0], int(given[1]))


def _squeeze(node: NodeDef, given: Sequence[Found]) -> Found:
    return given[0].squeeze(axis=tuple(node.attr["squeeze_dims"].list.i) or None)


def _reshape(_: NodeDef, given: Sequence[Found]) -> Found:
    return None if _is_unknown(given[1:]) else given[0].reshape([int(length) for length in given[1]])


def _gather(node: NodeDef, given: Sequence[Found]) -> Found:
    import numpy as np

    if node.attr["batch_dims"].i or _is_unknown(given[1:]):
        return None
    return _masked().take(given[0], np.asarray(given[1]), axis=int(given[2]))


def _range(_: NodeDef, given: Sequence[Found]) -> Found:
    import numpy as np

    if _is_unknown(given):
        return None
    start, stop, step = (value.item() for value in given)
    is_small = step and abs(stop - start) <= most_elements * abs(step)
    return np.arange(start, stop, step, given[0].dtype) if is_small else None


def _is_unknown(values: Sequence[Found]) -> bool:
    return any(_masked().getmaskarray(value).any() for value in values)


def _decide(node: NodeDef, given: Sequence[Found]) -> Found:
    """And, or: one element may decide, whatever the others are."""
    import numpy as np

    deciding = _logic[node.op]
    if node.op in {"All", "Any"}:
        values, axes = given
        if _is_unknown([axes]) or node.attr["keep_dims"].b or len(set(np.ravel(axes))) < values.ndim:
            return None  # of all elements together only: it is conditions that are asked for
    elif any(value.ndim for value in given):
        return None
    else:
        values = _masked().stack(given)
    mask = _masked().getmaskarray(values)
    if (np.asarray(values.data, bool) == deciding)[~mask].any():
        return _masked().masked_array(deciding)
    return _masked().masked_all((), bool) if mask.any() else _masked().masked_array(not deciding)


def _total(node: NodeDef, given: Sequence[Found]) -> Found:
    import numpy as np

    values, axes = given
    if _is_unknown(given):
        return None
    axis = tuple(int(number) for number in np.ravel(axes))
    # numpy would add whole numbers up in another type.
    kind = {"dtype": values.dtype} if node.op in {"Sum", "Prod"} else {}
    return getattr(np, _totals[node.op])(np.asarray(values), axis=axis, keepdims=node.attr["keep_dims"].b, **kind)


def _slice(node: NodeDef, given: Sequence[Found]) -> Found:
    """Slice a vector."""
    values, start, stop, step = given
    masks = {key: node.attr[f"{key}_mask"].i for key in ("begin", "end", "shrink_axis", "ellipsis", "new_axis")}
    if values.ndim != 1 or start.size != 1 or masks["ellipsis"] or masks["new_axis"] or _is_unknown(given[1:]):
        return None
    if masks["shrink_axis"]:
        return values[int(start[0])]
    first, behind = None if masks["begin"] else int(start[0]), None if masks["end"] else int(stop[0])
    return values[first : behind : int(step[0])]


_steps: Mapping[str, Callable[[NodeDef, Sequence[Found]], Found]] = MappingProxyType(
    dict.fromkeys(_divisions, _divide)
    | dict.fromkeys(_logic, _decide)
    | dict.fromkeys(_totals, _total)
    | {
        "Cast": _cast,
        "ConcatV2": _concat,
        "ExpandDims": _expand,
        "GatherV2": _gather,
        "Pack": _pack,
        "Range": _range,
        "Reshape": _reshape,
        "Squeeze": _squeeze,
        "StridedSlice": _slice,
    }
)
