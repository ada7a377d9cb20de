"""The tables ``[models.NAME]``, and those inside them that are about the source and its graph."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from .answers import AnswerTable
from .audio import AudioConfig
from .pictures import PictureConfig, PictureTable
from .rungs import AnswerKind, Precision, RungConfig, WeightPrecision
from .source_inputs import InputConfig
from .table import Table
from .threads import Thread
from .tokenizer import TokenizerConfig
from .units import Size
from .verify import VerifyConfig

Load = Literal["now", "idle", "visible", "interaction", "manual"]
Priority = Literal["high", "normal", "low"]


class CutConfig(Table, frozen=True):
    """The table ``[models.NAME.cut]``: where the model begins and ends inside its graph."""

    inputs: Annotated[
        tuple[str, ...], Meta(description="Tensors that pages feed, by node name.", examples=[["decoded/image"]])
    ] = ()
    outputs: Annotated[
        tuple[str, ...],
        Meta(description="Tensors that pages get, by node name.", examples=[["StatefulPartitionedCall/logits"]]),
    ] = ()


class StageConfig(Table, frozen=True):
    """An item of ``stages``: outputs that can be executed before later ones have arrived."""

    name: Annotated[
        str,
        Meta(description="What pages wait for: handle.until(NAME).", pattern="^[a-z][a-z0-9-]*$", examples=["boxes"]),
    ]
    outputs: Annotated[
        tuple[str, ...],
        Meta(description="Names of outputs, as in the signature.", min_length=1, examples=[["boxes", "scores"]]),
    ]


class ModelConfig(Table, frozen=True):
    """The table ``[models.NAME]``."""

    source: Annotated[
        str,
        Meta(
            description="SavedModel folder, .h5, .hdf5, .keras, .pb, .onnx, .tflite, .task or model.json; "
            ".bin, .vec, .txt or .npy of words.",
            examples=["models/face.onnx", "models/saved_model", "models/web/model.json"],
        ),
    ] = ""
    ladder: Annotated[
        tuple[RungConfig, ...],
        Meta(
            description="In place of source: models for one purpose, the smallest first, which answers first.",
            examples=[[{"source": "models/student.keras"}, {"source": "models/teacher.onnx", "precision": "small"}]],
        ),
    ] = ()
    member: Annotated[
        str,
        Meta(
            title="Member of an archive",
            description="Which TensorFlow Lite model of a .task or .zip archive; by itself the only one.",
            examples=["hand_landmarks_detector.tflite"],
        ),
    ] = ""
    load: Annotated[Load, Meta(title="When it loads", description="When a page loads it.")] = "visible"
    priority: Annotated[Priority, Meta(description="Which model goes first.")] = "normal"
    thread: Annotated[
        Thread,
        Meta(
            title="Where it runs",
            description="worker: off the page's thread, unless load() says something else.",
        ),
    ] = "page"
    precision: Annotated[
        Precision | dict[str, WeightPrecision],
        Meta(
            description="How weights are stored; or a table of patterns of weight names, of which the first counts.",
            examples=["balanced", {"head/*": "exact", "*": "balanced"}],
        ),
    ] = "exact"
    stages: Annotated[
        tuple[StageConfig, ...],
        Meta(
            description="Which outputs come first; by itself all come together.",
            examples=[[{"name": "boxes", "outputs": ["boxes"]}]],
        ),
    ] = ()
    budget: Annotated[
        Size | None,
        Meta(
            title="Size budget",
            description="Most wire bytes of all stages; over it the build fails.",
            examples=["600 kB", 614400],
        ),
    ] = None
    first_budget: Annotated[
        Size | None,
        Meta(
            title="Budget of the first answer",
            description="Most wire bytes until the model first answers.",
            examples=["200 kB"],
        ),
    ] = None
    frame_ms: Annotated[
        Annotated[float, Meta(ge=1, le=60_000)] | None,
        Meta(
            title="Most milliseconds a run",
            description="Most milliseconds that a run may take on a device, as for live video; slower ones get less.",
            examples=[33, 100],
        ),
    ] = None
    answer_ms: Annotated[
        Annotated[float, Meta(ge=1, le=3_600_000)] | None,
        Meta(
            title="Most milliseconds to an answer",
            description="Most milliseconds from the beginning of a load to an answer: the download and a run.",
            examples=[2000, 10000],
        ),
    ] = None
    memory_share: Annotated[
        Annotated[float, Meta(gt=0, le=1)] | None,
        Meta(
            title="Share of the memory",
            description="Most of a device's memory that a model's bytes may be, 0 to 1; by itself a sixteenth.",
            examples=[0.03, 0.125],
        ),
    ] = None
    labels: Annotated[
        str | None, Meta(description="Text file, a label a line, carried in the head.", examples=["models/labels.txt"])
    ] = None
    compat: Annotated[
        Literal["float32"] | None,
        Meta(title="Stock copy", description="Also write a stock model.json for tf.loadGraphModel."),
    ] = None
    signature: Annotated[str, Meta(description="Signature of a SavedModel.", examples=["predict"])] = "serving_default"
    tags: Annotated[tuple[str, ...], Meta(description="Tags of a SavedModel's graph.", examples=[["serve", "gpu"]])] = (
        "serve",
    )
    outputs: Annotated[
        tuple[str, ...], Meta(description="Outputs to keep; all when empty.", examples=[["scores"]])
    ] = ()
    weights: Annotated[
        bool,
        Meta(
            title="With weights", description="false: only the layers, with initial weights, for pages that train them."
        ),
    ] = True
    inputs: Annotated[
        dict[str, InputConfig],
        Meta(
            title="Fixed inputs",
            description="Inputs of an ONNX or TensorFlow Lite model that are fixed, by name.",
            examples=[{"input": {"shape": [1, 224, 224, 3]}, "sr": {"value": 16000}}],
        ),
    ] = field(default_factory=dict)
    channels: Annotated[
        Literal["first", "last"],
        Meta(
            title="Order of channels",
            description="last: pictures of an ONNX model go in and come out as a canvas has them, [n, h, w, c].",
        ),
    ] = "first"
    picture: Annotated[
        PictureConfig | None,
        Meta(
            description="How `run` makes an input of a picture.",
            examples=[{"fit": "letterbox", "range": [-1, 1], "resize": "bilinear"}],
        ),
    ] = None
    audio: Annotated[
        AudioConfig | None,
        Meta(description="How `run` makes an input of a sound.", examples=[{"rate": 16000, "hop": 512}]),
    ] = None
    answer: Annotated[
        AnswerKind | AnswerTable | PictureTable | None,
        Meta(
            description="What `run` gives; tensors by itself.",
            examples=["classes", {"kind": "boxes", "format": "yolo"}],
        ),
    ] = None
    tokenizer: Annotated[
        str | TokenizerConfig | None,
        Meta(
            description="tokenizer.json, or a table: how `run` makes inputs of texts.",
            examples=["models/tokenizer.json", {"file": "models/tokenizer.json", "ids": "input_ids"}],
        ),
    ] = None
    cut: Annotated[
        CutConfig,
        Meta(
            description="Where to cut the graph, if that is not clear by itself.",
            examples=[{"inputs": ["decoded/image"], "outputs": ["logits"]}],
        ),
    ] = CutConfig()
    custom_ops: Annotated[
        str | None, Meta(description="JavaScript module that registers ops TensorFlow.js lacks.", examples=["ops.js"])
    ] = None
    vocabulary: Annotated[
        str | None, Meta(description="Words of a .npy of vectors: text, a word a line.", examples=["models/words.txt"])
    ] = None
    rows_first: Annotated[
        int,
        Meta(
            title="Rows that come first", ge=1, description="How many rows of word vectors come first.", examples=[1000]
        ),
    ] = 5000
    trust: Annotated[
        bool,
        Meta(
            title="Trust this model",
            description="The model may hold code, and functions and ops that are not on the list of harmless ones.",
        ),
    ] = False
    license: Annotated[
        str | None,
        Meta(title="Licence", description="Licence of the model, for the manifest.", examples=["Apache-2.0"]),
    ] = None
    card: Annotated[
        str | None,
        Meta(
            title="Description of the model",
            description="Where the model is described, for the manifest.",
            examples=["https://example.com/models/face", "docs/face.md"],
        ),
    ] = None
    verify: Annotated[
        VerifyConfig,
        Meta(description="How the bundle is checked.", examples=[{"inputs": "samples/*.npz", "max_error": 0.0001}]),
    ] = VerifyConfig()

    def __post_init__(self) -> None:
        """Check that there is a source, and the names of the stages."""
        if bool(self.source) is bool(self.ladder):
            missing = "missing the key 'source', or 'ladder' with two models or more"
            raise ValueError("source and ladder exclude each other" if self.source else missing)
        names = [stage.name for stage in self.stages]
        if "refine" in names:
            raise ValueError("a stage cannot be named refine: the last one is")
        if len(set(names)) < len(names):
            raise ValueError("two stages have one name")
