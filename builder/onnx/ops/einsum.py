"""Einsum as sums, transposes and products of matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...lowering.layout import product_of
from ...lowering.pieces import scalar
from ...lowering.values import Value
from ..registry import Context, fix_lengths, lowers
from .matrices import product
from .reductions import reduce


@dataclass(frozen=True, slots=True)
class Term:
    """A tensor with a label for each axis."""

    value: Value
    labels: tuple[str, ...]

    def length(self, label: str) -> int | None:
        """Return the length of the axis of a label."""
        return self.value.shape[self.labels.index(label)]


@lowers("Einsum")
def einsum(c: Context) -> Value:
    """Lower an equation, operand by operand."""
    values = [value for value in c.inputs if value is not None]
    if any(value.dtype != "float32" for value in values):
        c.refuse(f"of the type {values[0].type}", "Export the model with floats")
    terms, result = _parsed(c, values)
    terms = [_diagonal(c, term) for term in terms]
    found = terms[0]
    for index, term in enumerate(terms[1:], 1):
        needed = {*result, *(label for other in terms[index + 1 :] for label in other.labels)}
        found = _contracted(c, _summed(c, found, {*needed, *term.labels}), term, needed)
    found = _summed(c, found, set(result))
    if set(found.labels) != set(result):
        c.refuse(f"equation {c.attribute('equation', '')!r} has labels that no input has")
    return c.graph.transpose(found.value, [found.labels.index(label) for label in result])


def _parsed(c: Context, values: list[Value]) -> tuple[list[Term], tuple[str, ...]]:
    """Read the equation; the axes of an ellipsis are labelled by their distance from the end."""
    equation = str(c.attribute("equation", "")).replace(" ", "")
    given, arrow, wanted = equation.partition("->")
    texts = given.split(",")
    if len(texts) != len(values):
        c.refuse(f"equation {equation!r} is not for {len(values)} inputs")
    most = 0
    terms = []
    for text, value in zip(texts, values, strict=True):
        head, dots, tail = text.partition("...")
        count = value.rank - len(head) - len(tail)
        if count < 0 or (count and not dots):
            c.refuse(f"equation {equation!r} does not fit an input of {value.rank} axes")
        most = max(most, count)
        terms.append(Term(value, (*head, *_dots(count), *tail)))
    if not arrow:
        single = sorted(label for label in set(given) - {",", "."} if given.count(label) == 1)
        wanted = f"...{''.join(single)}"
    head, dots, tail = wanted.partition("...")
    return terms, (*head, *(_dots(most) if dots else ()), *tail)


def _dots(count: int) -> tuple[str, ...]:
    return tuple(f".{number}" for number in range(count, 0, -1))


def _diagonal(c: Context, term: Term) -> Term:
    """Take the diagonal of axes that have the same label."""
    for label in term.labels:
        places = [axis for axis, other in enumerate(term.labels) if other == label]
        if len(places) == 1:
            continue
        first, second, *_ = places
        length = term.value.shape[first]
        rest = [axis for axis in range(term.value.rank) if axis not in (first, second)]
        lengths = [term.value.shape[axis] for axis in rest]
        if length is None or lengths.count(None) > 1:
            c.refuse("a diagonal of open lengths", fix_lengths)
        moved = c.graph.plain(c.graph.transpose(term.value, [first, second, *rest]))
        flat = c.graph.reshape(moved, (length * length, *lengths))
        cells = c.graph.constant(np.arange(length, dtype=np.int32) * (length + 1))
        value = c.graph.op("GatherV2", [flat, cells, scalar(c.graph, 0)], shape=(length, *lengths))
        return _diagonal(c, Term(value, (label, *(term.labels[axis] for axis in rest))))
    return term


def _summed(c: Context, term: Term, needed: set[str]) -> Term:
    """Sum over the axes that nobody needs."""
    axes = [axis for axis, label in enumerate(term.labels) if label not in needed]
    if not axes:
        return term
    value = reduce(c, "Sum", term.value, axes, keep=False)
    return Term(value, tuple(label for label in term.labels if label in needed))


def _contracted(c: Context, a: Term, b: Term, needed: set[str]) -> Term:
    """Multiply two tensors, and sum over what only they have: a product of matrices where there is something to sum."""
    b = _summed(c, b, {*needed, *a.labels})
    both = [label for label in a.labels if label in b.labels]
    batch = [label for label in both if label in needed]
    inner = [label for label in both if label not in needed]
    # An axis of length 1 is repeated along the other's, which a product of matrices does not do for sums.
    if not inner or any(a.length(label) != b.length(label) for label in inner):
        labels = [*a.labels, *(label for label in b.labels if label not in a.labels)]
        found = c.graph.elementwise("Mul", [_spread(c, a, labels), _spread(c, b, labels)])
        return _summed(c, Term(found, tuple(labels)), needed)
    rows, columns = ([label for label in one.labels if label not in both] for one in (a, b))
    # Without axes that both keep, the rows may stay axes of their own.
    apart = not batch and len(rows) > 1
    left, right = _matrices(c, a, batch, [rows, inner], apart=apart), _matrices(c, b, batch, [inner, columns])
    found = product(c, left, right)
    shape = (*map(a.length, batch), *map(a.length, rows), *map(b.length, columns))
    if len(columns) > 1 or (len(rows) > 1 and not apart):
        if shape.count(None) > 1:
            c.refuse("several open lengths", fix_lengths)
        found = c.graph.reshape(found, shape)
    else:
        empty = [axis for axis, side in ((-2, rows), (-1, columns)) if not side]
        found = c.graph.squeeze(found, [found.rank + axis for axis in empty]) if empty else found
    return Term(found, (*batch, *rows, *columns))


def _spread(c: Context, term: Term, labels: list[str]) -> Value:
    """Return a tensor with an axis for each label, of length 1 where it has none."""
    order = [label for label in labels if label in term.labels]
    moved = c.graph.transpose(term.value, [term.labels.index(label) for label in order])
    new = [axis for axis, label in enumerate(labels) if label not in term.labels]
    return c.graph.unsqueeze(moved, new) if new else moved


def _matrices(c: Context, term: Term, batch: list[str], sides: list[list[str]], *, apart: bool = False) -> Value:
    """Return a stack of matrices; several axes of a side are joined, or its first ones stay ``apart``."""
    labels = [*batch, *sides[0], *sides[1]]
    moved = c.graph.transpose(term.value, [term.labels.index(label) for label in labels])
    if any(len(side) > 1 for side in sides[apart:]):
        heads = [*batch, *sides[0]] if apart else batch
        joined = [product_of([term.length(label) for label in side]) for side in sides[apart:]]
        shape = (*map(term.length, heads), *joined)
        if shape.count(None) > 1:
            c.refuse("several open lengths", fix_lengths)
        return c.graph.reshape(moved, shape)
    empty = [place for place, side in ((len(batch), sides[0]), (len(labels), sides[1])) if not side]
    return c.graph.unsqueeze(moved, empty) if empty else moved
