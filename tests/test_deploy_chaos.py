"""Two deployers, kills, faults: a reader never sees half a release, and generations never go back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import s3_server
from tests.chaos import Tally, chaos


def enough(tally: Tally) -> bool:
    """Tell whether all has happened that could go wrong."""
    return (
        tally.checks > 20
        and tally.kills > 3
        and tally.broken_prunes > 0
        and tally.generations > 3
        and len(tally.releases) > 2
        and sum(dict(tally.faults).values()) > 10
        and tally.statuses.get(0, 0) > 3
    )


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_no_reader_ever_sees_half_a_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    with s3_server.seaweed(tmp_path / "seaweed") as server:
        tally = chaos(server, tmp_path / "site", 25.0, 7, enough=enough, longest=300.0)
    assert tally.violations == []
    assert enough(tally), tally
    assert set(tally.statuses) <= {0, 3, 4, -9}, tally.statuses
    logged = (tmp_path / "site" / "errors.log").read_text()
    assert "Traceback" not in logged
    assert s3_server.secret not in logged
