"""A page makes the same input of a picture as Pillow does."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from builder.answers.describe import describe
from builder.answers.frame import Frame
from builder.answers.picture import to_input
from builder.config.models import ModelConfig
from builder.config.pictures import PictureConfig
from builder.errors import ConfigError
from builder.model import TensorSpec

root = Path(__file__).resolve().parents[2]
sizes = ((200, 150), (97, 301), (1, 1), (400, 300))
fits = ("stretch", "cover", "contain", "letterbox")
least_decibels = {"antialiased": 50, "bicubic": 50, "bilinear": 60, "nearest": 30}


def spec_of(inputs: tuple[TensorSpec, ...], **given: Any) -> dict[str, Any]:
    model = ModelConfig(source="x", picture=PictureConfig(**given))
    picture = describe("m", model, inputs, ()).picture
    assert picture is not None
    return picture


def pictures() -> list[Image.Image]:
    """Make pictures of waves and edges."""
    made = []
    for width, height in sizes:
        y, x = np.mgrid[:height, :width]
        waves = [np.sin(x / 7 + c) * 80 + np.cos(y / 11 * (c + 1)) * 40 + 128 for c in range(3)]
        pixels = np.stack(waves, -1).clip(0, 255).astype(np.uint8)
        pixels[height // 3 : height // 2, width // 4 : width // 3] = (250, 3, 77)
        made.append(Image.fromarray(pixels))
    return made


@pytest.fixture(scope="module")
def framed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, dict[str, Any], dict[str, Any], Any]]:
    """Give each job's picture, settings, result and numbers: one process does all."""
    folder = tmp_path_factory.mktemp("framing")
    jobs = []
    forms = (("rgb", (64, 96)), ("bgr", (64, 96)), ("grey", (64, 96)), ("rgb", (224, 224)))
    for fit, resize, (channels, size) in itertools.product(fits, least_decibels, forms):
        inputs = (TensorSpec("x", "float32", (1, *size, 1 if channels == "grey" else 3)),)
        given = {"share": 0.875} if fit == "cover" else {}
        spec = spec_of(inputs, fit=fit, resize=resize, channels=channels, mean=0.5, colour=(114, 20, 3), **given)
        jobs += [(number, spec) for number in range(len(sizes))]
    first = TensorSpec("x", "float32", (1, 3, None, None))
    jobs.append((0, spec_of((first,), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))))
    jobs.append((3, spec_of((TensorSpec("x", "int32", (None, None, 3)),), range=(0.0, 255.0))))
    for number, picture in enumerate(pictures()):
        (folder / f"{number}.bin").write_bytes(picture.convert("RGBA").tobytes())
    (folder / "pictures.json").write_text(json.dumps([{"width": width, "height": height} for width, height in sizes]))
    (folder / "jobs.json").write_text(json.dumps([{"picture": number, "spec": spec} for number, spec in jobs]))
    for name in ("framing", "pixels", "taps"):
        shutil.copy(root / "templates" / "modules" / f"{name}.js", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    program = root / "tests" / "js" / "framing.mjs"
    subprocess.run(["node", str(program), str(folder), str(root), str(folder / "framing.js")], check=True, timeout=60)
    made = json.loads((folder / "results.json").read_text())
    assert made["left"] == 0
    arrays = [
        np.frombuffer((folder / f"{n}.out").read_bytes(), result["dtype"]).reshape(result["shape"])
        for n, result in enumerate(made["results"])
    ]
    return [(*job, result, array) for job, result, array in zip(jobs, made["results"], arrays, strict=True)]


@pytest.mark.slow
def test_pages_resize_as_pillow_does(framed: list[tuple[int, dict[str, Any], dict[str, Any], Any]]) -> None:
    sources = pictures()
    for number, spec, result, got in framed:
        wanted, frame = to_input(sources[number], spec)
        assert got.shape == wanted.shape
        assert got.dtype == wanted.dtype
        step = np.max(spec["scale"])
        error = float(np.mean(((got - wanted) / step) ** 2))
        assert error == 0 or 10 * np.log10(255**2 / error) >= least_decibels[spec["resize"]], spec
        found = result["frame"]
        assert np.allclose(list(found.values()), numbers_of(frame)), spec


def numbers_of(frame: Frame) -> list[float]:
    """Give a frame's numbers in the order in which JavaScript has them."""
    return [
        frame.width, frame.height, frame.scale_x, frame.scale_y, frame.left, frame.top, frame.input_width,
        frame.input_height,
    ]  # fmt: skip


def test_a_letterbox_keeps_the_shape_and_is_filled() -> None:
    spec = spec_of((TensorSpec("x", "float32", (1, 100, 100, 3)),), fit="letterbox", colour=(255, 0, 0))
    values, frame = to_input(Image.new("RGB", (200, 50), (0, 255, 0)), spec)
    assert values[0, 0, 0].tolist() == [1, 0, 0]
    assert values[0, 50, 50].tolist() == [0, 1, 0]
    assert (frame.scale_x, frame.top) == (0.5, 37)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "I;16", "CMYK"])
