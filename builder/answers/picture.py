"""The reference of what pages make of a picture: Pillow's own resizing, and OpenCV's INTER_LINEAR by its formula."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .frame import Frame

if TYPE_CHECKING:
    from PIL.Image import Image

Bytes = NDArray[np.uint8]
Box = tuple[float, float, float, float]


def to_input(picture: Image, spec: Mapping[str, Any]) -> tuple[NDArray[np.generic], Frame]:
    """Return the tensor that a picture becomes, and where the picture lies in it.

    Transparent parts become black, as on a page; how the camera was held is made up for (EXIF).

    Args:
        picture: decoded, of any mode.
        spec: ``picture`` of a head, see ``docs/format.md``.

    Returns:
        [1, height, width, channels] or what ``rank`` and ``first`` make of it, float32 or int32.
    """
    pixels = upright(picture).convert("L" if spec["channels"] == "grey" else "RGB")
    width, height = pixels.size
    box, inner, outer, at = _plan(spec, width, height)
    resized = _resized(pixels, box, inner, spec["resize"]).reshape(*inner, -1)
    whole = np.empty((*outer, resized.shape[2]), np.float64)
    whole[:] = spec["colour"][: resized.shape[2]]
    whole[at[0] : at[0] + inner[0], at[1] : at[1] + inner[1]] = resized
    if spec["channels"] == "bgr":
        whole = whole[:, :, ::-1]
    values = (whole * spec["scale"] + spec["offset"]).astype(spec["dtype"])
    if spec.get("first"):
        values = values.transpose(2, 0, 1)
    scale_x, scale_y = inner[1] / (box[2] - box[0]), inner[0] / (box[3] - box[1])
    left, top = at[1] - box[0] * scale_x, at[0] - box[1] * scale_y
    frame = Frame(width, height, scale_x, scale_y, left, top, outer[1], outer[0])
    return np.ascontiguousarray(values[None] if spec["rank"] > 3 else values), frame


def upright(picture: Image) -> Image:
    """Turn a picture as it was held, lay it on black, and give it eight bits."""
    import PIL.Image
    import PIL.ImageOps

    turned = _in_srgb(PIL.ImageOps.exif_transpose(picture))
    if turned.mode in {"LA", "PA", "RGBA"} or "transparency" in turned.info:
        see_through = turned.convert("RGBA")
        return PIL.Image.alpha_composite(PIL.Image.new("RGBA", see_through.size, (0, 0, 0, 255)), see_through)
    if turned.mode.startswith("I"):  # 16 bits: a page shows the upper eight
        return PIL.Image.fromarray((np.asarray(turned).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    return turned


def _in_srgb(picture: Image) -> Image:
    """Give a picture's colours as screens show them, as a page gets them; a damaged profile is left alone."""
    import PIL.ImageCms

    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in {"RGB", "CMYK", "L"}:
        return picture
    try:
        source = PIL.ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "L" if picture.mode == "L" else "RGB"
        found = PIL.ImageCms.profileToProfile(picture, source, PIL.ImageCms.createProfile("sRGB"), outputMode=mode)
    except (PIL.ImageCms.PyCMSError, OSError):
        return picture
    return picture if found is None else found


def _plan(
    spec: Mapping[str, Any], width: int, height: int
) -> tuple[Box, tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return what is cut out (left, top, right, bottom), how large that becomes, the whole, and the place in it."""
    rows, columns = spec.get("size") or (height, width)
    everything = (0.0, 0.0, float(width), float(height))
    if "size" not in spec or spec["fit"] == "stretch":
        return everything, (rows, columns), (rows, columns), (0, 0)
    if spec["fit"] == "cover":
        part = spec["share"] * min(height / rows, width / columns)
        wide, high = columns * part, rows * part
        left, top = (width - wide) / 2, (height - high) / 2
        return (left, top, left + wide, top + high), (rows, columns), (rows, columns), (0, 0)
    factor = min(rows / height, columns / width)
    inner = max(1, math.floor(height * factor + 0.5)), max(1, math.floor(width * factor + 0.5))
    if spec["fit"] == "contain":
        return everything, inner, inner, (0, 0)
    return everything, inner, (rows, columns), ((rows - inner[0]) // 2, (columns - inner[1]) // 2)


def _resized(pixels: Image, box: Box, inner: tuple[int, int], method: str) -> Bytes:
    import PIL.Image

    if method == "bilinear":
        return _linear(np.asarray(pixels), box, inner)
    filters = {
        "antialiased": PIL.Image.Resampling.BILINEAR,
        "bicubic": PIL.Image.Resampling.BICUBIC,
        "nearest": PIL.Image.Resampling.NEAREST,
    }
    return np.asarray(pixels.resize((inner[1], inner[0]), filters[method], box=box))


def _linear(pixels: Bytes, box: Box, inner: tuple[int, int]) -> Bytes:
    """Resize from pixel centres, no filter, as OpenCV's INTER_LINEAR and TensorFlow's half_pixel_centers."""
    found = pixels.astype(np.float64)
    for axis, (start, stop) in enumerate(((box[1], box[3]), (box[0], box[2]))):
        length, count = pixels.shape[axis], inner[axis]
        at = np.clip(start + (np.arange(count) + 0.5) * (stop - start) / count - 0.5, 0, length - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, length - 1)
        part = (at - low).reshape([-1 if place == axis else 1 for place in range(found.ndim)])
        found = np.take(found, low, axis) * (1 - part) + np.take(found, high, axis) * part
    rounded: Bytes = np.clip(np.floor(found + 0.5), 0, 255).astype(np.uint8)
    return rounded
