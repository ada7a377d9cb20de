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
from .answers import AnswerTable
from .audio import AudioConfig
from .ladders import LadderConfig, expand
from .offline import OfflineConfig
from .pictures import PictureConfig, PictureTable
from .rungs import AnswerKind, Precision, RungConfig, Size, WeightPrecision
from .serve import ServeConfig
from .sizes import check_sizes
from .source_inputs import InputConfig
from .table import Table
from .targets import TargetConfig
from .units import parse_size

model_name = re.compile(r"[a-z][a-z0-9-]*")
Load = Literal["now", "idle", "visible", "interaction", "manual"]
Priority = Literal["high", "normal", "low"]


class BuildConfig(Table, frozen=True):
    """The table ``[build]``."""

    out: Annotated[str, Meta(description="Folder to write to.")] = "dist"
    cache: Annotated[str, Meta(description="Folder of the build cache, or s3://bucket/prefix: shared.")] = ".shardpress"
    shard_bytes: Annotated[Size, Meta(description="About how large a shard is before compression.")] = "256 KiB"
    package: Annotated[str, Meta(description="Name of the ES package in dist/package.", min_length=1)] = "models"

    def __post_init__(self) -> None:
        """Check the address of a shared cache."""
        if "://" in self.cache and not re.match(r"s3://[^/?#]", self.cache):
            raise ValueError(f"the cache {self.cache!r} is neither a folder nor 's3://bucket/prefix'")


class BoxesConfig(Table, frozen=True):
    """The table ``[models.NAME.verify.boxes]``: how the metric boxes reads the outputs."""

    boxes: Annotated[str, Meta(description="Output with 4 numbers or more for each box; further ones are scores.")]
    scores: Annotated[str | None, Meta(description="Output with the scores, if they have one of their own.")] = None
    classes: Annotated[str | None, Meta(description="Output with the classes; else the best score tells.")] = None
    format: Annotated[
        Literal["xyxy", "yxyx", "xywh", "cxcywh"], Meta(description="What the 4 numbers are; c is the centre.")
    ] = "xyxy"
    classes_last: Annotated[bool, Meta(description="A row is 4 numbers, one score, and the class as its last.")] = False
    columns_first: Annotated[bool, Meta(description="The output is [pictures, numbers, boxes], as YOLO's.")] = False
    min_score: Annotated[float, Meta(description="Least score of a box that counts, as the model gives it.")] = 0.3
    iou: Annotated[float, Meta(description="Least intersection over union of two boxes that match.", gt=0, le=1)] = 0.7
    nms: Annotated[
        float | None,
        Meta(description="Drop boxes that overlap better ones of their class so much; none: the model did."),
    ] = None
    anchored: Annotated[bool, Meta(description="Boxes are relative to anchors, so only like rows can match.")] = False


class VerifyConfig(Table, frozen=True):
    """The table ``[models.NAME.verify]``."""

    inputs: Annotated[
        str | None, Meta(description="Pattern of .npz files, pictures, sounds or texts; without it seeded.")
    ] = None
    max_error: Annotated[
        float | None,
        Meta(
            description="Largest error at full precision: max |a-b| / max(1, max |b|). By itself 1e-4 for exact, 1e-3 "
            "for balanced and 0.05 for other precisions, and none beside min_agreement."
        ),
    ] = None
    min_agreement: Annotated[
        float | None, Meta(description="Least share of cases that agree by the metric, 0 to 1.")
    ] = None
    metric: Annotated[
        Literal["top1", "boxes", "psnr", "relative"],
        Meta(description="What agreement means: same top class, F1 of matched boxes, ≥ 40 dB, ≤ 1 %."),
    ] = "top1"
    boxes: Annotated[BoxesConfig | None, Meta(description="How the metric boxes reads the outputs.")] = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.max_error is not None and not 0 < self.max_error < float("inf"):
            raise ValueError(f"max_error is {self.max_error}, it must be above 0")
        if self.min_agreement is not None and not 0 <= self.min_agreement <= 1:
            raise ValueError(f"min_agreement is {self.min_agreement}, it must be from 0 to 1")
        if (self.metric == "boxes") is not (self.boxes is not None):
            raise ValueError('metric = "boxes" and the table boxes need each other')


