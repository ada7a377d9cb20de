"""Recognises what a model is for, and proposes how a page's ``run`` takes its input and gives answers."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..config.answers import AnswerTable
from ..errors import ConversionError
from ..typed import from_builtins
from .clues import Clues, Proposal, Settings, most_labels
from .complete import complete
from .formats import mediapipe_of, mediapipe_outputs, tf_names, yolo_family, yolo_strides
from .sound_kinds import silero, speech_commands, yamnet

longest_text = 1 << 20  # of a model's own words about itself
coco_points = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow",
    "right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee", "right knee", "left ankle",
    "right ankle",
)  # fmt: skip
unknown_range = "; what range its pixels have is not known"
imagenet = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def propose(clues: Clues) -> Proposal | None:
    """Recognise a model; None where nothing is certain enough to be proposed, or does not fit after all."""
    found = next((found for rule in rules if (found := rule(clues)) is not None), None)
    if found is not None and not _fits(found, clues):
        return None
    spread = _spread(clues.notes)
    if found is None or not spread:
        return found
    kept = {key: value for key, value in found.picture.items() if key not in {"range", "mean", "std"}}
    reason = found.reason.removesuffix(unknown_range)
    return replace(found, reason=f"{reason}; the file says how its pixels are normalised", picture=kept | spread)


def _fits(found: Proposal, clues: Clues) -> bool:
    """Whether a build would take what is proposed."""
    count = clues.labels or len(found.labels)
    try:
        complete(from_builtins(found.answer, AnswerTable), replace(clues.seen, labels=count))
    except ConversionError:
        return False
    return True


def _spread(notes: Mapping[str, Any]) -> Settings:
    """Return the settings of a picture whose pixels from 0 to 255 are normalised as a file says."""
    mean, std = notes.get("mean"), notes.get("std")
    if not (isinstance(mean, list) and isinstance(std, list) and len(mean) == len(std) in {1, 3} and all(std)):
        return {}
    if len(set(mean)) == len(set(std)) == 1:
        return {"range": [-mean[0] / std[0], (255 - mean[0]) / std[0]]}
    return {"range": [0.0, 255.0], "mean": mean, "std": std}


def teachable_machine(clues: Clues) -> Proposal | None:
    """Recognise an image project of Teachable Machine, whose own library cuts a square and divides by 127."""
    notes, labels = clues.notes, clues.notes.get("labels")
    image = str(notes.get("packageName", "")).startswith("@teachablemachine/image")
    if not image or not isinstance(labels, list) or not clues.picture:
        return None
    picture = {"fit": "cover", "range": [-1.0, 255 / 127 - 1], "resize": "bilinear"}
    names = tuple(str(label) for label in labels[:most_labels])
    return Proposal(
        "metadata.json says that it is an image project of Teachable Machine", {"kind": "classes"}, picture, names
    )


def ultralytics(clues: Clues) -> Proposal | None:
    """Recognise what Ultralytics' exporter wrote: it names task and classes in the file."""
    task, names = clues.notes.get("task"), _names(clues.notes.get("names"))
    if not clues.picture or not isinstance(task, str) or not names:
        return None
    reason = f"its metadata says that Ultralytics exported it for the task {task!r}, with {len(names)} classes"
    if task == "classify":
        return Proposal(reason, {"kind": "classes"}, {"fit": "cover", "resize": "antialiased"}, names)
    if task not in {"detect", "pose", "segment"}:
        return None
    table = next((shape for shape in clues.shapes().values() if len(shape) == 3), None)
    answer: Settings = {"kind": "boxes", "format": "yolo"}
    marks = _literal(clues.notes.get("kpt_shape"))
    if (
        task == "pose"
        and isinstance(marks, list | tuple)
        and len(marks) == 2
        and all(isinstance(n, int) for n in marks)
    ):
        answer |= {"family": "v8", "points": {"count": marks[0], "values": marks[1], "start": 4 + len(names)}}
        answer |= {"categories": len(names)}
    elif task == "segment":
        answer |= {"categories": len(names)}
    if table and 6 in table and task == "detect" and "v10" in str(clues.notes.get("description", "")).lower():
        answer |= {"family": "v10"}
    return Proposal(reason, answer, _yolo_picture(), names)


