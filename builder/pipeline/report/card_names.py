"""What the model cards of a build are called."""

from __future__ import annotations

import re

folder = "cards"
card_name = re.compile(rf"{folder}/[a-z][a-z0-9-]*(\.zh)?\.md")


def cards_of(name: str) -> tuple[str, str]:
    """Return the names of a model's cards, in English and in Chinese."""
    return f"{folder}/{name}.md", f"{folder}/{name}.zh.md"
