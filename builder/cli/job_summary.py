"""What GitHub shows with a job."""

from __future__ import annotations

import os
from pathlib import Path

from ..redact import redact
from .options import echo


def add_to_summary(text: str) -> None:
    """Add to what GitHub shows with a job, if this runs in one; a release does not fail for want of a summary."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(redact(text) + "\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        echo(f"warning: the job's summary {path} cannot be written ({reason})", err=True)
