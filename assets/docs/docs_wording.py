"""The words of pages that are made, in the site's two languages."""

from __future__ import annotations

words = {
    "argument": "参数",
    "by default": "默认值",
    "cause": "原因",
    "code": "代码",
    "for example": "例如",
    "exit status": "退出码",
    "fix": "解决办法",
    "group": "分组",
    "key": "键",
    "list of": "列表：",
    "meaning": "含义",
    "message": "错误信息",
    "option": "选项",
    "required": "必填",
    "table": "表",
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


def cell(text: str) -> str:
    """Make a text one cell of a table."""
    return one_line(text).replace("|", "\\|")


def one_line(text: str) -> str:
    """Put a text on one line."""
    return " ".join(text.split())


def plain_code(text: str) -> str:
    """Write reStructuredText's double backticks as Markdown's."""
    return text.replace("``", "`")
