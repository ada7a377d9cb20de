"""The build runs pictures the whole way, through the generated loader, and compares the answers with a reference."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from builder.answers.agreement import agree, reference
from builder.answers.frame import Frame
from builder.verify.played import Played, write_wav
from builder.verify.sounds import unheard
from builder.verify.types import Check, Gate
from tests.helpers.tiny import dimensions, node, write

root = Path(__file__).resolve().parents[2]
side, kinds = 8, 4
frame = Frame(80, 60, 0.1, 0.1, 0.0, 0.0, 8, 6)


def picture_model(folder: Path) -> Path:
    """Write a graph model that gives four pictures' classes: softmax(flat(x) @ kernel)."""
    shape = dimensions(1, side, side, 3)
    number = {"dtype": {"type": "DT_INT32"}, "value": {"tensor": {"dtype": "DT_INT32"}}}
    nodes = [
        node("x", "Placeholder", dtype={"type": "DT_FLOAT"}, shape={"shape": shape}),
        node("kernel", "Const", dtype={"type": "DT_FLOAT"}, value={"tensor": {"dtype": "DT_FLOAT"}}),
        node("lengths", "Const", **number),
        node("flat", "Reshape", "x", "lengths", Tshape={"type": "DT_INT32"}),
        node("product", "MatMul", "flat", "kernel"),
        node("Identity", "Softmax", "product"),
    ]
    spec = {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": shape}
    probs = {"name": "Identity:0", "dtype": "DT_FLOAT", "tensorShape": dimensions(1, kinds)}
    content = {
        "format": "graph-model",
        "signature": {"inputs": {"x": spec}, "outputs": {"probs": probs}},
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1882}},
    }
    generator = np.random.Generator(np.random.PCG64(5))
    kernel = generator.normal(size=(side * side * 3, kinds)).astype(np.float32)
    return write(folder, content, {"kernel": kernel, "lengths": np.array([1, side * side * 3], np.int32)})


def build(folder: Path, table: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Build the model with more lines in its table; give what was said, and its part of report.json."""
    picture_model(folder / "source")
    (folder / "labels.txt").write_text("north\neast\nsouth\nwest\n")
    (folder / "build.toml").write_text(
        f'[models.what]\nsource = "source/model.json"\nlabels = "labels.txt"\nanswer = "classes"\n{table}\n'
    )
    (folder / "node_modules").symlink_to(root / "node_modules")
    done = subprocess.run(
        [sys.executable, str(root / "build.py")], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    report = folder / "dist" / "report.json"
    return done, json.loads(report.read_text())["models"]["what"] if report.exists() else {}


def pictures(folder: Path) -> None:
    """Draw pictures of other sizes than the model's, one of them turned by its camera."""
    folder.mkdir()
    generator = np.random.Generator(np.random.PCG64(6))
    for number, size in enumerate(((40, 31), (9, 70), (8, 8), (1, 1))):
        pixels = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    turned = Image.fromarray(pixels.repeat(20, 0).repeat(30, 1))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "turned.jpg", exif=exif, quality=95)


@pytest.mark.slow
def test_answers_to_the_users_pictures_are_the_references(tmp_path: Path) -> None:
    pictures(tmp_path / "shown")
    picture = 'picture = { fit = "cover", range = [-1, 1], channels = "bgr" }'
    done, report = build(tmp_path, f'{picture}\nverify.inputs = "shown/*"\nverify.min_agreement = 0.99')
    assert done.returncode == 0, done.stderr
    assert report["verification"]["answers"] == [5, 5]
    assert "5 of 5" in done.stdout
    manifest = json.loads((tmp_path / "dist" / "manifest.json").read_text())
    assert manifest["models"]["what"]["verified"]["answers"] == [5, 5]
    assert {"answers", "classes"} <= set(manifest["modules"])
    assert "boxes" not in manifest["modules"]
    types = (tmp_path / "dist" / "package" / "index.d.ts").read_text()
    assert types.rstrip()
    assert '["labels"],\n    "classes"' in types


@pytest.mark.slow
def test_a_picture_is_made_up_where_there_are_none(tmp_path: Path) -> None:
    done, report = build(tmp_path, "picture = {}")
    assert done.returncode == 0, done.stderr
    assert report["verification"]["answers"] == [1, 1]


