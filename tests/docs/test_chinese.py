"""Each page of the documents has its Chinese one, and that one says as much: headings, code, links and tables."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest

root = Path(__file__).resolve().parents[2]
docs = root / "docs"
ending = ".zh.md"
chinese_character = re.compile(r"[\u4e00-\u9fff]")
generated = {"errors"}  # the folder of pages that the site's build makes of the table of errors
outside = {  # pages of the site whose English text stands outside of docs/
    "project/contributing": root / "CONTRIBUTING.md",
    "project/code-of-conduct": root / "CODE_OF_CONDUCT.md",
    "project/security": root / "SECURITY.md",
    "frameworks/vite-plugin": root / "packages" / "vite-plugin" / "README.md",
}


def english_pages() -> list[str]:
    """Give the pages' names below docs/, without their ending."""
    paths = [path.relative_to(docs) for path in sorted(docs.rglob("*.md")) if not path.name.endswith(ending)]
    return [path.with_suffix("").as_posix() for path in paths if path.parent.as_posix() not in generated]


@dataclass
class Page:
    """What a page holds, in whichever language it is."""

    headings: list[tuple[int, str]]
    code: list[str]
    links: set[str]
    rows: list[int]  # of each table, its rows' numbers of cells one after another, and 0 between tables
    items: int
    paragraphs: int
    names: set[str]  # all that stands between backticks
    prose: str


def read(path: Path) -> Page:
    """Take a page apart, code blocks first, so that nothing in them counts as anything else."""
    prose: list[str] = []
    code: list[list[str]] = []
    fence = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        mark = re.match(r"\s*(`{3,})", line)
        if fence:
            code[-1].append(line)
            fence = "" if line.strip() == fence else fence
        elif mark:
            fence = mark[1]
            code.append([line])
        elif line.startswith("    ") and not (prose and prose[-1].strip()):
            # an indented block: its lines follow an empty one, or one of the block itself, which prose has as empty
            block = code[-1] if prose and prose[-1] == " " else None
            if block is None:
                code.append([])
            code[-1].append(line)
            prose.append(" ")
            continue
        prose.append("" if fence or mark else line)
    assert not fence, f"{path}: a block of code does not end"
    text = re.sub(r"<!--.*?-->", "", "\n".join(prose), flags=re.DOTALL)
    plain = re.sub(r"`[^`\n]+`", lambda found: re.sub(r"[\[\]()|]", "_", found[0]), text)
    lines = plain.splitlines()
    return Page(
        headings=[(len(marks), title) for marks, title in re.findall(r"^(#+) (.+)$", text, re.MULTILINE)],
        code=["\n".join(block) for block in code],
        links=set(re.findall(r"\]\(([^()\s]+)\)", plain)) | set(re.findall(r"<(https?://[^>\s]+)>", plain)),
        rows=[len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0 for line in squeezed(lines)],
        items=sum(1 for line in lines if re.match(r"\s*(?:[-*]|\d+\.) ", line)),
        paragraphs=len(re.findall(r"\S(?:.*\n)+?\s*(?:\n|\Z)", plain + "\n\n")),
        names={" ".join(name.split()) for name in re.findall(r"`([^`]+)`", text)},
        prose=plain,
    )


def targets(page: Page, path: Path) -> set[str]:
    """Give what a page's links lead to, counted from the repository."""
    return {link if ":" in link else os.path.normpath(path.parent / link) for link in page.links}


def squeezed(lines: list[str]) -> list[str]:
    """Keep tables only, with one empty line between two."""
    kept: list[str] = []
    for line in lines:
        if line.startswith("|"):
            kept.append(line)
        elif kept and kept[-1]:
            kept.append("")
    return kept[:-1] if kept and not kept[-1] else kept


def different(english: list[object], chinese: list[object]) -> list[object]:
    """Give the first place where two lists differ, and nothing if there is none."""
    for number, (one, other) in enumerate(zip_longest(english, chinese), start=1):
        if one != other:
            return [number, one, other]
    return []


def test_no_page_is_left_out_in_either_language() -> None:
    names = english_pages()
    assert len(names) > 35
    paths = [path.relative_to(docs) for path in docs.rglob(f"*{ending}")]
    found = {path.as_posix().removesuffix(ending) for path in paths if path.parent.as_posix() not in generated}
    assert found == {*names, *outside}


