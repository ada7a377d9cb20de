"""Products of matrices."""

from __future__ import annotations

from ...lowering.attributes import Type
from ...lowering.layout import Order, broadcast_shape, plain
from ...lowering.pieces import cut, ints, joined
from ...lowering.values import Value
from ..registry import Context, lowers
from .padding import expanded


@lowers("MatMul")
def matmul(c: Context) -> Value:
    """Lower MatMul; axes that were swapped before are read swapped, vectors become matrices of one row or column."""
    return product(c, c.input(0), c.input(1))


def product(c: Context, a: Value, b: Value) -> Value:
    """Return the product of two stacks of matrices, as NumPy's ``matmul`` defines it."""
    graph = c.graph
    if a.dtype != "float32":
        c.refuse(f"of {a.type}", "Export the model with floats, or quantised")
    row, column = a.rank == 1, b.rank == 1
    a = graph.unsqueeze(a, [0]) if row else a
    b = graph.unsqueeze(b, [1]) if column else b
    if a.rank > 2 and b.rank == 2 and a.order[-1] == a.rank - 1:
        found = _flat(c, a, b)
    else:
        rank = max(a.rank, b.rank)
        (a, adj_x), (b, adj_y) = (_swapped(c, graph.unsqueeze(x, list(range(rank - x.rank)))) for x in (a, b))
        shape = (*_batch(a, b), a.shape[-2], b.shape[-1])
        if rank > 2:
            a, b = _stacked(c, a, b, adj_x), _stacked(c, b, a, adj_y)
        if rank == 2:
            found = graph.op("MatMul", [a, b], shape=shape, name=c.name, transpose_a=adj_x, transpose_b=adj_y)
        else:
            found = graph.op("BatchMatMulV2", [a, b], shape=shape, name=c.name, adj_x=adj_x, adj_y=adj_y)
    axes = [*([found.rank - 2] if row else []), *([found.rank - 1] if column else [])]
    return graph.squeeze(found, axes) if axes else found


def _flat(c: Context, a: Value, b: Value) -> Value:
    """Multiply a stack, whose rows are stored in one piece each, by one matrix as one product."""
    graph = c.graph
    if a.shape[-1] is None or b.shape[-1] is None or a.shape[:-1].count(None) > 1:
        a = graph.plain(a)
        b, adj_y = _swapped(c, graph.unsqueeze(b, list(range(a.rank - 2))))
        shape = (*a.shape[:-1], b.shape[-1])
        return graph.op("BatchMatMulV2", [a, b], shape=shape, name=c.name, adj_x=False, adj_y=adj_y)
    rows = a.size // max(a.shape[-1], 1) if a.is_static else None
    b, adj_y = _swapped(c, b)
    lengths = ints(graph, [-1, a.shape[-1]])
    flat = graph.op("Reshape", [a, lengths], shape=(rows, a.shape[-1]))
    found = graph.op("MatMul", [flat, b], shape=(rows, b.shape[-1]), name=c.name, transpose_a=False, transpose_b=adj_y)
    shape = (*a.shape[:-1], b.shape[-1])
    stored = ints(graph, [-1 if shape[axis] is None else shape[axis] or 0 for axis in a.order])
    return graph.op("Reshape", [found, stored], shape=shape, order=a.order)


def _stacked(c: Context, x: Value, other: Value, adjoint: bool) -> Value:
    """Repeat a stack of matrices where TensorFlow.js would not: it goes round and round over the smaller stack."""
    graph, own = c.graph, x.shape[:-2]
    batch = _batch(x, other)
    ones = next((place for place, length in enumerate(own) if length != 1), len(own))
    if own[ones:] == batch[ones:]:
        return x
    if None not in batch and x.is_static:
        return expanded(graph, x, (*batch, *x.shape[-2:]))
    x = graph.plain(x) if not adjoint else graph.plain(graph.transpose(x, (*range(x.rank - 2), x.rank - 1, x.rank - 2)))
    count = x.rank - 2
    heads = [cut(graph, graph.shape_of(value), {0: (0, count)}) for value in (x, other)]
    head = graph.op("BroadcastArgs", heads, shape=(count,), type_name="int32")
    lengths = joined(graph, [head, cut(graph, graph.shape_of(x), {0: (count, 2)})], 0)
    found = graph.op("BroadcastTo", [x, lengths], shape=(*batch, *x.shape[-2:]), Tidx=Type("int32"))
    return graph.transpose(found, (*range(x.rank - 2), x.rank - 1, x.rank - 2)) if adjoint else found


def _swapped(c: Context, x: Value) -> tuple[Value, bool]:
    """Return a stack of matrices in an order that a product can read, and whether its last axes are swapped in it."""
    if x.array is not None:
        return x, False
    straight = plain(x.rank)
    swapped: Order = (*straight[:-2], x.rank - 1, x.rank - 2)
    return (x, True) if x.order == swapped else (c.graph.plain(x), False)


def _batch(a: Value, b: Value) -> tuple[int | None, ...]:
    return broadcast_shape([a.shape[:-2], b.shape[:-2]]) if a.rank > 2 or b.rank > 2 else ()


@lowers("Gemm")
def gemm(c: Context) -> Value:
    """Lower alpha A B + beta C; factors of constants are multiplied in at build time."""
    graph = c.graph
    a, b, bias = c.input(0), c.input(1), c.optional(2)
    a = graph.transpose(a, (1, 0)) if c.attribute("transA", 0) else a
    b = graph.transpose(b, (1, 0)) if c.attribute("transB", 0) else b
    found = product(c, a, b)
    alpha, beta = float(c.attribute("alpha", 1.0)), float(c.attribute("beta", 1.0))
    if alpha != 1:
        found = graph.elementwise("Mul", [found, c.scalar(alpha, found)])
    if bias is None or beta == 0:
        return found
    if beta != 1:
        bias = (
            graph.constant(bias.array * beta)
            if bias.array is not None
            else graph.elementwise("Mul", [bias, c.scalar(beta, bias)])
        )
    if bias.array is not None and bias.array.ndim == 1 and bias.shape[0] == found.shape[1]:
        return graph.op("BiasAdd", [found, bias], shape=found.shape, data_format="NHWC")
    return graph.elementwise("AddV2", [found, bias])
