"""The watch over credentials sees what it should: a watch that never barks proves nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

root = Path(__file__).resolve().parents[2]
leaky = """
import logging, sys
from pathlib import Path
import pytest
from tests.helpers import s3_server

def test_printed():
    print("key:", s3_server.secret)

def test_printed_and_read(capfd):
    sys.stderr.write(s3_server.reader_secret)
    capfd.readouterr()

def test_logged():
    logging.getLogger("x").warning("with %s", s3_server.secret)

def test_raised():
    raise ValueError(s3_server.secret)

def test_left_behind(tmp_path):
    (tmp_path / "deploy.json").write_text(s3_server.secret)

def test_clean(tmp_path, capfd):
    print("nothing")
    (tmp_path / "seaweed").mkdir()
    (tmp_path / "seaweed" / "s3.json").write_text(s3_server.secret)
    capfd.readouterr()
"""


@pytest.mark.slow
def test_a_test_that_shows_a_credential_fails(tmp_path: Path) -> None:
    (tmp_path / "test_deploy_leaky.py").write_text(leaky)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rA",
        "--tb=line",
        "-p",
        "tests.helpers.credential_watch",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run([*command, str(tmp_path)], cwd=root, capture_output=True, text=True, check=False)
    lines = [line.split(" - ")[0] for line in done.stdout.splitlines()]
    bad = {line.rpartition("::")[2] for line in lines if line.startswith(("FAILED", "ERROR"))}
    assert bad == {"test_printed", "test_printed_and_read", "test_logged", "test_raised", "test_left_behind"}, (
        done.stdout
    )
    (tmp_path / "test_deploy_leaky.py").unlink()
