"""The examples, TensorFlow sources among them, give the same bytes in another folder, order and number of jobs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from builder.config.tables import load_config
from tests.helpers.whole import assert_whole

root = Path(__file__).resolve().parents[2]
apart = {
    "classify",
    "classify-rung1",
    "enlarge",
    "mesh",
    "people",
    "pose",
    "speech",
    "words-zh",
}  # of a kind with others here


def build(folder: Path, *arguments: str) -> dict[str, bytes]:
    command = [sys.executable, str(root / "build.py"), "--quiet", "--fast", "--no-cache", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cdn = folder / "dist" / "cdn"
    assert set(assert_whole(cdn).models) == set(load_config(root / "build.toml").models) - apart
    return {path.relative_to(cdn).as_posix(): path.read_bytes() for path in cdn.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_two_builds_of_the_examples_are_identical(tmp_path: Path) -> None:
    # One of them is measured, as classify is.
    text = (root / "build.toml").read_text().replace("[models.denoise]", '[models.denoise]\nprecision = "small" ')
    first, *all_tables = re.split(r"(?=^\[models\.[\w-]+\])", text, flags=re.MULTILINE)
    tables = [table for table in all_tables if re.match(r"\[models\.([\w-]+)\]", table)[1] not in apart]  # type: ignore[index]
    trees = []
    for name, order, jobs in (("one", tables, "1"), ("an other", tables[::-1], "2")):
        folder = tmp_path / name
        shutil.copytree(root / "assets", folder / "assets")
        (folder / "build.toml").write_text(first + "\n".join(order))
        trees.append(build(folder, "--jobs", jobs))
    assert trees[0].keys() == trees[1].keys()
    assert [path for path in trees[0] if trees[0][path] != trees[1][path]] == []
