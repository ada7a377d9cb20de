"""Two deployers, kills, faults: a reader never sees half a release, and generations never go back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import s3_server
from tests.chaos import chaos


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_reader_ever_sees_half_a_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    with s3_server.seaweed(tmp_path / "seaweed") as server:
        tally = chaos(server, tmp_path / "site", 25.0, 7)
    assert tally.violations == []
    assert tally.checks > 20
    assert tally.kills > 3
    assert tally.broken_prunes > 0
    assert tally.generations > 3
    assert len(tally.releases) > 2
    assert sum(tally.faults.values()) > 10
    assert tally.statuses.get(0, 0) > 3
    assert set(tally.statuses) <= {0, 3, 4, -9}, tally.statuses
    logged = (tmp_path / "site" / "errors.log").read_text()
    assert "Traceback" not in logged
    assert s3_server.secret not in logged
