"""Source models that try to read, write, fetch or run what they must not; each says what it tries.

``cases()`` gives them all. Writing one needs no TensorFlow, unless ``needs_tensorflow`` says so. The paths and the port
that an attack aims at come in a ``Target``, so that a test can see whether anything got there. None of them harms more
than its target.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.helpers.hostile_folders import saved_model_cases
from tests.helpers.hostile_graphs import graph_cases
from tests.helpers.hostile_keras import hdf5_cases, keras2_cases, keras3_cases
from tests.helpers.hostile_nouns import Case, Target, make_library


def cases() -> list[Case]:
    """Give all hostile sources."""
    return [*keras2_cases(), *keras3_cases(), *hdf5_cases(), *graph_cases(), *saved_model_cases()]


def write_all(root: Path, target: Target, some: Iterable[Case] | None = None) -> dict[str, Path]:
    """Write cases, by default all, each into a folder of its name.

    Returns:
        What ``source`` has to name, by case.
    """
    found = {}
    for case in cases() if some is None else some:
        folder = root / case.name
        folder.mkdir(parents=True)
        found[case.name] = case.write(folder, target)
    return found


def main(root: str, folder: str, port: str, secret: str, library: str) -> None:
    """Write all cases, and their paths as JSON to stdout; a program of its own, because some import TensorFlow."""
    target = Target(Path(folder), int(port), Path(secret), Path(library))
    make_library(target)
    paths = write_all(Path(root), target)
    sys.stdout.write(json.dumps({name: str(path) for name, path in paths.items()}) + "\n")


if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    main(*sys.argv[1:])
