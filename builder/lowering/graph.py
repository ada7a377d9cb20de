"""Builds the nodes of a TensorFlow.js graph, and moves axes only where an op needs another order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .attributes import Attribute, Type, shape_attribute, typed_by
from .codes import Codes
from .constants import stored_form
from .layout import (
    Order,
    Shape,
    broadcast_shape,
    moves_nothing,
    permutation_between,
    plain,
    reshaped,
    stored_shape,
    transposed,
    with_new,
    without,
    without_leading_ones,
)
from .lengths import KnownLengths
from .nodes import Frame, Function, Node
from .values import Array, Value, common_order, held_type


@dataclass(slots=True)
class Graph:
    """Nodes and weights of a TensorFlow.js graph that is being built.

    Attributes:
        moved: lengths as stored before, of nodes that move axes.
        frames: the model's own graph, and the functions that are being built within each other.
        weights: constants by the name of their node, as stored: values, or codes.
        quantizations: how the codes among them stand for values, as TensorFlow.js' manifest has it.
        steps: what values among them are multiples of, with as many axes as they have.
        inputs: placeholders, by the source's names.
        functions: bodies of branches and loops.
        types: of the outputs of nodes and the arguments of functions, by their names.
        lengths: what is known of outputs that are lengths of axes.
    """

    frames: list[Frame] = field(default_factory=lambda: [Frame()])
    moved: dict[str, Shape] = field(default_factory=dict)
    weights: dict[str, Array] = field(default_factory=dict)
    quantizations: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: dict[str, Array] = field(default_factory=dict)
    inputs: dict[str, Value] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    _names: dict[str, int] = field(default_factory=dict)  # the last number that was put behind each
    _kept: list[Array] = field(default_factory=list)  # whose ids are keys of constants and hints
    lengths: dict[str, KnownLengths] = field(default_factory=dict)
    _hints: dict[int, str] = field(default_factory=dict)
    _turned: dict[tuple[int, str, Order], tuple[Value, Array]] = field(default_factory=dict)
    _short: dict[tuple[int, str, Order], tuple[Value, Array]] = field(default_factory=dict)
    _floats: dict[str, tuple[Value, int]] = field(default_factory=dict)  # what whole numbers were cast from

    @property
    def nodes(self) -> list[Node]:
        """The nodes of the model's own graph."""
        return self.frames[0].nodes

    def input(self, name: str, type_name: str, shape: Shape, order: Order | None = None) -> Value:
        """Add an input of the model.

        Args:
            name: the source's; the node's name is made of it.
            type_name: NumPy's.
            shape: with logical axes.
            order: in which pages give it; None: as it is.
        """
        order = order or plain(len(shape))
        stored = shape_attribute(stored_shape(shape, order))
        node = self._add("Placeholder", [], name, {"dtype": Type(held_type(type_name)), "shape": stored})
        value = self.inputs[name] = Value(type_name, shape, order, node)
        self.types[node] = type_name
        return value

    def constant(self, content: Any, type_name: str = "", name: str = "") -> Value:
        """Return a constant, which becomes a node when an op uses it.

        Args:
            content: an array, or what NumPy makes one of.
            type_name: NumPy's name of its type; that of the content.
            name: for its node.
        """
        array = np.asarray(content, dtype=type_name or None)
        if array.dtype == np.float64 and not type_name and not isinstance(content, np.ndarray):
            array = array.astype(np.float32)
        if name:
            self._hints[id(array)] = name
        self._kept.append(array)
        found = array.dtype.name if array.dtype.kind not in "UO" else "str"
        return Value(found, array.shape, plain(array.ndim), "", array)

    def coded(self, codes: Codes, type_name: str = "float32", name: str = "") -> Value:
        """Return a constant that is stored as codes.

        Args:
            codes: what stands for the values.
            type_name: NumPy's name of the values' type.
            name: for its node.
        """
        return replace(self.constant(codes.values(), name=name), type=type_name, codes=codes)

    # -- nodes

    def op(
        self,
        op: str,
        inputs: Sequence[Value],
        *,
        shape: Shape,
        type_name: str = "",
        order: Order | None = None,
        name: str = "",
        **attributes: Any,
    ) -> Value:
        """Add a node of one output.

        Args:
            op: TensorFlow's name of it.
            inputs: used as they are stored: bring them into the right order first.
            shape: of the result, with logical axes.
            type_name: of the result, NumPy's name; that of the first input.
            order: in which the result is stored; plain.
            name: a stem for the node's name.
            attributes: of the node.
        """
        return self.ops(op, inputs, [(type_name or inputs[0].type, shape, order)], name=name, **attributes)[0]

    def ops(
        self,
        op: str,
        inputs: Sequence[Value],
        results: Sequence[tuple[str, Shape, Order | None]],
        *,
        name: str = "",
        **attributes: Any,
    ) -> list[Value]:
        """Add a node of several outputs, each with type, logical shape and order; see ``op``."""
        if inputs and "T" not in attributes:
            attributes["T"] = Type(inputs[typed_by.get(op, 0)].dtype)
        sources = [self.stored(value) for value in inputs]
        node = self._add(op, sources, name or op, attributes)
        names = [f"{node}:{index}" if index else node for index in range(len(results))]
        self.types |= {name: result[0] for name, result in zip(names, results, strict=True)}
        return [
            Value(type_name, tuple(shape), order or plain(len(shape)), name)
            for name, (type_name, shape, order) in zip(names, results, strict=True)
        ]

    def identity(self, value: Value, name: str = "") -> Value:
        """Return the same value as the output of a node of its own."""
        return self.op("Identity", [value], shape=value.shape, order=value.order, name=name)

    def stored(self, value: Value) -> str:
        """Return the node's output that holds a value in its order; constants become nodes here."""
        if value.array is None:
            return self._reached(value.name)
        constants, key = self.frames[-1].constants, (id(value.array), value.order)
        if key not in constants:
            constants[key] = self._write(value, self._hints.get(id(value.array), ""))
            self._kept += [value.array, *([value.codes.array] if value.codes else [])]
        return constants[key]

    def _write(self, value: Value, hint: str) -> str:
        """Add the node of a constant; what its codes are multiplied with or less is computed when the graph runs."""
        form = stored_form(value, hint)
        coded = self.frames[-1].coded
        node = coded.get(form.key) if form.key else None
        if node is None:
            node = self._add("Const", [], hint or "Const", {"dtype": Type(value.dtype)})
            self.types[node] = value.type
            self.weights[node] = form.array
            if form.steps is not None:
                self.steps[node] = form.steps
            if form.quantization is not None and form.key is not None:
                self.quantizations[node] = form.quantization
                coded[form.key] = node
        found = Value(value.type, value.shape, value.order, node)
        for op, factor in form.factors:
            constant = self.constant(factor.astype(np.float32), name=f"{hint}_{op.lower()}" if hint else "")
            found = self.elementwise(op, [found, constant], value.type)
        return found.name

    def _reached(self, output: str) -> str:
        """Return the name of a node's output in the graph that is being built: functions get it as an argument."""
        node = output.partition(":")[0]
        home = next(level for level, frame in enumerate(self.frames) if node in frame.names)
        for frame in self.frames[home + 1 :]:
            if output not in frame.captured:
                frame.captured[output] = self.argument(frame, node, self.types[output])
            output = frame.captured[output]
        return output

    def argument(self, frame: Frame, stem: str, type_name: str) -> str:
        """Return the unused name of another argument of a function."""
        frame.names.add(name := self.unused(f"{frame.prefix}{stem.rpartition('/')[2]}"))
        self.types[name] = type_name
        return name

    def _add(self, op: str, inputs: list[str], stem: str, attributes: Mapping[str, Attribute]) -> str:
        frame = self.frames[-1]
        name = self.unused(frame.prefix + stem)
        frame.add(Node(name, op, inputs, dict(attributes)))
        return name

    def unused(self, stem: str) -> str:
        """Return a name that no node has yet, made of what the source calls it."""
        stem = re.sub(r"[^A-Za-z0-9_./-]", "_", stem).strip("/") or "node"
        stem = stem if stem[0].isalnum() or stem[0] == "." else f"n{stem}"
        name, number = stem, self._names.get(stem, 0)
        while name in self._names:
            number += 1
            name = f"{stem}_{number}"
        self._names |= {stem: number, name: 0 if name != stem else number}
        return name

    def ordered(self, value: Value, order: Order) -> Value:
        """Return a value as stored in another order; it is moved once, however often that is asked for."""
        if value.order == order:
            return value
        if value.array is not None:
            return replace(value, order=order)
        key = (value.name, permutation_between(value.order, order))
        known = [frame.ordered[key] for frame in self.frames if key in frame.ordered]
        if not known:
            if moves_nothing(value.shape, value.order, order) and value.shape.count(None) <= 1:
                found = self._reshape_stored(value, value.shape, order)
            else:
                moves = self.constant(np.array(permutation_between(value.order, order), np.int32))
                found = self.op("Transpose", [value, moves], shape=value.shape, order=order)
                self.moved[found.name] = value.stored_shape
            self.frames[-1].ordered[key] = found
            known = [found]
        found = known[0]
        return Value(value.type, value.shape, order, found.name)

    def plain(self, value: Value) -> Value:
        """Return a value with its axes stored as they are numbered."""
        return self.ordered(value, plain(value.rank))

    def transpose(self, value: Value, permutation: Sequence[int]) -> Value:
        """Return a value whose logical axis ``i`` is ``permutation[i]`` of the old one; nothing is moved for it."""
        axes = tuple(permutation)
        if value.array is None:
            return Value(value.type, stored_shape(value.shape, axes), transposed(value.order, axes), value.name)
        key = (id(value.array), value.type, axes)
        if key not in self._turned:  # one weight of many steps stays one weight
            self._turned[key] = (self._changed(value, lambda array: array.transpose(axes)), value.array)
        return self._turned[key][0]

    def reshape(self, value: Value, shape: Shape, target: Value | None = None) -> Value:
        """Return a value with other logical axes, and move it only if its order does not allow that.

        Args:
            value: any.
            shape: with at most one open length, or with ``target``.
            target: the lengths, computed when the graph runs.
        """
        shape = tuple(shape)
        if shape == value.shape and None not in shape:
            return value
        if value.array is not None:
            numbers = [-1 if n is None else n for n in shape]
            if value.codes is None or value.codes.changed(lambda array: array.reshape(numbers)) is not None:
                return self._changed(value, lambda array: array.reshape(numbers))
            # A factor for each of several blocks of an axis: it is multiplied in before these are joined.
            value = Value(value.type, value.shape, value.order, self.stored(value))
        if shape.count(None) <= 1:
            orders = (
                (plain(value.rank), plain(len(shape))) if value.is_plain else reshaped(value.shape, shape, value.order)
            )
            first, order = orders or (plain(value.rank), plain(len(shape)))
            return self._reshape_stored(self.ordered(value, first), shape, order)
        assert target is not None, "open lengths need to be computed"  # noqa: S101
        lengths = self.cast(target, "int32")
        return self.op("Reshape", [self.plain(value), lengths], shape=shape)

    def _reshape_stored(self, value: Value, shape: Shape, order: Order) -> Value:
        lengths = np.array([-1 if n is None else n for n in stored_shape(shape, order)], np.int32)
        return self.op("Reshape", [value, self.constant(lengths)], shape=shape, order=order)

    def unsqueeze(self, value: Value, axes: Sequence[int]) -> Value:
        """Return a value with new logical axes of length 1, numbered as they are afterwards."""
        if not axes:
            return value
        rank = value.rank + len(axes)
        axes = sorted(axis % rank for axis in axes)
        lengths = list(value.shape)
        for axis in axes:
            lengths.insert(axis, 1)
        if value.array is not None:
            return self._changed(value, lambda array: array.reshape([n or 0 for n in lengths]))
        order = with_new(value.order, axes)
        if value.shape.count(None) <= 1:
            return self._reshape_stored(value, tuple(lengths), order)
        for stored in sorted(order.index(axis) for axis in axes):
            index = self.constant(np.array(stored, np.int32))
            value = self.op("ExpandDims", [value, index], shape=())
        return Value(value.type, tuple(lengths), order, value.name)

    def squeeze(self, value: Value, axes: Sequence[int]) -> Value:
        """Return a value without logical axes of length 1."""
        if not axes:
            return value
        axes = sorted(axis % value.rank for axis in axes)
        shape = tuple(n for axis, n in enumerate(value.shape) if axis not in axes)
        if value.array is not None:
            return self._changed(value, lambda array: array.reshape([n or 0 for n in shape]))
        order = without(value.order, axes)
        return self.op("Squeeze", [value], shape=shape, order=order, squeeze_dims=sorted(value.axes(tuple(axes))))

    def _changed(self, value: Value, change: Callable[[Array], Array]) -> Value:
        """Return a constant whose axes are others, with its name and its codes."""
        assert value.array is not None  # noqa: S101
        found = self.constant(change(value.array), name=self._hints.get(id(value.array), ""))
        return replace(found, type=value.type, codes=value.codes.changed(change) if value.codes else None)

    def cast(self, value: Value, type_name: str) -> Value:
        """Return a value as another type, without any care for what does not fit."""
        if value.type == type_name:
            return value
        if value.array is not None:
            if value.codes and held_type(type_name) == "float32":
                return replace(value, type=type_name)
            return self.constant(value.array.astype(type_name), name=self._hints.get(id(value.array), ""))
        if held_type(type_name) == "float32" and (floats := self.floats_of(value)) is not None:
            return replace(floats, type=type_name)
        if value.dtype == held_type(type_name):
            return Value(type_name, value.shape, value.order, value.name)
        if type_name == "bool":  # wasm's Cast takes the lowest byte for the truth
            return self.elementwise("NotEqual", [value, self.constant(np.array(0, value.dtype))], "bool")
        kinds: dict[str, Any] = {"SrcT": Type(value.dtype), "DstT": Type(held_type(type_name))}
        return self.op("Cast", [value], shape=value.shape, type_name=type_name, order=value.order, **kinds)

    def whole(self, floats: Value, zero: int, type_name: str) -> Value:
        """Return whole floats plus ``zero`` as ``type_name``, and remember the floats for what casts them back."""
        added = self.elementwise("AddV2", [floats, self.constant(np.float32(zero))]) if zero else floats
        found = self.cast(added, type_name)
        self._floats[found.name] = (replace(floats, type="float32"), zero)
        return found

    def floats_of(self, value: Value, zero: int = 0) -> Value | None:
        """Return the floats that whole numbers less ``zero`` were cast from, where they are remembered."""
        floats, added = self._floats.get(value.name, (None, 0))
        if value.array is not None or floats is None or added != zero:
            return None
        return Value("float32", value.shape, value.order, floats.name)

    def shape_of(self, value: Value) -> Value:
        """Return the lengths of a value's logical axes, int32 [rank]: known, or computed when the graph runs."""
        if value.is_static:
            return self.constant(np.array(value.shape, np.int32))
        lengths = self.op("Shape", [value], shape=(value.rank,), type_name="int32", out_type=Type("int32"))
        if value.is_plain:
            return lengths
        places = self.constant(np.array([value.order.index(axis) for axis in range(value.rank)], np.int32))
        zero = self.constant(np.array(0, np.int32))
        return self.op("GatherV2", [lengths, places, zero], shape=(value.rank,), type_name="int32")

    def aligned(self, values: Sequence[Value]) -> tuple[list[Value], Shape, Order]:
        """Bring values that are broadcast together into one order; give their common shape and order too."""
        shape = broadcast_shape([value.shape for value in values])
        order = common_order(values)
        return [self._fitted(value, len(order), order) for value in values], shape, order

    def _fitted(self, value: Value, rank: int, order: Order) -> Value:
        if value.rank == rank:
            return self.ordered(value, order)
        if value.rank == 0 or (order == plain(rank) and value.is_plain):  # TensorFlow.js broadcasts it by itself
            return value
        return self.ordered(self.unsqueeze(value, list(range(rank - value.rank))), order)

    def _shortened(self, value: Value) -> Value:
        """Return a constant without leading axes of length 1, which many kernels of wasm take ten times as long for."""
        lengths = without_leading_ones(value.stored_shape)
        if value.array is None or value.codes is not None or len(lengths) == value.rank:
            return value
        key = (id(value.array), value.type, value.order)
        if key not in self._short:  # one weight of many steps stays one weight
            found = self._changed(value, lambda array: array.transpose(value.order).reshape(lengths))
            self._short[key] = (found, value.array)
        return self._short[key][0]

    def elementwise(self, op: str, values: Sequence[Value], type_name: str = "", **attributes: Any) -> Value:
        """Add an op that works number by number on values that are broadcast together."""
        fitted, shape, order = self.aligned(values)
        if any(value.array is None and value.rank == len(shape) for value in fitted):
            fitted = [self._shortened(value) for value in fitted]
        return self.op(op, fitted, shape=shape, order=order, type_name=type_name or values[0].type, **attributes)
