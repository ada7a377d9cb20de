"""Heads: the immutable description of one model, as types; ``read_head`` and ``write_head`` are its file's edge."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ..answers.describe import Described, plain_run
from ..codecs import Codec, CodecFields
from ..errors import FormatError
from ..files.plain import plain_values
from ..model import Model
from ..packing.segments import Segment, Stage
from ..packing.shards import Shard
from ..typed import from_builtins
from .format import Kind, format_version, hash_digits, ops_url, shard_url, to_json


class HeadSegment(msgspec.Struct, frozen=True, array_like=True):
    """A plane of a weight in a shard, or the bytes ``start <= i < stop`` of one.

    Attributes:
        weight: its number among the head's weights.
        plane: its number in the weight's codec.
        start, stop: None when it is the whole plane.
    """

    weight: int
    plane: int
    start: int | None = None
    stop: int | None = None

    @property
    def place(self) -> list[int]:
        """Return it as the file has it."""
        return [number for number in msgspec.structs.astuple(self) if number is not None]


class HeadShard(msgspec.Struct, frozen=True):
    """A shard.

    Attributes:
        stage: its number among the head's stages.
        bytes, wire: its length, decoded and as sent with the best of brotli and identity.
        sha256: of its decoded bytes.
        segments: in order.
    """

    stage: int
    bytes: int
    wire: int
    sha256: str
    segments: tuple[HeadSegment, ...]


class HeadWeight(msgspec.Struct, frozen=True, omit_defaults=True):
    """A weight; the fields after ``codec`` are those of single codecs.

    Attributes:
        name, shape, dtype, quantization: as in TensorFlow.js' weights manifest.
        same: the earlier weight whose bytes it has.
        codec: how it is stored.
        steps: ratio, channels and inner of the codec ``steps``.
        bytes: length of the raw plane, where shape and dtype do not tell it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: dict[str, Any] | None = None
    same: int | None = None
    codec: str = "raw"
    steps: tuple[int, int, int] | None = None
    bytes: int | None = None


