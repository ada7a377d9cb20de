"""What lies beside a converted ``model.json``: the glue, where something was cut off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

glue_name = "glue.json"


def write_glue(model_json: Path, glue: dict[str, Any] | None) -> None:
    """Write what was cut off, if anything was."""
    if glue is not None:
        model_json.with_name(glue_name).write_text(json.dumps(glue), encoding="utf-8")


def read_glue(model_json: Path) -> dict[str, Any] | None:
    """Read what was cut off; None if nothing was."""
    path = model_json.with_name(glue_name)
    if not path.is_file():
        return None
    glue: dict[str, Any] = json.loads(path.read_bytes())
    return glue
