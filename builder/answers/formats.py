"""What families of detectors give: from ``format`` and the shapes of outputs to the keys that say how boxes are read.

Where it is written down: Ultralytics' exports (YOLOv5, YOLOv8 and later: one table, in pixels of the model's picture,
or in parts of it where TensorFlow was on the way), the ONNX demo of Megvii's YOLOX, the box coder and post-processing
of TensorFlow's Object Detection API, torchvision's RetinaNet and its anchors, DETR's PostProcess, and the face, palm
and pose detection graphs of MediaPipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..config.answers import AnchorLevel, BoxesTable, KeyPoints
from ..errors import ConversionError
from ..model import TensorSpec

Settings = dict[str, Any]
Shape = tuple[int | None, ...]
yolo_strides, large_strides = (8, 16, 32), (8, 16, 32, 64)
yolov5_shapes = (
    ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
)
end_to_end = 6  # x, y, x, y, score, class


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a model when its answer's settings are completed.

    Attributes:
        outputs: of the model, in its order.
        labels: how many there are; 0: none.
        size: height and width of the picture that the model takes, if it is fixed.
        from_tensorflow: TensorFlow exported it, whatever it was trained in.
        where: the settings, for messages.
        inputs: names of the model's inputs.
    """

    outputs: tuple[TensorSpec, ...]
    labels: int = 0
    size: tuple[int, int] | None = None
    from_tensorflow: bool = False
    where: str = "answer"
    inputs: tuple[str, ...] = ()

    def shape(self, name: str) -> Shape:
        """Return an output's shape; () where its rank is open."""
        return next((spec.shape for spec in self.outputs if spec.name == name), None) or ()

    def is_open(self, name: str) -> bool:
        """Whether nothing is known of an output's shape, as of layers models."""
        return any(spec.shape is None for spec in self.outputs if spec.name == name)

    def first(self, fits: Callable[[Shape], bool], *but: str) -> str:
        """Return the name of the first output whose shape fits, other than some; "" if there is none."""
        found = (spec.name for spec in self.outputs if spec.shape is not None and fits(spec.shape))
        return next((name for name in found if name not in but), "")

    def unfit(self, what: str, hint: str = "") -> ConversionError:
        """Return the error of settings that do not fit the model."""
        shapes = ", ".join(f"{spec.name!r} {list(spec.shape or ())}" for spec in self.outputs)
        return ConversionError(
            what, code="SP-430", where=self.where, hint=hint or f"Name the outputs; the model has {shapes}"
        )


def complete_boxes(table: BoxesTable, seen: Seen) -> Settings:
    """Return what the format of a table sets, by key.

    Raises:
        ConversionError: the outputs are not those of the format.
    """
    return formats[table.format](table, seen)


def cells(size: tuple[int, int], strides: Sequence[int]) -> int:
    """Return how many cells the grids of some strides have on a picture of so many rows and columns."""
    return sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in strides)