class RuntimeConfig(Table, frozen=True):
    """The table ``[runtime]``: TensorFlow.js as a file of the bundle."""

    build: Annotated[bool, Meta(description="Make TensorFlow.js for the models, from npm's packages with esbuild.")] = (
        False
    )
    backends: Annotated[
        tuple[Literal["webgpu", "webgl", "wasm", "cpu"], ...],
        Meta(description="What it can run on, the best first.", min_length=1),
    ] = ("webgl", "wasm", "cpu")
    kernels: Annotated[
        Literal["used", "all"],
        Meta(description="used: only what the models, the loader and the functions below need, where that verifies."),
    ] = "used"
    functions: Annotated[
        tuple[str, ...], Meta(description="More that pages call, as after tf.: 'topk', 'image.cropAndResize'.")
    ] = ()
    budget: Annotated[Size | None, Meta(description="Most wire bytes of its code; over it the build fails.")] = None

    def __post_init__(self) -> None:
        """Check that no backend is named twice."""
        if len(set(self.backends)) < len(self.backends):
            raise ValueError("a backend is named twice")


class CutConfig(Table, frozen=True):
    """The table ``[models.NAME.cut]``: where the model begins and ends inside its graph."""

    inputs: Annotated[tuple[str, ...], Meta(description="Tensors that pages feed, by node name.")] = ()
    outputs: Annotated[tuple[str, ...], Meta(description="Tensors that pages get, by node name.")] = ()


class StageConfig(Table, frozen=True):
    """An item of ``stages``: outputs that can be executed before later ones have arrived."""

    name: Annotated[str, Meta(description="What pages wait for: handle.until(NAME).", pattern="^[a-z][a-z0-9-]*$")]
    outputs: Annotated[tuple[str, ...], Meta(description="Names of outputs, as in the signature.", min_length=1)]


class TokenizerConfig(Table, frozen=True):
    """The table ``[models.NAME.tokenizer]``: how ``run`` makes inputs of texts."""

    file: Annotated[str, Meta(description="tokenizer.json of Hugging Face's tokenizers.", min_length=1)]
    ids: Annotated[str, Meta(description="Input that takes the ids; by itself the one that is named so.")] = ""
    mask: Annotated[str, Meta(description="Input that tells ids from what fills up, if there is one.")] = ""
    types: Annotated[str, Meta(description="Input that tells the first text of two from the second, if any.")] = ""


