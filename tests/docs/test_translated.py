"""The program's own texts on the site's Chinese pages: each is translated, and no translation is left over."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from builder.bundle.render import render_types
from builder.cli.main import cli

root = Path(__file__).resolve().parents[2]
chinese = re.compile(r"[\u4e00-\u9fff]")
kept = re.compile(r"`[^`]+`|--[a-z]+|\d+(?:\.\d+)*")  # what is the same in both languages
pages = ["commands", "config_keys", "manifest_keys", "declarations"]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Give the function that makes a page in a language."""
    monkeypatch.syspath_prepend(str(root / "assets" / "docs"))
    modules = [importlib.import_module(f"docs_{name}") for name in ("commands", "settings", "types")]
    makers = {page: getattr(module, page) for page in pages for module in modules if hasattr(module, page)}
    return lambda page, language: str(makers[page](language))


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.syspath_prepend(str(root / "assets" / "docs"))
    return dict(importlib.import_module("docs_wording").sentences())


def texts(page: str) -> Iterator[str]:
    """Give what a made page says in sentences: its paragraphs, the meanings in its tables, comments in its code."""
    in_code, has_meanings = False, False
    for line in page.splitlines():
        if line.startswith("```"):
            in_code = not in_code
        elif in_code:
            yield from re.findall(r"/\*\* (.+?) \*/", line)
        elif line.startswith("| `"):
            if has_meanings:
                last = re.split(r"(?<!\\) \| ", line.removesuffix(" |"))[-1]
                yield re.split(r" For example: `|例如：`", last)[0].replace("\\|", "|")
        elif line.startswith("|"):
            has_meanings |= line.endswith((" meaning |", " 含义 |"))
        elif line and not line.startswith("#"):
            yield line


@pytest.mark.parametrize("page", pages)
def test_a_chinese_page_says_all_in_chinese(page: str, make: Callable[[str, str], str], table: dict[str, str]) -> None:
    """Each text of the English page stands in its place in Chinese, as the table has it."""
    english = list(texts(make(page, "en")))
    assert [text for text in english if text not in table] == [], "without a translation in assets/docs/words_zh.toml"
    assert list(texts(make(page, "zh"))) == [table[text] for text in english]


def test_no_translation_is_left_over(make: Callable[[str, str], str], table: dict[str, str]) -> None:
    shown = {text for page in pages for text in texts(make(page, "en"))}
    assert set(table) - shown == set(), "in assets/docs/words_zh.toml, but on no page"


def test_translations_keep_names_and_numbers(table: dict[str, str]) -> None:
    for english, text in table.items():
        assert chinese.search(text), english
        assert text.endswith("。"), english
        assert set(kept.findall(english)) <= set(kept.findall(text)), english
        assert set(re.findall(r"`[^`]+`", text)) <= set(re.findall(r"`[^`]+`", english)), english


def test_pages_say_all_that_the_program_says_of_its_commands(make: Callable[[str, str], str]) -> None:
    shown = set(texts(make("commands", "en")))
    for command in (cli, *cli.commands.values()):
        said = (command.help or "").replace("\b", "").split("\n\n")
        options = [one for one in command.get_params(click.Context(command)) if isinstance(one, click.Option)]
        said += [one.help or "" for one in options if not one.hidden]
        assert all(said), command.name
        assert {" ".join(text.split()) for text in said} <= shown, command.name


@pytest.mark.parametrize(("what", "page"), [("config", "config_keys"), ("manifest", "manifest_keys")])
def test_pages_say_all_that_the_schemas_say(what: str, page: str, make: Callable[[str, str], str]) -> None:
    shown = set(texts(make(page, "en")))
    schema: dict[str, Any] = json.loads(CliRunner().invoke(cli, ["schema", what], catch_exceptions=False).stdout)
    checked = 0
    for name, one in schema["$defs"].items():
        if name == "Document":  # all of build.toml: each of its keys is a table, which says the same of itself
            continue
        for text in [one.get("description", ""), *(key.get("description", "") for key in one["properties"].values())]:
            for paragraph in text.replace("``", "`").split("\n\n"):
                said = re.sub(r"^The table `\[.*?\]`(\.$|: )", "", " ".join(paragraph.split()))
                if said:
                    assert said[0].upper() + said[1:] in shown or said in shown, name
                    checked += 1
    assert checked > (150 if what == "config" else 10)


def test_pages_say_all_that_the_types_say(make: Callable[[str, str], str]) -> None:
    shown = set(texts(make("declarations", "en")))
    types = render_types([importlib.import_module("docs_types").sample]).decode()
    blocks = re.findall(r"/\*\*(.*?)\*/", types, re.DOTALL)
    comments = {" ".join(re.sub(r"^\s*\* ?", "", text, flags=re.MULTILINE).split()) for text in blocks}
    assert len(comments) > 80
    assert comments - shown == set()


def test_messages_of_the_program_stay_english_and_are_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(root / "assets" / "docs"))
    made = importlib.import_module("docs_errors").pages()
    told = [text for name, text in made.items() if name.endswith(".zh.md") and "## 带有此代码的错误信息" in text]
    assert len(told) > 100
    assert all("程序只输出英文" in text for text in told)
