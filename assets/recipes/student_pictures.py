"""The photographs that the student of the classifier learns on: which packages have them, and crops of them.

They are those of ``bench/answers.py`` whose licences are not in the way, 41 in all, and stay beside the student.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from small_savedmodel import assets

sys.path.insert(0, str(assets))

from fetch import File, Package, fetch, is_there

folder = "models/student/pictures"
longest = 900  # pixels of a photograph's longer side
edge = 224
Picture = Any  # [edge, edge, 3], uint8 or float32 in 0..1


def _files(place: str, *members: tuple[str, str]) -> tuple[File, ...]:
    named = ((f"{place}/{member}", member.rpartition("/")[2], sha256) for member, sha256 in members)
    return tuple(File(member, f"{folder}/{name}", sha256) for member, name, sha256 in named)


packages = (
    Package(
        "pypi",
        "foolbox",
        "3.3.4",
        "code MIT; photographs from ImageNet, of their owners",
        _files(
            "foolbox/data",
            ("imagenet_00_243.jpg", "28b7b933c8028c6e20bf74a86a709eda42ce99f14c8742cb657cb386f08a4c9d"),
            ("imagenet_01_559.jpg", "5f03b0c74dff01b5b4195d0beabcae2a625a406e6917957ab9c455b5b7dea6d6"),
            ("imagenet_02_438.jpg", "ccef0734c1a65549c6cb5adb0f5d9b1c0b2e2104aba50a9e5f9202dc6d4532ed"),
            ("imagenet_03_990.jpg", "c7f0b2f1e9ee39d8f900759e8983afa2e4a2d7de090060e8bb947f6e90cace5f"),
            ("imagenet_04_949.jpg", "a7f62f3c1d214de4718c7253871ab38209283249e131faf65b8f2b7fdc970669"),
            ("imagenet_05_853.jpg", "8a449436c61da867528b1f4efaf8ae832ab9c9201705eae0d3af1353fbdac131"),
            ("imagenet_06_609.jpg", "fb061102a4e58b3ed942bb2a4f9542e1e1acdc8f225ef95498e93889290e192f"),
            ("imagenet_07_609.jpg", "2c297ad1e5c4804a647e9b34bc02ee2fc348b05a4d49050d170fb61c948efa5c"),
            ("imagenet_08_915.jpg", "c6a3411a3987799f0de45adc142f00ca412c3e14073c635e2adfae1f3913180c"),
            ("imagenet_09_455.jpg", "ace3716b60ac5843269b270e17020e4f8138440cd30ef3487f7d6e54da9745a4"),
            ("imagenet_10_541.jpg", "f325c71d9f4290ee45e99bd7ad42f4bffe513b1450ad21e7bd61c7cb137395d9"),
            ("imagenet_11_630.jpg", "892dff58fc528fe63d2df0c783aa3eca2342637798578ce01763fbc0553eda01"),
            ("imagenet_12_741.jpg", "6c256e17545b25bbf2e06cf6513ff48d049583569515ac4d4c3a52aea804a529"),
            ("imagenet_13_471.jpg", "52ed0e738b90d27afcabc3e92c81ae637f160c2d9f75b93a65211005ab5dcd81"),
            ("imagenet_14_129.jpg", "ad9371d813bf24b0365ee2f78f28c08718ee7c5975f060caa16c3f264e828139"),
            ("imagenet_15_99.jpg", "4b588649cd835d4c65521727ebee03d9621baff1f54d3e8a53a26b53d983ec2e"),
            ("imagenet_16_251.jpg", "ce3440a3b7beb6ca3009817504c44d39fa789e7c2f70a2eef7e2f9cc9a87b129"),
            ("imagenet_17_22.jpg", "b432341845620e9cfd67d848c4783c32dd6eaddad45513866b17180d2b09fcf5"),
            ("imagenet_18_317.jpg", "b9412f92f0b1c3faede45b55a44940977daa744f2040118d0538cf597fca785d"),
            ("imagenet_19_305.jpg", "e1f58f00e2e47ce930d7ecab0e46a78316054f68c10d0742e87c1cc092324556"),
        ),
    ),
    Package(
        "pypi",
        "imgaug",
        "0.4.0",
        "MIT",
        _files(
            "imgaug",
            ("quokka.jpg", "bf1059d0f925e7d0c712cadf07a04ba4cfc98957d7be65d3a7d8ae0c464cd76e"),
        ),
    ),
    Package(
        "pypi",
        "scikit-learn",
        "1.7.2",
        "BSD-3-Clause; photographs CC BY",
        _files(
            "sklearn/datasets/images",
            ("china.jpg", "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29"),
            ("flower.jpg", "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638"),
        ),
    ),
    Package(
        "pypi",
        "scikit-image",
        "0.25.2",
        "pictures free to use, see LICENSE.txt",
        _files(
            "skimage/data",
            ("astronaut.png", "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"),
            ("brick.png", "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf"),
            ("camera.png", "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a"),
            ("chelsea.png", "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb"),
            ("clock_motion.png", "f029226b28b642e80113d86622e9b215ee067a0966feaf5e60604a1e05733955"),
            ("coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"),
            ("coins.png", "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba"),
            ("color.png", "7d2df993de2b4fa2a78e04e5df8050f49a9c511aa75e59ab3bd56ac9c98aef7e"),
            ("grass.png", "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89"),
            ("gravel.png", "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12"),
            ("horse.png", "c7fb60789fe394c485f842291ea3b21e50d140f39d6dcb5fb9917cc178225455"),
            ("hubble_deep_field.jpg", "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4"),
            ("ihc.png", "f8dd1aa387ddd1f49d8ad13b50921b237df8e9b262606d258770687b0ef93cef"),
            ("moon.png", "78739619d11f7eb9c165bb5d2efd4772cee557812ec847532dbb1d92ef71f577"),
            ("motorcycle_left.png", "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179"),
            ("page.png", "341a6f0a61557662b02734a9b6e56ec33a915b2c41886b97509dedf2a43b47a3"),
            ("retina.jpg", "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6"),
            ("rocket.jpg", "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c"),
        ),
    ),
)
judging = (
    *(f"imagenet_{number}" for number in range(10, 20)),
    *("chelsea", "hubble_deep_field", "retina", "ihc", "coins", "horse", "flower", "quokka"),
)
"""Those that ``--judge`` keeps from the student: what bench/answers.py calibrates with no model."""


def fingerprint() -> str:
    """Give what changes when other photographs are named."""
    files = [file for package in packages for file in package.files]
    return hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()


def photographs(*, unseen: bool | None = None) -> list[Image.Image]:
    """Fetch the photographs unless they are there, and give them, or only those kept or not kept for judging."""
    for package in packages:
        if not all(is_there(file, assets) for file in package.files):
            fetch(package)
    found = []
    for package in packages:
        for file in package.files:
            kept = Path(file.target).name.startswith(judging)
            if unseen is None or unseen == kept:
                picture = Image.open(assets / file.target).convert("RGB")
                picture.thumbnail((longest, longest))
                found.append(picture)
    return found


def crop(picture: Image.Image, generator: np.random.Generator, least: float, stretch: float = 0.0) -> Picture:
    """Give a random part of a photograph, at least such a share of its area, as [edge, edge, 3]."""
    width, height = picture.size
    for _ in range(10):
        area = width * height * np.exp(generator.uniform(np.log(least), 0.0))
        ratio = np.exp(generator.uniform(-stretch, stretch))
        wide, high = np.sqrt(area * ratio), np.sqrt(area / ratio)
        if wide <= width and high <= height:
            break
    else:
        wide = high = min(width, height)
    left, top = generator.uniform(0, width - wide), generator.uniform(0, height - high)
    box = (left, top, left + wide, top + high)
    return np.asarray(picture.resize((edge, edge), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0))


def _disturbed(picture: Picture, generator: np.random.Generator) -> Picture:
    """Give it in 0..1, mirrored or not, in other light and colours."""
    x = picture.astype(np.float32) / 255
    x = x[:, ::-1] if generator.random() < 0.5 else x
    if generator.random() < 0.8:
        x = x * generator.uniform(0.6, 1.4)
        x = (x - x.mean()) * generator.uniform(0.6, 1.4) + x.mean()
        grey = x.mean(-1, keepdims=True)
        x = grey + (x - grey) * generator.uniform(0.2, 1.6)
        x = x * generator.uniform(0.85, 1.15, 3)
    return np.clip(x, 0, 1)


def _mixed(one: Picture, other: Picture, generator: np.random.Generator) -> Picture:
    """Give both at once: one shining through, or in front of the other."""
    if generator.random() < 0.4:
        share = generator.uniform(0.2, 0.8)
        return share * one + (1 - share) * other
    wide, high = (generator.uniform(0.3, 0.8, 2) * edge).astype(int)
    left, top = (int(generator.integers(0, edge - length + 1)) for length in (wide, high))
    small = Image.fromarray((other * 255).astype(np.uint8)).resize((wide, high), Image.Resampling.BILINEAR)
    one = one.copy()
    one[top : top + high, left : left + wide] = np.asarray(small) / 255
    return one


def lessons(pictures: list[Image.Image], count: int, mixed: float, seed: int) -> Picture:
    """Give [count, edge, edge, 3] of uint8 to learn on; such a share shows two photographs."""
    generator = np.random.default_rng(seed)

    def one() -> Picture:
        return _disturbed(crop(pictures[generator.integers(len(pictures))], generator, 0.1, 0.28), generator)

    made = np.empty((count, edge, edge, 3), np.uint8)
    for number in range(count):
        x = one()
        x = _mixed(x, one(), generator) if generator.random() < mixed else x
        made[number] = x * 255
    return made


def exams(pictures: list[Image.Image], each: int, seed: int) -> Picture:
    """Give crops as pages might show them, [n, edge, edge, 3] of uint8, none of which is among the lessons."""
    generator = np.random.default_rng(seed)
    return np.stack([crop(picture, generator, 0.25) for picture in pictures for _ in range(each)])
