"""The options of ``TFLite_Detection_PostProcess``, a FlexBuffers map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

name = "custom TFLite_Detection_PostProcess"


@dataclass(frozen=True, slots=True)
class DetectionOptions:
    """What the operator is told.

    Attributes:
        boxes: the most that it gives.
        classes: the most of one box.
        of_class: the most boxes of one class, where classes are suppressed by themselves.
        score: the least that counts.
        overlap: intersection over union above which the lesser of two boxes is dropped.
        apart: classes are suppressed by themselves.
        count: of classes, without the background.
        scales: by which the offsets of y, x, height and width are divided.
    """

    boxes: int
    classes: int
    of_class: int
    score: float
    overlap: float
    apart: bool
    count: int
    scales: tuple[float, float, float, float]


def read_options(content: bytes) -> DetectionOptions:
    """Read the options of the operator.

    Raises:
        ValueError: they cannot be read, one is missing, or is no number.
    """
    from flatbuffers import flexbuffers

    try:
        return _read(flexbuffers.GetRoot(content).AsMap)
    except (ValueError, TypeError, IndexError, KeyError, ArithmeticError, NotImplementedError) as error:
        raise ValueError(f"options that cannot be read ({error})") from error


def _read(table: Any) -> DetectionOptions:
    # One value after the other by its name: to load the whole map could take any time.
    names = {key.AsKey for key in table.Keys}

    def value(name: str, take: Callable[[Any], Any], default: Any = None) -> Any:
        if name not in names and default is None:
            raise ValueError(f"{name} is missing")
        if name in names and not (table[name].IsNumeric or table[name].IsBool):
            raise ValueError(f"{name} is no number")
        return take(table[name]) if name in names else default

    def whole(name: str, default: int | None = None) -> int:
        return int(value(name, lambda found: found.AsInt, default))

    def number(name: str) -> float:
        return float(value(name, lambda found: found.AsFloat))

    return DetectionOptions(
        boxes=whole("max_detections"),
        classes=whole("max_classes_per_detection"),
        of_class=whole("detections_per_class", 100),
        score=number("nms_score_threshold"),
        overlap=number("nms_iou_threshold"),
        apart=bool(value("use_regular_nms", lambda found: found.AsBool, False)),
        count=whole("num_classes"),
        scales=(number("y_scale"), number("x_scale"), number("h_scale"), number("w_scale")),
    )
