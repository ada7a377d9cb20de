"""Each error has a code, and docs/errors.md explains exactly these."""

from __future__ import annotations

import ast
import functools
import inspect
import pickle
import re
from collections import defaultdict
from pathlib import Path

import pytest

from builder import errors
from builder.cli.options import error_text
from tests.helpers.modules import nodes

root = Path(__file__).parents[2]
table_row = re.compile(r"\| (SP-\d{3}) \|(?: [^|]+ \|){3}")
form = re.compile(r"SP-\d{3}")
several = "BuildError"  # of several errors with a code each
internal = {"RefusedError", "AbsentError"}  # S3Store catches them itself
kinds = {
    name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, errors.ShardpressError)
} - {several}


@functools.cache
def calls() -> tuple[tuple[str, ast.Call, str], ...]:
    """Return the place, the call and the class of each error that is made."""
    return tuple(
        (f"{path.relative_to(root)}:{node.lineno}", node, node.func.id)
        for path, node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds
    )


def code_of(call: ast.Call) -> ast.expr | None:
    return next((word.value for word in call.keywords if word.arg == "code"), None)


def used() -> set[str]:
    text = "\n".join(path.read_text() for path in (root / "builder").rglob("*.py"))
    return set(form.findall(text))


def explained() -> list[str]:
    return table_row.findall((root / "docs" / "errors.md").read_text())


def test_every_error_that_is_made_has_a_code() -> None:
    assert not [place for place, call, _ in calls() if code_of(call) is None]
    assert sum(1 for _ in calls()) > 300


def test_subclasses_elsewhere_are_the_stores_own() -> None:
    found = set()
    for path, node in nodes():
        if isinstance(node, ast.ClassDef) and path.name != "errors.py":
            bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
            if kinds & bases:
                found.add(node.name)
    assert found == internal


def test_no_code_means_errors_of_two_classes() -> None:
    classes = defaultdict(set)
    for _, call, kind in calls():
        code = code_of(call)
        if isinstance(code, ast.Constant):
            classes[code.value].add(kind)
    assert not {code: found for code, found in classes.items() if len(found) > 1}


def test_the_document_explains_the_codes_in_use_and_no_others() -> None:
    assert used() == set(explained())
    assert len(set(explained())) == len(explained())
    assert sorted(explained()) == explained()


@pytest.mark.parametrize("name", sorted(kinds))
def test_a_code_survives_the_way_between_processes_and_is_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    error = getattr(errors, name)("is wrong", where="a", hint="Correct it", code="SP-999")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code) == (type(error), "SP-999")
    assert error_text(again, "m") == "error: model m: a: is wrong. Correct it. [SP-999]"
