"""Products of matrices."""

from __future__ import annotations

from ...lowering.layout import Shape, broadcast_shape
from ...lowering.values import Value
from ..registry import Context, fix_size, lowers
from .convolution import add_bias


@lowers("FULLY_CONNECTED")
def fully_connected(c: Context) -> Value:
    """Lower FULLY_CONNECTED: a kernel [out, in], stored as [in, out], on rows of what comes in."""
    x, kernel = c.input(0), c.input(1)
    if int(c.option("weights_format", 0)) or kernel.rank != 2:
        c.refuse("shuffled weights")
    outputs, inputs = kernel.shape
    rows = None
    if x.is_static and inputs:
        if x.size % inputs:
            c.refuse(f"{x.size} numbers for rows of {inputs}", "Give its inputs the lengths that it was made for")
        rows = x.size // inputs
    flat = x if x.rank == 2 and x.shape[1] == inputs else c.graph.reshape(x, (rows, inputs))
    stored = c.graph.ordered(kernel, (1, 0))
    product = c.graph.op(
        "MatMul", [flat, stored], shape=(flat.shape[0], outputs), name=c.name, transpose_a=False, transpose_b=False
    )
    found = c.activated(add_bias(c, product, c.optional(2)))
    if not c.option("keep_num_dims", False):
        return found
    shape = (*x.shape[:-1], outputs)
    return c.graph.reshape(found, shape, _lengths(c, x, outputs) if shape.count(None) > 1 else None)


def _lengths(c: Context, x: Value, outputs: int | None) -> Value:
    graph = c.graph
    lengths = graph.op(
        "Slice", [graph.shape_of(x), c.whole([0]), c.whole([x.rank - 1])], shape=(x.rank - 1,), type_name="int32"
    )
    return graph.op(
        "ConcatV2", [lengths, c.whole([outputs or -1]), c.whole(0)], shape=(x.rank,), type_name="int32", N=2
    )


@lowers("BATCH_MATMUL")
def batch_matmul(c: Context) -> Value:
    """Lower products of stacks of matrices, broadcast together."""
    a, b = c.input(0), c.input(1)
    rank = max(a.rank, b.rank, 2)
    a, b = (c.graph.unsqueeze(x, list(range(rank - x.rank))) if x.rank < rank else x for x in (a, b))
    adj_x, adj_y = bool(c.option("adj_x", False)), bool(c.option("adj_y", False))
    rows, columns = a.shape[-1 if adj_x else -2], b.shape[-2 if adj_y else -1]
    if rank == 2:
        return c.graph.op("MatMul", [a, b], shape=(rows, columns), name=c.name, transpose_a=adj_x, transpose_b=adj_y)
    batch = broadcast_shape([a.shape[:-2], b.shape[:-2]])
    a, b = (_spread(c, x, batch) for x in (a, b))
    shape = (*batch, rows, columns)
    return c.graph.op("BatchMatMulV2", [a, b], shape=shape, name=c.name, adj_x=adj_x, adj_y=adj_y)


def _spread(c: Context, x: Value, batch: Shape) -> Value:
    """Repeat a stack where TensorFlow.js does not broadcast it: it can only do so with a single matrix."""
    own = x.shape[:-2]
    if own == batch or all(n == 1 for n in own):
        return x
    if None in batch or None in x.shape:
        c.refuse("stacks of open lengths that are broadcast together", fix_size)
    shape = (*batch, *x.shape[-2:])
    return c.graph.op("BroadcastTo", [x, c.whole([n or 0 for n in shape])], shape=shape)
