"""Writes files atomically, and recognises temporary files that a killed writer left behind."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def is_stale(path: Path) -> bool:
    """Whether a file is a temporary one that a killed writer left behind."""
    return path.name.startswith(".") and path.suffix == ".tmp"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it exists completely or not at all, even if the process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
