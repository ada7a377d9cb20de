"""``build.toml`` as frozen structs, every key checked."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, field

from ..errors import ConfigError
from ..program import program
from ..typed import from_builtins
from .ladders import LadderConfig, as_written, expand
from .models import ModelConfig
from .offline import OfflineConfig
from .rungs import RungConfig
from .serve import ServeConfig
from .sizes import check_sizes
from .table import Table
from .targets import TargetConfig
from .threads import check_threads
from .units import Size, parse_size

model_name = re.compile(r"[a-z][a-z0-9-]*")


class BuildConfig(Table, frozen=True):
    """The table ``[build]``."""

    out: Annotated[
        str, Meta(title="Output folder", description="Folder to write to.", examples=["models-dist", "dist"])
    ] = "dist"
    cache: Annotated[
        str,
        Meta(
            title="Build cache",
            description="Folder of the build cache, or s3://bucket/prefix: shared.",
            examples=["s3://my-bucket/cache", ".shardpress"],
        ),
    ] = ".shardpress"
    shard_bytes: Annotated[
        Size,
        Meta(
            title="Shard size",
            description="About how large a shard is before compression.",
            examples=["1 MiB", 262144],
        ),
    ] = "256 KiB"
    package: Annotated[
        str,
        Meta(
            title="Package name",
            description="Name of the ES package in dist/package.",
            min_length=1,
            examples=["@my-site/models"],
        ),
    ] = "models"

    def __post_init__(self) -> None:
        """Check the address of a shared cache."""
        if "://" in self.cache and not re.match(r"s3://[^/?#]", self.cache):
            raise ValueError(f"the cache {self.cache!r} is neither a folder nor 's3://bucket/prefix'")


class RuntimeConfig(Table, frozen=True):
    """The table ``[runtime]``: TensorFlow.js as a file of the bundle."""

    build: Annotated[
        bool,
        Meta(
            title="Build TensorFlow.js",
            description="Make TensorFlow.js for the models, from npm's packages with esbuild.",
        ),
    ] = False
    backends: Annotated[
        tuple[Literal["webgpu", "webgl", "wasm", "cpu"], ...],
        Meta(description="What it can run on, the best first.", min_length=1, examples=[["webgpu", "wasm"]]),
    ] = ("webgl", "wasm", "cpu")
    kernels: Annotated[
        Literal["used", "all"],
        Meta(description="used: only what the models, the loader and the functions below need, where that verifies."),
    ] = "used"
    functions: Annotated[
        tuple[str, ...],
        Meta(
            description="More that pages call, as after tf.: 'topk', 'image.cropAndResize'.",
            examples=[["topk", "image.cropAndResize"]],
        ),
    ] = ()
    budget: Annotated[
        Size | None,
        Meta(
            title="Size budget",
            description="Most wire bytes of its code; over it the build fails.",
            examples=["700 kB"],
        ),
    ] = None

    def __post_init__(self) -> None:
        """Check that no backend is named twice."""
        if len(set(self.backends)) < len(self.backends):
            raise ValueError("a backend is named twice")


class Document(Table, frozen=True):
    """All of build.toml; the source of the published JSON Schema."""

    build: Annotated[
        BuildConfig,
        Meta(description="Where a build writes, and how.", examples=[{"out": "dist", "shard_bytes": "1 MiB"}]),
    ] = BuildConfig()
    runtime: Annotated[
        RuntimeConfig,
        Meta(
            title="TensorFlow.js in the bundle",
            description="TensorFlow.js made for the bundle's models.",
            examples=[{"build": True, "backends": ["webgl", "wasm"]}],
        ),
    ] = RuntimeConfig()
    offline: Annotated[
        OfflineConfig | None,
        Meta(description="The service worker of a finished site; none by itself.", examples=[{"site": "public"}]),
    ] = None
    models: Annotated[
        dict[Annotated[str, Meta(pattern=f"^{model_name.pattern}$")], ModelConfig],
        Meta(
            description="The models, by the name that pages use: lower-case letters, digits and hyphens.",
            examples=[{"faces": {"source": "models/faces.tflite", "answer": "boxes"}}],
        ),
    ] = field(default_factory=dict)
    targets: Annotated[
        dict[Annotated[str, Meta(pattern=f"^{model_name.pattern}$")], TargetConfig],
        Meta(
            title="Publishing targets",
            description="Where releases are published, by name.",
            examples=[{"public": {"type": "directory", "path": "public/models"}}],
        ),
    ] = field(default_factory=dict)
    serve: Annotated[
        ServeConfig,
        Meta(
            title="Development server",
            description="Who may reach the server of --watch.",
            examples=[{"hosts": ["my-tunnel.example.com"]}],
        ),
    ] = ServeConfig()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A checked build.toml and where it lies.

    Attributes:
        serve: its table for development.
        path: the file; relative paths in it start at its folder.
        build, runtime, offline, models, targets: its tables; each rung of a ladder is a model.
        ladders: by name.
    """

    path: Path
    build: BuildConfig
    runtime: RuntimeConfig = RuntimeConfig()
    offline: OfflineConfig | None = None
    models: dict[str, ModelConfig]
    ladders: dict[str, LadderConfig] = field(default_factory=dict)
    targets: dict[str, TargetConfig]
    serve: ServeConfig = ServeConfig()

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
        hint = f"Run {program()} init, which finds models and writes one, or name another with --config"
        raise ConfigError("does not exist", code="SP-201", where=str(path), hint=hint) from error
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", code="SP-201", where=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"is not valid TOML: {error}", code="SP-202", where=str(path), hint="Correct that line"
        ) from error
    _known_keys(tables, Document, str(path))
    build = _convert(tables.get("build", {}), BuildConfig, path, "build")
    tables_of_models = _named(tables, "models", path).items()
    models = {name: _convert(table, ModelConfig, path, f"models.{name}") for name, table in tables_of_models}
    models, ladders = expand(path, models)
    config = Config(
        path=path,
        build=build,
        runtime=_convert(tables.get("runtime", {}), RuntimeConfig, path, "runtime"),
        offline=_convert(tables["offline"], OfflineConfig, path, "offline") if "offline" in tables else None,
        models=models,
        ladders=ladders,
        targets={
            name: _convert(table, TargetConfig, path, f"targets.{name}")
            for name, table in _named(tables, "targets", path).items()
        },
        serve=_convert(tables.get("serve", {}), ServeConfig, path, "serve"),
    )
    with as_written(ladders):
        check_sizes(config)
        check_threads(path, config.models)
    return config


