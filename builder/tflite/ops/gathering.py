"""Gathers and scatters."""

from __future__ import annotations

from ...lowering.attributes import Type
from ...lowering.layout import Shape, product_of
from ...lowering.pieces import gather as pick
from ...lowering.pieces import positions, scalar
from ...lowering.values import Value
from ..registry import Context, fix_size, lowers


@lowers("GATHER")
def gather(c: Context) -> Value:
    """Lower slices by their number along an axis."""
    x, indices = c.input(0), c.input(1)
    axis = int(c.option("axis", 0)) % max(x.rank, 1)
    batch = int(c.option("batch_dims", 0)) % max(indices.rank, 1)
    if indices.dtype != "int32":
        c.refuse(f"indices of the type {indices.type}")
    if batch:
        return _gather_of_rows(c, x, indices, axis, batch)
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    return c.graph.op("GatherV2", [x, indices, c.whole(axis)], shape=shape, name=c.name, batch_dims=0)


def _gather_of_rows(c: Context, x: Value, indices: Value, axis: int, batch: int) -> Value:
    """Return slices of each row of a batch, whose kernel on wasm takes all from the first row."""
    graph, more = c.graph, axis - batch
    if more < 0:
        c.refuse(f"axis {axis} within the {batch} axes of the batch")
    x = graph.plain(graph.transpose(x, [*range(batch), axis, *range(batch, axis), *range(axis + 1, x.rank)]))
    length, rest, own = x.shape[batch], x.shape[batch + 1 :], indices.shape[batch:]
    heads = [n if n is not None else m for n, m in zip(x.shape[:batch], indices.shape[:batch], strict=True)]
    count = product_of(own)
    if length is None or count is None or None in rest or heads.count(None) > 1:
        c.refuse("a batch of open lengths", fix_size)
    total = product_of(heads)
    table = graph.reshape(indices, (total, count))
    firsts = graph.elementwise("Mul", [graph.unsqueeze(positions(graph, table, 0), [1]), scalar(graph, length)])
    flat = graph.reshape(x, (None if total is None else total * length, *rest))
    found = pick(graph, flat, 0, graph.elementwise("AddV2", [table, firsts]))
    found = graph.reshape(found, (*heads, *own, *rest))
    middle, end = batch + len(own), batch + len(own) + more
    return graph.transpose(found, [*range(batch), *range(middle, end), *range(batch, middle), *range(end, found.rank)])


@lowers("EMBEDDING_LOOKUP")
def embedding_lookup(c: Context) -> Value:
    """Lower rows by their number."""
    ids, rows = c.input(0), c.input(1)
    return c.graph.op(
        "GatherV2",
        [rows, ids, c.whole(0)],
        shape=(*ids.shape, *rows.shape[1:]),
        name=c.name,
        batch_dims=0,
    )


@lowers("GATHER_ND")
def gather_nd(c: Context) -> Value:
    """Lower slices by several numbers each."""
    x, indices = c.input(0), c.input(1)
    depth = indices.shape[-1]
    if depth is None:
        c.refuse("indices of an open length", fix_size)
    shape = (*indices.shape[:-1], *x.shape[depth:])
    return c.graph.op("GatherNd", [x, indices], shape=shape, name=c.name, Tindices=Type("int32"))


@lowers("SCATTER_ND")
def scatter_nd(c: Context) -> Value:
    """Lower sums of slices at given places."""
    indices, updates, lengths = c.input(0), c.input(1), c.input(2)
    shape: Shape = (None,) * (lengths.shape[0] or 0)
    if lengths.array is not None:
        shape = tuple(int(n) for n in lengths.array)
    values = [indices, updates, c.graph.cast(lengths, "int32")]
    return c.graph.op(
        "ScatterNd", values, shape=c.shape() or shape, type_name=updates.type, name=c.name, T=Type(updates.dtype)
    )


@lowers("ONE_HOT")
def one_hot(c: Context) -> Value:
    """Lower numbers as rows with a mark."""
    indices = c.input(0)
    depth = c.numbers(1, "the depth")[0]
    on, off = c.known(2, "the value that marks"), c.known(3, "the value of the rest")
    axis = int(c.option("axis", -1))
    kind = c.graph.constant(on).dtype
    place = axis % (indices.rank + 1)
    values = [indices, c.whole(depth), c.graph.constant(on.astype(kind)), c.graph.constant(off.astype(kind))]
    found = c.graph.op(
        "OneHot",
        values,
        shape=(*indices.shape, depth),
        type_name=c.type(),
        name=c.name,
        axis=-1,
        T=Type(kind),
        TI=Type("int32"),
        dtype=Type(kind),
    )
    order = list(range(indices.rank))
    order.insert(place, indices.rank)
    return c.graph.transpose(found, order)
