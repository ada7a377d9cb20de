"""A build killed at any instant leaves a whole release behind, and the next one succeeds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.models import write_model
from tests.helpers.whole import assert_whole

root = Path(__file__).resolve().parents[2]
kills = 50


def start(folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(root), "PATH": ""}
    command = [sys.executable, str(root / "build.py"), "-q", "--fast", "--jobs", "2"]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def change(folder: Path, generation: int) -> None:
    for number in range(4):
        write_model(folder / f"m{number}", width=2000, seed=10 * generation + number + 1)


@pytest.mark.slow
def test_fifty_kills_at_random_instants(tmp_path: Path) -> None:
    tables = [f'[models.m{number}]\nsource = "m{number}/model.json"' for number in range(4)]
    (tmp_path / "build.toml").write_text('[build]\nshard_bytes = "8 KiB"\n' + "\n".join(tables))
    change(tmp_path, 0)
    begun = time.monotonic()
    assert start(tmp_path).wait(timeout=120) == 0
    whole_build = time.monotonic() - begun  # the shortest seen: other work may slow down any of them
    chance = random.Random(20261124)
    died, releases = 0, set()
    for generation in range(1, kills + 1):
        change(tmp_path, generation)
        begun = time.monotonic()
        process = start(tmp_path)
        try:
            process.wait(timeout=chance.uniform(0.1, 1.1) * whole_build)
            whole_build = min(whole_build, time.monotonic() - begun)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=60)
            died += 1
        releases.add(assert_whole(tmp_path / "dist" / "cdn").release)
    assert died > kills / 3
    assert len(releases) > 1
    assert start(tmp_path).wait(timeout=120) == 0
    assert_whole(tmp_path / "dist" / "cdn")
    rests = [path for path in (tmp_path / "dist" / "cdn").rglob("*") if path.name.startswith(".")]
    assert not rests, "a later build clears away what a killed one left"