def test_pictures_of_all_modes_are_read(mode: str) -> None:
    spec = spec_of((TensorSpec("x", "float32", (1, 8, 8, 3)),))
    values, _ = to_input(Image.new(mode, (3, 5)), spec)
    assert values.shape == (1, 8, 8, 3)
    assert np.isfinite(values).all()


def test_colours_are_those_of_screens_where_a_picture_has_a_profile(tmp_path: Path) -> None:
    spec = spec_of((TensorSpec("x", "float32", (1, None, None, 3)),), range=(0.0, 255.0))
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = plain.replace(b"rXYZ", b"----").replace(b"gXYZ", b"rXYZ").replace(b"----", b"gXYZ")
    for content, changes in ((swapped, True), (plain, False), (b"no profile", False)):
        Image.new("RGB", (3, 3), (200, 40, 90)).save(tmp_path / "a.png", icc_profile=content)
        with Image.open(tmp_path / "a.png") as file:
            values, _ = to_input(file, spec)
        assert bool(abs(values[0, 0, 0] - (200, 40, 90)).max() > 2) is changes


def test_what_is_transparent_is_black_and_what_lies_on_its_side_is_turned() -> None:
    spec = spec_of((TensorSpec("x", "float32", (1, None, None, 3)),))
    values, _ = to_input(Image.new("RGBA", (4, 4), (255, 255, 255, 0)), spec)
    assert not values.any()
    turned = Image.new("RGB", (4, 2))
    turned.getexif()[0x0112] = 6
    assert to_input(turned, spec)[0].shape == (1, 4, 2, 3)


@pytest.mark.parametrize(
    ("given", "shape", "dtype", "message"),
    [
        ({}, (1, 10), "float32", "picture is float32 or int32"),
        ({}, (1, 8, 8, 3), "bool", "picture is float32 or int32"),
        ({"size": 7}, (1, 8, 8, 3), "float32", "takes [8, 8] only"),
        ({"fit": "cover"}, (1, None, None, 3), "float32", "nothing to fit to"),
        ({"channels": "grey"}, (1, 8, 8, 3), "float32", "has 3 channels"),
        ({"mean": (1.0, 2.0, 3.0)}, (1, 8, 8, 1), "float32", "3 numbers for 1 channel"),
        ({"input": "y"}, (1, 8, 8, 3), "float32", "no input 'y'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    given: dict[str, Any], shape: tuple[int | None, ...], dtype: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        spec_of((TensorSpec("x", dtype, shape),), **given)
    assert message in str(caught.value)
    assert caught.value.code == "SP-246"


@pytest.mark.parametrize(
    "given",
    [{"size": 0}, {"size": (1, 9000)}, {"range": (1.0, 1.0)}, {"std": 0.0}, {"mean": (1.0, 2.0)}, {"share": 0.5},
     {"range": (0.0, float("inf"))}],
)  # fmt: skip
def test_numbers_without_a_meaning_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        PictureConfig(**given)