@pytest.mark.slow
def test_what_cannot_be_answered_fails_the_build_in_words(tmp_path: Path) -> None:
    done, _ = build(tmp_path, "picture = { size = 9 }")
    assert done.returncode == 2
    assert "is [9, 9], and the input 'x' takes [8, 8] only" in done.stderr
    assert "SP-246" in done.stderr


def as_bytes(array: np.ndarray[Any, Any]) -> dict[str, str]:
    return {"base64": base64.b64encode(array.tobytes()).decode()}


def test_classes_agree_by_the_best_one() -> None:
    wanted = reference({"kind": "classes", "output": "p"}, {"p": np.array([[0.1, 0.7, 0.2]])}, frame, {})
    assert agree({"index": 1, "score": 0.7, "unsure": False}, wanted, frame)
    assert not agree({"index": 2, "score": 0.7, "unsure": False}, wanted, frame)
    assert not agree({"index": 1, "score": 0.4, "unsure": True}, wanted, frame)


def test_boxes_agree_by_class_and_place() -> None:
    rows = np.array([[[8, 6, 20, 20, 0.9, 0.0], [40, 30, 60, 50, 0.1, 0.8]]]) / [10, 10, 10, 10, 1, 1]
    spec = {"kind": "boxes", "format": "corners", "boxes": "b", "form": "xyxy", "score": 0.5}
    wanted = reference(spec, {"b": rows}, frame, {})
    assert [(box.index, round(box.x), round(box.width)) for box in wanted] == [(0, 8, 12), (1, 40, 20)]
    got = [{"index": box.index, "score": box.score, "x": box.x, "y": box.y, "width": box.width, "height": box.height}
           for box in wanted]  # fmt: skip
    assert agree(got, wanted, frame)
    assert agree([{**got[0], "x": got[0]["x"] + 0.2}, got[1]], wanted, frame)
    assert not agree([{**got[0], "x": got[0]["x"] + 4}, got[1]], wanted, frame)
    assert not agree([{**got[0], "index": 1}, got[1]], wanted, frame)
    assert not agree([], wanted, frame)
    assert agree([], [], frame)


def test_masks_vectors_and_pictures_agree_by_nearness() -> None:
    shares = np.zeros((1, 6, 8, 1))
    shares[:, 2:5, 2:6] = 1
    wanted = reference({"kind": "mask", "output": "m", "layout": "last", "channel": 0}, {"m": shares}, frame, {})
    assert agree({"data": as_bytes(wanted.data)}, wanted, frame)
    assert not agree({"data": as_bytes(np.roll(wanted.data, 9, 1))}, wanted, frame)
    vector = reference({"kind": "vector", "output": "v", "normalise": True}, {"v": np.array([[3.0, 4.0]])}, frame, {})
    assert agree({"values": as_bytes(np.array([0.6, 0.8], "<f4"))}, vector, frame) is True
    assert not agree({"values": as_bytes(np.array([0.8, 0.6], "<f4"))}, vector, frame)
    picture = reference(
        {"kind": "picture", "output": "y", "range": [0, 1]}, {"y": np.full((1, 2, 2, 3), 0.5)}, frame, {}
    )
    assert picture[0, 0].tolist() == [128, 128, 128, 255]
    assert agree({"data": as_bytes(picture)}, picture, frame)
    assert agree({"data": as_bytes(picture - 1)}, picture, frame) is True  # a report cannot hold NumPy's
    assert not agree({"data": as_bytes(picture + 40)}, picture, frame)


def test_points_agree_within_a_pixel() -> None:
    spec = {"kind": "points", "form": "coordinates", "output": "p", "order": "xys", "unit": "pixels"}
    wanted = reference(spec, {"p": np.array([[[1.0, 2.0, 0.9], [3.0, 4.0, 0.8]]])}, frame, {})
    got = [{"x": point.x, "y": point.y, "score": point.score} for point in wanted]
    assert agree(got, wanted, frame)
    assert not agree([{**got[0], "x": got[0]["x"] + 15}, got[1]], wanted, frame)
    assert not agree([{**got[0], "x": None}, got[1]], wanted, frame), "what is no number is null in JSON"