class Head(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A head, its fields in the order of the file.

    Attributes:
        format: version of the format.
        name: the model's name in the loader.
        kind: ``graph-model``, ``layers-model`` or ``word-vectors``.
        contract: what pages depend on.
        artifacts: TensorFlow.js' ModelArtifacts without the weights.
        labels: what the outputs' numbers mean, if known.
        glue, vocabulary: what was cut off the model's ends and is done beside it.
        picture, audio, tokenizer: how a page's ``run`` makes inputs of pictures, sounds and texts.
        answer: what it makes of the outputs.
        modules: what ``run`` needs, by name; the first one does it.
        ops: hash of the module of its own ops, if it has some.
        sample, avoid: what its check found: answers to compare a device's with, backends it is wrong on.
        stages: their names.
        shards: in order of fetching.
        weights: in execution order.
    """

    format: int
    name: str
    kind: Kind
    contract: str
    artifacts: dict[str, Any]
    labels: tuple[str, ...] | None = None
    glue: dict[str, Any] | None = None
    vocabulary: dict[str, Any] | None = None
    picture: dict[str, Any] | None = None
    audio: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    tokenizer: dict[str, Any] | None = None
    modules: tuple[str, ...] = ()
    ops: str | None = None
    sample: dict[str, Any] | None = None
    avoid: tuple[str, ...] = ()
    stages: tuple[str, ...]
    shards: tuple[HeadShard, ...]
    weights: tuple[HeadWeight, ...]

    def stage_of(self, shard: HeadShard) -> str:
        """Name the stage of a shard."""
        return self.stages[shard.stage]


def make_head(
    name: str,
    model: Model,
    stages: tuple[Stage, ...],
    shards: tuple[HeadShard, ...],
    codecs: tuple[Codec, ...],
    same: tuple[int | None, ...],
    labels: tuple[str, ...] | None,
    ops: str | None = None,
    run: Described = plain_run,
) -> Head:
    """Describe a model.

    Args:
        name: the model's name in the loader.
        model: with its weights in execution order.
        stages: as planned.
        shards: as ``head_shard`` gives them, in order of fetching.
        codecs: how each weight is stored.
        same: as ``transforms.dedupe`` gives it.
        labels: what the outputs' numbers mean, if known.
        ops: hash of the module of its own ops, if it has some.
        run: what ``picture`` and ``answer`` of its table say.
    """
    return Head(
        format=format_version,
        name=name,
        kind=from_builtins(model.kind, Kind),
        contract=contract(model, labels, run),
        artifacts=dict(model.artifacts),
        labels=labels,
        glue=model.glue,
        vocabulary=model.vocabulary,
        picture=run.picture,
        audio=run.audio,
        answer=run.answer,
        tokenizer=run.tokenizer,
        modules=run.modules,
        ops=ops,
        stages=tuple(stage.name for stage in stages),
        shards=shards,
        weights=tuple(_weights(model, codecs, same)),
    )


def head_shard(stage: int, shard: Shard, nbytes: int, wire: int, sha256: str) -> HeadShard:
    """Describe a shard of a stage, whose file has these lengths and this hash."""
    return HeadShard(stage, nbytes, wire, sha256, tuple(map(_segment, shard)))


def _segment(segment: Segment) -> HeadSegment:
    whole = HeadSegment(segment.weight, segment.plane.index)
    return whole if segment.whole else msgspec.structs.replace(whole, start=segment.start, stop=segment.stop)


def _weights(model: Model, codecs: tuple[Codec, ...], same: tuple[int | None, ...]) -> Iterator[HeadWeight]:
    for weight, codec, earlier in zip(model.weights, codecs, same, strict=True):
        plain = earlier is not None or codec.name == "raw"
        fields = CodecFields() if plain else codec.fields
        yield HeadWeight(
            weight.name,
            tuple(weight.shape),
            weight.dtype,
            dict(weight.quantization) if weight.quantization else None,
            same=earlier,
            codec="raw" if plain else codec.name,
            steps=fields.get("steps"),
            bytes=weight.data.nbytes if weight.dtype == "string" else fields.get("bytes"),
        )


def contract(model: Model, labels: tuple[str, ...] | None, run: Described = plain_run) -> str:
    """Hash what pages depend on: inputs, outputs, labels, glue and vocabularies, and what ``run`` takes and gives."""
    facts: dict[str, object] = {
        "inputs": [[spec.name, spec.dtype, spec.shape] for spec in model.inputs],
        "labels": labels,
        "outputs": [[spec.name, spec.dtype, spec.shape] for spec in model.outputs],
    }
    if model.glue:
        facts = {"glue": model.glue} | facts
    if model.vocabulary:
        facts["vocabulary"] = model.vocabulary
    # Another vocabulary takes the same texts.
    texts = run.tokenizer.get("inputs") if run.tokenizer else None
    described = (("picture", run.picture), ("audio", run.audio), ("answer", run.answer), ("tokenizer", texts))
    facts |= {key: value for key, value in described if value}
    return hashlib.sha256(to_json(facts)).hexdigest()[:hash_digits]


def write_head(head: Head) -> bytes:
    """Return the bytes of a head's file."""
    content = plain_values(head)
    for found, shard in zip(content["shards"], head.shards, strict=True):
        found["segments"] = [segment.place for segment in shard.segments]
    return to_json(content)


def read_head(content: bytes, where: str = "") -> Head:
    """Read the bytes of a head's file.

    Raises:
        FormatError: it is none.
    """
    try:
        # Not msgspec's own reader: it refuses lone surrogates, which names in JavaScript may hold.
        head = from_builtins(json.loads(content), Head)
    except (ValueError, RecursionError) as error:
        raise FormatError("is not a head", code="SP-505", where=where, hint="Build again") from error
    if any(not 0 <= shard.stage < len(head.stages) for shard in head.shards):
        raise FormatError("is not a head", code="SP-505", where=where, hint="Build again")
    return head


def shard_urls(name: str, head: Head) -> list[str]:
    """Return the addresses of a head's shards, in order."""
    counts: Counter[int] = Counter()
    urls = []
    for shard in head.shards:
        urls.append(shard_url(name, head.stage_of(shard), counts[shard.stage], shard.sha256))
        counts[shard.stage] += 1
    return urls


def named_urls(name: str, head: Head) -> list[str]:
    """Return the addresses of all files that a head names."""
    return [*shard_urls(name, head), *([ops_url(name, head.ops)] if head.ops else [])]


def count_ops(head: Head) -> Mapping[str, int]:
    """Count the ops of a head's graph, its functions with it, or the layers of its layers model; sorted by name."""
    topology = head.artifacts.get("modelTopology", {})
    if head.kind == "graph-model":
        nodes = [node["op"] for node in topology.get("node", [])]
        for function in topology.get("library", {}).get("function", []):
            nodes += [node["op"] for node in function.get("nodeDef", [])]
    else:
        config = topology.get("model_config", topology).get("config", {})
        layers = config.get("layers", []) if isinstance(config, dict) else config
        nodes = [layer["class_name"] for layer in layers]
    return dict(sorted(Counter(nodes).items()))
