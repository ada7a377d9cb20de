"""What visitors of the repository find first: templates that the forge takes, a citation, conduct, and contacts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder import __version__

root = Path(__file__).resolve().parents[2]
templates = sorted((root / ".github/ISSUE_TEMPLATE").glob("*.yml"))
kinds = {"markdown": {"value"}, "textarea": {"label"}, "input": {"label"}, "dropdown": {"label", "options"}}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_the_citation_has_what_the_format_requires() -> None:
    """Keys of Citation File Format 1.2.0: four are required, and software has a version."""
    citation = read(root / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["version"] == __version__
    assert citation["license"] == "Apache-2.0"
    assert all("name" in author or {"family-names", "given-names"} <= set(author) for author in citation["authors"])
    assert "date-released" not in citation or re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(citation["date-released"]))
    known = {"cff-version", "message", "title", "abstract", "type", "authors", "license", "version", "keywords",
             "date-released", "repository-code", "url", "doi"}  # fmt: skip
    assert set(citation) <= known


@pytest.mark.parametrize("path", [path for path in templates if path.name != "config.yml"], ids=lambda path: path.stem)
def test_an_issue_template_is_a_form(path: Path) -> None:
    """As GitHub's syntax of issue forms has it; what it refuses is not shown to anybody."""
    form = read(path)
    assert {"name", "description", "body"} <= set(form)
    assert set(form) <= {"name", "description", "body", "labels", "title", "assignees", "projects", "type"}
    fields = [item for item in form["body"] if item["type"] != "markdown"]
    assert fields
    assert any(item.get("validations", {}).get("required") for item in fields)
    assert len({item["id"] for item in fields}) == len(fields)
    for item in form["body"]:
        assert kinds[item["type"]] <= set(item["attributes"])
        assert set(item) <= {"type", "id", "attributes", "validations"}


def test_templates_name_commands_and_files_that_exist() -> None:
    assert len(templates) == 4
    assert read(root / ".github/ISSUE_TEMPLATE/config.yml") == {"blank_issues_enabled": False}
    texts = [path.read_text() for path in (*templates, root / ".github/PULL_REQUEST_TEMPLATE.md")]
    for name in re.findall(r"`?\b((?:docs/)?[A-Za-z_]+\.md)\b", "\n".join(texts)):
        if name != "NAME.md":
            assert (root / name).is_file(), name


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "docs/privacy.md"])
def test_links_lead_somewhere(name: str) -> None:
    text = (root / name).read_text()
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (root / name).parent.joinpath(link).exists(), link


def test_conduct_says_whom_to_tell() -> None:
    conduct = (root / "CODE_OF_CONDUCT.md").read_text()
    assert "Contributor Covenant, version 2.1" in conduct
    assert "To report something" in conduct
    for name in ("SECURITY.md", "CODE_OF_CONDUCT.md"):
        assert name in (root / "CONTRIBUTING.md").read_text()
