"""The package's own modules as syntax trees, for tests of how it is written."""

from __future__ import annotations

import ast
import functools
import gc
import inspect
from collections.abc import Iterator
from pathlib import Path

from builder import errors

package = Path(__file__).resolve().parents[2] / "builder"
several = "BuildError"  # of several errors with a code each
error_classes = {
    name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, errors.ShardpressError)
} - {several}
kept = (ast.Call, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)  # what tests look at


@functools.cache
def trees() -> tuple[tuple[Path, tuple[ast.AST, ...]], ...]:
    """Give each module with the nodes that tests look at, read once."""
    gc.disable()  # it would look at each of 400,000 nodes many times
    try:
        paths = sorted(package.rglob("*.py"))
        return tuple((path, tuple(node for node in _walked(path) if isinstance(node, kept))) for path in paths)
    finally:
        gc.enable()
        gc.freeze()


def _walked(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text()))


def nodes() -> Iterator[tuple[Path, ast.AST]]:
    """Give the calls, classes and functions of all modules."""
    return ((path, node) for path, found in trees() for node in found)
