"""Cases that JavaScript and the references answer alike: outputs made at random, in the form of each family."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from builder.answers.frame import Frame
from builder.answers.reading import Options
from builder.config.answers import AnswerTable, head_of

Arrays = Mapping[str, NDArray[np.float32]]
folder = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Case:
    """Outputs, and how they are to be read."""

    table: AnswerTable
    outputs: Arrays
    labels: tuple[str, ...] = ()
    frame: Frame | None = None
    options: Options = field(default_factory=Options)
    inputs: Arrays | None = None


def answers_of_pages(cases: Sequence[Case]) -> list[Any]:
    """Give what JavaScript answers to each case; numbers that JSON lacks as ``{"number": "NaN"}``."""
    done = subprocess.run(
        ["node", "--no-warnings", str(folder / "run.mjs")],
        input=json.dumps([_told(case) for case in cases]),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == len(cases)
    return found


def random_frame(generator: np.random.Generator, width: int, height: int) -> Frame:
    """Give the frame of a source picture of any size that was stretched, cut or letterboxed."""
    source = tuple(int(length) for length in generator.integers(1, 160, 2))
    sizes = np.array([width, height]) / source
    fit = generator.integers(3)
    scales = sizes if fit == 0 else np.full(2, sizes.min() if fit == 1 else sizes.max())
    left, top = (np.array([width, height]) - scales * source) / 2
    return Frame(*source, float(scales[0]), float(scales[1]), float(left), float(top), width, height)


def number(value: Any) -> float:
    """Read a number that JSON may lack."""
    return float(value["number"].replace("Infinity", "inf")) if isinstance(value, dict) else float(value)


def _told(case: Case) -> dict[str, Any]:
    head = head_of(case.table)
    frame = case.frame
    return {
        "kind": head["kind"],
        "spec": head,
        "tensors": _tensors(case.outputs),
        "labels": list(case.labels),
        "frame": frame
        and {
            "width": frame.width,
            "height": frame.height,
            "scaleX": frame.scale_x,
            "scaleY": frame.scale_y,
            "left": frame.left,
            "top": frame.top,
            "inputWidth": frame.input_width,
            "inputHeight": frame.input_height,
        },
        "options": {key: value for key, value in _fields(case.options) if value is not None},
        "inputs": None if case.inputs is None else _tensors(case.inputs),
    }


def _fields(options: Options) -> list[tuple[str, Any]]:
    return list(msgspec.to_builtins(options).items())


def _tensors(arrays: Arrays) -> dict[str, Any]:
    return {
        name: {"shape": list(array.shape), "data": base64.b64encode(array.astype("<f4").tobytes()).decode()}
        for name, array in arrays.items()
    }
