"""Pictures that a page's ``run`` is given, for the check of the whole way from picture to answer."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..answers.frame import Frame
from ..files.npz import write_npz

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL.Image import Image

seeded_size = 211, 157  # width and height, of no shape that a model has


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture.

    Attributes:
        case: number of the case that it became.
        pixels: RGBA, uint8 [height, width, 4].
        frame: where it lay in the model's input.
    """

    case: int
    pixels: NDArray[np.uint8]
    frame: Frame


def make_case(picture: Image, spec: Mapping[str, Any]) -> tuple[dict[str, NDArray[np.generic]], Image, Frame]:
    """Return the input that a picture becomes, the picture as a page sees it, and where it lies in the input."""
    from ..answers.picture import to_input, upright

    seen = upright(picture)
    tensor, frame = to_input(seen, spec)
    return {spec["input"]: tensor}, seen, frame


def write_shown(path: Path, seen: Image, frame: Frame) -> None:
    """Keep a picture and its frame."""
    pixels = np.asarray(seen.convert("RGBA"))
    write_npz(path, {"pixels": pixels, "frame": np.array(astuple(frame), np.float64)})


def read_shown(path: Path, case: int) -> Shown:
    """Read what ``write_shown`` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        width, height, scale_x, scale_y, left, top, input_width, input_height = map(float, arrays["frame"])
        frame = Frame(int(width), int(height), scale_x, scale_y, left, top, int(input_width), int(input_height))
        return Shown(case, arrays["pixels"], frame)


def seeded_picture(spec: Mapping[str, Any], case: int) -> tuple[dict[str, NDArray[np.generic]], Shown] | None:
    """Make a case of a picture of soft waves; None where Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError:
        return None
    y, x = np.mgrid[: seeded_size[1], : seeded_size[0]]
    waves = [128 + 90 * np.sin(x / (11 + 5 * c) + y / (23 - 4 * c)) + 30 * np.cos(y / 7) for c in range(3)]
    picture = Image.fromarray(np.stack(waves, -1).clip(0, 255).astype(np.uint8))
    inputs, seen, frame = make_case(picture, spec)
    return inputs, Shown(case, np.asarray(seen.convert("RGBA")), frame)
