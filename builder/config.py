"""``build.toml`` as frozen structs, every key checked."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from builder.errors import ConfigError
from builder.units import parse_size

model_name = re.compile(r"[a-z][a-z0-9-]*")
smallest_shard = 1024
Size = Annotated[int | str, Meta(description="Bytes, as a number or as text: '256 KiB', '600 kB'.")]
Load = Literal["now", "idle", "visible", "interaction", "manual"]
Priority = Literal["high", "normal", "low"]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of build.toml: unknown keys are errors."""


class BuildConfig(_Table, frozen=True):
    """The table ``[build]``."""

    out: Annotated[str, Meta(description="Folder to write to.")] = "dist"
    cache: Annotated[str, Meta(description="Folder of the build cache.")] = ".shardpress"
    shard_bytes: Annotated[Size, Meta(description="About how large a shard is before compression.")] = "256 KiB"
    package: Annotated[str, Meta(description="Name of the ES package in dist/package.", min_length=1)] = "models"


class VerifyConfig(_Table, frozen=True):
    """The table ``[models.NAME.verify]``."""

    inputs: Annotated[str | None, Meta(description="Pattern of .npz files or pictures; without it seeded inputs.")] = (
        None
    )
    max_error: Annotated[
        float | None, Meta(description="Largest error at full precision: max |a-b| / max(1, max |b|).")
    ] = 1e-4
    min_agreement: Annotated[
        float | None, Meta(description="Least share of cases that agree by the metric, 0 to 1.")
    ] = None
    metric: Annotated[
        Literal["top1", "psnr", "relative"], Meta(description="What agreement means: same top class, ≥ 40 dB, ≤ 1 %.")
    ] = "top1"

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.max_error is not None and not 0 < self.max_error < float("inf"):
            raise ValueError(f"max_error is {self.max_error}, it must be above 0")
        if self.min_agreement is not None and not 0 <= self.min_agreement <= 1:
            raise ValueError(f"min_agreement is {self.min_agreement}, it must be from 0 to 1")


class ModelConfig(_Table, frozen=True):
    """The table ``[models.NAME]``."""

    source: Annotated[str, Meta(description="SavedModel folder, .h5, .hdf5, .keras, .pb or model.json.", min_length=1)]
    load: Annotated[Load, Meta(description="When a page loads it.")] = "visible"
    priority: Annotated[Priority, Meta(description="Which model goes first.")] = "normal"
    precision: Annotated[Literal["exact"], Meta(description="How weights are stored.")] = "exact"
    budget: Annotated[Size | None, Meta(description="Most wire bytes of all stages; over it the build fails.")] = None
    labels: Annotated[str | None, Meta(description="Text file, a label a line, carried in the head.")] = None
    compat: Annotated[
        Literal["float32"] | None, Meta(description="Also write a stock model.json for tf.loadGraphModel.")
    ] = None
    signature: Annotated[str, Meta(description="Signature of a SavedModel.")] = "serving_default"
    tags: Annotated[tuple[str, ...], Meta(description="Tags of a SavedModel's graph.")] = ("serve",)
    outputs: Annotated[tuple[str, ...], Meta(description="Outputs to keep; all when empty.")] = ()
    trust: Annotated[bool, Meta(description="The model may hold code (Keras Lambda layers).")] = False
    license: Annotated[str | None, Meta(description="Licence of the model, for the manifest.")] = None
    card: Annotated[str | None, Meta(description="Where the model is described, for the manifest.")] = None
    verify: Annotated[VerifyConfig, Meta(description="How the bundle is checked.")] = VerifyConfig()


class TargetConfig(_Table, frozen=True):
    """The table ``[targets.NAME]``: where releases are published."""

    type: Literal["s3", "directory"]
    path: Annotated[str | None, Meta(description="Folder of a directory target.")] = None
    bucket: str | None = None
    prefix: str = ""
    public_url: str | None = None
    endpoint_url: str = ""
    addressing: Literal["auto", "path", "virtual"] = "auto"
    encoding: Literal["br", "gzip", "identity"] = "br"
    keep_releases: Annotated[int, Meta(ge=1)] = 5


