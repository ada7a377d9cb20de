"""What the command line looks like: colours, pipes, terminals, completion."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from builder.cli.options import error_prefix
from builder.cli.progress_bars import Lines
from tests.helpers import tiny

root = Path(__file__).resolve().parents[2]


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31m" in error_prefix()
    monkeypatch.setenv("NO_COLOR", "1")
    assert error_prefix() == "error: "


def test_pipes_get_plain_lines() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.begin("a", "compress", 3)
    lines.advance("a")
    lines.end("a")
    lines.begin("", "verify", 1)
    lines.note("a", "is large")
    assert stream.getvalue() == "a: compress (3 files)\nall: verify\na: is large\n"


@pytest.mark.slow
@pytest.mark.parametrize("plain", [True, False])
def test_a_terminal_sees_bars_that_leave_no_trace(tmp_path: Path, plain: bool) -> None:
    tiny.graph_model(tmp_path / "m")
    (tmp_path / "build.toml").write_text('[models.a]\nsource = "m/model.json"\n')
    main_end, other_end = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm-256color"}
    # Without Node nothing is verified, which is quick and gives a warning.
    environment["PATH"] = str(tmp_path)
    command = [sys.executable, str(root / "build.py"), "--config", str(tmp_path / "build.toml")]
    environment |= {"NO_COLOR": "1"} if plain else {}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=other_end, env=environment, text=True)
    os.close(other_end)
    seen = b""
    while True:
        try:
            part = os.read(main_end, 4096)
        except OSError:  # the other end is closed: so Linux says it
            break
        if not part:
            break
        seen += part
    os.close(main_end)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    assert "release" in out
    assert "\x1b" not in out
    assert b"a: compress" in seen
    assert (b"\x1b[3" in seen) is not plain


def completed(folder: Path, words: str) -> set[str]:
    """Ask as bash does, at the last word."""
    script = "import sys; sys.argv[0] = 'shardpress'; from builder.cli.main import main; sys.exit(main())"
    asked = {"_SHARDPRESS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    asked |= {"PYTHONPATH": str(root)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | asked, capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_the_shell_can_complete_commands_options_and_models(tmp_path: Path) -> None:
    (tmp_path / "build.toml").write_text("[models.face]\n[models.fast]\n[models.mesh]\n")
    assert {"plain,report", "plain,releases"} <= completed(tmp_path, "shardpress re")
    assert completed(tmp_path, "shardpress --networ") == {"plain,--network"}
    assert completed(tmp_path, "shardpress init --example w") == {"plain,words"}
    assert completed(tmp_path, "shardpress --only fa") == {"plain,face", "plain,fast"}
    assert completed(tmp_path.parent, "shardpress --only fa") == set()


def test_the_line_of_the_docs_gives_a_script_for_each_shell() -> None:
    text = (root / "docs/development.md").read_text(encoding="utf-8")
    for shell in ("bash", "zsh", "fish"):
        assert f"_SHARDPRESS_COMPLETE={shell}_source shardpress" in text
