"""How each weight is stored, and which plane of it belongs to which stage."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from ..codecs import Codec, Plane
from ..codecs.exact import Exact, smallest_of, suits
from ..codecs.fitting import codes_pay, no_larger
from ..codecs.multiples import Multiples, multiples
from ..codecs.quantized import quantize, widen
from ..codecs.raw import Raw
from ..codecs.steps import balanced, layout_of
from ..model import Model, Weight, code_sizes
from ..transforms.channels import channel_axes

base, refine = "base", "refine"
kernel_rank, pixel_channels = 4, frozenset({1, 3, 4})
min_split_share = 0.25  # of the bytes of whole float32 weights: a few planes among them make brotli take up to 1/7 more
Precision = str | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Segment:
    """The bytes ``start <= i < stop`` of one plane of the weight with this index."""

    weight: int
    plane: Plane
    start: int
    stop: int

    @property
    def nbytes(self) -> int:
        """Length in bytes."""
        return self.stop - self.start

    @property
    def whole(self) -> bool:
        """It is all of its plane."""
        return self.nbytes == self.plane.nbytes

    def read(self) -> bytes:
        """Return the bytes."""
        return self.plane.read(self.start, self.stop)


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of usefulness: for each weight, in execution order, its segments in this stage."""

    name: str
    groups: tuple[tuple[Segment, ...], ...]


def precision_of(name: str, precision: Precision) -> str:
    """Return what the rules say of a weight: the first pattern that matches its name, else ``exact``."""
    if isinstance(precision, str):
        return precision
    return next((kind for pattern, kind in precision.items() if fnmatch.fnmatchcase(name, pattern)), "exact")


def quantize_weights(
    model: Model, precision: Precision, halves: Collection[str] = (), coarse: Collection[str] = ()
) -> Model:
    """Put codes of TensorFlow.js in the place of the weights that are to be ``float16``, ``uint8`` or ``uint16``.

    Args:
        model: what is to be stored.
        precision: as in build.toml.
        halves: names of weights that are to be ``float16`` because a measurement says so.
        coarse: names of weights that get codecs of their own even where the source has them as float16.
    """
    fixed = _fixed(model)
    weights = []
    for stored in model.weights:
        weight = widen(stored) if stored.name in coarse else stored
        kind = "float16" if weight.name in halves else precision_of(weight.name, precision)
        changes = kind in code_sizes and suits(weight) and weight.name not in fixed
        codes = quantize(weight, kind) if changes else None
        weights.append(codes if codes and codes_pay(weight, codes) else weight)
    return replace(model, weights=tuple(weights))


def choose_codecs(
    model: Model, precision: Precision = "exact", measured: Mapping[str, Codec] | None = None
) -> tuple[Codec, ...]:
    """Choose how each weight is stored.

    Args:
        model: its weights are those of ``quantize_weights``.
        precision: as in build.toml.
        measured: codecs of the weights that were measured; others are ``balanced`` if all is ``small``, else ``exact``,
            and none of these makes a weight larger.
    """
    fixed = _fixed(model)
    axes = channel_axes(model)
    least = smallest_of(model.weights)
    known = measured or {}
    codecs = tuple(
        Raw()
        if weight.name in fixed
        else known.get(weight.name)
        or multiples(weight)
        or _codec(weight, precision_of(weight.name, precision), channels, least)
        for weight, channels in zip(model.weights, axes, strict=True)
    )
    whole = sum(
        weight.size for weight, codec in zip(model.weights, codecs, strict=True) if _kept_whole(weight, codec, least)
    )
    kept = {
        weight.name for weight, codec in zip(model.weights, codecs, strict=True) if isinstance(codec, Multiples)
    } | known.keys()
    split = sum(
        weight.size
        for weight, codec in zip(model.weights, codecs, strict=True)
        if codec.name != "raw" and not isinstance(codec, Multiples)
    )
    if split > min_split_share * whole:
        return codecs
    return tuple(c if weight.name in kept else Raw() for weight, c in zip(model.weights, codecs, strict=True))


def _kept_whole(weight: Weight, codec: Codec, least: int) -> bool:
    """Whether a float32 weight is stored in one piece because its planes would be larger."""
    return codec.name == "raw" and suits(weight, least)


def _codec(weight: Weight, kind: str, axes: tuple[int, ...], least: int) -> Codec:
    if not suits(weight, least):
        return Raw()
    may_be = kind in {"balanced", "small"} and axes and not _sees_pictures(weight)
    coarse = balanced(weight, layout_of(weight.shape, axes)) if may_be else None
    return no_larger(weight, coarse or Exact())


def _sees_pictures(weight: Weight) -> bool:
    """Return whether it is a kernel over pixels: small, and its errors reach everything."""
    return len(weight.shape) == kernel_rank and weight.shape[2] in pixel_channels


def _fixed(model: Model) -> set[str]:
    """Name what an initializer uses (lookup tables): it is read once, at loading, so it cannot be refined later."""
    return {node["name"] for node in model.artifacts.get("modelInitializer", {}).get("node", [])}


def plan_stages(
    weights: tuple[Weight, ...],
    codecs: tuple[Codec, ...],
    same: tuple[int | None, ...],
    names: tuple[str, ...] = (base,),
    stage_of: tuple[int, ...] = (),
) -> tuple[Stage, ...]:
    """Assign every plane to the stage of its weight, or to ``refine``, which is there if anything refines.

    Args:
        weights: in execution order.
        codecs: one for each weight.
        same: as ``transforms.dedupe`` gives it; repeated weights get no segments.
        names: of the stages before ``refine``.
        stage_of: for each weight, the number of its stage; all are in the first one when empty.
    """
    stages = (*names, refine)
    groups: list[list[tuple[Segment, ...]]] = [[] for _ in stages]
    firsts = list(stage_of or (0,) * len(weights))
    for index, earlier in enumerate(same):
        if earlier is not None:
            firsts[earlier] = min(firsts[earlier], firsts[index])
    for index, weight in enumerate(weights):
        if same[index] is not None:
            continue
        planes = codecs[index].planes(weight)
        for number, refining in ((firsts[index], False), (len(names), True)):
            group = tuple(
                Segment(index, plane, 0, plane.nbytes) for plane in planes if plane.refine is refining and plane.nbytes
            )
            if group:
                groups[number].append(group)
    return tuple(
        Stage(name, tuple(found)) for name, found in zip(stages, groups, strict=True) if found or name != refine
    )
