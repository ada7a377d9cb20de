"""What ``check`` and ``init`` propose for ``run`` of a model that is recognised: picture or sound, and the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..answers.clues import Clues, Proposal
from ..answers.describe import describe
from ..answers.kinds import propose
from ..config.tables import Config
from ..convert.side_files import read_own_words
from ..model import Model, TensorSpec
from ..sources.model_folders import teachable, teachable_labels
from ..sources.tfjs import read_model
from .preflight import read_labels

named_by_activation = {"softmax": "Softmax", "sigmoid": "Sigmoid", "linear": "MatMul"}


def proposal_for(model: Model, model_json: Path, kind: str, labels: int) -> Proposal | None:
    """Recognise a model that is in TensorFlow.js' form: its source itself, or what was made of it.

    Args:
        model: it.
        model_json: the file that it was read from.
        kind: of the source.
        labels: how many ``build.toml`` names.
    """
    words: Mapping[str, Any] = teachable(model_json) if kind == "tfjs" else read_own_words(model_json)
    listed = words.get("labels")
    brought = tuple(map(str, listed)) if isinstance(listed, list) else ()
    outputs, ends = _ends(model)
    return propose(Clues(model.inputs, outputs, kind, labels, words, brought, ends))


def check_run(config: Config, name: str, model_json: Path, kind: str) -> Proposal | None:
    """Compare the settings of ``run`` with a model; propose some where there are none.

    Args:
        config: build.toml.
        name: of the model.
        model_json: it in TensorFlow.js' form: its source itself, or what was made of it.
        kind: of the source.

    Raises:
        ConfigError, ConversionError: what is set does not fit.
        SourceError: see ``read_model``.
    """
    settings = config.models[name]
    labels = read_labels(config, name) or teachable_labels(model_json) or ()
    model = read_model(model_json, weights=settings.weights)
    if not settings.answer and not settings.picture and not settings.audio:
        return proposal_for(model, model_json, kind, len(labels))
    describe(name, settings, model.inputs, model.outputs, labels=labels, from_tensorflow=kind != "onnx")
    return None


def lines_of(proposal: Proposal) -> tuple[str, ...]:
    """Return what a proposal is in a model's table of ``build.toml``."""
    answer = f"answer = {in_toml(proposal.answer)}"
    if not proposal.audio:
        return f"picture = {in_toml(proposal.picture)}", answer
    inputs = [f"inputs = {in_toml(proposal.inputs)}"] if proposal.inputs else []
    return (*inputs, f"audio = {in_toml(proposal.audio)}", answer)


def in_toml(value: object) -> str:
    """Write a value as TOML does, tables in one line."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {in_toml(item)}' for key, item in value.items())} }}" if value else "{}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(in_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _ends(model: Model) -> tuple[tuple[TensorSpec, ...], dict[str, str]]:
    """Return the outputs, and the op that makes each, as far as the topology tells."""
    topology = model.artifacts.get("modelTopology") or {}
    if model.kind == "layers-model":
        return _layer_ends(model, topology)
    nodes = {node["name"]: node for node in topology.get("node", [])}
    signature = (model.artifacts.get("userDefinedMetadata") or {}).get("signature") or model.artifacts.get("signature")
    tensors = {name: info.get("name", name) for name, info in ((signature or {}).get("outputs") or {}).items()}
    found: dict[str, str] = {}
    for spec in model.outputs:
        node = nodes.get(str(tensors.get(spec.name, spec.name)).partition(":")[0])
        for _ in range(len(nodes)):
            if node is None or node["op"] not in {"Identity", "Reshape", "Squeeze"} or not node.get("input"):
                break
            node = nodes.get(node["input"][0].partition(":")[0])
        if node is not None:
            found[spec.name] = node["op"]
    return model.outputs, found


def _layer_ends(model: Model, topology: Mapping[str, Any]) -> tuple[tuple[TensorSpec, ...], dict[str, str]]:
    """Return the output of a network that ends with one dense layer: layers models do not tell shapes."""
    dense = next(_dense(topology.get("model_config", topology)), None)
    if dense is None or len(model.outputs) != 1 or not isinstance(dense.get("units"), int):
        return model.outputs, {}
    (spec,) = model.outputs
    end = named_by_activation.get(str(dense.get("activation")), "")
    return (TensorSpec(spec.name, spec.dtype, (None, dense["units"])),), {spec.name: end}


def _dense(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the configuration of the last layer if it is a dense one, in models within models too."""
    body = config.get("config", {})
    layers = body if isinstance(body, list) else body.get("layers", [])
    if layers and layers[-1].get("class_name") == "Dense":
        yield layers[-1].get("config", {})
    elif layers and layers[-1].get("class_name") in {"Sequential", "Functional", "Model"}:
        yield from _dense(layers[-1])