Struct = TypeVar("Struct", bound=msgspec.Struct)


def _named(tables: dict[str, Any], kind: str, path: Path) -> dict[str, Any]:
    named = tables.get(kind, {})
    if not isinstance(named, dict):
        raise ConfigError(f"{kind} must be a table", code="SP-207", where=str(path), hint=f"Write [{kind}.NAME]")
    for name in named:
        if not model_name.fullmatch(name):
            raise ConfigError(
                f"the name {name!r} is not allowed",
                code="SP-208",
                where=f"{path}, {kind}",
                hint="Names are lower-case letters, digits and hyphens, and start with a letter",
            )
    return named


def _convert(table: Any, kind: type[Struct], path: Path, key: str) -> Struct:
    try:
        return from_builtins(table, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        message, _, inner = text.partition(" - at `$")
        place = f"{path}, {key}{inner.rstrip('`')}"
        owner: Any = kind
        found: Any = None
        for part in re.findall(r"\.(\w+)", inner):
            found = next((field.type for field in msgspec.structs.fields(owner) if field.name == part), None)
            owner = _struct_of(found) or owner
        if unknown := re.search(r"unknown field `(.*)`", message):
            _unknown(unknown[1], owner, place, error)
        if odd := re.search(r"enum value '(.*)'", message):
            hint = _hint(odd[1], _choices(found), "Use one of")
            raise ConfigError(f"cannot be {odd[1]!r}", code="SP-205", where=place, hint=hint) from error
        message = message.replace("Object missing required field", "missing the key").replace("`", "'")
        raise ConfigError(
            message[0].lower() + message[1:], code="SP-205", where=place, hint="Correct the value"
        ) from error


def _struct_of(annotation: Any) -> type[msgspec.Struct] | None:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    return next(filter(None, map(_struct_of, getattr(annotation, "__args__", ()))), None)


def _choices(annotation: Any) -> list[str]:
    """Return the values of an annotation that lists some."""
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    return [value for part in get_args(annotation) for value in _choices(part)]


def _known_keys(tables: dict[str, Any], kind: type[msgspec.Struct], place: str) -> None:
    known = {field.name for field in msgspec.structs.fields(kind)}
    for key in tables:
        if key not in known:
            _unknown(key, kind, place, None)


def _unknown(key: str, kind: type[msgspec.Struct], place: str, cause: Exception | None) -> None:
    known = [field.name for field in msgspec.structs.fields(kind)]
    hint = _hint(key, known, "Known keys:")
    if kind is RungConfig and key in ModelConfig.__struct_fields__:
        hint = "All rungs share it: write it beside ladder"
    raise ConfigError(f"unknown key {key!r}", code="SP-203", where=place, hint=hint) from cause


def _hint(text: str, known: list[str], lead: str) -> str:
    near = difflib.get_close_matches(text, known, 1, 0.5)
    return f"Did you mean {near[0]!r}?" if near else f"{lead} {', '.join(known)}"
