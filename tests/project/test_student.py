"""The recipe of the student: which photographs it learns on, what it begins with, and that seeds decide all of it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

recipes = Path(__file__).resolve().parents[2] / "assets" / "recipes"
own = ("fetch", "mobilenet", "small_savedmodel", "student", "student_pictures", "student_start")


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.setattr(sys, "path", [str(recipes), *sys.path])
    yield importlib.import_module("student")
    for name in own:
        sys.modules.pop(name, None)


@pytest.fixture
def photographs() -> list[Image.Image]:
    chance = np.random.default_rng(1)
    return [Image.fromarray(chance.integers(0, 256, (high, 90, 3), np.uint8)) for high in (60, 200)]


def test_photographs_have_names_of_their_own_and_those_to_judge_by_are_among_them(recipe: ModuleType) -> None:
    pictures = sys.modules["student_pictures"]
    targets = [file.target for package in pictures.packages for file in package.files]
    assert len(targets) == len(set(targets))
    assert all(target.startswith("models/student/") for target in targets)
    names = [Path(target).name for target in targets]
    assert all(sum(name.startswith(one) for name in names) == 1 for one in pictures.judging)
    assert len(pictures.judging) < len(names) / 2


def test_the_same_seed_gives_the_same_lessons(recipe: ModuleType, photographs: list[Image.Image]) -> None:
    lessons = sys.modules["student_pictures"].lessons
    one, again, other = (lessons(photographs, 4, 0.5, seed) for seed in (3, 3, 4))
    assert one.shape == (4, 224, 224, 3)
    assert one.dtype == np.uint8
    assert (one == again).all()
    assert (one != other).any()


def test_crops_stay_within_a_photograph(recipe: ModuleType) -> None:
    crop = sys.modules["student_pictures"].crop
    picture = Image.new("RGB", (400, 100), (255, 0, 0))
    chance = np.random.default_rng(5)
    for least in (0.1, 1.0):  # a square of all of it does not fit: then it is the largest one that does
        found = crop(picture, chance, least, 0.3)
        assert (found == (255, 0, 0)).all()


def test_layers_are_solved_for_and_channels_chosen(recipe: ModuleType) -> None:
    start = sys.modules["student_start"]
    chance = np.random.default_rng(2)
    given, kernel = chance.normal(size=(500, 6)), chance.normal(size=(6, 3))
    layer = start.solve(given, given @ kernel + [1.0, 2.0, 3.0], 1e-9)
    assert layer.kernel.shape == (1, 1, 6, 3)
    assert np.allclose(layer.kernel[0, 0], kernel, atol=1e-4)
    assert np.allclose(layer.bias, [1.0, 2.0, 3.0], atol=1e-4)
    assert start.heaviest(np.array([1.0, 5.0, 5.0, 0.0, 9.0]), 3).tolist() == [1, 2, 4]
    flat = chance.normal(size=(3, 4, 5, 2)) @ chance.normal(size=(2, 8))
    axes = start.main_axes([flat], 2)
    along = (flat - axes.mean) @ axes.axes
    assert np.allclose(along @ axes.axes.T + axes.mean, flat, atol=1e-4), "two axes hold what has two dimensions"
    assert axes.spread == pytest.approx(np.cov(flat.reshape(-1, 8).T).trace(), rel=1e-4)


def test_whatever_decides_the_student_makes_another_one(recipe: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe.recipe()
    assert before == recipe.recipe()
    monkeypatch.setattr(sys.modules["student_pictures"], "packages", ())
    assert recipe.recipe() != before


def test_every_array_of_a_network_can_be_changed(recipe: ModuleType) -> None:
    mobilenet = sys.modules["mobilenet"]
    layer = mobilenet.Convolution(np.ones(2), np.ones(1))
    block = mobilenet.Block(None, layer, layer, 2, False)
    network = recipe.changed(mobilenet.Network(layer, (block,), layer, layer, 160), lambda array: array * 3)
    assert (network.edge, network.blocks[0].stride, network.blocks[0].expand) == (160, 2, None)
    layers = (network.stem, network.last, network.dense, network.blocks[0].depthwise, network.blocks[0].project)
    assert all((one.kernel == 3).all() and (one.bias == 3).all() for one in layers)
