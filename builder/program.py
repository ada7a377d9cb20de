"""What this program is called where it is told to be run."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

script = "build.py"


def program() -> str:
    """Return what to type before a command: the installed command, or ``python build.py`` as it was typed."""
    typed = sys.argv[0]
    return f"python {shlex.quote(typed)}" if Path(typed).name == script else "shardpress"
