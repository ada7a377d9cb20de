"""Einsum as transposes and matrix products: TensorFlow.js' wasm backend has no kernel for it."""

from __future__ import annotations

from collections.abc import Sequence

from .topology import Patch, data_inputs, text_of, type_of


def einsum(patch: Patch) -> str | None:
    """Rewrite a product of two tensors whose labels are each kept or summed over both; None for other equations."""
    node = patch.node
    inputs = data_inputs(node)
    given, arrow, result = text_of(node, "equation").replace(" ", "").partition("->")
    terms = given.split(",")
    if not arrow or len(inputs) != 2 or len(terms) != 2 or not _is_plain([*terms, result]):
        return None
    left, right = terms
    both = [label for label in left if label in right]
    batch = [label for label in both if label in result]
    summed = [label for label in both if label not in result]
    only_left, only_right = ([x for x in one if x not in other] for one, other in ((left, right), (right, left)))
    if set(only_left + only_right) - set(result):
        return None
    kind = type_of(node)
    if kind != "DT_FLOAT":
        return None
    a = _matrices(patch, inputs[0], left, (batch, only_left, summed))
    b = _matrices(patch, inputs[1], right, (batch, summed, only_right))
    product = patch.add("BatchMatMulV2", [a, b], T=kind, adj_x=False, adj_y=False)
    labels = batch + only_left + only_right
    if len(only_left) != 1 or len(only_right) != 1:
        lengths = [_lengths(patch, inputs[0], left, batch + only_left), _lengths(patch, inputs[1], right, only_right)]
        product = _reshape(patch, product, [part for part in lengths if part])
    return _transpose(patch, product, labels, list(result))


def _is_plain(terms: Sequence[str]) -> bool:
    return all(term.isalpha() and len(set(term)) == len(term) for term in terms)


def _matrices(patch: Patch, tensor: str, labels: str, groups: tuple[list[str], list[str], list[str]]) -> str:
    """Return a tensor as [batch…, rows, columns], where rows and columns may be several axes of it."""
    batch, rows, columns = groups
    moved = _transpose(patch, tensor, list(labels), batch + rows + columns)
    if len(rows) == len(columns) == 1:
        return moved
    parts = [
        _lengths(patch, tensor, labels, batch),
        *(_product(patch, tensor, labels, side) for side in (rows, columns)),
    ]
    return _reshape(patch, moved, [part for part in parts if part])


def _transpose(patch: Patch, tensor: str, labels: list[str], wanted: list[str]) -> str:
    if labels == wanted:
        return tensor
    order = patch.const([labels.index(label) for label in wanted])
    return patch.add("Transpose", [tensor, order], T="DT_FLOAT", Tperm="DT_INT32")


def _lengths(patch: Patch, tensor: str, labels: str, wanted: list[str]) -> str:
    """Return the lengths of some axes as a vector; "" for none."""
    if not wanted:
        return ""
    shape = patch.add("Shape", [tensor], T="DT_FLOAT", out_type="DT_INT32")
    places = patch.const([labels.index(label) for label in wanted])
    return patch.add("GatherV2", [shape, places, patch.const(0)], Tparams="DT_INT32", Tindices="DT_INT32",
                     Taxis="DT_INT32", batch_dims=0)  # fmt: skip


def _product(patch: Patch, tensor: str, labels: str, wanted: list[str]) -> str:
    """Return the product of the lengths of some axes, as a vector of one."""
    if not wanted:
        return patch.const([1])
    lengths = _lengths(patch, tensor, labels, wanted)
    if len(wanted) == 1:
        return lengths
    return patch.add("Prod", [lengths, patch.const([0])], T="DT_INT32", Tidx="DT_INT32", keep_dims=True)


def _reshape(patch: Patch, tensor: str, parts: list[str]) -> str:
    shape = parts[0]
    if len(parts) > 1:
        shape = patch.add("ConcatV2", [*parts, patch.const(0)], T="DT_INT32", Tidx="DT_INT32", N=len(parts))
    return patch.add("Reshape", [tensor, shape], T="DT_FLOAT", Tshape="DT_INT32")
