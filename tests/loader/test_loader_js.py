"""Runs the loader's own tests, which are in JavaScript, on the rendered and minified file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from builder.bundle.render import render_loader, render_modules

tests = Path(__file__).resolve().parents[1] / "js"


def run_node(name: str, folder: Path) -> None:
    """Run one file of ``tests/js``, which must pass and hold tests."""
    loader = folder / "loader.mjs"
    loader.write_bytes(render_loader({"format": 1, "release": "0" * 16, "models": {}}))
    for module, content in render_modules().items():
        (folder / f"{module}.mjs").write_bytes(content)
    try:
        done = subprocess.run(
            ["node", "--test-force-exit", "--test-reporter=tap", str(tests / name)],
            env={**os.environ, "SHARDPRESS_LOADER": str(loader)},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
    except subprocess.TimeoutExpired as error:
        pytest.fail(f"{name} is not done after {error.timeout:.0f} s:\n{(error.stdout or b'').decode()}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n# pass 0\n" not in done.stdout
    assert "\n# skipped 0\n" in done.stdout


@pytest.mark.parametrize(
    "name",
    ["answers", "codecs", "costs", "device", "files", "frames", "ground", "heads", "schedule", "states", "turns"],
)
def test_without_tensorflow(name: str, tmp_path: Path) -> None:
    run_node(f"{name}.test.mjs", tmp_path)


@pytest.mark.parametrize("name", ["climbs", "fit", "ladder", "sounds", "speed"])
def test_ladders_with_tensorflow(name: str, tmp_path: Path) -> None:
    run_node(f"{name}.test.mjs", tmp_path)


def test_workers_with_tensorflow(tmp_path: Path) -> None:
    run_node("thread.test.mjs", tmp_path)


@pytest.mark.slow
def test_with_tensorflow(tmp_path: Path) -> None:
    run_node("models.test.mjs", tmp_path)


def test_every_file_of_tests_is_run() -> None:
    assert {path.name for path in tests.glob("*.test.mjs")} == {
        "answers.test.mjs",
        "climbs.test.mjs",
        "codecs.test.mjs",
        "costs.test.mjs",
        "device.test.mjs",
        "files.test.mjs",
        "fit.test.mjs",
        "frames.test.mjs",
        "ground.test.mjs",
        "heads.test.mjs",
        "ladder.test.mjs",
        "models.test.mjs",
        "schedule.test.mjs",
        "sounds.test.mjs",
        "speed.test.mjs",
        "states.test.mjs",
        "thread.test.mjs",
        "turns.test.mjs",
    }
