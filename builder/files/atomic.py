"""Writes files whole or not at all, and knows what a killed writer left."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def is_stale(path: Path) -> bool:
    """Tell whether a file is what a killed writer left."""
    return path.name.startswith(".") and path.suffix == ".tmp"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, also when the process is killed."""
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
