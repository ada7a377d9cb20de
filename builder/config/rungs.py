"""An item of ``ladder`` in ``build.toml``: a rung, and the values that it shares with whole models."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .answers import AnswerTable
from .audio import AudioConfig
from .pictures import PictureConfig, PictureTable
from .source_inputs import InputConfig
from .table import Table
from .tokenizer import TokenizerConfig
from .units import Size

WeightPrecision = Literal["exact", "balanced", "float16", "uint8", "uint16"]
AnswerKind = Literal["classes", "boxes", "mask", "points", "picture", "vector"]
Precision = Literal["exact", "balanced", "small", "auto", "float16", "uint8", "uint16"]


class RungConfig(Table, frozen=True):
    """An item of ``ladder``; a key that it lacks is that of the model's table."""

    source: Annotated[str, Meta(description="As that of a model.", min_length=1, examples=["models/student.keras"])]
    member: Annotated[
        str | None,
        Meta(title="Member of an archive", description="As that of a model.", examples=["detector.tflite"]),
    ] = None
    precision: Annotated[
        Precision | dict[str, WeightPrecision] | None,
        Meta(description="How its weights are stored.", examples=["small", {"head/*": "exact", "*": "balanced"}]),
    ] = None
    budget: Annotated[
        Size | None,
        Meta(
            title="Size budget",
            description="Most wire bytes of this rung; over it the build fails.",
            examples=["600 kB", 614400],
        ),
    ] = None
    signature: Annotated[str | None, Meta(description="Signature of a SavedModel.", examples=["serving_default"])] = (
        None
    )
    outputs: Annotated[tuple[str, ...] | None, Meta(description="Outputs to keep.", examples=[["scores"]])] = None
    inputs: Annotated[
        dict[str, InputConfig] | None,
        Meta(
            title="Fixed inputs",
            description="Inputs of an ONNX or TensorFlow Lite model that are fixed.",
            examples=[{"input": {"shape": [1, 224, 224, 3]}}],
        ),
    ] = None
    channels: Annotated[
        Literal["first", "last"] | None, Meta(title="Order of channels", description="As that of a model.")
    ] = None
    picture: Annotated[
        PictureConfig | None,
        Meta(description="How `run` makes its input of a picture.", examples=[{"size": 96, "range": [-1, 1]}]),
    ] = None
    audio: Annotated[
        AudioConfig | None,
        Meta(description="How `run` makes its input of a sound.", examples=[{"rate": 16000, "samples": 15600}]),
    ] = None
    tokenizer: Annotated[
        str | TokenizerConfig | None,
        Meta(
            description="tokenizer.json, or a table: how `run` makes its inputs of texts.",
            examples=["models/student/tokenizer.json"],
        ),
    ] = None
    answer: Annotated[
        AnswerKind | AnswerTable | PictureTable | None,
        Meta(description="What `run` gives; the same for all rungs.", examples=["classes"]),
    ] = None
    license: Annotated[
        str | None,
        Meta(title="Licence", description="Licence of its model, for the manifest.", examples=["Apache-2.0"]),
    ] = None
    card: Annotated[
        str | None,
        Meta(
            title="Description of the model",
            description="Where it is described, for the manifest.",
            examples=["docs/student.md"],
        ),
    ] = None
