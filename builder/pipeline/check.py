"""What ``check`` does: look at every source as far as that goes without building anything."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..answers.clues import Proposal
from ..answers.texts import tokenizer_of
from ..config.models import ModelConfig
from ..config.tables import Config
from ..convert.requests import ConvertRequest, ConvertResult, SourceOptions, own_runtimes, task_of
from ..errors import ShardpressError, SourceError
from ..graphs.analysis import Finding, analyse, refusal
from ..graphs.branches import drop_dead_branches
from ..graphs.cutting import find_tensors, fixed_cut
from ..graphs.flatten import outline_saved_model
from ..graphs.graphdef import read_graph, read_saved_model
from ..graphs.outline import Outline, outline_of, source_of
from ..precision.calibrate import needs_measuring
from ..sources.custom_ops import read_custom_ops
from ..sources.detect import detect
from ..sources.folders import check_folder
from ..sources.keras_h5 import KerasFile, check_keras_weights, read_keras_h5
from ..sources.keras_limits import check_keras_limits
from ..sources.keras_safety import check_keras_config
from ..sources.keras_zip import KerasArchive, read_keras_zip
from ..sources.model_folders import locate, unpack
from ..sources.safety import check_topology, prepare_graph, prepare_saved_model
from ..sources.tfjs import read_model
from ..sources.vocabulary_files import check_vocabulary_files
from ..sources.word_vectors import read_vectors
from ..tokens.read import read_tokenizer
from ..words.settings import check_settings
from ..words.table import kind as vectors_kind
from ..work.workers import LocalWorkers
from .plan_model import check_keys, source_options
from .preflight import check_files
from .proposals import check_run, lines_of, proposal_by_names

# Freezing turns these into constants and plain look-ups.
frozen_ops = ("VarHandleOp", "Variable", "VariableV2", "ReadVariableOp", "ResourceGather", "ResourceGatherNd")


@dataclass(frozen=True, slots=True)
class Checked:
    """One model that was looked at.

    Attributes:
        name: in build.toml.
        kind: of its source.
        problem: the paragraph of what would fail, or ``""``.
        ops: what TensorFlow.js lacks, and what becomes of it.
        proposal: what ``run`` could be told of pictures and answers, where nothing is and the model is recognised.
    """

    name: str
    kind: str
    problem: str
    ops: tuple[Finding, ...] = ()
    proposal: Proposal | None = None


def check_models(config: Config) -> tuple[Checked, ...]:
    """Look at every model of build.toml."""
    return tuple(_check(config, name) for name in config.models)


def _check(config: Config, name: str) -> Checked:
    model = config.models[name]
    path = config.folder / model.source
    kind = "unknown"
    try:
        if not path.exists():
            raise SourceError(
                "does not exist",
                code="SP-301",
                where=model.source,
                hint="Correct the path; it is relative to build.toml's folder",
            )
        with tempfile.TemporaryDirectory(prefix="shardpress-") as room:
            path = locate(path, partial(_unpacked, Path(room), model.member), model.member)
            kind = detect(path)
            return _look(path, kind, config, name)
    except ShardpressError as error:
        return Checked(name, kind, str(error))


def _look(path: Path, kind: str, config: Config, name: str) -> Checked:
    """Look at one model."""
    model = config.models[name]
    check_files(config, name)
    if model.tokenizer:
        read_tokenizer(config.folder / tokenizer_of(model.tokenizer).file)
    if path.is_dir():
        check_folder(path)
    if kind == "tfjs":
        _check_tfjs(path, config, name)
    elif kind in {"keras-h5", "keras-zip"}:
        _check_keras(path, kind, model)
    elif kind == vectors_kind:
        check_settings(name, model)
        for _ in read_vectors(path, config.folder / model.vocabulary if model.vocabulary else None):
            pass
    custom = read_custom_ops(config.folder, name, model.custom_ops)
    check_keys(name, model, kind)
    proposal = check_run(config, name, path, kind) if kind == "tfjs" else None
    if kind in own_runtimes:
        try:
            proposal = _lower(source_options(path, kind, model, ()), config, name)
        except ShardpressError as error:
            found = None if model.inputs else proposal_by_names(path, kind)
            return Checked(name, kind, str(error), proposal=found)
    outline = _outline(path, kind, model, custom.names if custom else ())
    if outline is None:
        return Checked(name, kind, "", proposal=proposal)
    fixed = None
    if model.cut.inputs or model.cut.outputs:
        ends = (find_tensors(outline, side, model.source) for side in (model.cut.inputs, model.cut.outputs))
        fixed = fixed_cut(outline, *ends)
    analysis = analyse(outline, (*frozen_ops, *(custom.names if custom else ())), fixed)
    problem = str(refusal(outline, analysis, model.source)) if analysis.refused else ""
    return Checked(name, kind, problem, analysis.findings)


def _lower(source: SourceOptions, config: Config, name: str) -> Proposal | None:
    """Lower a model that has a runtime of its own, which takes a second or two, behind the wall as in a build."""
    with tempfile.TemporaryDirectory(prefix="shardpress-") as room, LocalWorkers(1, folder=Path(room)) as workers:
        request = ConvertRequest(source, Path(room) / "lowered")
        done: ConvertResult = workers.submit(task_of("convert", source.kind), request, name).result()
        return check_run(config, name, done.model_json, source.kind)


def _unpacked(room: Path, member: str, path: Path) -> Path:
    unpack(path, room, member)
    return room


def _check_tfjs(path: Path, config: Config, name: str) -> None:
    """Look at a model of TensorFlow.js; TensorFlow runs it only to measure precisions."""
    model = config.models[name]
    content = read_model(path, weights=model.weights)
    if needs_measuring(model) and not model.trust:
        topology = content.artifacts["modelTopology"]
        if content.kind == "graph-model":
            custom = read_custom_ops(config.folder, name, model.custom_ops)
            check_topology(topology, model.source, custom.names if custom else ())
        else:
            check_keras_config(topology.get("model_config", topology), where=model.source)


def _check_keras(path: Path, kind: str, model: ModelConfig) -> None:
    file: KerasFile | KerasArchive
    if kind == "keras-h5":
        file = read_keras_h5(path, model.source)
    else:
        file = read_keras_zip(path)
        check_keras_weights(path, model.source)
    check_keras_config(file.config, trust=model.trust, where=model.source)
    if not file.is_keras2:
        check_keras_limits(file.config, model.source, is_hdf5=kind == "keras-h5")


def _outline(path: Path, kind: str, model: ModelConfig, custom: tuple[str, ...]) -> Outline | None:
    """Return the graph of sources that are one; Keras makes its graph when it runs."""
    if kind == "saved-model":
        content = read_saved_model(path)
        part = prepare_saved_model(content, model.signature, model.tags, model.source, custom=custom, trust=model.trust)
        check_vocabulary_files(part.meta_graphs[0], path, model.source)
        return outline_saved_model(content, model.signature, model.tags, model.source)
    if kind == "frozen-graph":
        graph = read_graph(path)
        inputs, outputs = _ends(graph, model.outputs)
        prepare_graph(graph, outputs.values(), model.source, custom=custom, trust=model.trust)
        drop_dead_branches(graph, lambda _: None, [source_of(name) for name in outputs.values()])
        return outline_of(graph, inputs, outputs)
    return None


def _ends(graph: Any, outputs: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    used = {text.lstrip("^").partition(":")[0] for node in graph.node for text in node.input}
    inputs = {node.name: node.name for node in graph.node if node.op == "Placeholder"}
    last = outputs or tuple(node.name for node in graph.node if node.name not in used and node.op != "NoOp")
    return inputs, {name: name for name in last}


def show(found: tuple[Checked, ...]) -> str:
    """Put what was found into a table for people."""
    width = max((len(item.name) for item in found), default=0)
    lines: list[str] = []
    for item in found:
        lines.append(f"{item.name.ljust(width)}  {item.kind:14}  {item.problem or 'ok'}")
        lines.extend(f"{'':{width}}  {line}" for line in _table(item.ops))
        if item.proposal is not None:
            lines.append(f"{'':{width}}  for run(): {item.proposal.reason}")
            lines.extend(f"{'':{width}}    {line}" for line in lines_of(item.proposal))
    return "\n".join(lines)


def _table(findings: tuple[Finding, ...]) -> Iterator[str]:
    widest = max((len(finding.op) for finding in findings), default=0)
    for finding in findings:
        more = f" and {len(finding.nodes) - 1} more" if len(finding.nodes) > 1 else ""
        yield f"{finding.outcome:9}  {finding.op.ljust(widest)}  {finding.nodes[0]}{more}: {' → '.join(finding.path)}"
        if finding.advice:
            yield f"{'':9}  {'':{widest}}  {finding.advice}"