def sound_model(folder: Path) -> Path:
    """Write a graph model that gives four sounds' classes: softmax(x @ kernel)."""
    samples = 64
    shape = dimensions(1, samples)
    number = {"dtype": {"type": "DT_FLOAT"}, "value": {"tensor": {"dtype": "DT_FLOAT"}}}
    nodes = [
        node("x", "Placeholder", dtype={"type": "DT_FLOAT"}, shape={"shape": shape}),
        node("kernel", "Const", **number),
        node("product", "MatMul", "x", "kernel"),
        node("Identity", "Softmax", "product"),
    ]
    content = {
        "format": "graph-model",
        "signature": {
            "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": shape}},
            "outputs": {"probs": {"name": "Identity:0", "dtype": "DT_FLOAT", "tensorShape": dimensions(1, kinds)}},
        },
        "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1882}},
    }
    generator = np.random.Generator(np.random.PCG64(5))
    return write(folder, content, {"kernel": generator.normal(size=(samples, kinds)).astype(np.float32)})


def build_sound(folder: Path, table: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Build that model with a sound of two channels at another rate beside it."""
    folder.mkdir(exist_ok=True)
    sound_model(folder / "source")
    (folder / "build.toml").write_text(f'[models.what]\nsource = "source/model.json"\nanswer = "classes"\n{table}\n')
    (folder / "node_modules").symlink_to(root / "node_modules")
    generator = np.random.Generator(np.random.PCG64(6))
    (folder / "clip.wav").write_bytes(write_wav(generator.normal(0, 0.3, (2, 900)), 22_050))
    (folder / "none.wav").write_bytes(b"RIFF....WAVE")
    done = subprocess.run(
        [sys.executable, str(root / "build.py"), "--fast"], cwd=folder, capture_output=True, text=True, check=False
    )
    report = folder / "dist" / "report.json"
    return done, json.loads(report.read_text())["models"]["what"] if report.exists() else {}


@pytest.mark.slow
def test_answers_to_the_users_sounds_are_the_references(tmp_path: Path) -> None:
    done, report = build_sound(tmp_path, 'audio = { rate = 16000, hop = 48, lead = 8 }\nverify.inputs = "clip.wav"')
    assert done.returncode == 0, done.stderr
    # ⌈900 · 16000 / 22050⌉ = 654 samples, 8 of silence before: windows begin at 0, 48, … 624.
    assert report["verification"]["answers"] == [14, 14]
    manifest = json.loads((tmp_path / "dist" / "manifest.json").read_text())
    assert {"audio", "answers", "listen", "classes"} <= set(manifest["modules"])
    assert "mel" not in manifest["modules"]
    assert '"classes",\n    true' in (tmp_path / "dist" / "package" / "index.d.ts").read_text()


@pytest.mark.slow
def test_a_sound_is_made_up_where_there_are_none_and_no_sounds_are_refused(tmp_path: Path) -> None:
    done, report = build_sound(tmp_path / "made", "audio = {}")
    assert done.returncode == 0, done.stderr
    assert report["verification"]["answers"] == [64, 64]
    done, _ = build_sound(tmp_path / "bad", 'audio = {}\nverify.inputs = "none.wav"')
    assert done.returncode == 2
    assert "none.wav: cannot be used as a sound (it has no samples)" in done.stderr
    assert "SP-224" in done.stderr


def test_windows_that_a_page_makes_otherwise_are_told() -> None:
    inputs = np.array([[0.5, -0.25]], np.float32)
    given = {"model": "m", "loader": Path("l"), "gate": Gate(), "cases": [{"x": inputs}] * 2, "heard": "x"}
    check = Check(**given, played=[Played((0, 1), b"")])
    same = {"input": base64.b64encode(inputs.tobytes()).decode(), "answer": None}
    off = {"input": base64.b64encode((inputs + np.float32(0.001)).tobytes()).decode(), "answer": None}
    assert unheard(check, {"heard": [[same, same]]}) == ""
    assert unheard(check, {"heard": [[same, {"input": None, "answer": None}]]}) == ""
    assert "another input of sound 0, window 1" in unheard(check, {"heard": [[same, off]]})
    assert "1 windows of sound 0, the reference 2" in unheard(check, {"heard": [[same]]})