@pytest.mark.parametrize("name", [*english_pages(), *outside])
def test_the_chinese_page_says_as_much(name: str) -> None:
    paths = outside.get(name, docs / f"{name}.md"), docs / f"{name}{ending}"
    english, chinese = map(read, paths)
    assert not different([*(depth for depth, _ in english.headings)], [*(depth for depth, _ in chinese.headings)])
    assert not different([*english.code], [*chinese.code])
    assert targets(chinese, paths[1]) == targets(english, paths[0])
    assert not different([*english.rows], [*chinese.rows])
    assert chinese.items == english.items
    assert chinese.paragraphs == english.paragraphs
    assert chinese.names == english.names


@pytest.mark.parametrize("name", [*english_pages(), *outside])
def test_the_chinese_page_is_in_chinese(name: str) -> None:
    """Nothing was left to be translated: no paragraph of English words."""
    page = read(docs / f"{name}{ending}")
    for paragraph in page.prose.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not line.startswith(("|", "`"))]
        words = re.findall(r"[a-z]{2,}", re.sub(r"`[^`]+`|\([^)]*\)|<[^>]+>", "", " ".join(lines)))
        assert len(words) < 12 or chinese_character.search(paragraph), paragraph


def anchors(path: Path) -> set[str]:
    """Give what links can name in a page: the identifiers of its headings, stated or made of their words."""
    found = set()
    for _, title in read(path).headings:
        stated = re.search(r"\{ ?#([\w-]+) ?\}$", title)
        words = re.sub(r"[^\w\s-]", "", title.lower()).strip()
        found.add(stated[1] if stated else re.sub(r"[\s-]+", "-", words))
    return found


def test_links_to_headings_work_in_both_languages() -> None:
    checked = 0
    for name in english_pages():
        for page in (docs / f"{name}.md", docs / f"{name}{ending}"):
            for link in read(page).links:
                target, _, anchor = link.partition("#")
                if "://" in link or not anchor or not (not target or target.endswith(".md")):
                    continue
                place = (page.parent / target).resolve() if target else docs / f"{name}.md"
                for found in (place, place.with_name(place.name.removesuffix(".md") + ending)):
                    if found.is_file():
                        assert anchor in anchors(found), f"{page}: {link}"
                        checked += 1
    assert checked > 0


def test_the_chinese_decisions_are_listed_by_their_titles() -> None:
    text = (docs / "decisions" / f"README{ending}").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| \[\d+\]\((\d{4}-.+?)\.md\) \| (.+?) \|$", text, re.MULTILINE))
    titles = {name: read(docs / "decisions" / f"{name}{ending}").headings[0][1].partition(". ")[2] for name in listed}
    assert listed == titles


def test_the_chinese_errors_are_the_english_ones() -> None:
    """Each page of a code is made of its row, so each row needs its four cells in both languages."""
    row = re.compile(r"^\| (SP-\d{3}) \|((?: [^|]+ \|){3})$", re.MULTILINE)
    english = row.findall((docs / "errors.md").read_text(encoding="utf-8"))
    chinese = row.findall((docs / f"errors{ending}").read_text(encoding="utf-8"))
    assert [code for code, _ in english] == [code for code, _ in chinese]
    assert not [code for code, cells in chinese if not chinese_character.search(cells)]


def test_the_chinese_readme_says_as_much_as_the_english_one() -> None:
    english, chinese = read(root / "README.md"), read(root / "README.zh-CN.md")
    assert [depth for depth, _ in chinese.headings] == [depth for depth, _ in english.headings]
    assert [commands(block) for block in chinese.code] == [commands(block) for block in english.code]
    other = {"README.md", "README.zh-CN.md"}  # each names the other
    assert {link.replace(ending, ".md") for link in chinese.links} - other == english.links - other
    assert chinese.rows == english.rows


def commands(block: str) -> list[str]:
    """Give a block's lines without comments, which are in the page's own language here."""
    lines = (re.sub(r"(?:\s|^)(?:#|//).*$", "", line).rstrip() for line in block.splitlines())
    return [line for line in lines if line]