class Document(_Table, frozen=True):
    """All of build.toml; the source of the published JSON Schema."""

    build: BuildConfig = BuildConfig()
    models: dict[str, ModelConfig] = {}
    targets: dict[str, TargetConfig] = {}


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A checked build.toml and where it lies.

    Attributes:
        path: the file; relative paths in it start at its folder.
        build, models, targets: its tables.
    """

    path: Path
    build: BuildConfig
    models: dict[str, ModelConfig]
    targets: dict[str, TargetConfig]

    @property
    def folder(self) -> Path:
        """Where relative paths start."""
        return self.path.parent

    @property
    def shard_bytes(self) -> int:
        """Size of shards in bytes."""
        return parse_size(self.build.shard_bytes)


def load_config(path: Path) -> Config:
    """Read and check ``build.toml``.

    Raises:
        ConfigError: missing, malformed, an unknown key, a wrong value; the key and the nearest known one are named.
    """
    try:
        tables = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError as error:
        raise ConfigError("does not exist", where=str(path), hint="Write one, or name another with --config") from error
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"is not valid TOML: {error}", where=str(path), hint="Mend that line") from error
    _known_keys(tables, Document, str(path))
    build = _convert(tables.get("build", {}), BuildConfig, path, "build")
    config = Config(
        path=path,
        build=build,
        models={
            name: _convert(table, ModelConfig, path, f"models.{name}")
            for name, table in _named(tables, "models", path).items()
        },
        targets={
            name: _convert(table, TargetConfig, path, f"targets.{name}")
            for name, table in _named(tables, "targets", path).items()
        },
    )
    _check_sizes(config)
    return config


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema of build.toml."""
    return msgspec.json.schema(Document)


Table = TypeVar("Table", bound=msgspec.Struct)


def _named(tables: dict[str, Any], kind: str, path: Path) -> dict[str, Any]:
    named = tables.get(kind, {})
    if not isinstance(named, dict):
        raise ConfigError(f"{kind} must be a table", where=str(path), hint=f"Write [{kind}.NAME]")
    for name in named:
        if not model_name.fullmatch(name):
            raise ConfigError(
                f"the name {name!r} is not allowed",
                where=f"{path}, {kind}",
                hint="Names are lower-case letters, digits and hyphens, and start with a letter",
            )
    return named


def _convert(table: Any, kind: type[Table], path: Path, key: str) -> Table:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        message, _, inner = text.partition(" - at `$")
        place = f"{path}, {key}{inner.rstrip('`')}"
        owner: Any = kind
        for part in re.findall(r"\.(\w+)", inner):
            found = next((field.type for field in msgspec.structs.fields(owner) if field.name == part), None)
            owner = _struct_of(found) or owner
        if unknown := re.search(r"unknown field `(.*)`", message):
            _unknown(unknown[1], owner, place, error)
        message = message.replace("Object missing required field", "missing the key").replace("`", "'")
        raise ConfigError(message[0].lower() + message[1:], where=place, hint="Mend the value") from error


def _struct_of(annotation: Any) -> type[msgspec.Struct] | None:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    return next(filter(None, map(_struct_of, getattr(annotation, "__args__", ()))), None)


def _known_keys(tables: dict[str, Any], kind: type[msgspec.Struct], place: str) -> None:
    known = {field.name for field in msgspec.structs.fields(kind)}
    for key in tables:
        if key not in known:
            _unknown(key, kind, place, None)


def _unknown(key: str, kind: type[msgspec.Struct], place: str, cause: Exception | None) -> None:
    known = [field.name for field in msgspec.structs.fields(kind)]
    near = difflib.get_close_matches(key, known, 1, 0.5)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(known)}"
    raise ConfigError(f"unknown key {key!r}", where=place, hint=hint) from cause


def _check_sizes(config: Config) -> None:
    sizes: list[tuple[str, int | str | None]] = [("build.shard_bytes", config.build.shard_bytes)]
    sizes += [(f"models.{name}.budget", model.budget) for name, model in config.models.items()]
    for key, size in sizes:
        try:
            count = parse_size(size) if size is not None else smallest_shard
        except ValueError as error:
            raise ConfigError(str(error), where=f"{config.path}, {key}", hint="Mend the value") from error
        if key == "build.shard_bytes" and count < smallest_shard:
            raise ConfigError(
                f"shards of {count} bytes are too small", where=f"{config.path}, {key}", hint="Use at least 1 KiB"
            )
