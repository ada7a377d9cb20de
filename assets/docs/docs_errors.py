"""A page for each error code: its row of ``docs/errors.md``, and the messages that the sources give with it."""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docs_wording import cell, say

root = Path(__file__).resolve().parents[2]
row = re.compile(r"^\| (SP-\d{3}) \| ((?:[^|\\]|\\.)+) \| ((?:[^|\\]|\\.)+) \| ((?:[^|\\]|\\.)+) \|$")
relative_link = re.compile(r"\]\((?![a-z]+:|#|/)([^)]+)\)")
most_messages = 40


@dataclass(frozen=True, slots=True)
class Explained:
    """One row: what a code means, why it comes and what to do."""

    code: str
    meaning: str
    cause: str
    fix: str
    group: str


def explained(text: str) -> list[Explained]:
    """Read the tables of ``docs/errors.md`` or its translation."""
    found, group = [], ""
    for line in text.splitlines():
        if line.startswith("## "):
            group = line.removeprefix("## ").strip()
        if match := row.match(line):
            found.append(Explained(match[1], match[2], match[3], match[4], group))
    return found


def linked(markdown: str) -> str:
    """Have the codes in those tables lead to their pages."""
    return re.sub(r"^\| (SP-\d{3}) \|", r"| [\1](errors/\1/index.md) |", markdown, flags=re.MULTILINE)


def exit_statuses(english: str) -> dict[str, int]:
    """Return the exit status of each code, from the headings of the groups: ``(6xx, exit status 4; 64x: 3)``."""
    rules: dict[str, int] = {}
    for heading in re.findall(r"^## .*\((.+)\)$", english, re.MULTILINE):
        for start, status in re.findall(r"(?:SP-)?(\d{1,3})x*(?:, exit status|:) (\d+)", heading):
            rules[start] = int(status)
    codes = [one.code for one in explained(english)]
    return {code: next(rules[code[3 : 3 + n]] for n in (3, 2, 1) if code[3 : 3 + n] in rules) for code in codes}


def pages() -> dict[str, str]:
    """Return the page of each code by its place in ``docs/``, in each language that the table is there in."""
    english = (root / "docs" / "errors.md").read_text(encoding="utf-8")
    statuses, told = exit_statuses(english), messages()
    made = {}
    for name, language in (("errors.md", "en"), ("errors.zh.md", "zh")):
        if not (root / "docs" / name).exists():
            continue
        rows = explained((root / "docs" / name).read_text(encoding="utf-8"))
        suffix = ".zh.md" if language == "zh" else ".md"
        for before, one, after in zip([None, *rows], rows, [*rows[1:], None], strict=False):
            text = _page(one, statuses[one.code], told.get(one.code, []), language)
            made[f"errors/{one.code}/index{suffix}"] = text + _neighbours(before, after, language)
    return made


def _page(one: Explained, status: int, told: list[tuple[str, str]], language: str) -> str:
    group = f"[{one.group}](../../errors.md)"
    lines = [
        f"# {one.code}: {relative_link.sub(_deeper, one.meaning)}",
        "",
        "| | |",
        "|---|---|",
        f"| {say('cause', language)} | {relative_link.sub(_deeper, one.cause)} |",
        f"| {say('fix', language)} | {relative_link.sub(_deeper, one.fix)} |",
        f"| {say('exit status', language)} | {status} |",
        f"| {say('group', language)} | {group} |",
        "",
    ]
    if told:
        lines += [
            "## 带有此代码的错误信息" if language == "zh" else "## Messages with this code",
            "",
            "程序只输出英文，以下照原文列出；“…” 处是文件、配置项或数值。"
            if language == "zh"
            else "“…” stands for a file, a key or a number.",
            "",
            f"| {say('message', language)} | {say('what it advises', language)} |",
            "|---|---|",
            *(f"| {_shown(what)} | {_shown(hint)} |" for what, hint in told[:most_messages]),
            "",
        ]
    return "\n".join(lines)


def _neighbours(before: Explained | None, after: Explained | None, language: str) -> str:
    here = [f"[{one.code}](../{one.code}/index.md)" for one in (before, after) if one]
    everything = "全部错误代码" if language == "zh" else "All error codes"
    return f"\n{' · '.join([*here, f'[{everything}](../../errors.md)'])}\n"


def _deeper(match: re.Match[str]) -> str:
    return f"](../../{match[1]})"


def _shown(text: str) -> str:
    """Show a message as it is: what looks like markup in it is none, but for code between backticks."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        parts = [text.replace("`", "'")]
    quoted = [re.sub(r"([\\*_\[\]<>#])", r"\\\1", part) if n % 2 == 0 else part for n, part in enumerate(parts)]
    return cell("`".join(quoted))


@functools.cache
def messages() -> dict[str, list[tuple[str, str]]]:
    """Return what the sources say with each code, and advise, each once and in their order."""
    found: dict[str, dict[tuple[str, str], None]] = defaultdict(dict)
    for path in sorted((root / "builder").rglob("*.py")):
        for code, what, hint in _told(ast.parse(path.read_text(encoding="utf-8"))):
            found[code][what, hint] = None
    return {code: _advised(list(told)) for code, told in found.items()}


def _advised(told: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out a message without advice where the same one has some: the program adds it later."""
    helped = {what for what, hint in told if hint}
    return [(what, hint) for what, hint in told if hint or what not in helped]


def _told(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        named = {word.arg: word.value for word in call.keywords}
        given = [*call.args, *named.values()]
        codes = [one.value for one in given if isinstance(one, ast.Constant) and _is_code(one.value)]
        what = _text(named.get("what", call.args[0] if call.args else None))
        says_something = len(re.findall(r"[^\W\d_]{3,}", what)) >= 2  # "…: …" does not
        if len(codes) == 1 and says_something and not _is_code(what):
            yield str(codes[0]), what, _text(named.get("hint"))


def _is_code(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"SP-\d{3}", value))


def _text(node: ast.expr | None) -> str:
    """Return a literal with … for what is only known when it is said; nothing for all that is no literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""
