"""What visitors give a page for a picture: ``run`` answers it rightly in a browser, or says in words what is wrong."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.helpers.browsing import chromium
from tests.helpers.paging import drawing
from tests.helpers.serving import serve
from tests.helpers.tiny import dimensions, node, write

pytestmark = pytest.mark.slow
root = Path(__file__).resolve().parents[2]
side = 8
red, green, blue, white = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
quarters = [red, green, blue, white]  # from above left, row by row

# Gives the middle of each quarter of the answer, or the error.
script = """
const [tall, long] = [() => document.createElement("canvas"), () => document.createElement("video")];
const { models } = await import("/dist/cdn/loader.js");
const handle = models.what.load();
await handle.full;
const bytes = async (name) => new Uint8Array(await (await fetch(`/bad/${name}`)).arrayBuffer());
const element = (name, address) => Object.assign(new Image(), { src: `${address ?? ""}/bad/${name}` });
const drawn = (image, alpha) => {
  const canvas = Object.assign(tall(), { width: image.width, height: image.height });
  canvas.getContext("2d", { alpha }).drawImage(image, 0, 0);
  return canvas;
};
const forms = {
  blob: async (name) => new Blob([await bytes(name)]),
  bytes,
  element: async (name) => element(name),
  canvas: async (name) => drawn(await createImageBitmap(await forms.blob(name)), true),
  bitmap: async (name) => createImageBitmap(await forms.blob(name)),
  plain: async (name) => createImageBitmap(await forms.blob(name), { premultiplyAlpha: "none" }),
  imagedata: async (name) => {
    const canvas = await forms.canvas(name);
    return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  },
  other: async (name) => element(name, location.origin.replace("127.0.0.1", "localhost")),
  nothing: async () => tall().getContext("2d").canvas.width && Object.assign(tall(), { width: 0 }),
  moved: async () => {
    const canvas = Object.assign(new OffscreenCanvas(8, 8));
    structuredClone(canvas, { transfer: [canvas] });
    return canvas;
  },
  gone: async () => {
    const given = new Uint8Array(8);
    structuredClone(given, { transfer: [given.buffer] });
    return given;
  },
  closed: async (name) => {
    const bitmap = await forms.bitmap(name);
    bitmap.close();
    return bitmap;
  },
  video: async () => long(),
  unready: async () => {
    const video = long();
    Object.defineProperty(video, "videoWidth", { value: 8 });
    Object.defineProperty(video, "videoHeight", { value: 8 });
    return video;
  },
  unloaded: async () => new Image(),
  empty: async () => new ArrayBuffer(0),
  text: async () => "a picture",
  none: async () => null,
};
window.ask = async ([form, name]) => {
  try {
    const { data, width } = await handle.run(await forms[form](name), { as: "imagedata" });
    const at = (x, y) => [...data.slice(4 * (y * width + x), 4 * (y * width + x) + 3)];
    return { quarters: [at(1, 1), at(6, 1), at(1, 6), at(6, 6)] };
  } catch (error) {
    return { error: error.name, code: error.code, message: error.message };
  }
};
const { toInput } = await import("/modules/framing.js");
window.differ = async (spec) => {
  const canvas = Object.assign(tall(), { width: 97, height: 70 });
  const context = canvas.getContext("2d");
  const wave = (x, y, c) => 128 + 80 * Math.sin(x / 7 + c) + 40 * Math.cos((y / 11) * (c + 1));
  const pixels = context.createImageData(97, 70);
  for (const i of pixels.data.keys()) pixels.data[i] = i % 4 === 3 ? 255 : wave((i >> 2) % 97, (i >> 2) / 97, i % 4);
  context.putImageData(pixels, 0, 0);
  const [ours, script] = await Promise.all([canvas, pixels].map((given) => toInput(tf, given, spec)));
  const apart = tf.tidy(() => tf.abs(tf.sub(ours.tensor, script.tensor)).max());
  const same = JSON.stringify([ours.frame, ours.tensor.shape]) === JSON.stringify([script.frame, script.tensor.shape]);
  const worst = (await apart.data())[0];
  tf.dispose([ours.tensor, script.tensor, apart]);
  return same ? worst : "another frame";
};
"""


def png(width: int, height: int, kind: int, depth: int, rows: bytes) -> bytes:
    """Give a PNG of any kind: 2 is red, green and blue, 3 a palette of the four colours."""

    def chunk(name: bytes, content: bytes) -> bytes:
        whole = name + content
        return len(content).to_bytes(4, "big") + whole + zlib.crc32(whole).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((depth, kind, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(sum(quarters, ()))) if kind == 3 else b""
    data = chunk(b"IDAT", zlib.compress(rows, 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + palette + data + chunk(b"IEND", b"")


def huge(width: int, height: int) -> bytes:
    """Give a PNG of two bits a pixel."""
    upper = b"\0" + b"\x00" * (width // 8) + b"\x55" * (width // 8)
    lower = b"\0" + b"\xaa" * (width // 8) + b"\xff" * (width // 8)
    return png(width, height, 3, 2, upper * (height // 2) + lower * (height // 2))


def deep(width: int, height: int) -> bytes:
    """Give a PNG of 16 bits a channel."""
    pixels = np.array(picture().resize((width, height), Image.Resampling.NEAREST), np.uint16) * 257
    return png(width, height, 2, 16, b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels))


def picture(width: int = 64, height: int = 48) -> Image.Image:
    """Give a picture of four colours."""
    small = Image.fromarray(np.array(quarters, np.uint8).reshape(2, 2, 3))
    return small.resize((width, height), Image.Resampling.NEAREST)


def write_pictures(folder: Path) -> None:
    """Write all that is given."""
    folder.mkdir()
    Image.new("RGB", (1, 1), (10, 200, 30)).save(folder / "dot.png")
    (folder / "huge.png").write_bytes(huge(10_240, 9_766))
    (folder / "long.png").write_bytes(huge(20_000, 64))
    (folder / "deep.png").write_bytes(deep(64, 48))
    turns = Image.Transpose
    # What a camera stores so that its note turns it upright, by the note.
    stored = {
        1: None, 2: turns.FLIP_LEFT_RIGHT, 3: turns.ROTATE_180, 4: turns.FLIP_TOP_BOTTOM, 5: turns.TRANSPOSE,
        6: turns.ROTATE_90, 7: turns.TRANSVERSE, 8: turns.ROTATE_270,
    }  # fmt: skip
    for number, turn in stored.items():
        held = picture() if turn is None else picture().transpose(turn)
        exif = held.getexif()
        exif[0x0112] = number
        held.save(folder / f"turned-{number}.jpg", exif=exif, quality=95, subsampling=0)
    clear = picture().convert("RGBA")
    clear.putalpha(Image.fromarray(np.repeat([0, 255], 32).astype(np.uint8)[None].repeat(48, 0)))
    clear.save(folder / "clear.png")
    Image.new("RGBA", (16, 16), (255, 100, 0, 128)).save(folder / "half.png")
    picture().convert("CMYK").save(folder / "print.jpg", quality=95)
    others = [Image.new("RGB", (64, 48), "black")]
    for name in ("moving.gif", "moving.webp"):
        picture().save(folder / name, save_all=True, append_images=others, duration=10, loop=0, lossless=True)
    noise = np.random.Generator(np.random.PCG64(7)).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "whole.jpg", quality=95)
    whole = (folder / "whole.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[:300])
    (folder / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.png").write_text("This is no picture.\n" * 9)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*drawing) as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Page]:
    """Give a page with a model that gives back what it is given."""
    folder = tmp_path_factory.mktemp("bad")
    shape = dimensions(1, side, side, 3)
    nodes = [
        node("x", "Placeholder", dtype={"type": "DT_FLOAT"}, shape={"shape": shape}),
        node("kernel", "Const", dtype={"type": "DT_FLOAT"}, value={"tensor": {"dtype": "DT_FLOAT"}}),
        node("Identity", "AddV2", "x", "kernel"),
    ]
    tensor = {"dtype": "DT_FLOAT", "tensorShape": shape}
    signature = {"inputs": {"x": {"name": "x:0", **tensor}}, "outputs": {"y": {"name": "Identity:0", **tensor}}}
    topology = {"node": nodes, "library": {}, "versions": {"producer": 1882}}
    content = {"format": "graph-model", "signature": signature, "modelTopology": topology}
    write(folder / "source", content, {"kernel": np.zeros(1, np.float32)})
    (folder / "build.toml").write_text(
        '[models.what]\nsource = "source/model.json"\nanswer = "picture"\npicture = {}\nload = "manual"\n'
    )
    (folder / "node_modules").symlink_to(root / "node_modules")
    (folder / "modules").symlink_to(root / "templates" / "modules")
    command = [sys.executable, str(root / "build.py"), "--fast", "-q"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    write_pictures(folder / "bad")
    (folder / "index.html").write_text(
        '<!doctype html><script src="node_modules/@tensorflow/tfjs/dist/tf.min.js"></script>'
    )
    with serve(folder) as site:
        opened = browser.new_page()
        opened.goto(f"{site.url}index.html")
        opened.evaluate(f"(async () => {{ {script} }})()")
        yield opened


right: dict[str, tuple[str, list[tuple[int, int, int]], int]] = {
    "dot.png": ("blob element canvas imagedata", [(10, 200, 30)] * 4, 1),
    "huge.png": ("blob element", quarters, 1),
    "long.png": ("blob element canvas imagedata", quarters, 1),
    "deep.png": ("blob element", quarters, 1),
    **{f"turned-{number}.jpg": ("blob element", quarters, 6) for number in range(1, 9)},
    "clear.png": ("blob bytes element canvas bitmap plain imagedata", [(0, 0, 0), green, (0, 0, 0), white], 1),
    "half.png": ("blob element canvas bitmap plain imagedata", [(128, 50, 0)] * 4, 2),
    "print.jpg": ("blob element", quarters, 40),
    "moving.gif": ("blob", quarters, 1),
    "moving.webp": ("blob", quarters, 1),
}
wrong = {
    "cut.jpg": ("blob element", "cannot be opened"),
    "half.jpg": ("blob bytes", "cannot be opened"),  # an element shows the half that it has, and that is what it gives
    "text.png": ("blob bytes element", "cannot be opened"),
    "dot.png": ("closed other", "cannot be opened"),
    "": ("nothing moved gone video unready unloaded empty", "cannot be opened"),
    "-": ("text none", "takes a picture or a tensor"),
}


@pytest.mark.parametrize("backend", ["webgl", "cpu"])
def test_each_is_answered_rightly_or_refused_in_words(page: Page, backend: str) -> None:
    page.evaluate("async (name) => { await tf.setBackend(name); await tf.ready(); }", backend)
    left = page.evaluate("tf.memory().numTensors")
    failed: dict[str, Any] = {}
    for name, (forms, colours, tolerance) in right.items():
        for form in forms.split():
            got = page.evaluate("ask", [form, name])
            if "error" in got or np.abs(np.subtract(got["quarters"], colours)).max() > tolerance:
                failed[f"{name} {form}"] = got
    for name, (forms, words) in wrong.items():
        for form in forms.split():
            got = page.evaluate("ask", [form, name])
            said = str(got.get("message"))
            if (got.get("error"), got.get("code")) != ("ModelError", "contract") or words not in said:
                failed[f"{name} {form}"] = got
    assert failed == {}
    assert page.evaluate("tf.memory().numTensors") == left


def test_kernels_make_of_a_picture_what_the_script_does(page: Page) -> None:
    page.evaluate("async () => { await tf.setBackend('webgl'); await tf.ready(); }")
    plain = {
        "input": "x", "share": 1, "colour": [114, 114, 114], "channels": "rgb", "scale": [2.0], "offset": [-3, 5, 1],
        "dtype": "float32", "rank": 4, "size": [64, 96],
    }  # fmt: skip
    specs = [
        {**plain, "fit": fit, "resize": resize}
        for fit in ("stretch", "cover", "contain", "letterbox")
        for resize in ("antialiased", "bicubic", "bilinear")
    ]
    letterbox = {**plain, "fit": "letterbox", "resize": "bilinear"}
    specs += [
        {**letterbox, "colour": [114, 20, 3]},
        {**letterbox, "channels": "bgr", "share": 0.5, "fit": "cover"},
        {**letterbox, "channels": "grey", "offset": [0.0], "scale": [1.0]},
        {**letterbox, "size": [70, 97], "first": True},
        {**letterbox, "size": [70, 64], "fit": "stretch", "resize": "antialiased"},
        {**letterbox, "size": [64, 97], "fit": "stretch", "resize": "antialiased", "dtype": "int32"},
    ]
    # A value in the middle between two may be rounded to either.
    apart = [page.evaluate("differ", spec) for spec in specs]
    assert [(spec, worst) for spec, worst in zip(specs, apart, strict=True) if worst not in {0, 1, 2}] == []
