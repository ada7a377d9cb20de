"""Bundles: models as heads and shards, and the index that names them. ``docs/format.md`` is the specification."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..cache.local import Blob
from ..codecs import Codec
from ..errors import FormatError
from ..model import Model, TensorSpec
from ..packing.compress import Encoded
from ..packing.segments import Segment, Stage
from ..packing.shards import Shard
from .modules import module_templates, module_url, runtime_name, wasm_url

format_version = 1
hash_digits = 16
loader_name = "loader.js"
index_mark = b"const CONFIG="
immutable_name = re.compile(
    rf"((loader|sw|{'|'.join((*module_templates, runtime_name))})\.[0-9a-f]{{16}}\.js"
    r"|tf-(plain|simd)\.[0-9a-f]{16}\.wasm"
    r"|assets/[a-z][a-z0-9-]*\.[0-9a-f]{16}\.(json|bin|js))(\.br|\.gz)?"
)
model_pattern = re.compile(r"[a-z][a-z0-9-]*")
digest_pattern = re.compile(r"[0-9a-f]{64}")
no_modules: Mapping[str, str] = MappingProxyType({})
of_code = ("modules", "wasm")  # what in an index belongs to the loader's code


@dataclass(frozen=True, slots=True)
class File:
    """An immutable file of a bundle.

    Attributes:
        url: relative to the bundle's root.
        blob: its content.
        encodings: its copies that pay, by content encoding (``br``, ``gzip``).
    """

    url: str
    blob: Blob
    encodings: Mapping[str, Encoded]

    @property
    def wire(self) -> int:
        """Bytes as sent with the best of brotli and identity."""
        return self.encodings["br"].nbytes if "br" in self.encodings else self.blob.nbytes

    def variants(self) -> Iterator[tuple[str, Any]]:
        """Give key and path of the file and of its encoded copies."""
        yield self.url, self.blob.path
        for name, encoded in self.encodings.items():
            yield f"{self.url}.{'br' if name == 'br' else 'gz'}", encoded.path


@dataclass(frozen=True, slots=True)
class ModelBundle:
    """One model, built.

    Attributes:
        name: its name in the loader.
        head: the file that describes it.
        content: the head, parsed.
        shards: in order of fetching, as ``content["shards"]``.
        load, priority: as in ``build.toml``.
        inputs, outputs: by signature name.
        ops: the module of its own ops, if it has some.
    """

    name: str
    head: File
    content: Mapping[str, Any]
    shards: tuple[File, ...]
    load: str
    priority: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: File | None = None

    @property
    def files(self) -> tuple[File, ...]:
        """Give all files, the head last: whatever a head names is there before it."""
        return *self.shards, *((self.ops,) if self.ops else ()), self.head

    @property
    def nbytes(self) -> int:
        """Decoded bytes of the head and all shards."""
        return sum(file.blob.nbytes for file in (*self.shards, self.head))

    @property
    def wire(self) -> int:
        """Sent bytes of the head and all shards."""
        return sum(file.wire for file in (*self.shards, self.head))

    def stage_sizes(self) -> list[tuple[str, int, int]]:
        """Give name, bytes and wire bytes of each stage; the head is in none."""
        sizes = []
        for number, name in enumerate(self.content["stages"]):
            files = [
                file
                for file, shard in zip(self.shards, self.content["shards"], strict=True)
                if shard["stage"] == number
            ]
            sizes.append((name, sum(file.blob.nbytes for file in files), sum(file.wire for file in files)))
        return sizes


def head_url(name: str, sha256: str) -> str:
    """Give the address of a head."""
    return f"assets/{name}.{sha256[:hash_digits]}.json"


def shard_url(name: str, stage: str, number: int, sha256: str) -> str:
    """Give the address of a stage's shard."""
    return f"assets/{name}-{stage}-{number}.{sha256[:hash_digits]}.bin"


def ops_url(name: str, sha256: str) -> str:
    """Give the address of the module of a model's own ops."""
    return f"assets/{name}-ops.{sha256[:hash_digits]}.js"


def worker_url(sha256: str) -> str:
    """Give the address of the offline worker's module."""
    return f"sw.{sha256[:hash_digits]}.js"


def pinned_url(sha256: str) -> str:
    """Give the address of the unchanging copy of a loader."""
    return f"loader.{sha256[:hash_digits]}.js"


