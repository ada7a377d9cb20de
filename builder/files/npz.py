"""Writes ``.npz`` files whose arrays may have any name; ``numpy.savez`` refuses the name ``file``."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays for ``numpy.load``; arrays of Python objects are refused.

    Raises:
        ValueError: an array would need pickle.
    """
    import numpy as np

    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)  # type: ignore[no-untyped-call]
