"""What documents say of the code: paths that exist, rooms that are described, layers that are those of the contract."""

from __future__ import annotations

import re
import tomllib
from itertools import groupby
from pathlib import Path

import pytest

root = Path(__file__).resolve().parents[2]
package = root / "builder"
architecture = (root / "docs" / "architecture.md").read_text()
rooms_table = architecture.split("## The rooms")[1].split("\n## ")[0]


def named_layers() -> list[set[str]]:
    """Give the rooms of each layer of the architecture's table, the top one first."""
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", rooms_table, re.MULTILINE)
    layers = groupby(rows, key=lambda row: row[0])
    return [{name.removesuffix("/").removesuffix(".py") for _, cell in layer for name in re.findall(r"`(.+?)`", cell)}
            for _, layer in layers]  # fmt: skip


def test_the_table_of_rooms_is_the_contract() -> None:
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert named_layers() == [set(layer.split(" | ")) for layer in layers]
    assert len(layers) <= 13


def test_every_room_is_described() -> None:
    """A folder's first sentence is that of its package."""
    found = {path.name for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"}
    found |= {path.stem for path in package.glob("*.py")} - {"__init__"}
    assert found == set().union(*named_layers())
    for path in package.rglob("__init__.py"):
        assert path.read_text().startswith('"""'), path


@pytest.mark.parametrize("document", ["docs/architecture.md", "CONTRIBUTING.md", *(
    f"docs/decisions/{path.name}" for path in sorted((root / "docs" / "decisions").glob("*.md")))])  # fmt: skip
def test_paths_in_documents_exist(document: str) -> None:
    text = (root / document).read_text()
    for name in re.findall(r"`([\w./-]+/[\w.-]*|\w+\.(?:py|md|js|toml))`", text):
        if "NAME" in name or name.startswith((".shardpress", "dist/")) or name in generated:
            continue
        found = [place for place in (root / name, package / name) if place.exists()]
        assert found or ("/" not in name and any(package.rglob(name))), f"{document}: {name}"
    for name in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (root / document).parent.joinpath(name).exists(), f"{document}: {name}"


generated = {"loader.js", "manifest.json", "report.json", "report.html", "work/"}


def test_every_decision_is_listed() -> None:
    listed = re.findall(r"\[\d+\]\((\d{4}-.+?\.md)\) \| (.+?) \|", (root / "docs/decisions/README.md").read_text())
    files = sorted(path for path in (root / "docs/decisions").glob("0*.md") if not path.name.endswith(".zh.md"))
    assert [name for name, _ in listed] == [path.name for path in files]
    for number, ((_, title), path) in enumerate(zip(listed, files, strict=True), start=1):
        assert path.read_text().startswith(f"# {number}. {title}\n"), path
