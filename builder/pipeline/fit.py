"""What devices are asked for models: how much a run takes, and the budgets of build.toml, for the index."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from ..bundle.index import Fit
from ..verify.run import Verification
from ..verify.types import Cost, HeavyKernel
from ..words.table import kind as vectors_kind
from .make_model import Built

most_macs = 4_000_000  # of a kernel that probes a device: a millisecond or two on a phone's processor
largest_length = 4096  # of an axis of it
probed = frozenset(
    {"Conv2D", "FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2D", "_FusedMatMul", "BatchMatMul"}
)


def with_fits(models: tuple[Built, ...], verified: Mapping[str, Verification]) -> tuple[Built, ...]:
    """Put into models of ladders, and into those with a budget, what a device is asked for them.

    Args:
        models: joined to ladders, what is known of their backends in their heads.
        verified: what became of their checks.
    """
    return tuple(_with_fit(built, verified.get(built.bundle.name)) for built in models)


def _with_fit(built: Built, verification: Verification | None) -> Built:
    settings, head = built.settings, built.bundle.content
    frame, answer = settings.frame_ms, settings.answer_ms
    timed = (frame is not None or answer is not None) and head.kind != vectors_kind and not built.is_lower
    if not (timed or built.rung_of or settings.memory_share):
        return built
    cost = cost_of(verification)
    fit = Fit(
        macs=cost.macs if cost else 0,
        ops=cost.ops if cost else 0,
        size=cost.elements if cost else 0,
        avoid=head.avoid,
        memory=settings.memory_share,
        frame=frame if timed else None,
        answer=answer if timed else None,
        probe=probe_of(cost) if timed else None,
    )
    return built if fit == Fit() else replace(built, fit=fit)


def cost_of(verification: Verification | None) -> Cost | None:
    """Return what a run takes, where one has passed."""
    return verification.cost if verification is not None and verification.passed else None


def probe_of(cost: Cost | None) -> tuple[tuple[str | int | float, ...], ...]:
    """Return kernels that tell in a few milliseconds how fast a device is: the model's heaviest, of shorter axes."""
    heaviest = [one for one in (cost.heaviest if cost else ()) if one.kernel in probed and 0 not in one.sizes]
    return tuple((one.kernel, max(0.01, round(one.share, 2)), *_bounded(one)) for one in heaviest)


def _bounded(heavy: HeavyKernel) -> tuple[int, ...]:
    """Shorten rows, and columns, until all lengths together, which are its multiply-adds, are few."""
    sizes = [min(size, largest_length) for size in heavy.sizes]
    for axis in (0, len(sizes) - 1) if len(sizes) == 3 else (0, 1):
        sizes[axis] = max(1, min(sizes[axis], sizes[axis] * most_macs // math.prod(sizes)))
    return tuple(sizes)
