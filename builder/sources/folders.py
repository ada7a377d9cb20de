"""Keeps sources of several files inside their folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import UnsafeModelError

saved_model_parts = ("assets", "assets.extra", "variables")


def own_files(folder: Path) -> list[Path]:
    """Return the files at any depth of a model's folder, in order.

    Of a SavedModel only its own: where it is a whole project's folder, what a build writes lies beside them.
    """
    return sorted(path for path in _entries(folder) if path.is_file())


def check_folder(folder: Path) -> None:
    """Check that no link in a model's folder, at any depth, leads outside it.

    Args:
        folder: of a model; may itself be a link.

    Raises:
        UnsafeModelError: one does.
    """
    root = folder.resolve()
    for path in _entries(root):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise UnsafeModelError(
                f"{path.relative_to(root).as_posix()!r} is a link that leads outside its folder",
                code="SP-360",
                where=str(folder),
                hint="Copy the folder with what its links lead to (cp -rL), if you know where that comes from",
            )


def _entries(root: Path) -> Iterator[Path]:
    if not (root / "saved_model.pb").is_file():
        yield from _below(root)
        return
    parts = [root / name for name in saved_model_parts]
    yield from root.glob("*.pb")
    for part in parts:
        if part.is_dir() or part.is_symlink():
            yield part
            yield from _below(part)


def _below(root: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(root):  # does not follow links
        for name in (*folders, *files):
            yield Path(place) / name
