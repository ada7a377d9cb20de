"""Arrays of any name, written and read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builder.files.npz import write_npz


def test_any_name_is_read_back(tmp_path: Path) -> None:
    arrays = {"file": np.arange(3), "a/b:0": np.ones((2, 2), np.float32), "词": np.array([b"x", b"yy"])}
    write_npz(tmp_path / "a.npz", arrays)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert {name: found[name].tolist() for name in found} == {
            name: array.tolist() for name, array in arrays.items()
        }


def test_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        write_npz(tmp_path / "a.npz", {"x": np.array([{}], dtype=object)})
