"""Models of Teachable Machine, as a folder and as a zip, and of Keras on Hugging Face, from ``init`` to a build."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.bundle.index import read_index
from builder.cli.init import find_models
from builder.cli.main import main
from builder.config.tables import load_config
from builder.errors import SourceError, UnsafeModelError
from builder.pipeline.check import check_models
from builder.sources.model_folders import is_keras_folder, keras_parts, packed_model, unpack
from tests.helpers import tiny

pictures = """
import sys
import keras
keras.utils.set_random_seed(1)
layers = [keras.Input((12, 12, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
model = keras.Sequential(layers)
model.save(sys.argv[1] + "/model.keras")
model.save_weights(sys.argv[1] + "/model.weights.h5")
import zipfile
with zipfile.ZipFile(sys.argv[1] + "/model.keras") as archive:
    archive.extractall(sys.argv[1] + "/../parts")
"""


def classifier(folder: Path) -> Path:
    """Write what Teachable Machine exports of a picture project, with fewer layers."""
    random = np.random.default_rng(5)
    size = {"kernel_size": [3, 3], "strides": [2, 2], "padding": "same", "activation": "relu", "use_bias": True}
    layers: list[dict[str, Any]] = [
        {
            "class_name": "Conv2D",
            "config": {"name": "conv1", "filters": 6, "batch_input_shape": [None, 32, 32, 3], **size},
        },
        {"class_name": "DepthwiseConv2D", "config": {"name": "deep", "depth_multiplier": 1, **size}},
        {"class_name": "Conv2D", "config": {"name": "conv2", "filters": 8, **size}},
        {"class_name": "GlobalAveragePooling2D", "config": {"name": "pool"}},
    ]
    head = [
        {
            "class_name": "Dense",
            "config": {"name": "hidden", "units": 10, "activation": "relu", "batch_input_shape": [None, 8]},
        },
        {"class_name": "Dense", "config": {"name": "scores", "units": 3, "activation": "softmax", "use_bias": False}},
    ]
    nets = [
        {"class_name": "Sequential", "config": {"name": name, "layers": part}}
        for name, part in (("base", layers), ("head", head))
    ]
    content = {
        "modelTopology": {
            "class_name": "Sequential",
            "config": {"name": "both", "layers": nets},
            "keras_version": "tfjs-layers 1.3.1",
        }
    }
    shapes = {
        "conv1/kernel": (3, 3, 3, 6),
        "conv1/bias": (6,),
        "deep/depthwise_kernel": (3, 3, 6, 1),
        "deep/bias": (6,),
        "conv2/kernel": (3, 3, 6, 8),
        "conv2/bias": (8,),
        "hidden/kernel": (8, 10),
        "hidden/bias": (10,),
        "scores/kernel": (10, 3),
    }
    tiny.write(
        folder, content, {name: random.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}
    )
    metadata = {
        "tfjsVersion": "1.3.1",
        "tmVersion": "2.4.7",
        "packageName": "@teachablemachine/image",
        "labels": ["Cat", "Dog", "None"],
        "imageSize": 32,
    }
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return folder


def pack(folder: Path, path: Path, **more: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
        for name, content in more.items():
            archive.writestr(name, content)
    return path


def test_zips_are_found_with_their_labels_and_checked(tmp_path: Path) -> None:
    folder = classifier(tmp_path / "my-pets")
    pack(folder, tmp_path / "packed-pets.zip")
    (tmp_path / "photos.zip").write_bytes(b"PK\x03\x04")
    found = {model.path: model for model in find_models(tmp_path, (tmp_path,))}
    assert sorted(found) == ["my-pets/model.json", "packed-pets.zip"]
    for model in found.values():
        assert model.own_labels == ("Cat", "Dog", "None")
        assert model.kind == "tfjs"
    sources = {"folder": "my-pets", "packed": "packed-pets.zip", "photos": "photos.zip"}
    text = "".join(f'[models.{name}]\nsource = "{source}"\n' for name, source in sources.items())
    (tmp_path / "build.toml").write_text(text)
    checked = {item.name: (item.kind, item.problem) for item in check_models(load_config(tmp_path / "build.toml"))}
    assert checked["folder"] == checked["packed"] == ("tfjs", "")
    assert "damaged or truncated archive" in checked["photos"][1]


def test_zips_write_nothing_outside_their_folder(tmp_path: Path) -> None:
    folder = classifier(tmp_path / "tm")
    for number, name in enumerate(("../out.bin", "/out.bin", "a\\out.bin")):
        with pytest.raises(UnsafeModelError, match="outside its folder"):
            unpack(pack(folder, tmp_path / f"{number}.zip", **{name: b"x"}), tmp_path)
    bomb = pack(folder, tmp_path / "bomb.zip", **{"zeros.bin": bytes(64 << 20)})
    with pytest.raises(UnsafeModelError, match="unpacks to 67108864 bytes"):
        unpack(bomb, tmp_path)
    broken = tmp_path / "broken.zip"
    content = bytearray((pack(folder, broken)).read_bytes())
    content[60:90] = bytes(30)
    broken.write_bytes(content)
    (room := tmp_path / "room").mkdir()
    with pytest.raises(SourceError, match="damaged or truncated"):
        unpack(broken, room)
    several = pack(folder, tmp_path / "several.zip", **{"other/model.json": b"{}"})
    assert packed_model(several) == ""


def parts(folder: Path, config: dict[str, Any]) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metadata.json").write_text('{"keras_version": "3.9.0"}')
    (folder / "model.weights.h5").write_bytes(b"weights")
    return folder


def test_folders_of_keras_parts_are_packed_the_same_each_time(tmp_path: Path) -> None:
    folder = parts(tmp_path / "hub", {"class_name": "Sequential", "config": {}})
    (folder / "README.md").write_text("# a model")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        unpack(folder, tmp_path / name)
    assert (tmp_path / "a" / "model.keras").read_bytes() == (tmp_path / "b" / "model.keras").read_bytes()
    with zipfile.ZipFile(tmp_path / "a" / "model.keras") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            name: (folder / name).read_bytes() for name in keras_parts
        }
    assert [(model.path, model.kind) for model in find_models(tmp_path, (folder,))] == [("hub", "keras-zip")]


def test_folders_of_other_things_and_links_out_are_no_keras_parts(tmp_path: Path) -> None:
    folder = parts(tmp_path / "hub", {})
    assert is_keras_folder(folder)
    (folder / "metadata.json").write_text('{"labels": []}')
    assert not is_keras_folder(folder)
    (folder / "metadata.json").write_text("[" * 100_000)
    assert not is_keras_folder(folder)
    (folder / "metadata.json").write_text('{"keras_version": "3.9.0"}')
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "model.weights.h5").unlink()
    (folder / "model.weights.h5").symlink_to(tmp_path / "secret")
    with pytest.raises(UnsafeModelError, match="leads outside its folder"):
        unpack(folder, tmp_path)
    assert not (tmp_path / "model.keras").exists()


@pytest.mark.slow
def test_folders_and_zips_of_other_tools_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = classifier(tmp_path / "my-pets")
    pack(folder, tmp_path / "packed-pets.zip")
    (hub := tmp_path / "hub").mkdir()
    subprocess.run([sys.executable, "-c", pictures, str(hub)], check=True, capture_output=True)
    (hub / "config.json").write_text("{}")
    (hub / "metadata.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert [model.path for model in find_models(tmp_path, (tmp_path,))] == [
        "hub/model.keras",
        "my-pets/model.json",
        "packed-pets.zip",
        "parts",
    ]
    sources = {"hub": "hub", "parts": "parts", "folder": "my-pets", "packed": "packed-pets.zip"}
    text = "".join(f'[models.{name}]\nsource = "{source}"\n' for name, source in sources.items())
    (tmp_path / "build.toml").write_text(text)
    assert main([]) == 0
    said = capsys.readouterr()
    assert "not verified" not in said.err
    assert "pictures of 32 x 32, cropped to a square" in said.err
    assert set(read_index((tmp_path / "dist/cdn/loader.js").read_bytes()).models) == set(sources)
    for name in ("folder", "packed"):
        (head,) = (tmp_path / "dist" / "cdn" / "assets").glob(f"{name}.*.json")
        assert json.loads(head.read_text())["labels"] == ["Cat", "Dog", "None"]
