"""Windows of a sound are run one after the other by a source with state: each is given what the one before left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from builder.convert.answers import reference_result
from builder.convert.requests import ReferenceRequest, SourceOptions
from builder.files.npz import write_npz


def test_state_is_carried_from_run_to_run_and_the_files_stay_as_they_are(tmp_path: Path) -> None:
    pairs = [(tmp_path / f"{number}.in.npz", tmp_path / f"{number}.out.npz") for number in range(4)]
    for number, (inputs, _) in enumerate(pairs):
        write_npz(inputs, {"x": np.array([float(number)]), "s": np.zeros(1)})

    def run(arrays: dict[str, Any]) -> dict[str, Any]:
        return {"y": arrays["x"] * 10 + arrays["s"], "next": arrays["s"] + 1}

    source = SourceOptions(tmp_path, "onnx")
    for state, wanted in (((("s", "next"),), [0, 11, 22, 33]), ((), [0, 10, 20, 30])):
        result = reference_result(run, ReferenceRequest(source, *pairs[0], follow=tuple(pairs[1:]), state=state))
        assert (result.inputs, result.outputs) == pairs[0]
        assert [float(np.load(outputs)["y"][0]) for _, outputs in pairs] == wanted
    assert [float(np.load(inputs)["s"][0]) for inputs, _ in pairs] == [0, 0, 0, 0]
