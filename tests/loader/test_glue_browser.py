"""Models that take and give pictures, the whole way in Chromium: against TensorFlow running the original SavedModel."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Error, Page

from builder.cli.main import main
from tests.helpers.browsing import chromium
from tests.helpers.serving import serve

pytestmark = pytest.mark.slow
root = Path(__file__).resolve().parents[2]
models = root / "assets" / "models"
photos = ("astronaut", "chelsea", "coffee", "rocket", "retina")
small = ("bicubic", "area", "legacy", "unit", "grey", "linear", "corners")
lists = ("many", "served", "cropped")

run = """async ([name, file, form, as]) => {
  const { models, configure } = await import("/dist/cdn/loader.js");
  if (!window.tf) await import("/tf.min.js");
  configure({ tf });
  await tf.setBackend("cpu");
  const bytes = async () => new Uint8Array(await (await fetch(file)).arrayBuffer());
  const image = new Image();
  image.src = file;
  await image.decode();
  const drawn = document.createElement("canvas");
  [drawn.width, drawn.height] = [image.naturalWidth, image.naturalHeight];
  const context = drawn.getContext("2d");
  context.drawImage(image, 0, 0);
  const forms = {
    image: () => image,
    bytes,
    blob: async () => new Blob([await bytes()]),
    file: async () => new File([await bytes()], "photo"),
    buffer: async () => (await bytes()).buffer,
    canvas: () => drawn,
    bitmap: () => createImageBitmap(image),
    imagedata: () => context.getImageData(0, 0, drawn.width, drawn.height),
    video: async () => {
      const video = document.createElement("video");
      video.muted = true;
      video.srcObject = drawn.captureStream();
      const shown = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
      context.drawImage(image, 0, 0);
      await video.play();
      await shown;
      return video;
    },
    named: async () => ({ photo: await bytes() }),
  };
  const handle = models[name].load({ when: "now" });
  await handle.full;
  const before = tf.memory().numTensors;
  const give = async (value) => {
    if (value instanceof tf.Tensor) {
      const result = { shape: value.shape, values: Array.from(await value.data()) };
      value.dispose();
      return result;
    }
    if (value instanceof Blob) {
      const found = new Uint8Array(await value.arrayBuffer());
      return { type: value.type, text: btoa(Array.from(found, (byte) => String.fromCharCode(byte)).join("")) };
    }
    const { width, height } = value;
    const pixels = value instanceof ImageData ? value : value.getContext("2d").getImageData(0, 0, width, height);
    return { kind: value.constructor.name, shape: [pixels.height, pixels.width, 4], values: Array.from(pixels.data) };
  };
  const answer = await handle.run(await forms[form](), as ? { as } : undefined);
  const plain = Object.getPrototypeOf(answer) === Object.prototype;
  const result = plain ? {} : await give(answer);
  if (plain) for (const [key, value] of Object.entries(answer)) result[key] = await give(value);
  return { result, leaked: tf.memory().numTensors - before };
}"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("glue")
    program = Path(__file__).resolve().parents[1] / "helpers" / "glue_models.py"
    subprocess.run([sys.executable, str(program), str(folder), str(models)], check=True, capture_output=True)
    (folder / "node_modules").symlink_to(root / "node_modules")
    tables = []
    for name in ("beautify", "enlarge"):
        (folder / name).symlink_to(models / name)
        tables.append(f'[models.{name}]\nsource = "{name}"\n[models.{name}.verify]\nmax_error = 0.004')
    tables += [f'[models.{name}]\nsource = "small"\nsignature = "{name}"' for name in (*small, *lists, "labelled")]
    (folder / "build.toml").write_text("\n".join(tables))
    assert main(["--config", str(folder / "build.toml"), "--fast", "--strict", "--jobs", "2", "-q"]) == 0
    (folder / "index.html").write_text("<!doctype html><meta charset=utf-8><title>page</title>")
    (folder / "tf.min.js").write_bytes((root / "node_modules/@tensorflow/tfjs/dist/tf.min.js").read_bytes())
    return folder


@pytest.fixture(scope="module")
def page(made: Path) -> Iterator[Page]:
    with serve(made) as site, chromium() as browser:
        page = browser.new_page()
        page.goto(site.url + "index.html")
        yield page


def answer(page: Page, name: str, file: str, form: str, as_: str | None = None) -> Any:
    found = page.evaluate(run, [name, file, form, as_])
    assert found["leaked"] == 0
    return found["result"]


def array(result: dict[str, Any]) -> np.ndarray:
    return np.array(result["values"], np.float32).reshape(result["shape"])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    assert a.shape == b.shape
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(float) - b.astype(float)) ** 2))))


