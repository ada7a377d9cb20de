"""Small sites to begin with: ``init --example`` writes settings, a page and a script that creates a first model."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from ..files.atomic import write_atomically
from ..program import program, script

example_names = ("beautify", "classify", "ar", "words")
checkout = f"python {script}"  # as the examples say it
places = {"build.toml": "build.toml", "make_model.py": "make_model.py", "index.html": "assets/pages/index.html"}


def write_example(name: str, folder: Path, *, force: bool) -> tuple[Path, ...]:
    """Write an example's files into a folder, which is made when missing; give their paths.

    Args:
        name: one of ``example_names``.
        folder: where to.
        force: write over files that are there.

    Raises:
        UsageError: a file already exists, or the folder cannot be written.
    """
    from ..bundle.render import render

    files = {
        folder / place: render(f"examples/{name}/{file}").replace(checkout, program()) for file, place in places.items()
    }
    there = [path for path in files if path.exists()]
    if there and not force:
        raise UsageError(
            "already exists", code="SP-112", where=str(there[0]), hint="Name an empty folder, or give --force"
        )
    try:
        for path, text in files.items():
            write_atomically(path, text.rstrip("\n").encode() + b"\n")
    except OSError as error:
        raise UsageError(
            f"cannot be written ({error.strerror})",
            code="SP-114",
            where=str(folder),
            hint="Name a folder that you may write to",
        ) from error
    return tuple(files)
