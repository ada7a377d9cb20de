"""What is promised of answers: small modules with types, and a page that names every key."""

from __future__ import annotations

import re
from pathlib import Path

import brotli
import msgspec
import pytest

from builder.bundle.scripts import script
from builder.config.answers import AnchorLevel, BoxesTable, ClassesTable, KeyPoints, MaskTable, PointsTable, VectorTable
from tests.bundle.test_render import check_types

root = Path(__file__).resolve().parents[2]
kinds = ("boxes", "classes", "mask", "points", "vector")
most = 4_000  # bytes of a module, compressed


@pytest.mark.parametrize("kind", kinds)
def test_each_module_is_small(kind: str) -> None:
    assert len(brotli.compress(script(f"modules/{kind}.js").encode(), quality=11)) <= most


@pytest.mark.slow
def test_each_module_has_types_and_imports_nothing_but_its_like() -> None:
    modules = root / "templates" / "modules"
    check_types(root, *(str(modules / f"{kind}.js") for kind in kinds))
    for kind in kinds:
        text = (modules / f"{kind}.js").read_text()
        assert all(found.startswith("./") for found in re.findall(r'^import .* from "(.*)";', text, re.MULTILINE))


@pytest.mark.parametrize(
    "table", [AnchorLevel, BoxesTable, ClassesTable, KeyPoints, MaskTable, PointsTable, VectorTable]
)
def test_the_page_names_every_key(table: type[msgspec.Struct]) -> None:
    text = re.sub(r"^```.*?^```$", "", (root / "docs" / "answers.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", text))))
    assert {field.name for field in msgspec.structs.fields(table)} <= named
