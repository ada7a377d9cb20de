"""How the package is written: all that needs its syntax trees, which one process of the tests reads once."""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from pathlib import Path

from tests.helpers.modules import error_classes, nodes, package

root = Path(__file__).resolve().parents[2]
internal = {"RefusedError", "AbsentError"}  # S3Store catches them itself


@functools.cache
def calls() -> tuple[tuple[str, ast.Call, str], ...]:
    """Return the place, the call and the class of each error that is made."""
    return tuple(
        (f"{path.relative_to(root)}:{node.lineno}", node, node.func.id)
        for path, node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in error_classes
    )


def code_of(call: ast.Call) -> ast.expr | None:
    return next((word.value for word in call.keywords if word.arg == "code"), None)


def test_every_error_that_is_made_has_a_code() -> None:
    assert not [place for place, call, _ in calls() if code_of(call) is None]
    assert sum(1 for _ in calls()) > 300


def test_subclasses_elsewhere_are_the_stores_own() -> None:
    found = set()
    for path, node in nodes():
        if isinstance(node, ast.ClassDef) and path.name != "errors.py":
            bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
            if error_classes & bases:
                found.add(node.name)
    assert found == internal


def test_no_code_means_errors_of_two_classes() -> None:
    classes = defaultdict(set)
    for _, call, kind in calls():
        code = code_of(call)
        if isinstance(code, ast.Constant):
            classes[code.value].add(kind)
    assert not {code: found for code, found in classes.items() if len(found) > 1}


def test_nothing_prints_past_that_place() -> None:
    """Whoever prints does so by options.echo, or redacts by itself."""
    allowed = {"options.py"}
    for path, node in nodes():
        if not isinstance(node, ast.Call) or path.name in allowed:
            continue
        # To write each call's name in full takes seconds, and its last word says most.
        last = getattr(node.func, "attr", getattr(node.func, "id", ""))
        called = ast.unparse(node.func) if last in {"echo", "print", "secho", "write"} else last
        assert called not in ("click.echo", "click.secho", "print"), f"{path}:{node.lineno}"
        if called in ("sys.stdout.write", "sys.stderr.write", "self._stream.write", "self._bars.console.print"):
            assert "redact" in ast.unparse(node), f"{path}:{node.lineno}"


def test_modules_and_functions_stay_small() -> None:
    """The limits of the house: a file of 400 lines, a function of 60; the loader's have a test of their own."""
    for path in sorted([*package.rglob("*.py"), *package.rglob("*.mjs")]):
        assert len(path.read_text().splitlines()) <= 400, path
    for path, node in nodes():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{path}: {node.name}"
