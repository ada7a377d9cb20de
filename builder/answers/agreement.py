"""Whether two answers are the same to a user: a page's, as JSON, and the reference's."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config.answers import AnswerTable, BoxesTable, ClassesTable, MaskTable, PointsTable
from ..typed import from_builtins
from . import boxes, classes, mask, points, vector
from .frame import Frame
from .reading import Labels, Outputs

least_overlap = 0.9  # intersection over union of two boxes
least_mask_overlap = 0.98
least_similarity = 0.999
farthest = 1.0  # pixels between points, or the hundredth of a small picture enlarged
score_slack = 0.01
near_threshold = 0.05  # scores that close may be on both sides of one
mask_slack = 2.55  # of 255, where little of the object is seen
close_decibels = 40.0
Answer = Any


def reference(
    head_answer: Mapping[str, Any], outputs: Outputs, frame: Frame | None, inputs: Outputs, labels: Labels = ()
) -> Answer:
    """Return the answer to a source model's outputs.

    Args:
        head_answer: ``answer`` of a head.
        outputs: of the source model.
        frame: where the picture lay in its input; None where there was none.
        inputs: what it was given.
        labels: of the model.

    Raises:
        VerificationError: the outputs are not what the answer needs.
    """
    if head_answer["kind"] == "picture":
        return _picture(head_answer, outputs)
    table: AnswerTable = from_builtins(dict(head_answer), AnswerTable)
    if isinstance(table, ClassesTable):
        return classes.answer(outputs, table, labels)
    if isinstance(table, BoxesTable):
        return boxes.answer(outputs, table, labels, frame)
    if isinstance(table, MaskTable):
        return mask.answer(outputs, table, labels, frame)
    if isinstance(table, PointsTable):
        return points.answer(outputs, table, labels, frame)
    return vector.answer(outputs, table, inputs)


def agree(got: Any, wanted: Answer, frame: Frame | None) -> bool:
    """Whether a page's answer, as JSON, is the reference's.

    Of classes the best one and whether it is sure count; of boxes class and place (intersection over union of 0.9),
    those near the least score aside; of masks an overlap of 0.98; of points a pixel, or as much of the model's picture
    where that is smaller; of vectors a cosine of 0.999; of pictures 40 dB.
    """
    if isinstance(wanted, classes.Classes):
        tied = any(item.index == got["index"] and item.score >= wanted.score - score_slack for item in wanted.top)
        sure = got["unsure"] is wanted.unsure or abs(float(got["score"]) - wanted.score) <= near_threshold
        return sure and (tied or got["index"] == wanted.index)
    if isinstance(wanted, mask.Mask):
        return _masks_agree(got, wanted)
    if isinstance(wanted, vector.Vector):
        return bool(wanted.similarity(vector.Vector(_floats(got["values"]))) >= least_similarity)
    if isinstance(wanted, np.ndarray):
        left, right = _bytes(got["data"]).reshape(-1).astype(float), wanted.reshape(-1).astype(float)
        error = float(np.mean((left - right) ** 2)) if len(left) == len(right) else np.inf
        return error == 0 or bool(10 * np.log10(255**2 / error) >= close_decibels)
    reach = farthest * (max(1.0, 1 / frame.scale_x, 1 / frame.scale_y) if frame else 1.0)
    if wanted and isinstance(wanted[0], points.Point):
        return len(got) == len(wanted) and all(
            wanted_point.unsure or _near(one, wanted_point, reach)
            for one, wanted_point in zip(got, wanted, strict=True)
        )
    return _boxes_agree(got, wanted)


def _near(got: Mapping[str, Any], wanted: points.Point, reach: float) -> bool:
    if got["x"] is None or got["y"] is None:  # JSON has no NaN
        return False
    return bool(max(abs(got["x"] - wanted.x), abs(got["y"] - wanted.y)) <= reach)


def _boxes_agree(got: Sequence[Mapping[str, Any]], wanted: Sequence[boxes.Box]) -> bool:
    """Match boxes one to one; a box without a partner may only be one of the weakest."""
    rest = list(got)
    lonely = []
    for box in wanted:
        partner = next((one for one in rest if one["index"] == box.index and _overlap(one, box) >= least_overlap), None)
        if partner is None:
            lonely.append(box.score)
        else:
            rest.remove(partner)
    lonely += [float(one["score"]) for one in rest]
    weakest = min([*(box.score for box in wanted), *(float(one["score"]) for one in got)], default=0.0)
    return all(score <= weakest + score_slack for score in lonely) and len(lonely) < max(1, len(wanted))


def _overlap(got: Mapping[str, Any], box: boxes.Box) -> float:
    wide = min(got["x"] + got["width"], box.x + box.width) - max(got["x"], box.x)
    high = min(got["y"] + got["height"], box.y + box.height) - max(got["y"], box.y)
    shared = max(wide, 0.0) * max(high, 0.0)
    whole = got["width"] * got["height"] + box.width * box.height - shared
    return float(shared / whole) if whole else 0.0


def _masks_agree(got: Mapping[str, Any], wanted: mask.Mask) -> bool:
    data = _bytes(got["data"])
    if data.size != wanted.data.size:
        return False
    ours = data.reshape(wanted.data.shape)
    left, right = (ours > 127, wanted.data > 127) if wanted.soft else (ours, wanted.data)
    if wanted.soft:
        either = int(np.count_nonzero(left | right))
        close = float(np.abs(ours.astype(int) - wanted.data).mean()) <= mask_slack
        return close or np.count_nonzero(left & right) / either >= least_mask_overlap
    return float(np.mean(left == right)) >= least_mask_overlap


def _picture(spec: Mapping[str, Any], outputs: Outputs) -> NDArray[np.uint8]:
    """Return RGBA [height, width, 4]."""
    values = np.asarray(outputs[spec["output"]] if spec["output"] in outputs else next(iter(outputs.values())), float)
    values = values[0] if values.ndim > 3 else values
    if spec.get("first"):
        values = values.transpose(1, 2, 0)
    low, high = spec["range"]
    pixels = np.clip(np.rint((values - low) / (high - low) * 255), 0, 255).astype(np.uint8)
    colours = np.repeat(pixels[:, :, :1], 3, 2) if pixels.shape[2] < 3 else pixels[:, :, :3]
    if spec.get("channels") == "bgr":
        colours = colours[:, :, ::-1]
    even = pixels.shape[2] % 2 == 0
    alpha = pixels[:, :, -1:] if even else np.full_like(pixels[:, :, :1], 255)
    return np.concatenate([colours, alpha], 2)


def _bytes(value: Any) -> NDArray[np.uint8]:
    return np.frombuffer(base64.b64decode(value["base64"]), np.uint8)


def _floats(value: Any) -> NDArray[np.float64]:
    return np.frombuffer(base64.b64decode(value["base64"]), "<f4").astype(np.float64)
