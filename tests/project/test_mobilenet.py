"""The recipe of the classifier: a pickle that may hold anything, a JavaScript table, the source's own answers."""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

recipes = Path(__file__).resolve().parents[2] / "assets" / "recipes"


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(recipes))
    yield importlib.import_module("mobilenet")
    for name in ("mobilenet", "small_savedmodel"):
        sys.modules.pop(name, None)


def test_reads_no_class_but_those_of_a_state_dict(recipe: ModuleType) -> None:
    harmful = pickle.dumps(Path("anywhere"))
    with pytest.raises(pickle.UnpicklingError, match="is not allowed"):
        recipe.TorchReader(io.BytesIO(harmful)).load()


def test_reads_the_names_of_all_classes(recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"    {number}: 'name {number}'," for number in range(recipe.classes)]
    lines[2] = "    2: 'great white shark, ' +\n        'man-eater',"
    lines[3] = '    3: "jack-o\'-lantern",'
    lines[4] = "    4: 'carpenter\\'s kit',"
    (tmp_path / "imagenet_classes.js").write_text("exports.IMAGENET_CLASSES = {\n" + "\n".join(lines) + "\n};\n")
    monkeypatch.setattr(recipe, "origin", tmp_path)
    monkeypatch.setattr(recipe, "labels", tmp_path / "labels.txt")
    recipe.write_labels()
    names = (tmp_path / "labels.txt").read_text().splitlines()
    assert len(names) == recipe.classes
    assert names[1:5] == ["name 1", "great white shark, man-eater", "jack-o'-lantern", "carpenter's kit"]


def test_a_table_that_lacks_names_is_refused(
    recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imagenet_classes.js").write_text("exports.IMAGENET_CLASSES = {\n    0: 'tench'\n};\n")
    monkeypatch.setattr(recipe, "origin", tmp_path)
    with pytest.raises(SystemExit, match="1 names instead of 1000"):
        recipe.write_labels()
