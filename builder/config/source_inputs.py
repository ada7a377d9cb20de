"""The tables ``[models.NAME.inputs.INPUT]`` of ``build.toml``."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .table import Table

Number = bool | int | float


class InputConfig(Table, frozen=True):
    """One input of a source: its lengths are fixed, or it becomes a constant."""

    shape: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=1 << 30)], ...] | None,
        Meta(description="Lengths of all its axes.", examples=[[1, 224, 224, 3]]),
    ] = None
    value: Annotated[
        Number | tuple[Number, ...] | None,
        Meta(description="What it always is; pages do not give it then.", examples=[16000, [1.0, 0.5]]),
    ] = None

    def __post_init__(self) -> None:
        """Check that something is fixed."""
        if self.shape is None and self.value is None:
            raise ValueError("an input needs a shape or a value")