def make_head(
    name: str,
    model: Model,
    stages: tuple[Stage, ...],
    shards: tuple[tuple[int, Shard, Mapping[str, Any]], ...],
    codecs: tuple[Codec, ...],
    same: tuple[int | None, ...],
    labels: tuple[str, ...] | None,
    ops: str | None = None,
) -> bytes:
    """Write a head.

    Args:
        name: the model's name in the loader.
        model: with its weights in execution order.
        stages: as planned.
        shards: for each its stage's number, its segments, and ``{"bytes", "wire", "sha256"}``.
        codecs: how each weight is stored.
        same: as ``transforms.dedupe`` gives it.
        labels: what the outputs' numbers mean, if known.
        ops: hash of the module of its own ops, if it has some.
    """
    content: dict[str, Any] = {
        "format": format_version,
        "name": name,
        "kind": model.kind,
        "contract": contract(model, labels),
        "artifacts": model.artifacts,
        "labels": labels,
        "glue": model.glue,
        "vocabulary": model.vocabulary,
        "ops": ops,
        "stages": [stage.name for stage in stages],
        "shards": [
            {"stage": stage, **facts, "segments": [_place(segment) for segment in shard]}
            for stage, shard, facts in shards
        ],
        "weights": list(_weights(model, codecs, same)),
    }
    for key in ("labels", "glue", "vocabulary", "ops"):
        if content[key] is None:
            del content[key]
    return to_json(content)


def _place(segment: Segment) -> list[int]:
    whole = [segment.weight, segment.plane.index]
    return whole if segment.whole else [*whole, segment.start, segment.stop]


def _weights(model: Model, codecs: tuple[Codec, ...], same: tuple[int | None, ...]) -> Iterator[dict[str, Any]]:
    for weight, codec, earlier in zip(model.weights, codecs, same, strict=True):
        entry: dict[str, Any] = {"name": weight.name, "shape": list(weight.shape), "dtype": weight.dtype}
        if weight.quantization:
            entry["quantization"] = weight.quantization
        if earlier is not None:
            entry["same"] = earlier
        elif codec.name != "raw":
            entry |= {"codec": codec.name, **codec.fields}
        if weight.dtype == "string":
            entry["bytes"] = weight.data.nbytes
        yield entry


def contract(model: Model, labels: tuple[str, ...] | None) -> str:
    """Hash what pages depend on: inputs, outputs, labels, glue and vocabularies."""
    facts: dict[str, Any] = {
        "inputs": [[spec.name, spec.dtype, spec.shape] for spec in model.inputs],
        "labels": labels,
        "outputs": [[spec.name, spec.dtype, spec.shape] for spec in model.outputs],
    }
    if model.glue:
        facts = {"glue": model.glue} | facts
    if model.vocabulary:
        facts["vocabulary"] = model.vocabulary
    return hashlib.sha256(to_json(facts)).hexdigest()[:hash_digits]


def make_index(
    models: tuple[ModelBundle, ...],
    modules: Mapping[str, str] = no_modules,
    wasm: Mapping[str, str] = no_modules,
) -> dict[str, Any]:
    """Make the index of a bundle.

    Args:
        models: what is in it.
        modules: hashes of the modules that lie beside the loader, by name.
        wasm: hashes of the binaries that the module of TensorFlow.js names, by name.
    """
    entries = {
        model.name: [
            model.head.blob.sha256,
            model.head.blob.nbytes,
            model.load,
            model.priority,
            model.content["kind"],
            model.nbytes,
            model.wire,
        ]
        for model in sorted(models, key=lambda model: model.name)
    }
    return index_of(entries, modules, wasm)


def index_of(
    entries: Mapping[str, Any], modules: Mapping[str, str] = no_modules, wasm: Mapping[str, str] = no_modules
) -> dict[str, Any]:
    """Make an index of its entries, modules and binaries; the release's name is of its heads alone."""
    entries = {name: entries[name] for name in sorted(entries)}
    release = hashlib.sha256(to_json({name: entry[0] for name, entry in entries.items()})).hexdigest()[:hash_digits]
    index = {"format": format_version, "release": release, "models": entries}
    for key, beside in (("modules", modules), ("wasm", wasm)):
        if beside:
            index[key] = {name: beside[name] for name in sorted(beside)}
    return index


