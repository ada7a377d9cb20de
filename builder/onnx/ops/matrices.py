"""Products of matrices."""

from __future__ import annotations

from ...lowering.layout import Order, broadcast_shape, plain
from ...lowering.values import Value
from ..registry import Context, lowers
from .scales import scales_apart


@lowers("MatMul")
@scales_apart
def matmul(c: Context) -> Value:
    """Lower MatMul; axes that were swapped before are read swapped, vectors become matrices of one row or column."""
    return product(c, c.input(0), c.input(1))


def product(c: Context, a: Value, b: Value) -> Value:
    """Return the product of two stacks of matrices, as NumPy's ``matmul`` defines it."""
    graph = c.graph
    row, column = a.rank == 1, b.rank == 1
    a = graph.unsqueeze(a, [0]) if row else a
    b = graph.unsqueeze(b, [1]) if column else b
    if a.rank > 2 and b.rank == 2 and a.is_plain:
        found = _flat(c, a, b)
    else:
        rank = max(a.rank, b.rank)
        (a, adj_x), (b, adj_y) = (_swapped(c, graph.unsqueeze(x, list(range(rank - x.rank)))) for x in (a, b))
        shape = (*_batch(a, b), a.shape[-2], b.shape[-1])
        if rank == 2:
            found = graph.op("MatMul", [a, b], shape=shape, name=c.name, transpose_a=adj_x, transpose_b=adj_y)
        else:
            found = graph.op("BatchMatMulV2", [a, b], shape=shape, name=c.name, adj_x=adj_x, adj_y=adj_y)
    axes = [*([found.rank - 2] if row else []), *([found.rank - 1] if column else [])]
    return graph.squeeze(found, axes) if axes else found


def _flat(c: Context, a: Value, b: Value) -> Value:
    """Multiply a stack by one matrix as one product."""
    graph = c.graph
    if a.shape[-1] is None or a.shape[:-1].count(None) > 1:
        b, adj_y = _swapped(c, graph.unsqueeze(b, list(range(a.rank - 2))))
        shape = (*a.shape[:-1], b.shape[-1])
        return graph.op("BatchMatMulV2", [a, b], shape=shape, name=c.name, adj_x=False, adj_y=adj_y)
    rows = None
    if a.is_static:
        rows = a.size // max(a.shape[-1], 1)
    b, adj_y = _swapped(c, b)
    found = graph.op(
        "MatMul",
        [graph.reshape(a, (rows, a.shape[-1])), b],
        shape=(rows, b.shape[-1]),
        name=c.name,
        transpose_a=False,
        transpose_b=adj_y,
    )
    return graph.reshape(found, (*a.shape[:-1], b.shape[-1]))


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
@scales_apart
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
