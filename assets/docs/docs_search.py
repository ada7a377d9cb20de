"""One search index a language: a reader of Chinese pages finds Chinese pages."""

from __future__ import annotations

import json
import re
from pathlib import Path

base = re.compile(r'("base": ")([^"]*)(")')


def own_index(page: str) -> str:
    """Have a Chinese page look below ``zh/`` for its index; places in that index count from there too."""
    return base.sub(lambda match: f"{match[1]}{match[2]}/zh{match[3]}", page, count=1)


def divide(folder: Path) -> None:
    """Write the index of each language, as JSON and as the script that pages opened from a disk read.

    Args:
        folder: the site's folder ``search``, which holds the index of all pages.
    """
    index = json.loads((folder / "search_index.json").read_text(encoding="utf-8"))
    for prefix, target in (("", folder), ("zh/", folder.parent / "zh" / "search")):
        docs = [
            {**entry, "location": entry["location"].removeprefix(prefix)}
            for entry in index["docs"]
            if entry["location"].startswith("zh/") is bool(prefix)
        ]
        text = json.dumps({**index, "docs": docs}, ensure_ascii=False, separators=(",", ":"))
        target.mkdir(parents=True, exist_ok=True)
        (target / "search_index.json").write_text(text, encoding="utf-8")
        (target / "search_index.js").write_text(f"var __index = {text}", encoding="utf-8")