@pytest.mark.parametrize("name", ["beautify", "enlarge"])
def test_the_stock_converter_refuses_what_is_built_here(made: Path, name: str) -> None:
    said = (made / f"refusal-{name}.txt").read_text()
    assert "Unsupported Ops" in said
    assert "DecodeJpeg" in said
    assert "EncodeJpeg" in said


def test_beautify_is_no_larger_than_its_weights(made: Path) -> None:
    manifest = json.loads((made / "dist" / "manifest.json").read_bytes())
    model = manifest["models"]["beautify"]
    weights = sum(4 * int(np.prod(weight["shape"])) for weight in model["weights"] if len(weight["shape"]) in {1, 4})
    assert sum(stage["wire_bytes"] for stage in model["stages"]) <= weights


@pytest.mark.parametrize("photo", photos)
def test_a_photo_looks_as_tensorflow_makes_it(page: Page, made: Path, photo: str) -> None:
    expected = np.load(made / f"{photo}.npy")
    shown = answer(page, "beautify", f"{photo}.jpg", "image")
    assert shown["kind"] == "HTMLCanvasElement"
    assert psnr(array(shown)[..., :3], expected) >= 40
    given = np.asarray(array(answer(page, "beautify", f"{photo}.jpg", "image", "imagedata")))
    assert np.all(given[..., 3] == 255)
    # The model does something, so that giving the photo back would not pass.
    assert psnr(np.roll(given[..., :3], 1, 1), expected) < 40


def test_a_wrapped_super_resolution_network_draws_as_tensorflow_does(page: Page, made: Path) -> None:
    shown = array(answer(page, "enlarge", "tiny.jpg", "image"))
    assert shown.shape == (80, 96, 4)
    assert psnr(shown[..., :3], np.load(made / "tiny.npy")) >= 40


def test_every_form_of_a_picture_gives_the_same(page: Page) -> None:
    first = array(answer(page, "beautify", "coffee.jpg", "image", "imagedata"))
    for form in ("bytes", "blob", "file", "buffer", "canvas", "bitmap", "imagedata", "named"):
        other = array(answer(page, "beautify", "coffee.jpg", form, "imagedata"))
        assert np.array_equal(first, other), form


def test_a_frame_of_a_video_is_a_picture(page: Page) -> None:
    first = array(answer(page, "beautify", "coffee.jpg", "image", "imagedata"))
    frame = array(answer(page, "beautify", "coffee.jpg", "video", "imagedata"))
    # Frames may have been through YUV with half the colours.
    assert psnr(frame, first) >= 30


def test_a_blob_is_encoded_as_the_model_did(page: Page) -> None:
    blob = answer(page, "beautify", "coffee.jpg", "image", "blob")
    assert blob["type"] == "image/jpeg"
    assert base64.b64decode(blob["text"]).startswith(b"\xff\xd8\xff")
    assert answer(page, "many", "coffee.png", "image", "blob")["png"]["type"] == "image/png"


@pytest.mark.parametrize("name", small)
def test_pixels_reach_the_model_as_from_the_ops_that_were_cut(page: Page, made: Path, name: str) -> None:
    expected = np.load(made / f"small-{name}.npy")
    found = array(answer(page, name, "coffee.png", "bytes"))
    assert found.shape == expected.shape
    # Grey is rounded in another way: one step of 255 at the most.
    assert np.abs(found - expected).max() < (0.004 if name == "grey" else 2e-5)


def test_tables_of_a_cut_model_keep_working(page: Page, made: Path) -> None:
    # The first run fills the tables, which hold tensors from then on.
    page.evaluate(run, ["labelled", "coffee.png", "bytes", None])
    found = answer(page, "labelled", "coffee.png", "bytes")
    assert found["label"]["values"] == [(made / "label.txt").read_text()]


def test_lists_of_pictures_work_with_one(page: Page, made: Path) -> None:
    found = answer(page, "many", "coffee.png", "bytes")
    assert np.array_equal(array(found["png"])[..., :3], np.load(made / "small-many.npy"))
    assert np.allclose(array(found["mean"]), np.load(made / "small-many-mean.npy"), atol=1e-5)


def test_loops_that_decode_and_compute_take_one_picture(page: Page, made: Path) -> None:
    found = array(answer(page, "served", "coffee.png", "bytes"))
    assert np.allclose(found, np.load(made / "small-served.npy"), atol=1e-5)


def test_a_part_of_a_picture_is_taken_as_the_decoder_took_it(page: Page, made: Path) -> None:
    expected = np.load(made / "small-cropped.npy")
    assert psnr(array(answer(page, "cropped", "coffee.jpg", "bytes")), expected) >= 40
    with pytest.raises(Error, match="The picture is 48 x 40: the model needs at least 90 x 80"):
        answer(page, "cropped", "tiny.jpg", "bytes")
