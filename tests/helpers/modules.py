"""The package's own modules as syntax trees, for tests of how it is written."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

package = Path(__file__).resolve().parents[2] / "builder"


@functools.cache
def trees() -> tuple[tuple[Path, tuple[ast.AST, ...]], ...]:
    """Give each module with all nodes of its tree, read once."""
    return tuple((path, tuple(ast.walk(ast.parse(path.read_text())))) for path in sorted(package.rglob("*.py")))


def nodes() -> Iterator[tuple[Path, ast.AST]]:
    """Give the nodes of all modules."""
    return ((path, node) for path, found in trees() for node in found)
