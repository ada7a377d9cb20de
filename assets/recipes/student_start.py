"""What the student begins with: the teacher cut to a third of its width, each layer fitted to what the teacher does.

What passes between blocks has no activation, so any rotation of it is the same network: the student carries its main
axes (principal components) instead of all channels. Of the channels inside of a block it keeps those that move the
block's output most, and each 1x1 convolution is solved for by least squares, from what the student has so far to what
the teacher has there: errors of earlier layers are made up for by later ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from mobilenet import Block, Convolution, Network, convolve, deviations, means, run

Array = Any
widths = {16: 8, 24: 8, 32: 16, 64: 24, 96: 32, 160: 56, 320: 112}  # of 0.35, as published networks round it
stem_width = 16
most_rows = 30_000
batch = 32


@dataclass(frozen=True)
class Axes:
    """The main axes of what a block gives: mean [d], axes [d, k], and the variance along all of them."""

    mean: Array
    axes: Array
    spread: float


def rows(maps: Array) -> Array:
    """Give some of the pixels of [n, height, width, d] as [rows, d]."""
    flat = maps.reshape(-1, maps.shape[-1])
    return flat[:: max(1, len(flat) // most_rows)]


def in_batches(function: Callable[[Any], Any], maps: Array) -> Array:
    """Run a function on some pictures after another."""
    return np.concatenate([function(maps[start : start + batch]).numpy() for start in range(0, len(maps), batch)])


def main_axes(maps: list[Array], count: int) -> Axes:
    """Give the axes along which these differ most."""
    found = np.concatenate([rows(one) for one in maps]).astype(np.float64)
    mean = found.mean(0)
    values, vectors = np.linalg.eigh(np.cov(found.T))
    kept = values[::-1][:count]
    return Axes(mean.astype(np.float32), vectors[:, ::-1][:, :count].astype(np.float32), float(kept.sum()))


def solve(given: Array, wanted: Array, damping: float = 1e-3) -> Convolution:
    """Give the 1x1 convolution that comes nearest from [rows, inputs] to [rows, outputs]."""
    given, wanted = given.astype(np.float64), wanted.astype(np.float64)
    before, after = given.mean(0), wanted.mean(0)
    square = (given - before).T @ (given - before)
    square += damping * np.trace(square) / len(square) * np.eye(len(square))
    kernel = np.linalg.solve(square, (given - before).T @ (wanted - after))
    return Convolution(kernel.astype(np.float32)[None, None], (after - before @ kernel).astype(np.float32))


def heaviest(weights: Array, count: int) -> Array:
    """Give the places of the largest, in order of place."""
    return np.sort(np.argsort(-weights, kind="stable")[:count])


def axes_of(network: Network, given: list[Array]) -> tuple[Axes, ...]:
    """Give the axes of each block's output; blocks that add to one another share theirs."""
    found: list[Axes] = []
    numbers = [0]
    for block in network.blocks[1:]:
        numbers.append(numbers[-1] + (not block.residual))
    for _, group in groupby(range(len(numbers)), numbers.__getitem__):
        members = list(group)
        shared = main_axes([given[one] for one in members], widths[given[members[0]].shape[-1]])
        found += [shared] * len(members)
    return tuple(found)


def cut_block(
    tf: Any, block: Block, axes: Axes, kept: Array, teacher: tuple[Array, Array], mine: Array
) -> tuple[Block, Array]:
    """Give the student's block and what it gives.

    Args:
        tf: TensorFlow.
        block: of the teacher.
        axes: of its output.
        kept: channels of its input, where it does not expand.
        teacher: what goes in and comes out there.
        mine: what goes into the student's block.
    """
    before, after = teacher
    inner = before[:: max(1, len(before) // 48)]  # enough to tell which channels matter
    if block.expand:
        inner = in_batches(lambda x: convolve(tf, x, block.expand), inner)
    inner = in_batches(lambda x: convolve(tf, x, block.depthwise, block.stride, depthwise=True), inner)
    expand = None
    if block.expand:
        moved = rows(inner).std(0) * np.linalg.norm(block.project.kernel[0, 0] @ axes.axes, axis=1)
        kept = heaviest(moved, 6 * mine.shape[-1])
        wanted = rows(before) @ block.expand.kernel[0, 0][:, kept] + block.expand.bias[kept]
        expand = solve(rows(mine), wanted)
    depthwise = Convolution(block.depthwise.kernel[:, :, kept], block.depthwise.bias[kept])

    def widened(x: Any) -> Any:
        x = convolve(tf, x, expand) if expand else x
        return convolve(tf, x, depthwise, block.stride, depthwise=True)

    inner = in_batches(widened, mine)
    wanted = (rows(after) - axes.mean) @ axes.axes
    project = solve(rows(inner), wanted - rows(mine) if block.residual else wanted)
    out = in_batches(lambda x: convolve(tf, x, project, act=False), inner)
    return Block(expand, depthwise, project, block.stride, block.residual), mine + out if block.residual else out


def begin(tf: Any, teacher: Network, pictures: Array, edge: int, features: int) -> tuple[Network, tuple[Axes, ...]]:
    """Give the student before it learns, and the axes of each block.

    Args:
        tf: TensorFlow.
        teacher: to cut.
        pictures: [n, 224, 224, 3] in 0..1 to fit it on.
        edge: at which it looks at pictures.
        features: that its last convolution gives.
    """
    small = Network(teacher.stem, teacher.blocks, teacher.last, teacher.dense, edge)
    look = tf.function(lambda x: run(tf, small, x)[0])
    parts = [look(pictures[start : start + batch]) for start in range(0, len(pictures), batch)]
    given = [np.concatenate([part[number].numpy() for part in parts]) for number in range(len(teacher.blocks))]
    axes = axes_of(teacher, given)

    def stem(x: Any) -> Any:
        return convolve(
            tf, (tf.image.resize(x, [edge, edge]) - np.float32(means)) / np.float32(deviations), teacher.stem, 2
        )

    before = in_batches(stem, pictures)
    first = teacher.blocks[0]
    moved = np.abs(first.depthwise.kernel).sum((0, 1, 3)) * np.linalg.norm(
        first.project.kernel[0, 0] @ axes[0].axes, axis=1
    )
    kept = heaviest(rows(before).std(0) * moved, stem_width)
    mine = before[..., kept]
    blocks: list[Block] = []
    for block, its_axes, after in zip(teacher.blocks, axes, given, strict=True):
        made, mine = cut_block(tf, block, its_axes, kept, (before, after), mine)
        blocks.append(made)
        before = after
    wide = in_batches(lambda x: convolve(tf, x, teacher.last, act=False), before)
    moved = rows(np.clip(wide, 0, 6)).std(0) * np.linalg.norm(teacher.dense.kernel, axis=1)
    last = solve(rows(mine), rows(wide)[:, heaviest(moved, features)], 1e-2)
    seen = in_batches(lambda x: convolve(tf, x, last), mine).mean((1, 2))
    dense = solve(seen, np.clip(wide, 0, 6).mean((1, 2)) @ teacher.dense.kernel + teacher.dense.bias, 1e-2)
    dense = Convolution(dense.kernel[0, 0], dense.bias)
    stem_cut = Convolution(teacher.stem.kernel[..., kept], teacher.stem.bias[kept])
    return Network(stem_cut, tuple(blocks), last, dense, edge), axes