def _yolo_picture() -> Settings:
    return {"fit": "letterbox", "colour": [114, 114, 114], "resize": "bilinear"}


def _names(value: Any) -> tuple[str, ...]:
    """Read the classes of Ultralytics, ``{0: 'person', …}`` as text or as a table."""
    found = _literal(value)
    if isinstance(found, Mapping) and len(found) <= most_labels:
        ordered = {int(key): str(label) for key, label in found.items() if str(key).isdecimal()}
        if sorted(ordered) == list(range(len(found))):
            return tuple(ordered[number] for number in range(len(found)))
    return ()


def _literal(value: Any) -> Any:
    """Read a value that a file holds as text; None where it is none."""
    if not isinstance(value, str):
        return value
    if len(value) > longest_text:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            return read(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def mediapipe_detector(clues: Clues) -> Proposal | None:
    """Recognise the detectors of MediaPipe by the number of their anchors."""
    boxes, scores = mediapipe_outputs(clues.seen)
    if not clues.picture or clues.picture[1] is None or not boxes or len(clues.outputs) != len(boxes) + len(scores):
        return None
    shapes = [clues.shapes()[name] for name in boxes]
    one = mediapipe_of(shapes[0][2], sum(shape[1] or 0 for shape in shapes), clues.picture[1])
    if one is None:
        return None
    low = 0.0 if one.what == "palms" else -1.0
    reason = f"{one.rows} anchors on {one.side} x {one.side} pixels are MediaPipe's detector of {one.what}"
    picture = {"fit": "letterbox", "range": [low, 1.0], "resize": "bilinear"}
    return Proposal(reason, {"kind": "boxes", "format": "blazeface"}, picture, (one.thing,))


def movenet(clues: Clues) -> Proposal | None:
    """Recognise MoveNet for one person."""
    for name, shape in clues.shapes().items():
        if shape[1:] == (1, 17, 3) and clues.picture:
            answer = {"kind": "points", "output": name, "order": "yxs", "unit": "normalised", "threshold": 0.3}
            picture = {"fit": "letterbox", "range": [0.0, 255.0], "resize": "bilinear"}
            return Proposal("17 points of y, x and score are MoveNet's", answer, picture, coco_points)
    return None


landmarks: Sequence[tuple[str, int, str, int]] = (
    ("a face", 1404, "xyz", 192),
    ("a face", 1434, "xyz", 256),
    ("a hand", 63, "xyz", 224),
    ("a person", 195, "xyzs_", 256),
)


def mediapipe_landmarks(clues: Clues) -> Proposal | None:
    """Recognise the landmark models of MediaPipe by how many numbers they give."""
    if not clues.picture or clues.picture[1] is None or not clues.shapes():
        return None
    name, shape = next(iter(clues.shapes().items()))
    size = 1
    for length in shape:
        size *= length or 1
    for what, count, order, side in landmarks:
        if size == count and clues.picture[1] == (side, side):
            answer: Settings = {"kind": "points", "output": name, "order": order}
            if "s" in order:
                answer["activation"] = "sigmoid"
            reason = f"{count} numbers are MediaPipe's points of {what}, which must fill the picture"
            return Proposal(reason, answer, {"fit": "letterbox", "resize": "bilinear"})
    return None


def selfie(clues: Clues) -> Proposal | None:
    """Recognise MediaPipe's selfie segmentation, one channel as large as its picture."""
    if len(clues.outputs) != 1 or not clues.picture or clues.picture[1] not in {(256, 256), (144, 256)}:
        return None
    ((_, shape),) = clues.shapes().items() or [("", ())]
    if shape[1:] != (*clues.picture[1], 1) or clues.kind != "tflite":
        return None
    reason = "one channel of its picture's size is how MediaPipe tells people from their background"
    return Proposal(reason, {"kind": "mask"}, {"fit": "stretch", "resize": "bilinear"})


def ssd(clues: Clues) -> Proposal | None:
    """Recognise TensorFlow's detectors, which drop overlapping boxes themselves, by the names of their outputs."""
    known = {spec.name for spec in clues.outputs}
    for names in tf_names:
        if {names["boxes"], names["scores"], names["classes"]} <= known and clues.picture:
            whole = any(spec.dtype != "float32" for spec in clues.inputs)
            picture = {"fit": "stretch", "range": [0.0, 255.0] if whole else [-1.0, 1.0], "resize": "bilinear"}
            reason = f"its outputs are named as those of TensorFlow's detectors: {names['boxes']!r}"
            return Proposal(reason, {"kind": "boxes", "format": "ssd"}, picture, clues.brought)
    return None


def detr(clues: Clues) -> Proposal | None:
    """Recognise DETR and its kin by the names that their exports have."""
    shapes = clues.shapes()
    for boxes, scores in (("pred_boxes", "logits"), ("dets", "labels")):
        if {boxes, scores} <= set(shapes) and shapes[boxes][-1:] == (4,) and clues.picture:
            answer = {"kind": "boxes", "format": "detr", "boxes": boxes, "scores": scores}
            reason = f"outputs named {boxes!r} and {scores!r} are those of DETR"
            return Proposal(reason, answer, {"fit": "stretch", **imagenet}, clues.brought)
    return None


def yolo(clues: Clues) -> Proposal | None:
    """Recognise a YOLO without words about itself: by its names, and by as many rows as its grids have cells."""
    if not clues.picture or clues.picture[1] is None or len(clues.outputs) != 1:
        return None
    (spec,) = clues.outputs
    shape = spec.shape or ()
    named = clues.picture[0] == "images" and spec.name.startswith("output")
    if len(shape) != 3 or not named or any(side % yolo_strides[-1] for side in clues.picture[1]):
        return None
    family = yolo_family(shape, clues.seen)
    if family in {None, "v10"}:
        return None
    said = {"v5": "YOLOv5 or v7", "v8": "YOLOv8 or later", "x": "YOLOX"}[str(family)]
    picture = _yolo_picture() | ({"range": [0.0, 255.0], "channels": "bgr"} if family == "x" else {})
    reason = f"names and shapes, {clues.picture[0]!r} and {spec.name!r} {list(shape)}, are those of {said}"
    return Proposal(reason, {"kind": "boxes", "format": "yolo", "family": family}, picture, clues.brought)


def classifier(clues: Clues) -> Proposal | None:
    """Recognise a classifier of pictures: one row of as many scores as there are labels, or as ImageNet has classes."""
    if not clues.picture or len(clues.outputs) != 1:
        return None
    (spec,) = clues.outputs
    lengths = [length for length in (spec.shape or ())[1:] if length != 1]
    count = clues.labels or len(clues.brought)
    if len(lengths) != 1 or lengths[0] is None or (lengths[0] != count and (count or lengths[0] not in {1000, 1001})):
        return None
    end = clues.ends.get(spec.name, "")
    answer: Settings = {"kind": "classes"}
    if end in {"MatMul", "Gemm", "Add", "BiasAdd", "FULLY_CONNECTED", "_FusedMatMul"}:
        answer["activation"] = "softmax"
    what = f"as there are labels ({count})" if count else "as ImageNet has classes"
    reason = f"one row of as many scores {what} is a classifier's{unknown_range}"
    return Proposal(reason, answer, {}, clues.brought)


rules: Sequence[Callable[[Clues], Proposal | None]] = (
    speech_commands,
    silero,
    yamnet,
    teachable_machine,
    ultralytics,
    mediapipe_detector,
    movenet,
    mediapipe_landmarks,
    selfie,
    ssd,
    detr,
    yolo,
    classifier,
)
