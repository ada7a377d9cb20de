"""The table ``[models.NAME.picture]``: from a page's picture to what the model takes; and the answer that is one."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from msgspec import Meta

from .table import Table

longest = 8192
Byte = Annotated[int, Meta(ge=0, le=255)]
Share = Annotated[float, Meta(gt=0, le=1)]


class PictureConfig(Table, frozen=True):
    """The table ``[models.NAME.picture]``: how ``run`` makes a model's input of a picture."""

    input: Annotated[
        str, Meta(description="Which input it is; by itself the only one that can be.", examples=["image"])
    ] = ""
    size: Annotated[  # bounds in a union with a fixed tuple crash msgspec 0.22
        int | tuple[int, int] | None,
        Meta(
            description="Its side, or [height, width]; by itself the input's own, else the picture's.",
            examples=[224, [192, 256]],
        ),
    ] = None
    fit: Annotated[
        Literal["stretch", "cover", "contain", "letterbox"],
        Meta(description="cover cuts off what is too long, contain makes the other side shorter, letterbox fills it."),
    ] = "stretch"
    share: Annotated[
        Share,
        Meta(
            title="Share that is kept",
            description="With cover: how much of the shorter side is kept, 0.875 for 224 of 256.",
            examples=[0.875],
        ),
    ] = 1.0
    colour: Annotated[
        tuple[Byte, Byte, Byte],
        Meta(
            title="Colour of the border",
            description="What letterbox fills with: red, green, blue.",
            examples=[[114, 114, 114]],
        ),
    ] = (
        0,
        0,
        0,
    )
    channels: Annotated[
        Literal["rgb", "bgr", "grey"] | None, Meta(description="Their order; by itself rgb, or grey of one channel.")
    ] = None
    range: Annotated[tuple[float, float], Meta(description="What black and white become.", examples=[[-1.0, 1.0]])] = (
        0.0,
        1.0,
    )
    mean: Annotated[
        float | tuple[float, ...],
        Meta(description="Then taken off, for each channel.", examples=[[0.485, 0.456, 0.406]]),
    ] = 0.0
    std: Annotated[
        float | tuple[float, ...],
        Meta(
            title="Standard deviation",
            description="Then divided by, for each channel.",
            examples=[[0.229, 0.224, 0.225]],
        ),
    ] = 1.0
    resize: Annotated[
        Literal["antialiased", "bicubic", "bilinear", "nearest"],
        Meta(description="As Pillow's BILINEAR and BICUBIC, as OpenCV's INTER_LINEAR, or the nearest pixel."),
    ] = "antialiased"

    def __post_init__(self) -> None:
        """Check what the numbers mean together.

        Raises:
            ValueError: they make no sense.
        """
        if not all(0 < side <= longest for side in ((self.size,) if isinstance(self.size, int) else self.size or ())):
            raise ValueError(f"size is {self.size}, its sides must be from 1 to {longest}")
        if self.range[0] == self.range[1]:
            raise ValueError("range has the same number twice")
        for name, numbers in (("range", self.range), ("mean", each(self.mean)), ("std", each(self.std))):
            if len(numbers) not in {1, 3} and name != "range":
                raise ValueError(f"{name} needs one number, or one for each of the 3 channels")
            if not all(map(math.isfinite, numbers)):
                raise ValueError(f"{name} is not finite")
        if 0 in each(self.std):
            raise ValueError("std is 0")
        if self.share != 1 and self.fit != "cover":
            raise ValueError('share goes with fit = "cover" only')


def each(value: float | tuple[float, ...]) -> tuple[float, ...]:
    """Return the numbers of a key that takes one or several."""
    return value if isinstance(value, tuple) else (value,)


class PictureTable(Table, frozen=True, tag_field="kind", tag="picture"):
    """The table ``[models.NAME.answer]`` for a picture."""

    output: Annotated[str, Meta(description="Output with the picture; by itself the only one.", examples=["image"])] = (
        ""
    )
    range: Annotated[
        tuple[float, float], Meta(description="The numbers of black and white.", examples=[[-1.0, 1.0]])
    ] = (0.0, 1.0)
    channels: Annotated[Literal["rgb", "bgr"], Meta(description="Their order.")] = "rgb"
