"""Pages of the site whose texts stand outside of ``docs/``, and links that lead out of it.

Their Chinese pages are files of ``docs/``, but for the two that there are in English only.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

root = Path(__file__).resolve().parents[2]
places = {  # a file of the repository, and the page of the site that it is
    "CHANGELOG.md": "project/changelog.md",
    "CODE_OF_CONDUCT.md": "project/code-of-conduct.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "packages/vite-plugin/README.md": "frameworks/vite-plugin.md",
}
equal = {"README.md": "index.md", "README.zh-CN.md": "index.md", "LICENSE": "project/license.md"}
code = re.compile(r"(^\s*```.*?^\s*```\s*$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
link = re.compile(  # or code, which has none; a link's text may be code
    rf"{code.pattern}|(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s:#]+)(#[^)\s]*)?\)", code.flags
)


def pages() -> dict[str, str]:
    """Return the texts of such pages by their place in ``docs/``."""
    found = {page: (root / path).read_text(encoding="utf-8") for path, page in places.items() if (root / path).exists()}
    licence = f"```text\n{(root / 'LICENSE').read_text(encoding='utf-8')}\n```\n"
    changes = found["project/changelog.md"].split("\n", 1)[1]
    return {
        **found,
        "project/license.md": f"# Licence\n\n{licence}",
        "project/license.zh.md": f"# 许可证\n\n以下为英文原文，以原文为准。\n\n{licence}",
        "project/changelog.zh.md": f"# 更新记录\n\n更新记录只有英文，以下为原文。\n{changes}",
    }


def inside(markdown: str, source: str) -> str:
    """Have links to files outside of ``docs/`` lead to their pages; those without a page become plain text.

    Args:
        markdown: a page's text.
        source: its place in ``docs/``, where a made page's links count from the file that it was made of.
    """
    written = next((path for path, page in places.items() if page == source), f"docs/{source}")

    def change(match: re.Match[str]) -> str:
        if match[1]:
            return match[0]
        text, target, anchor = match[2], match[3], match[4] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(written), target))
        if path.startswith("docs/") and written.startswith("docs/"):
            return match[0]
        page = {**places, **equal}.get(path, path.removeprefix("docs/") if path.startswith("docs/") else "")
        if page:
            return f"[{text}]({posixpath.relpath(page, posixpath.dirname(source) or '.')}{anchor})"
        return text if (root / path).exists() else match[0]  # which --strict then complains of

    return link.sub(change, markdown)


def outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """Change a text between its pieces of code."""
    parts = code.split(markdown)
    return "".join(part if place % 2 else change(part) for place, part in enumerate(parts))