def read_index(loader: bytes) -> dict[str, Any]:
    """Read the index out of a loader.

    Raises:
        FormatError: it is not a loader, or of a later format.
    """
    parts = loader.split(index_mark)
    if len(parts) != 2:
        raise FormatError("is not a Shardpress loader", code="SP-501", where=loader_name, hint="Build again")
    try:
        index, _ = json.JSONDecoder().raw_decode(parts[1].decode().lstrip())
        version = index["format"]
        entries = index["models"]
        valid = all(_is_entry(name, entry) for name, entry in entries.items())
        beside = [item for key in of_code for item in index.get(key, {}).items()]
        valid = valid and all(model_pattern.fullmatch(name) and _is_digest(digest) for name, digest in beside)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise FormatError("has a damaged index", code="SP-503", where=loader_name, hint="Build again") from error
    if type(version) is not int or not 1 <= version <= format_version or not valid:
        raise FormatError(
            f"has an index of format {version!r}; this version reads 1 to {format_version}",
            code="SP-502",
            where=loader_name,
            hint="Upgrade shardpress",
        )
    return dict(index)


def _is_entry(name: str, entry: Any) -> bool:
    """Tell whether an index entry names nothing but what the format allows: addresses are made of it."""
    older = [item["older"][1] for item in entry[7:] if isinstance(item, dict) and "older" in item]
    return (
        len(entry) >= 7
        and bool(model_pattern.fullmatch(name))
        and all(_is_digest(item) for item in (entry[0], *older))
        and type(entry[1]) is int
    )


def _is_digest(item: Any) -> bool:
    return isinstance(item, str) and bool(digest_pattern.fullmatch(item))


def replace_index(loader: bytes, index: Mapping[str, Any]) -> bytes:
    """Give the same loader with another index; its modules stay, as they belong to its code.

    Raises:
        FormatError: it is not a loader.
    """
    own = read_index(loader)
    index = {name: item for name, item in index.items() if name not in of_code}
    index |= {key: own[key] for key in of_code if key in own}
    start = loader.index(index_mark) + len(index_mark)
    text = loader[start:].decode()
    _, end = json.JSONDecoder().raw_decode(text)
    escaped = json.dumps(index, separators=(",", ":"), allow_nan=False)
    for character in "<>&'":
        escaped = escaped.replace(character, f"\\u{ord(character):04x}")
    return loader[:start] + escaped.encode() + text[end:].encode()


def reachable(index: Mapping[str, Any], heads: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Give the addresses of all modules, heads, shards and ops that an index names, encodings left out.

    Args:
        index: as ``read_index`` gives it.
        heads: the parsed head of each model.
    """
    urls = set(module_urls(index))
    for name, entry in index["models"].items():
        urls.add(head_url(name, entry[0]))
        urls.update(named_urls(name, heads[name]))
    return urls


def module_urls(index: Mapping[str, Any]) -> dict[str, str]:
    """Give the addresses of the modules and binaries that an index names, and their hashes."""
    modules = {module_url(name, digest): digest for name, digest in index.get("modules", {}).items()}
    return modules | {wasm_url(name, digest): digest for name, digest in index.get("wasm", {}).items()}


def shard_urls(name: str, head: Mapping[str, Any]) -> list[str]:
    """Give the addresses of a head's shards, in order."""
    counts: dict[int, int] = {}
    urls = []
    for shard in head["shards"]:
        number = counts.setdefault(shard["stage"], 0)
        urls.append(shard_url(name, head["stages"][shard["stage"]], number, shard["sha256"]))
        counts[shard["stage"]] += 1
    return urls


def named_urls(name: str, head: Mapping[str, Any]) -> list[str]:
    """Give the addresses of all files that a head names."""
    ops = head.get("ops")
    return [*shard_urls(name, head), *([ops_url(name, ops)] if ops else [])]


def count_ops(content: Mapping[str, Any]) -> dict[str, int]:
    """Count the ops of a head's graph, its functions with it, or the layers of its layers model; sorted by name."""
    topology = content["artifacts"].get("modelTopology", {})
    if content["kind"] == "graph-model":
        nodes = [node["op"] for node in topology.get("node", [])]
        for function in topology.get("library", {}).get("function", []):
            nodes += [node["op"] for node in function.get("nodeDef", [])]
    else:
        config = topology.get("model_config", topology).get("config", {})
        layers = config.get("layers", []) if isinstance(config, dict) else config
        nodes = [layer["class_name"] for layer in layers]
    return dict(sorted(Counter(nodes).items()))


def to_json(value: Any) -> bytes:
    """Write JSON as the format asks for: UTF-8, no white space.

    Raises:
        ValueError: a number is not finite; JSON has none of these.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JavaScript's strings may hold, has no UTF-8
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
