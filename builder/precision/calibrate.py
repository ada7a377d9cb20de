"""Has the precision of a model measured in a conversion worker, and makes codecs of what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from ..answers.describe import picture_of
from ..answers.hearing import audio_of
from ..answers.texts import texts_of, tokenizer_of
from ..cache.local import Cache
from ..codecs import Codec
from ..config.models import ModelConfig
from ..model import Model
from ..tokens.read import read_tokenizer
from ..verify.gates import gate_of
from ..verify.ids import ids_below
from ..verify.run import find_node_modules
from ..verify.types import TextInputs
from .types import MeasureRequest, MeasureResult

measured_precisions = frozenset({"small", "auto"})
most_inputs = 512
widest_interval = 0.1


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measurement gives a model.

    Attributes:
        codecs: by name of the weight.
        halves: names of the weights that are stored as float16.
        facts: for ``report.json``.
        notes: sentences the user should read.
    """

    codecs: Mapping[str, Codec]
    halves: frozenset[str]
    facts: Mapping[str, Any]
    notes: tuple[str, ...]


def needs_measuring(settings: ModelConfig) -> bool:
    """Return whether the model has to be run before it can be stored."""
    return settings.weights and isinstance(settings.precision, str) and settings.precision in measured_precisions


noise_note = "the precision was measured on noise, which says little about real inputs: name some with verify.inputs"


def measure_precision(
    name: str,
    settings: ModelConfig,
    artefact: Path,
    model: Model,
    folder: Path,
    work: Path,
    submit: Callable[[str, Any, str], Future[Any]],
    *,
    in_node: bool = False,
) -> Measured:
    """Measure a model on the inputs of its ``verify`` table.

    Args:
        name: of the model.
        settings: its table in build.toml.
        artefact: its stock ``model.json``.
        model: what was read from there.
        folder: where relative paths start.
        work: a folder for inputs and results; the caller removes it.
        submit: has a function of the conversion worker run.
        in_node: TensorFlow.js under Node runs the model, not TensorFlow.

    Raises:
        ConfigError: its inputs cannot be read.
        ConversionError: TensorFlow, or Node with TensorFlow.js, is not installed or cannot run the model.
        SourceError: Keras does not know a layer of it.
    """
    import numpy as np

    notes = [noise_note] if settings.verify.inputs is None else []
    picture = picture_of(name, settings.picture, model.inputs)
    texts = _texts(name, settings, model, folder)
    audio = audio_of(name, settings.audio, model.inputs, model.outputs)
    paths = _write_cases(settings.verify.inputs, model, folder, work, submit, picture, texts, audio)
    verify = settings.verify
    stated = verify.max_error, verify.min_agreement, verify.metric, msgspec.to_builtins(verify.boxes)
    gate = gate_of(settings.precision, *stated)
    out = work / "measured.npz"
    request = MeasureRequest(artefact, paths, out, gate, settings.precision == "auto", settings.trust)
    result: MeasureResult
    if in_node:
        from .node_runner import measure_in_node

        result = measure_in_node(request, model, find_node_modules(folder), work)
    else:
        result = submit("measure", request, name).result()
    if not result.layers:
        notes.append("no layer could be measured: its weights are stored as those of lossless or balanced models are")
        return Measured({}, frozenset(), {}, tuple(notes))
    with np.load(out, allow_pickle=False) as file:
        codecs = _codecs(model, result, dict(file))
    return Measured(codecs, frozenset(result.halves), _facts(result), (*notes, *_remarks(result)))


def _texts(name: str, settings: ModelConfig, model: Model, folder: Path) -> TextInputs | None:
    if settings.verify.inputs is None:
        return None
    if settings.tokenizer is None:
        texts = model.texts or {}
        return TextInputs(None, {"texts": texts}, model.vocabulary) if len(texts) == 1 else None
    path = folder / tokenizer_of(settings.tokenizer).file
    spec = texts_of(name, settings.tokenizer, read_tokenizer(path).spec, model.inputs, ids_below(model))
    return TextInputs(path, spec)


def _write_cases(
    pattern: str | None,
    model: Model,
    folder: Path,
    work: Path,
    submit: Callable[[str, Any, str], Future[Any]],
    picture: Mapping[str, Any] | None,
    texts: TextInputs | None,
    audio: Mapping[str, Any] | None,
) -> tuple[Path, ...]:
    """Write what a model is measured with: the user's inputs, or noise."""
    from ..files.npz import write_npz
    from ..verify.inputs import load_inputs, seeded_inputs
    from .search import spread

    if pattern is None:
        cases = [seeded_inputs(model.inputs, ids_below=ids_below(model))]
    else:
        loaded = load_inputs(pattern, model.inputs, folder, work, submit, picture, texts, audio)
        cases = spread(loaded.cases, most_inputs)
    paths = tuple(work / f"case-{number}.npz" for number in range(len(cases)))
    for path, case in zip(paths, cases, strict=True):
        write_npz(path, case)
    return paths


def _codecs(model: Model, result: MeasureResult, arrays: dict[str, Any]) -> dict[str, Codec]:
    from ..codecs.exact import Exact
    from ..codecs.staged import Staged
    from ..codecs.steps import Steps, layout_of
    from ..transforms.channels import channel_axes

    layouts = {
        weight.name: layout_of(weight.shape, axes)
        for weight, axes in zip(model.weights, channel_axes(model), strict=True)
    }
    plain = {weight.name for weight in model.weights if weight.quantization is None and weight.grid is None}
    codecs: dict[str, Codec] = {name: Exact() for name in result.fine if name in plain}
    for number, name in enumerate(result.weights):
        codes = arrays[f"codes{number}"].tobytes() if f"codes{number}" in arrays else None
        codecs[name] = Steps(layouts[name], result.ratio, arrays[f"step{number}"].astype("<f4").tobytes(), codes)
    for number, name in enumerate(result.biases):
        first, last = (arrays[f"{stage}{number}"].astype("<f4").tobytes() for stage in ("first", "last"))
        codecs[name] = Staged(first, last)
    return codecs


def _facts(result: MeasureResult) -> dict[str, Any]:
    return {
        "weights": [asdict(layer) for layer in result.layers],
        "stages": [asdict(stage) for stage in result.stages],
        "met": result.met,
    }


def _remarks(result: MeasureResult) -> list[str]:
    base = result.stages[0]
    remarks = []
    if not result.met:
        remarks.append(
            f"its first stage misses what is asked for even as fine as it gets ({base.agreement:.1%} of the answers "
            f"agree on {base.inputs} inputs)"
        )
    if base.high - base.low > widest_interval:
        remarks.append(
            f"{base.inputs} inputs are few to judge precision by: the agreement of its first stage is between "
            f"{base.low:.0%} and {base.high:.0%}"
        )
    return remarks


def input_digests(pattern: str | None, folder: Path, cache: Cache) -> list[list[str]]:
    """Return names and hashes of the inputs that a model is run with."""
    if pattern is None:
        return []
    from ..verify.inputs import matching_files

    return [[path.name, cache.file_digest(path)] for path in matching_files(pattern, folder)]
