"""What is known of a model before it is run, and what that says of how a page runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..model import TensorSpec
from .formats import Seen

Settings = dict[str, Any]
most_labels = 100_000


@dataclass(frozen=True, slots=True)
class Proposal:
    """Settings that fit a model, as far as can be told without running it.

    Attributes:
        reason: how it was recognised, one sentence.
        answer: for ``[models.NAME.answer]``.
        picture: for ``[models.NAME.picture]``.
        audio, inputs: for ``[models.NAME.audio]`` and ``[models.NAME.inputs]``, of a model that takes sound.
        labels: those that the model brings itself.
    """

    reason: str
    answer: Settings
    picture: Settings = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    audio: Settings = field(default_factory=dict)
    inputs: Settings = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Clues:
    """What is known of a model.

    Attributes:
        inputs, outputs: its interface.
        kind: of the source, as ``sources.detect`` names it.
        labels: how many ``build.toml`` has; 0: none.
        notes: the model's own words about itself, by key: ``metadata_props`` of ONNX, ``metadata.json`` of Teachable
            Machine, ``mean`` and ``std`` of pixels from 0 to 255 of TensorFlow Lite.
        brought: labels that the file holds itself.
        ends: the op that makes each output, by output, where known: ``Softmax``.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    kind: str = ""
    labels: int = 0
    notes: Mapping[str, Any] = field(default_factory=dict)
    brought: tuple[str, ...] = ()
    ends: Mapping[str, str] = field(default_factory=dict)

    @property
    def picture(self) -> tuple[str, tuple[int, int] | None] | None:
        """Name of the only input that is a picture, and its height and width if they are fixed; None: there is none."""
        found = [spec for spec in self.inputs if _is_picture(spec)]
        return (found[0].name, _size(found[0])) if len(found) == 1 else None

    @property
    def seen(self) -> Seen:
        """The same, for the completion of settings."""
        size = self.picture[1] if self.picture else None
        count = self.labels or len(self.brought)
        return Seen(self.outputs, count, size, from_tensorflow=self.kind not in {"", "onnx"})

    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """The shapes of the outputs whose rank is known."""
        return {spec.name: spec.shape for spec in self.outputs if spec.shape is not None}


def _is_picture(spec: TensorSpec) -> bool:
    shape = spec.shape
    return shape is not None and len(shape) == 4 and shape[0] in {1, None} and bool({shape[1], shape[3]} & {1, 3})


def _size(spec: TensorSpec) -> tuple[int, int] | None:
    """Return height and width of a picture, or None if they are open."""
    shape = spec.shape or ()
    high, wide = shape[1:3] if shape[3] in {1, 3} else shape[2:]
    return (high, wide) if high is not None and wide is not None else None