class ModelConfig(Table, frozen=True):
    """The table ``[models.NAME]``."""

    source: Annotated[
        str,
        Meta(
            description="SavedModel folder, .h5, .hdf5, .keras, .pb, .onnx, .tflite, .task or model.json; "
            ".bin, .vec, .txt or .npy of words.",
        ),
    ] = ""
    ladder: Annotated[
        tuple[RungConfig, ...],
        Meta(description="In place of source: models for one purpose, the smallest first, which answers first."),
    ] = ()
    member: Annotated[
        str, Meta(description="Which TensorFlow Lite model of a .task or .zip archive; by itself the only one.")
    ] = ""
    load: Annotated[Load, Meta(description="When a page loads it.")] = "visible"
    priority: Annotated[Priority, Meta(description="Which model goes first.")] = "normal"
    precision: Annotated[
        Precision | dict[str, WeightPrecision],
        Meta(description="How weights are stored; or a table of patterns of weight names, of which the first counts."),
    ] = "exact"
    stages: Annotated[
        tuple[StageConfig, ...], Meta(description="Which outputs come first; by itself all come together.")
    ] = ()
    budget: Annotated[Size | None, Meta(description="Most wire bytes of all stages; over it the build fails.")] = None
    first_budget: Annotated[Size | None, Meta(description="Most wire bytes until the model first answers.")] = None
    labels: Annotated[str | None, Meta(description="Text file, a label a line, carried in the head.")] = None
    compat: Annotated[
        Literal["float32"] | None, Meta(description="Also write a stock model.json for tf.loadGraphModel.")
    ] = None
    signature: Annotated[str, Meta(description="Signature of a SavedModel.")] = "serving_default"
    tags: Annotated[tuple[str, ...], Meta(description="Tags of a SavedModel's graph.")] = ("serve",)
    outputs: Annotated[tuple[str, ...], Meta(description="Outputs to keep; all when empty.")] = ()
    weights: Annotated[
        bool, Meta(description="false: only the layers, with initial weights, for pages that train them.")
    ] = True
    inputs: Annotated[
        dict[str, InputConfig], Meta(description="Inputs of an ONNX or TensorFlow Lite model that are fixed, by name.")
    ] = field(default_factory=dict)
    channels: Annotated[
        Literal["first", "last"],
        Meta(description="last: pictures of an ONNX model go in and come out as a canvas has them, [n, h, w, c]."),
    ] = "first"
    picture: Annotated[PictureConfig | None, Meta(description="How `run` makes an input of a picture.")] = None
    audio: Annotated[AudioConfig | None, Meta(description="How `run` makes an input of a sound.")] = None
    answer: Annotated[
        AnswerKind | AnswerTable | PictureTable | None, Meta(description="What `run` gives; tensors by itself.")
    ] = None
    tokenizer: Annotated[
        str | TokenizerConfig | None, Meta(description="tokenizer.json, or a table: how `run` makes inputs of texts.")
    ] = None
    cut: Annotated[CutConfig, Meta(description="Where to cut the graph, if that is not clear by itself.")] = CutConfig()
    custom_ops: Annotated[str | None, Meta(description="JavaScript module that registers ops TensorFlow.js lacks.")] = (
        None
    )
    vocabulary: Annotated[str | None, Meta(description="Words of a .npy of vectors: text, a word a line.")] = None
    rows_first: Annotated[int, Meta(ge=1, description="How many rows of word vectors come first.")] = 5000
    trust: Annotated[
        bool,
        Meta(description="The model may hold code, and functions and ops that are not on the list of harmless ones."),
    ] = False
    license: Annotated[str | None, Meta(description="Licence of the model, for the manifest.")] = None
    card: Annotated[str | None, Meta(description="Where the model is described, for the manifest.")] = None
    verify: Annotated[VerifyConfig, Meta(description="How the bundle is checked.")] = VerifyConfig()

    def __post_init__(self) -> None:
        """Check that there is a source, and the names of the stages."""
        if bool(self.source) is bool(self.ladder):
            raise ValueError("source and ladder exclude each other" if self.source else "missing the key 'source'")
        names = [stage.name for stage in self.stages]
        if "refine" in names:
            raise ValueError("a stage cannot be named refine: the last one is")
        if len(set(names)) < len(names):
            raise ValueError("two stages have one name")


class Document(Table, frozen=True):
    """All of build.toml; the source of the published JSON Schema."""

    build: BuildConfig = BuildConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    offline: OfflineConfig | None = None
    models: dict[str, ModelConfig] = field(default_factory=dict)
    targets: dict[str, TargetConfig] = field(default_factory=dict)
    serve: ServeConfig = ServeConfig()


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
    check_sizes(config)
    return config


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of build.toml."""
    return msgspec.json.schema(Document)


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
    raise ConfigError(
        f"unknown key {key!r}", code="SP-203", where=place, hint=_hint(key, known, "Known keys:")
    ) from cause


def _hint(text: str, known: list[str], lead: str) -> str:
    near = difflib.get_close_matches(text, known, 1, 0.5)
    return f"Did you mean {near[0]!r}?" if near else f"{lead} {', '.join(known)}"
