"""Describes what was cut off, so that the loader can do it in the browser. ``docs/format.md`` has the fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from .analysis import Cut
from .cutting import Ends
from .known import known_value
from .messages import NodeDef
from .nodes import float32, uint8
from .ops import decoding, encoding, matches
from .outline import Outline, ancestors, descendants, source_of

# What may stand around a decoder or an encoder without changing the picture.
plumbing = (
    "Identity*", "Placeholder*", "Reshape", "Squeeze", "ExpandDims", "StridedSlice", "Slice", "Unpack", "Pack",
    "GatherV2", "DecodeBase64", "EncodeBase64", "Switch", "Merge", "Enter", "Exit", "LoopCond", "NextIteration",
    "TensorList*", "TensorArray*", "Less", "LogicalAnd", "Add", "AddV2", "Range", "Shape", "Minimum", "Maximum",
    "While", "StatelessWhile", "Size", "Rank", "Const", "ZerosLike", "Assert", "NoOp", "Equal", "EnsureShape", "Cast",
)  # fmt: skip
# Numbers of DataType: what pixels may be, as TensorFlow.js has it.
pixel_types = {1: "float32", 3: "int32", 4: "int32"}
images = {"EncodePng": "image/png"}
default_quality = 95


class Resize(TypedDict):
    """A resizing to a constant size; ``size`` is height and width."""

    method: str
    size: list[int]
    halfPixel: NotRequired[bool]


class _Resizing(TypedDict, total=False):
    resize: Resize


class PictureIn(TypedDict):
    """How a picture becomes an input; ``docs/format.md`` says what each entry means."""

    name: str
    input: str
    channels: int
    dtype: str
    crop: NotRequired[list[int]]
    unit: NotRequired[bool]
    batch: NotRequired[bool]
    resize: NotRequired[Resize]


class PictureOut(TypedDict):
    """How an output becomes a picture."""

    name: str
    output: str
    type: str
    quality: NotRequired[float]


class Glue(TypedDict, total=False):
    """What the loader does in place of what was cut off."""

    inputs: list[PictureIn]
    outputs: list[PictureOut]


def describe(
    outline: Outline,
    cut: Cut,
    ends: Ends,
    specs: Mapping[str, tuple[int, int | None]],
    taken: Mapping[str, NodeDef],
    vocabulary: Mapping[str, str | None],
) -> tuple[Glue | None, tuple[str, ...]]:
    """Return the ``glue`` of the head, or None, and sentences for the user about what a page has to do itself.

    Args:
        outline: of the graph before it was cut.
        cut: where it was cut.
        ends: of the cut graph.
        specs: number of type and rank (None: unknown) of each new input.
        taken: what ``loops.take_decoders`` gave.
        vocabulary: the new inputs that take ids of words, and why ``run`` cannot make them of text, where it cannot.
    """
    glue: Glue = {}
    notes: list[str] = []
    for name, decoder in taken.items():
        if picture := _picture(outline, decoder, name, name, *specs[name]):
            glue.setdefault("inputs", []).append(picture)
        else:
            notes.append(_note("input", name, (name,), [decoder.op]))
    for name, stand_ins in ends.replaced_inputs.items():
        picture = _input(outline, cut, name, stand_ins, specs)
        if picture:
            glue.setdefault("inputs", []).append(picture)
        elif len(stand_ins) == 1 and stand_ins[0] in vocabulary:
            why = vocabulary[stand_ins[0]]
            notes.append(_text_note(name, stand_ins[0], _cut_ops(outline, cut.head), why))
        else:
            notes.append(_note("input", name, stand_ins, _cut_ops(outline, cut.head)))
    for name, stand_ins in ends.replaced_outputs.items():
        encoded = _output(outline, cut, name, stand_ins)
        if encoded:
            glue.setdefault("outputs", []).append(encoded)
        else:
            notes.append(_note("output", name, stand_ins, _cut_ops(outline, cut.tail)))
    return (glue if glue.keys() else None), tuple(notes)


def _note(side: str, name: str, stand_ins: tuple[str, ...], ops: list[str]) -> str:
    what = " and ".join(repr(item) for item in stand_ins) or "nothing"
    return f"{side} {name!r} was cut off ({', '.join(ops)}): {what} stands for it, and the page does the rest itself"


def _text_note(name: str, stand_in: str, ops: list[str], why: str | None) -> str:
    what = (
        f"the text part of input {name!r} was cut off ({', '.join(ops)}): it takes ids of words, their places in "
        f"handle.vocabulary[{stand_in!r}].words"
    )
    if why is None:
        return f"{what}, and run makes them of text as the model did"
    return f"{what}, and the page splits its text into words as the model did, because {why}"


def _cut_ops(outline: Outline, names: frozenset[str]) -> list[str]:
    ops = {outline.nodes[name].op for name in names}
    return sorted(op for op in ops if not matches(op, plumbing)) or sorted(ops)


def _input(
    outline: Outline, cut: Cut, name: str, stand_ins: tuple[str, ...], specs: Mapping[str, tuple[int, int | None]]
) -> PictureIn | None:
    below = descendants(outline, [source_of(outline.inputs[name])]) & cut.head
    steps = [outline.nodes[item] for item in outline.nodes if item in below and not _is_plumbing(outline, item)]
    decoders = [node for node in steps if node.op in decoding]
    others = [node for node in steps if node not in decoders]
    if len(stand_ins) != 1 or len(decoders) != 1 or (resize := _resize(outline, others)) is None:
        return None
    picture = _picture(outline, decoders[0], name, stand_ins[0], *specs[stand_ins[0]])
    if picture is not None and "resize" in resize:
        picture["resize"] = resize["resize"]
    return picture


def _picture(
    outline: Outline, decoder: NodeDef, name: str, stand_in: str, kind: int, rank: int | None
) -> PictureIn | None:
    """Describe how pixels reach ``stand_in`` as from a decoder, or give None where the browser has no such pixels."""
    decoded = decoder.attr["dtype"].type or uint8
    channels = decoder.attr["channels"].i or 3
    if kind not in pixel_types or decoded not in {float32, uint8} or channels not in {1, 3, 4}:
        return None
    entry: PictureIn = {"name": name, "input": stand_in, "channels": channels, "dtype": pixel_types[kind]}
    if decoder.op == "DecodeAndCropJpeg":
        window = _constant(outline, decoder.input[1])
        if window is None:
            return None
        entry["crop"] = window
    if decoded == float32:
        entry["unit"] = True
    if rank == 4:
        entry["batch"] = True
    return entry


def _resize(outline: Outline, steps: list[NodeDef]) -> _Resizing | None:
    """Describe a resizing to a constant size as the browser can do it: {} where there is none, None where it cannot."""
    if not steps:
        return {}
    node = steps[0]
    if len(steps) != 1 or node.op not in {"ResizeBicubic", "ResizeArea"} or node.attr["align_corners"].b:
        return None
    size = _constant(outline, node.input[1])
    if size is None:
        return None
    resize: Resize = {
        "method": "area" if node.op == "ResizeArea" else "bicubic",
        "size": size,
    }
    if node.attr["half_pixel_centers"].b:
        resize["halfPixel"] = True
    return {"resize": resize}


def _constant(outline: Outline, text: str) -> list[int] | None:
    """Return the whole numbers of what is constant, or None if it is not."""
    value = known_value(outline.nodes, text, lambda _: None)
    return None if value is None else [int(n) for n in value.ravel()]


def _is_plumbing(outline: Outline, name: str) -> bool:
    return matches(outline.nodes[name].op, plumbing)


def _output(outline: Outline, cut: Cut, name: str, stand_ins: tuple[str, ...]) -> PictureOut | None:
    above = ancestors(outline, [source_of(outline.outputs[name])]) & cut.tail
    steps = [outline.nodes[item] for item in outline.nodes if item in above and not _is_plumbing(outline, item)]
    if len(stand_ins) != 1 or len(steps) != 1 or steps[0].op not in encoding:
        return None
    encoder = steps[0]
    if encoder.op == "EncodePng" and encoder.attr["T"].type not in {0, 4}:
        return None
    entry: PictureOut = {"name": name, "output": stand_ins[0], "type": images.get(encoder.op, "image/jpeg")}
    if encoder.op == "EncodeJpeg":
        entry["quality"] = (encoder.attr["quality"].i if "quality" in encoder.attr else default_quality) / 100
    return entry
