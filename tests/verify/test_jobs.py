"""Jobs that are given up while Node runs them, which a script plays here."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import IO, Any

import pytest

from builder.verify.node import Jobs, answer_of

# Answers each job beside it; where it finds "stuck" in one it says so through a pipe, and never ends.
script = """#!/bin/sh
shift 2
for job; do
  folder=${job%/*}
  read -r text < "$job"
  case $text in
    stuck) echo begun > "$folder/begun"; read -r nothing < "$folder/never" ;;
    broken) echo cannot >&2; exit 3 ;;
  esac
  echo "{}" > "$folder/result.json"
done
"""


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The script; behind the wall none would run."""

    def start(node: str, arguments: list[str], reads: Any, writes: Any, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen([node, *arguments], stdout=subprocess.PIPE, stderr=errors)

    monkeypatch.setattr("builder.verify.node.start_behind_wall", start)
    path = tmp_path / "node"
    path.write_text(script)
    path.chmod(0o755)
    return str(path)


def jobs(folder: Path, *texts: str) -> list[Path]:
    made = []
    for number, text in enumerate(texts):
        (folder / str(number)).mkdir()
        made.append(folder / str(number) / "job.json")
        made[-1].write_text(text + "\n")
        if text == "stuck":
            os.mkfifo(made[-1].with_name("begun"))
            os.mkfifo(made[-1].with_name("never"))
    return made


def test_what_is_given_up_ends_and_the_others_are_answered(tmp_path: Path, node: str) -> None:
    _, stuck, broken, _ = made = jobs(tmp_path, "", "stuck", "broken", "")
    running = Jobs(node, 100.0, [])
    failed: dict[Path, str] = {}
    thread = threading.Thread(target=lambda: failed.update(running.run(made)))
    thread.start()
    stuck.with_name("begun").read_text()  # until the script is there
    running.give_up([stuck])
    thread.join(60)
    assert not thread.is_alive()
    assert failed.keys() == {broken}
    assert "cannot" in failed[broken]
    assert [answer_of(job).is_file() for job in made] == [True, False, False, True]


def test_what_is_given_up_before_never_begins(tmp_path: Path, node: str) -> None:
    made = jobs(tmp_path, "broken", "")
    running = Jobs(node, 100.0, [])
    running.give_up(made[:1])
    assert running.run(made) == {}
    assert [answer_of(job).is_file() for job in made] == [False, True]
