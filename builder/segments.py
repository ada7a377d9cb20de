"""Which plane of which weight belongs to which stage."""

from __future__ import annotations

from dataclasses import dataclass

from builder.codecs import Codec, Plane
from builder.codecs.exact import Exact, suits
from builder.codecs.raw import Raw
from builder.model import Model, Weight

base, refine = "base", "refine"


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
        """Give the bytes."""
        return self.plane.read(self.start, self.stop)


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of usefulness: for each weight, in execution order, its segments in this stage."""

    name: str
    groups: tuple[tuple[Segment, ...], ...]


def choose_codecs(model: Model) -> tuple[Codec, ...]:
    """Choose how each weight is stored at the precision ``exact``.

    What an initializer uses (lookup tables) is read once, at loading, so it cannot be refined later.
    """
    nodes = model.artifacts.get("modelInitializer", {}).get("node", [])
    once = {node["name"] for node in nodes}
    return tuple(Exact() if suits(weight) and weight.name not in once else Raw() for weight in model.weights)


def plan_stages(
    weights: tuple[Weight, ...], codecs: tuple[Codec, ...], same: tuple[int | None, ...]
) -> tuple[Stage, ...]:
    """Assign every plane to ``base`` or ``refine``; a model with nothing to refine has the one stage.

    Args:
        weights: in execution order.
        codecs: one for each weight.
        same: as ``transforms.dedupe`` gives it; repeated weights get no segments.
    """
    groups: dict[str, list[tuple[Segment, ...]]] = {base: [], refine: []}
    for index, weight in enumerate(weights):
        if same[index] is not None:
            continue
        planes = codecs[index].planes(weight)
        for name, wanted in ((base, False), (refine, True)):
            group = tuple(
                Segment(index, plane, 0, plane.nbytes) for plane in planes if plane.refine is wanted and plane.nbytes
            )
            if group:
                groups[name].append(group)
    return tuple(Stage(name, tuple(found)) for name, found in groups.items() if found or name == base)
