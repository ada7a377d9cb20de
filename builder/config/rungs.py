"""An item of ``ladder`` in ``build.toml``: a rung, and the values that it shares with whole models."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .answers import AnswerTable
from .pictures import PictureConfig, PictureTable
from .source_inputs import InputConfig
from .table import Table

Size = Annotated[int | str, Meta(description="Bytes, as a number or as text: '256 KiB', '600 kB'.")]
WeightPrecision = Literal["exact", "balanced", "float16", "uint8", "uint16"]
AnswerKind = Literal["classes", "boxes", "mask", "points", "picture", "vector"]
Precision = Literal["exact", "balanced", "small", "auto", "float16", "uint8", "uint16"]


class RungConfig(Table, frozen=True):
    """An item of ``ladder``; a key that it lacks is that of the model's table."""

    source: Annotated[str, Meta(description="As that of a model.", min_length=1)]
    member: Annotated[str | None, Meta(description="As that of a model.")] = None
    precision: Annotated[
        Precision | dict[str, WeightPrecision] | None, Meta(description="How its weights are stored.")
    ] = None
    budget: Annotated[Size | None, Meta(description="Most wire bytes of this rung; over it the build fails.")] = None
    signature: Annotated[str | None, Meta(description="Signature of a SavedModel.")] = None
    outputs: Annotated[tuple[str, ...] | None, Meta(description="Outputs to keep.")] = None
    inputs: Annotated[
        dict[str, InputConfig] | None, Meta(description="Inputs of an ONNX or TensorFlow Lite model that are fixed.")
    ] = None
    channels: Annotated[Literal["first", "last"] | None, Meta(description="As that of a model.")] = None
    picture: Annotated[PictureConfig | None, Meta(description="How `run` makes its input of a picture.")] = None
    answer: Annotated[
        AnswerKind | AnswerTable | PictureTable | None, Meta(description="What `run` gives; the same for all rungs.")
    ] = None
    license: Annotated[str | None, Meta(description="Licence of its model, for the manifest.")] = None
    card: Annotated[str | None, Meta(description="Where it is described, for the manifest.")] = None
