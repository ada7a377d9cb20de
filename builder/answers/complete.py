"""From the settings of an answer to all that a page needs to know of it, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import msgspec

from ..config.answers import AnswerTable, BoxesTable, ClassesTable, MaskTable, PointsTable, VectorTable
from ..errors import ConversionError
from .formats import Seen, Shape, cells, complete_boxes

most_classes = 256  # of a mask, whose pixels are bytes


def complete(table: AnswerTable, seen: Seen) -> AnswerTable:
    """Return a table in which nothing is left open that the model's outputs tell.

    Args:
        table: as ``build.toml`` has it.
        seen: the model's outputs, labels and picture.

    Raises:
        ConversionError: settings, outputs and labels do not fit each other.
    """
    if isinstance(table, BoxesTable):
        return _boxes(table, seen)
    output = _output(table.output, seen)
    if isinstance(table, ClassesTable):
        lengths = _lengths(seen.shape(output))
        if len(lengths) > 1 and None not in lengths:
            raise seen.unfit(f"{output!r} has the shape {list(seen.shape(output))}, and classes need one row of scores")
        count = number_of(msgspec.structs.replace(table, output=output), seen)
        if count is not None:
            _check_labels(seen, count, 2 if count == 1 else count)
    elif isinstance(table, MaskTable):
        return _mask(table, output, seen)
    elif isinstance(table, PointsTable):
        return _points(table, output, seen)
    elif table.mask and table.mask not in seen.inputs:
        names = ", ".join(map(repr, seen.inputs))
        raise seen.unfit(f"there is no input {table.mask!r} to be the mask", f"Name one of {names}")
    return msgspec.structs.replace(table, output=output)


def number_of(table: AnswerTable, seen: Seen) -> int | None:
    """Return how many classes, or points, answers tell apart; None where the outputs leave that open.

    Args:
        table: a complete one.
        seen: the model's outputs.
    """
    if isinstance(table, BoxesTable):
        return _classes_of(table, seen)
    if isinstance(table, VectorTable) or seen.is_open(table.output):
        return None
    shape = seen.shape(table.output)
    if isinstance(table, ClassesTable):
        lengths = _lengths(shape)
        return None if len(lengths) > 1 else lengths[0] if lengths else 1
    if isinstance(table, MaskTable):
        if table.values != "scores":
            return None
        return 1 if len(shape) != 4 or table.channel is not None else shape[1 if table.layout == "first" else 3]
    if table.form == "heatmap":
        return shape[1 if table.layout == "first" else 3] if len(shape) == 4 else None
    size = _size(shape)
    return None if size is None else size // len(table.order)


def _lengths(shape: Shape) -> list[int | None]:
    """Return the lengths that make scores more than one: an open batch is of one picture."""
    return [length for place, length in enumerate(shape) if length != 1 and (place or length or len(shape) == 1)]


def _output(name: str, seen: Seen) -> str:
    if not name and len(seen.outputs) == 1:
        return seen.outputs[0].name
    if not any(spec.name == name for spec in seen.outputs):
        raise seen.unfit(f"there is no output {name!r}" if name else f"the model has {len(seen.outputs)} outputs")
    return name


def _check_labels(seen: Seen, least: int, most: int) -> None:
    """Refuse labels that would name other classes than the model means."""
    if seen.labels and not least <= seen.labels <= most:
        what = f"{least} classes" if least == most else f"{least} or {most} classes"
        raise ConversionError(
            f"there are {seen.labels} labels for {what}",
            code="SP-432",
            where=seen.where,
            hint="Give one label a line for each class, in the model's order",
        )


def _mask(table: MaskTable, output: str, seen: Seen) -> MaskTable:
    shape = seen.shape(output)
    layout = table.layout
    if layout is None:
        # Fewer channels than rows or columns: shapes that ONNX gives have them first.
        first = len(shape) == 4 and _fewer(shape[1], shape[2:]) and not _fewer(shape[3], shape[1:3])
        layout = "first" if first else "last"
    channels = shape[1 if layout == "first" else 3] if len(shape) == 4 else None
    if channels is not None and channels > 1 and table.values == "scores":
        if table.channel is not None and table.channel >= channels:
            raise seen.unfit(f"{output!r} has {channels} channels, and none is number {table.channel}")
        if table.channel is None and channels > most_classes:
            raise seen.unfit(f"{output!r} has {channels} classes, and a mask at most {most_classes}")
        if table.channel is None:
            _check_labels(seen, channels, channels)
            if table.threshold is not None:
                raise seen.unfit(
                    f"{output!r} has {channels} classes, and a threshold is for one channel",
                    "Set channel, or remove it",
                )
    return msgspec.structs.replace(table, output=output, layout=layout)


def _fewer(channels: int | None, sides: tuple[int | None, ...]) -> bool:
    return channels is not None and all(side is None or channels < side for side in sides)


def _points(table: PointsTable, output: str, seen: Seen) -> PointsTable:
    shape = seen.shape(output)
    if table.scores:
        _output(table.scores, seen)
    layout = table.layout
    if table.form == "heatmap":
        first = len(shape) == 4 and _fewer(shape[1], shape[2:]) and not _fewer(shape[3], shape[1:3])
        layout = layout or ("first" if first else "last")
        count = shape[1 if layout == "first" else 3] if len(shape) == 4 else None
    else:
        if len(set(table.order) - {"_"}) < len(table.order.replace("_", "")) or not {"x", "y"} <= set(table.order):
            raise seen.unfit(f"the order {table.order!r} needs x and y, each once", 'Write "xy", "yxs" or "xyz"')
        size = _size(shape)
        if size is not None and size % len(table.order):
            raise seen.unfit(f"{output!r} has {size} numbers, which are no multiple of {len(table.order)}")
        count = None if size is None else size // len(table.order)
    if count is not None:
        _check_labels(seen, count, count)
    return msgspec.structs.replace(table, output=output, layout=layout)


def _size(shape: tuple[int | None, ...]) -> int | None:
    size = 1
    for place, length in enumerate(shape):
        if length is None and place:
            return None
        size *= length or 1
    return size if shape else None


def _boxes(table: BoxesTable, seen: Seen) -> BoxesTable:
    settings = complete_boxes(table, seen)
    fields = msgspec.structs.asdict(table)
    given = {key for key, value in fields.items() if value is not None and value not in ("", ())}
    made = msgspec.structs.replace(table, **{key: value for key, value in settings.items() if key not in given})
    for name in _named(made):
        _output(name, seen)
    _check_anchors(made, seen)
    count = _classes_of(made, seen)
    if count is not None:
        _check_labels(seen, count, count)
    return made


def _named(table: BoxesTable) -> list[str]:
    groups: list[Any] = [table.boxes, table.scores, table.classes, table.number]
    groups.append(table.points.output if table.points else ())
    return [name for group in groups for name in ((group,) if isinstance(group, str) else group) if name]


def _check_anchors(table: BoxesTable, seen: Seen) -> None:
    """Compare the number of anchors with that of rows, where both are known."""
    if table.decode in {None, "none"}:
        return
    if not table.anchors or seen.size is None:
        what = "anchors" if not table.anchors else "a picture of a fixed size, for its anchors"
        raise seen.unfit(
            f"decode = {table.decode!r} needs {what}", "Set it, or describe the picture with [models.NAME.picture]"
        )
    wanted = sum(max(1, len(level.shapes)) * cells(seen.size, (level.stride,)) for level in table.anchors)
    names = (table.boxes,) if isinstance(table.boxes, str) else table.boxes
    rows = [_rows(table, seen, name, place) for place, name in enumerate(names)]
    if None not in rows and sum(filter(None, rows)) != wanted:
        raise ConversionError(
            f"the anchors make {wanted} boxes, and the model gives {sum(filter(None, rows))}",
            code="SP-435",
            where=seen.where,
            hint="Correct strides and shapes of the anchors, or the size of the picture",
        )


def _rows(table: BoxesTable, seen: Seen, name: str, place: int) -> int | None:
    shape = seen.shape(name)
    if table.layout == "planes":
        shapes = max(1, len(table.anchors[place].shapes)) if place < len(table.anchors) else 1
        sides: tuple[int | None, ...] = shape[2:] if len(shape) == 4 else (None,)
    else:
        shapes = 1
        sides = shape[2:] if table.layout == "columns" else shape[1:-1] if len(shape) > 2 else shape[:1]
    count = shapes
    for side in sides:
        if side is None:
            return None
        count *= side
    return count if shape else None


def _classes_of(table: BoxesTable, seen: Seen) -> int | None:
    """Return how many classes the scores are of, or None where numbers tell classes or lengths are open."""
    if table.classes or table.columns or table.categories or table.layout == "planes":
        return None
    names = table.scores or table.boxes
    shape = seen.shape(names if isinstance(names, str) else names[0])
    width = None if len(shape) < 2 else shape[-2] if table.layout == "columns" else shape[-1]
    if width is None or (table.scores and len(shape) < 3):
        return None
    if not table.scores:
        stop = table.points.start if table.points and not table.points.output else width
        width = min(width, stop) - 4 * (table.bins or 1) - bool(table.objectness)
    count = width - (table.background in {"first", "last"})
    if count < 1:
        raise seen.unfit(f"{names!r} has no score a box")
    return count
