"""Kills, stops, late deletes, faults: no reader sees half a release. ``bench/chaos.py`` does it by the thousand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import s3_server
from tests.helpers.chaos import Settings, Tally, kinds, play, play_on_s3


def assert_whole(tally: Tally, folder: Path, kills: int) -> None:
    """Expect that much has happened and nothing broke."""
    assert tally.violations == []
    assert tally.kills >= kills, tally
    assert set(tally.commands) == set(kinds), tally
    assert sum(tally.stopped.values()) > 1, tally
    assert tally.statuses.get("0", 0) > 1, tally
    assert tally.checks > kills
    logged = (folder / "errors.log").read_text()
    assert "Traceback" not in logged
    assert "bug in shardpress" not in logged
    assert s3_server.secret not in logged


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_reader_ever_sees_half_a_release_in_a_directory(tmp_path: Path) -> None:
    tally = play(tmp_path / "site", Settings(seed=7, kills=60, seconds=200.0))
    assert_whole(tally, tmp_path / "site", 60)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_no_reader_ever_sees_half_a_release_on_s3(tmp_path: Path) -> None:
    settings = Settings(seed=8, kills=25, seconds=300.0, lease=6, margin=1.5, grace=1)
    with s3_server.seaweed(tmp_path / "seaweed") as server:
        tally = play_on_s3(server, tmp_path / "site", settings, rate=0.02, slow_deletes=0.5)
    assert_whole(tally, tmp_path / "site", 25)
    assert tally.faults["late delete"] > 0
