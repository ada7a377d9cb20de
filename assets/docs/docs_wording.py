"""The words of pages that are made, in the site's two languages.

The program speaks English; what it says of itself is translated here for the Chinese pages (``words_zh.toml``).
"""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path

words = {
    "argument": "参数",
    "by default": "默认值",
    "cause": "原因",
    "code": "代码",
    " For example: ": "例如：",
    ", ": "、\u200b",  # a line may end after it, also between quotation marks
    "exit status": "退出码",
    "fix": "解决办法",
    "group": "分组",
    "key": "键",
    "list of ": "列表：",
    "meaning": "含义",
    "message": "错误信息",
    "object": "对象",
    "object: ": "对象：",
    "option": "选项",
    "required": "必填",
    "table": "表",
    "table: ": "表：",
    "type": "类型",
    "what it advises": "给出的建议",
    "number": "数值",
    "whole number": "整数",
    "text": "字符串",
    "true or false": "true 或 false",
    "nothing": "无",
}


def say(word: str, language: str) -> str:
    """Return a word in a language; what has no translation is shown as it is."""
    return words.get(word, word) if language == "zh" else word


@functools.cache
def sentences() -> dict[str, str]:
    """Return the Chinese of all that the program says of its commands, settings, files and types, by the English."""
    return dict(tomllib.loads(Path(__file__).with_name("words_zh.toml").read_text(encoding="utf-8")))


def translated(text: str, language: str) -> str:
    """Return one of the program's texts in a language, its paragraphs on a line each.

    Args:
        text: as the program has it, in English.
        language: a paragraph without a translation stays English, which tests/docs/test_translated.py does not allow.
    """
    found = [one_line(paragraph) for paragraph in re.split(r"\n\s*\n", text.strip())]
    return "\n\n".join(sentences().get(one, one) if language == "zh" else one for one in found)


def cell(text: str) -> str:
    """Make a text one cell of a table."""
    return one_line(text).replace("|", "\\|")


def one_line(text: str) -> str:
    """Put a text on one line."""
    return " ".join(text.split())


def plain_code(text: str) -> str:
    """Write reStructuredText's double backticks as Markdown's."""
    return text.replace("``", "`")
