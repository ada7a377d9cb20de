"""What goes to a conversion worker and what comes back: small, frozen, picklable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

own_runtimes = frozenset({"onnx", "tflite"})  # kinds that are read and run without TensorFlow
takes_shapes = own_runtimes  # kinds whose inputs build.toml can fix


@dataclass(frozen=True, slots=True)
class FixedInput:
    """What is fixed of an input: its lengths, or what it always is; None where that is open."""

    name: str
    shape: tuple[int, ...] | None = None
    value: float | tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to read a source model that is converted.

    Attributes:
        path: a SavedModel directory, or a ``.h5``, ``.hdf5``, ``.keras``, ``.pb``, ``.onnx`` or ``.tflite`` file.
        kind: ``saved-model``, ``keras-h5``, ``keras-zip`` or ``frozen-graph``, as ``sources.detect`` says.
        signature: name of the SavedModel signature.
        tags: tags of the meta graph.
        outputs: names of the outputs to keep (node names for a frozen graph); () keeps all.
        trust: the user trusts the code inside the model (Keras Lambda layers).
        cut_inputs, cut_outputs: tensors to cut the graph at; () cuts where that is unambiguous.
        custom_ops: names of the ops that the page registers.
        inputs: those that are fixed.
        channels_last: pages give and get pictures as a canvas has them, [n, h, w, c].
    """

    path: Path
    kind: str
    signature: str = "serving_default"
    tags: tuple[str, ...] = ("serve",)
    outputs: tuple[str, ...] = ()
    trust: bool = False
    cut_inputs: tuple[str, ...] = ()
    cut_outputs: tuple[str, ...] = ()
    custom_ops: tuple[str, ...] = ()
    inputs: tuple[FixedInput, ...] = ()
    channels_last: bool = False


def task_of(verb: str, kind: str) -> str:
    """Return the task that converts a source of this kind, or runs it (``reference``)."""
    return f"{verb}_{kind}" if kind in own_runtimes else verb


@dataclass(frozen=True, slots=True)
class ConvertRequest:
    """Convert a source into a TensorFlow.js graph model: ``out/model.json`` and weight files beside it."""

    source: SourceOptions
    out: Path


@dataclass(frozen=True, slots=True)
class ConvertResult:
    """What a conversion made.

    Attributes:
        model_json: the stock artefact.
        notes: sentences the user should read (dropped optimiser state, …).
    """

    model_json: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferenceRequest:
    """Run the *source* model in TensorFlow, unconverted; of one that was cut, what is between the cuts.

    Attributes:
        inputs: an ``.npz`` file with one array for each input, by signature name, batch included.
        outputs: the ``.npz`` file to write, one array for each output, by signature name.
        instead: further pairs of such files, to be tried in turn where the model cannot run the first one, or answers
            with empty tensors; then the first that works, or else that ran, counts.
        besides: pairs of which the first that works is wanted too; none has to.
        follow: pairs that are run in turn after the first one.
        state: inputs that take an output of the run before in place of what the files of ``follow`` have, and its name.
    """

    source: SourceOptions
    inputs: Path
    outputs: Path
    instead: tuple[tuple[Path, Path], ...] = ()
    besides: tuple[tuple[Path, Path], ...] = ()
    follow: tuple[tuple[Path, Path], ...] = ()
    state: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ReferenceResult:
    """Which files were written.

    Attributes:
        inputs, outputs: the pair that counts.
        empty: the model answers it with empty tensors.
        besides: the pair that worked besides, or None.
    """

    inputs: Path
    outputs: Path
    empty: bool = False
    besides: tuple[Path, Path] | None = None
