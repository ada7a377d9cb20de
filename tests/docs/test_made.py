"""The pages that are made of the program: nothing of it is missing, and nothing else is there."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from builder import errors
from builder.bundle.render import render_types
from tests.docs.test_snippets import config_schema
from tests.project.test_errors import explained
from tests.project.test_written import calls, code_of

root = Path(__file__).resolve().parents[2]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    monkeypatch.syspath_prepend(str(root / "assets" / "docs"))
    names = ("commands", "errors", "outside", "playground", "search", "settings", "types")
    return {name: importlib.import_module(f"docs_{name}") for name in names}


def test_exit_statuses_are_those_of_the_classes(made: dict[str, ModuleType]) -> None:
    said = made["errors"].exit_statuses((root / "docs" / "errors.md").read_text())
    assert sorted(said) == explained()
    checked = 0
    for place, call, kind in calls():
        code = code_of(call)
        if isinstance(code, ast.Constant) and code.value != "SP-903":  # the one that a signal ends
            assert said[code.value] == getattr(errors, kind).exit_status, place
            checked += 1
    assert (checked > 250, said["SP-903"]) == (True, 130)


def test_messages_are_found_with_their_codes(made: dict[str, ModuleType]) -> None:
    told = made["errors"].messages()
    assert set(told) <= set(explained())
    assert len(told) > 0.8 * len(explained())
    assert any("holds several models" in what for what, _ in told["SP-311"])
    assert all(what and "{" not in what for messages in told.values() for what, _ in messages)


def test_each_code_has_a_page_in_each_language_of_the_table(made: dict[str, ModuleType]) -> None:
    pages = made["errors"].pages()
    suffixes = [".md", *([".zh.md"] if (root / "docs" / "errors.zh.md").is_file() else [])]
    assert set(pages) == {f"errors/{code}/index{suffix}" for code in explained() for suffix in suffixes}
    for name, text in pages.items():
        assert text.startswith(f"# {name.split('/')[1]}: "), name
        assert not re.search(r"\]\((?!\.\./)", text), name


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_type_is_declared(made: dict[str, ModuleType], language: str) -> None:
    types = render_types([made["types"].sample]).decode()
    page = made["types"].declarations(language)
    found = re.findall(r"^export (declare )?\w+ (\w+)", types, re.MULTILINE)
    names = [name for is_value in ("declare ", "") for declared, name in found if declared == is_value]
    assert re.findall(r"^## `(\w+)`", page, re.MULTILINE) == names
    lines = {line for line in types.splitlines() if line.startswith("  ") and "*" not in line}
    assert lines <= set(page.splitlines())


@pytest.mark.parametrize("name", ["config_keys", "manifest_keys"])
def test_links_between_tables_lead_somewhere(made: dict[str, ModuleType], name: str) -> None:
    page = getattr(made["settings"], name)("en")
    anchors = Counter(re.findall(r"\{ #(\S+) \}", page))
    assert set(anchors.values()) == {1}
    assert set(re.findall(r"\]\(#(\S+?)\)", page)) <= set(anchors)


def test_every_table_of_settings_has_a_section(made: dict[str, ModuleType]) -> None:
    page = made["settings"].config_keys("zh")
    for name, one in config_schema()["$defs"].items():
        if name != "Document":
            assert all(f"| `{key}` |" in page for key in one.get("properties", {})), name


def test_links_out_of_the_documents_become_pages(made: dict[str, ModuleType]) -> None:
    inside = made["outside"].inside
    assert inside("[a](../CONTRIBUTING.md#b)", "errors.md") == "[a](project/contributing.md#b)"
    assert inside("[a](docs/ops.md)", "project/changelog.md") == "[a](../ops.md)"
    assert inside("[a](../../README.md)", "frameworks/vite-plugin.md") == "[a](../index.md)"
    assert inside("[a](../build.toml)", "errors.md") == "a"
    assert inside("[a](../no.md) `[a](../CONTRIBUTING.md)`", "errors.md") == "[a](../no.md) `[a](../CONTRIBUTING.md)`"
    assert inside("[a](ops.md)", "errors.md") == "[a](ops.md)"
    assert inside("[`a`](../CONTRIBUTING.md) [`b`](../build.toml)", "errors.md") == "[`a`](project/contributing.md) `b`"
    assert inside("```\n[a](../CONTRIBUTING.md)\n```", "errors.md") == "```\n[a](../CONTRIBUTING.md)\n```"


def test_chinese_is_divided_into_words_that_can_be_searched(made: dict[str, ModuleType]) -> None:
    assert made["search"].in_words("<p>词向量 run 很快</p>").replace("\u200b", "|") == "<p>|词|向量| run |很快|</p>"
    page = '{"base": "..", "features": []}'
    assert made["search"].own_index(page) == '{"base": "../zh/", "features": []}'
