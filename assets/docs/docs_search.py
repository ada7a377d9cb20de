"""One search index a language: a reader of Chinese pages finds Chinese pages, by words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import rjieba

base = re.compile(r'("base": ")([^"]*)(")')
han = re.compile(r"[\u3400-\u9fff]+")


def own_index(page: str) -> str:
    """Have a Chinese page look below ``zh/`` for its index; places in that index count from there too."""
    return base.sub(lambda match: f"{match[1]}{match[2]}/zh/{match[3]}", page, count=1)


def in_words(text: str) -> str:
    """Put a space without width around each Chinese word, where the theme's search then divides the text."""
    return han.sub(lambda match: "\u200b" + "\u200b".join(rjieba.cut(match[0])) + "\u200b", text)


def divide(folder: Path) -> None:
    """Write the index of each language, as JSON and as the script that pages opened from a disk read.

    Args:
        folder: the site's folder ``search``, which holds the index of all pages.
    """
    index = json.loads((folder / "search_index.json").read_text(encoding="utf-8"))
    for prefix, target in (("", folder), ("zh/", folder.parent / "zh" / "search")):
        docs = [
            {
                **entry,
                "location": entry["location"].removeprefix(prefix),
                "title": in_words(entry["title"]),
                "text": in_words(entry["text"]),
            }
            for entry in index["docs"]
            if entry["location"].startswith("zh/") is bool(prefix)
        ]
        text = json.dumps({**index, "docs": docs}, ensure_ascii=False, separators=(",", ":"))
        target.mkdir(parents=True, exist_ok=True)
        (target / "search_index.json").write_text(text, encoding="utf-8")
        (target / "search_index.js").write_text(f"var __index = {text}", encoding="utf-8")