def _names(given: str | tuple[str, ...]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else given


def _corners(table: BoxesTable, seen: Seen) -> Settings:
    shared: Settings = {"score": 0.25, "iou": 0.45}
    if table.boxes and (table.scores or seen.shape(_names(table.boxes)[0])[-1:] != (4,)):
        return shared
    boxes, scores = _pair(table, seen)
    return shared | {"boxes": (boxes,), "scores": (scores,)}


def _is_boxes(shape: Shape) -> bool:
    return len(shape) in {2, 3} and shape[-1] == 4


def _is_table(shape: Shape) -> bool:
    return len(shape) == 3 and shape[0] in {1, None}


def _yolo(table: BoxesTable, seen: Seen) -> Settings:
    if table.family == "heads" or (not table.boxes and len(seen.outputs) > 2 and seen.first(_is_head)):
        return _yolo_heads(table, seen)
    name = _names(table.boxes)[0] if table.boxes else seen.first(_is_table)
    shape = seen.shape(name)
    if len(shape) != 3:
        raise seen.unfit("no output is [1, boxes, numbers] or [1, numbers, boxes]")
    family = table.family or yolo_family(shape, seen)
    if family is None:
        raise seen.unfit(
            f"the shape {list(shape)} of {name!r} does not tell which YOLO it is",
            'Say family = "v5", "v8", "v10" or "x", and give the labels',
        )
    shared = {"boxes": (name,), "score": 0.25, "iou": 0.45, "first": 0}
    unit = "normalised" if seen.from_tensorflow and family in {"v5", "v8"} else "pixels"
    if family == "v10":
        return shared | {"columns": (0, 4, 5), "form": "xyxy", "unit": unit, "suppressed": True, "iou": 1.0}
    columns = family == "v8" and _numbers_first(shape, seen.labels)
    layout = "columns" if columns else "rows"
    width = shape[1] if columns else shape[2]
    if family == "x":
        levels = tuple(AnchorLevel(stride=stride) for stride in yolo_strides)
        shape_of = {"form": "cxcywh", "decode": "deltas", "offset": 0.0, "objectness": True}
        return shared | shape_of | {"layout": layout, "anchors": levels}
    more: Settings = {"objectness": True} if family == "v5" else {}
    begin = 4 + len(more)
    if seen.labels and width and width > begin + seen.labels:
        more["categories"] = seen.labels
    return shared | more | {"layout": layout, "form": "cxcywh", "unit": unit}


def yolo_family(shape: Shape, seen: Seen) -> str | None:
    """Return which YOLO gives a table of a shape, or None if that is not clear."""
    _, high, wide = shape
    lengths = {length for length in (high, wide) if length is not None}
    if seen.size is not None:
        for strides in (yolo_strides, large_strides):
            once = cells(seen.size, strides)
            if 3 * once in lengths:
                return "v5"
            if once in lengths:
                plain = high == once and wide != once
                apart = not seen.labels or wide == seen.labels + 5
                return "x" if plain and apart and not seen.from_tensorflow else "v8"
    if wide == end_to_end and seen.labels != 1:
        return "v10"
    if seen.labels and seen.labels + 4 in lengths:
        return "v8"
    return "v5" if seen.labels and wide == seen.labels + 5 else None


def _numbers_first(shape: Shape, labels: int) -> bool:
    _, high, wide = shape
    if high is None or wide is None:
        return high is not None
    return high == labels + 4 or (wide != labels + 4 and high < wide)


def _is_head(shape: Shape) -> bool:
    return len(shape) == 5 and shape[1] == 3


def _yolo_heads(table: BoxesTable, seen: Seen) -> Settings:
    """Complete the raw heads of YOLOv5 and YOLOv7, [1, 3, height, width, 5 + classes], the finest first."""
    names = _names(table.boxes) or tuple(
        spec.name for spec in seen.outputs if spec.shape is not None and _is_head(spec.shape)
    )
    if len(names) != len(yolov5_shapes) and not table.anchors:
        raise seen.unfit(
            "the heads of this YOLO need anchors", "Give anchors = [{ stride = 8, shapes = [[10, 13], …] }, …]"
        )
    levels = tuple(
        AnchorLevel(stride=stride, shapes=shapes) for stride, shapes in zip(yolo_strides, yolov5_shapes, strict=True)
    )
    return {
        "boxes": names, "anchors": levels, "decode": "yolo", "objectness": True, "activation": "sigmoid",
        "layout": "rows", "form": "cxcywh", "offset": 0.5, "score": 0.25, "iou": 0.45,
    }  # fmt: skip


tf_names: Sequence[Mapping[str, str]] = (
    {
        "boxes": "detection_boxes",
        "scores": "detection_scores",
        "classes": "detection_classes",
        "number": "num_detections",
    },
    {
        "boxes": "TFLite_Detection_PostProcess",
        "classes": "TFLite_Detection_PostProcess:1",
        "scores": "TFLite_Detection_PostProcess:2",
        "number": "TFLite_Detection_PostProcess:3",
    },
)


def _ssd(table: BoxesTable, seen: Seen) -> Settings:
    known = {spec.name for spec in seen.outputs}
    for number, names in enumerate(tf_names):
        if names["boxes"] in known and names["scores"] in known and not table.boxes:
            told = {
                key: (name,) if key in {"boxes", "scores"} else name for key, name in names.items() if name in known
            }
            # The label maps of TensorFlow's API begin with 1; its TensorFlow Lite models count from 0.
            return _finished() | told | {"first": 1 - number}
    boxes, scores = _pair(table, seen)
    if table.classes or len(seen.shape(scores)) < 3:
        return _finished() | {"boxes": (boxes,), "scores": (scores,)}
    if not table.anchors:
        raise seen.unfit(
            "an SSD without its last step needs anchors", "Give anchors = [{ stride = 16, shapes = [[w, h], …] }, …]"
        )
    return {
        "boxes": (boxes,), "scores": (scores,), "form": "cycxhw", "decode": "deltas", "variances": (0.1, 0.1, 0.2, 0.2),
        "background": "first", "activation": "softmax", "offset": 0.5, "score": 0.5, "iou": 0.6,
    }  # fmt: skip


def _finished() -> Settings:
    return {"form": "yxyx", "unit": "normalised", "suppressed": True, "score": 0.5, "iou": 1.0, "layout": "rows"}


def _pair(table: BoxesTable, seen: Seen) -> tuple[str, str]:
    """Return the names of the outputs with the boxes and their scores."""
    boxes = _names(table.boxes)[0] if table.boxes else seen.first(_is_boxes)
    count = seen.shape(boxes)[-2] if len(seen.shape(boxes)) > 1 else None

    def beside(shape: Shape) -> bool:
        return len(shape) > 1 and count in {shape[-2], shape[-1]}

    scores = _names(table.scores)[0] if table.scores else seen.first(beside, boxes, table.classes)
    if not boxes or not scores:
        raise seen.unfit("it is not clear which outputs hold boxes and scores")
    return boxes, scores


def retinanet_anchors() -> tuple[AnchorLevel, ...]:
    """Return the anchors of torchvision's RetinaNet: five levels, three ratios, three sizes each."""
    levels = []
    for level in range(3, 8):
        sizes = [int(4 * 2**level * 2 ** (third / 3)) for third in range(3)]
        shapes = [(size / ratio**0.5, size * ratio**0.5) for ratio in (0.5, 1.0, 2.0) for size in sizes]
        rounded = tuple((2.0 * round(width / 2), 2.0 * round(height / 2)) for width, height in shapes)
        levels.append(AnchorLevel(stride=2**level, shapes=rounded))
    return tuple(levels)


def _retinanet(table: BoxesTable, seen: Seen) -> Settings:
    boxes, scores = _pair(table, seen)
    levels = retinanet_anchors()
    return {
        "boxes": _names(table.boxes) or (boxes,), "scores": _names(table.scores) or (scores,), "form": "cxcywh",
        "decode": "deltas", "activation": "sigmoid", "offset": 0.0, "anchors": levels, "score": 0.3, "iou": 0.5,
    }  # fmt: skip


def _detr(table: BoxesTable, seen: Seen) -> Settings:
    shared = {"form": "cxcywh", "unit": "normalised", "suppressed": True, "score": 0.5, "iou": 1.0, "layout": "rows"}
    if len(seen.outputs) == 1 and not table.scores:  # as Ultralytics exports RT-DETR
        return shared | {"boxes": (seen.outputs[0].name,), "activation": "none"}
    boxes, scores = _pair(table, seen)
    width = seen.shape(scores)[-1]
    nothing = width == seen.labels + 1 if seen.labels else width == 92
    kind = {"activation": "softmax", "background": "last"} if nothing else {"activation": "sigmoid"}
    return shared | kind | {"boxes": (boxes,), "scores": (scores,)}


@dataclass(frozen=True, slots=True)
class MediaPipe:
    """A detector of MediaPipe: grids as (stride, anchors of a cell), and the points that a box has."""

    what: str
    thing: str
    side: int
    grids: tuple[tuple[int, int], ...]
    points: tuple[str, ...]
    score: float

    @property
    def rows(self) -> int:
        """How many anchors there are."""
        return sum(count * cells((self.side, self.side), (stride,)) for stride, count in self.grids)


face_points = ("left eye", "right eye", "nose", "mouth", "left ear", "right ear")  # left in the picture
palm_points = ("wrist", "index finger", "middle finger", "ring finger", "little finger", "thumb base", "thumb")
body_points = ("hips", "full body", "shoulders", "upper body")
mediapipe = (
    MediaPipe("faces nearby", "face", 128, ((8, 2), (16, 6)), face_points, 0.5),
    MediaPipe("faces", "face", 256, ((16, 2), (32, 6)), face_points, 0.5),
    MediaPipe("faces far away", "face", 192, ((4, 1),), face_points, 0.6),
    MediaPipe("palms", "palm", 192, ((8, 2), (16, 6)), palm_points, 0.5),
    MediaPipe("people", "person", 224, ((8, 2), (16, 2), (32, 3 * 2)), body_points, 0.5),
)


def mediapipe_of(width: int | None, rows: int | None, size: tuple[int, int] | None) -> MediaPipe | None:
    """Return the detector that gives so many rows of so many numbers, or None."""
    for one in mediapipe:
        if width == 4 + 2 * len(one.points) and rows == one.rows and size in {None, (one.side, one.side)}:
            return one
    return None


def mediapipe_outputs(seen: Seen) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the outputs with boxes and points, the finest grid first, and of those with their scores."""
    boxes = [spec for spec in seen.outputs if len(spec.shape or ()) == 3 and (spec.shape or ())[-1] in {12, 16, 18}]
    boxes.sort(key=lambda spec: -((spec.shape or ())[1] or 0))

    def score_of(rows: int | None) -> str:
        return seen.first(lambda shape: tuple(shape[1:]) in {(rows, 1), (rows,)})

    scores = [score_of((spec.shape or ())[1]) for spec in boxes]
    return tuple(spec.name for spec in boxes), tuple(filter(None, scores))


def _blazeface(table: BoxesTable, seen: Seen) -> Settings:
    told, beside = mediapipe_outputs(seen)
    boxes, scores = _names(table.boxes) or told, _names(table.scores) or beside
    shapes = [seen.shape(name) for name in boxes]
    if not boxes or not all(len(shape) == 3 for shape in shapes):
        raise seen.unfit("no output is [1, boxes, 16]")
    if len(scores) != len(boxes):
        raise seen.unfit("no output has a score a box")
    rows, width = sum(shape[1] or 0 for shape in shapes), shapes[0][2]
    one = mediapipe_of(width, rows, seen.size)
    if one is None and not table.anchors:
        raise seen.unfit(
            f"{rows} boxes are of no known detector of MediaPipe",
            "Give anchors = [{ stride = 8, shapes = [[1, 1], …] }, …]",
        )
    settings: Settings = {
        "boxes": boxes, "scores": scores, "form": "cxcywh", "decode": "linear", "activation": "sigmoid", "offset": 0.5,
        "score": one.score if one else 0.5, "iou": 0.3, "layout": "rows",
    }  # fmt: skip
    if one is not None:
        settings["anchors"] = tuple(
            AnchorLevel(stride=stride, shapes=((1.0, 1.0),) * count) for stride, count in one.grids
        )
        settings["points"] = KeyPoints(count=len(one.points), start=4, names=one.points)
    elif width and width > 4:
        settings["points"] = KeyPoints(count=(width - 4) // 2, start=4)
    return settings


formats: Mapping[str, Callable[[BoxesTable, Seen], Settings]] = MappingProxyType(
    {
        "yolo": _yolo,
        "ssd": _ssd,
        "retinanet": _retinanet,
        "detr": _detr,
        "blazeface": _blazeface,
        "corners": _corners,
    }
)
