"""The index: what a loader carries of every model, typed; ``read_index`` and ``Index.encode`` are its file's edge."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from ..errors import FormatError
from ..typed import from_builtins
from .format import (
    digest_pattern,
    format_version,
    hash_digits,
    head_url,
    index_mark,
    loader_name,
    model_pattern,
    module_url,
    to_json,
    wasm_url,
)
from .head import Head, named_urls

nothing: Mapping[str, Any] = MappingProxyType({})
extras_version = 1  # of the object at an entry's end


class HeadName(NamedTuple):
    """A head that an index names: of which model, its hash and decoded length."""

    model: str
    sha256: str
    nbytes: int

    @property
    def url(self) -> str:
        """Its address."""
        return head_url(self.model, self.sha256)


class OlderHead(msgspec.Struct, frozen=True, array_like=True):
    """The last head with another contract: the contract, the head's hash and decoded length."""

    contract: str
    sha256: str
    nbytes: int


class LadderRungs(msgspec.Struct, frozen=True):
    """The models that answer before the one that has their ladder's name.

    Attributes:
        rungs: their names in the index, the first one first.
        bytes: decoded ones of the first.
        tensors: all rungs take and give the same tensors.
    """

    rungs: tuple[str, ...]
    bytes: int
    tensors: bool


@dataclass(frozen=True, slots=True)
class Extras:
    """The named, versioned object at an entry's end.

    Attributes:
        older: the last head with another contract that was live.
        ladder: the models that answer before this one.
        thread: ``"worker"`` if pages run it off their own thread, or None.
        version: a tool that knows only a lower one cannot tell which files the entry needs.
        unknown: what later versions put there; it is kept.
    """

    older: OlderHead | None = None
    ladder: LadderRungs | None = None
    thread: str | None = None
    version: int = 1
    unknown: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> dict[str, object]:
        """Return the object, which is empty when there is nothing to say."""
        version = {"version": self.version} if self.version != 1 else {}
        older = {"older": msgspec.to_builtins(self.older)} if self.older else {}
        rungs = self.ladder and {**msgspec.to_builtins(self.ladder), "rungs": list(self.ladder.rungs)}
        ladder = {"ladder": rungs} if rungs else {}
        thread = {"thread": self.thread} if self.thread else {}
        return {**version, **older, **ladder, **thread, **self.unknown}


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What an index says of a model.

    Attributes:
        head_sha256, head_bytes: hash and decoded length of its head.
        load, priority: as in ``build.toml``.
        kind: ``graph-model``, ``layers-model`` or ``word-vectors``.
        nbytes, wire: of the head and all shards: decoded, and as sent with the best of brotli and identity.
        extras: the object at its end.
    """

    head_sha256: str
    head_bytes: int
    load: str
    priority: str
    kind: str
    nbytes: int
    wire: int
    extras: Extras = Extras()

    def encode(self) -> list[object]:
        """Return the entry as the file has it."""
        extras = self.extras.encode()
        facts = [self.head_sha256, self.head_bytes, self.load, self.priority, self.kind, self.nbytes, self.wire]
        return [*facts, extras] if extras else facts

    def heads(self, name: str) -> tuple[HeadName, ...]:
        """Return the heads of the model ``name``: its own, and that of an older contract."""
        own = HeadName(name, self.head_sha256, self.head_bytes)
        older = self.extras.older
        return (own, HeadName(name, older.sha256, older.nbytes)) if older else (own,)

    @property
    def rungs(self) -> tuple[str, ...]:
        """Return the names of the models that answer before it."""
        return self.extras.ladder.rungs if self.extras.ladder else ()


@dataclass(frozen=True, slots=True)
class Index:
    """An index.

    Attributes:
        release: names the heads of its models.
        models: entries by name, in order.
        modules, wasm: hashes of the modules and binaries beside the loader, by name; they belong to its code.
        format: version of the format.
    """

    release: str
    models: Mapping[str, IndexEntry]
    modules: Mapping[str, str] = field(default_factory=dict)
    wasm: Mapping[str, str] = field(default_factory=dict)
    format: int = format_version

    def encode(self) -> dict[str, object]:
        """Return the JSON value that stands in a loader."""
        beside = {"modules": dict(self.modules), "wasm": dict(self.wasm)}
        return {
            "format": self.format,
            "release": self.release,
            "models": {name: entry.encode() for name, entry in self.models.items()},
            **{key: hashes for key, hashes in beside.items() if hashes},
        }

    def heads(self) -> set[HeadName]:
        """Return all heads that it names."""
        return {head for name, entry in self.models.items() for head in entry.heads(name)}

    def module_urls(self) -> dict[str, str]:
        """Return the addresses of the modules and binaries that it names, and their hashes."""
        modules = {module_url(name, digest): digest for name, digest in self.modules.items()}
        return modules | {wasm_url(name, digest): digest for name, digest in self.wasm.items()}

    def lower_rungs(self) -> set[str]:
        """Return the names of models that only stand in for the last rung of their ladder."""
        return {rung for entry in self.models.values() for rung in entry.rungs}

    @property
    def is_understood(self) -> bool:
        """Nothing in it is of a later version, so all files that it needs are known."""
        return all(entry.extras.version <= extras_version for entry in self.models.values())


def make_index(
    entries: Mapping[str, IndexEntry], modules: Mapping[str, str] = nothing, wasm: Mapping[str, str] = nothing
) -> Index:
    """Make an index; the release's name is of its heads alone.

    Args:
        entries: by the models' names.
        modules: hashes of the modules that lie beside the loader, by name.
        wasm: hashes of the binaries that the module of TensorFlow.js names, by name.
    """
    models = dict(sorted(entries.items()))
    heads = to_json({name: entry.head_sha256 for name, entry in models.items()})
    release = hashlib.sha256(heads).hexdigest()[:hash_digits]
    return Index(release, models, dict(sorted(modules.items())), dict(sorted(wasm.items())))


def read_index(loader: bytes) -> Index:
    """Read the index out of a loader.

    Raises:
        FormatError: it is not a loader, or of a later format.
    """
    parts = loader.split(index_mark.encode())
    if len(parts) != 2:
        raise FormatError("is not a Shardpress loader", code="SP-501", where=loader_name, hint="Build again")
    try:
        content, _ = json.JSONDecoder().raw_decode(parts[1].decode().lstrip())
        version, models = content["format"], content["models"]
        modules, wasm = dict(content.get("modules", {})), dict(content.get("wasm", {}))
        valid = all(
            model_pattern.fullmatch(name) and _is_digest(digest) for name, digest in (*modules.items(), *wasm.items())
        )
        entries = {name: _entry(name, entry) for name, entry in models.items()}
        release = str(content["release"])
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise FormatError("has a damaged index", code="SP-503", where=loader_name, hint="Build again") from error
    if type(version) is not int or not 1 <= version <= format_version or not valid:
        raise FormatError(
            f"has an index of format {version!r}; this version reads 1 to {format_version}",
            code="SP-502",
            where=loader_name,
            hint="Upgrade shardpress",
        )
    return Index(release, entries, modules, wasm, version)


def _entry(name: str, found: Any) -> IndexEntry:
    """Read an entry that names nothing but what the format allows: addresses are made of it.

    Raises:
        ValueError: it does.
    """
    known = from_builtins(found[:7], tuple[str, int, str, str, str, int, int])
    extras = _extras(found[-1]) if len(found) > 7 and isinstance(found[-1], dict) else Extras()
    entry = IndexEntry(*known, extras)
    names = (name, *entry.rungs)
    if not all(map(model_pattern.fullmatch, names)) or not all(_is_digest(head.sha256) for head in entry.heads(name)):
        raise ValueError(name)
    return entry


def _extras(found: dict[str, Any]) -> Extras:
    older = from_builtins(found["older"], OlderHead) if "older" in found else None
    ladder = from_builtins(found["ladder"], LadderRungs) if "ladder" in found else None
    thread = from_builtins(found.get("thread"), str | None)
    version = from_builtins(found.get("version", 1), int)
    known = ("ladder", "older", "thread", "version")
    return Extras(older, ladder, thread, version, {key: item for key, item in found.items() if key not in known})


def _is_digest(item: object) -> bool:
    return isinstance(item, str) and bool(digest_pattern.fullmatch(item))


def replace_index(loader: bytes, index: Index) -> bytes:
    """Return the same loader with another index; its modules stay, as they belong to its code.

    Raises:
        FormatError: it is not a loader.
    """
    own = read_index(loader)
    content = Index(index.release, index.models, own.modules, own.wasm, index.format).encode()
    before, mark, after = loader.partition(index_mark.encode())
    text = after.decode()
    _, end = json.JSONDecoder().raw_decode(text)
    escaped = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for character in "<>&'":
        escaped = escaped.replace(character, f"\\u{ord(character):04x}")
    return before + mark + escaped.encode() + text[end:].encode()


def reachable(index: Index, heads: Mapping[str, Head]) -> set[str]:
    """Return the addresses of all modules, heads, shards and ops that an index names, encodings left out.

    Args:
        index: of a loader.
        heads: the head of each model.
    """
    urls = set(index.module_urls())
    for name, entry in index.models.items():
        urls.add(head_url(name, entry.head_sha256))
        urls.update(named_urls(name, heads[name]))
    return urls
