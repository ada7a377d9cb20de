"""JavaScript answers as the references do, whatever the outputs: one Node process for all cases of a kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from builder.answers import boxes, classes, mask, points, vector
from builder.answers.reading import Options
from builder.config.answers import AnchorLevel, BoxesTable, ClassesTable, KeyPoints, MaskTable, PointsTable, VectorTable
from builder.errors import VerificationError

from .cases import Case, answers_of_pages, number, random_frame

odd = np.array([np.nan, np.inf, -np.inf], np.float32)
labels = tuple("abcdefgh")


def spoiled(generator: np.random.Generator, array: np.ndarray) -> np.ndarray:
    """Put numbers that are none into some places of one array in three."""
    found = np.array(array, np.float32)
    if found.size and generator.random() < 0.33:
        places = generator.integers(0, found.size, 3)
        found.reshape(-1)[places] = generator.choice(odd, 3)
    return found


def compare(case: Case, got: Any, answer: Any, same: Any) -> None:
    """Hold an answer, or a refusal, against the reference's."""
    try:
        expected = answer()
    except VerificationError:
        assert got.get("code") == "contract", (case, got)
        return
    assert not (isinstance(got, dict) and "error" in got), (case, got)
    same(got, expected)


def class_cases() -> Iterator[Case]:
    generator = np.random.default_rng(1)
    for _ in range(200):
        count = int(generator.integers(0, 9))
        scores = spoiled(generator, generator.normal(0, 3, count).round(int(generator.integers(0, 3))))
        shape = ((1, count), (count,), (1, 1, 1, count), (1, count, 1, 1))[generator.integers(4)]
        table = ClassesTable(
            activation=str(generator.choice(["none", "sigmoid", "softmax"])),
            top=int(generator.integers(1, 7)),
            threshold=float(generator.random()),
        )
        options = Options(top=2, score=0.5) if generator.random() < 0.2 else Options()
        yield Case(table, {"scores": scores.reshape(shape)}, labels[: generator.integers(0, 8)], options=options)
    yield Case(ClassesTable(), {"scores": np.zeros((2, 3), np.float32)}, labels)
    yield Case(ClassesTable(output="b"), {"a": np.ones((1, 3), np.float32)}, labels)
    yield Case(ClassesTable(), {"a": np.ones(3, np.float32), "b": np.ones(3, np.float32)}, labels)
    yield Case(ClassesTable(), {"a": np.ones((), np.float32)}, ("no", "yes"))


def test_classes() -> None:
    def same(got: Any, expected: classes.Classes) -> None:
        for one, other in [(got, expected), *zip(got["top"], expected.top, strict=True)]:
            assert (one.get("label", None), one["index"]) == (other.label, other.index)
            assert number(one["score"]) == pytest.approx(other.score, rel=1e-12)
        assert got["unsure"] is expected.unsure

    cases = list(class_cases())
    for case, got in zip(cases, answers_of_pages(cases), strict=True):
        compare(case, got, lambda case=case: classes.answer(case.outputs, case.table, case.labels, case.options), same)


def rows(generator: np.random.Generator, count: int, width: int, size: tuple[int, int], form: str) -> np.ndarray:
    """Give boxes in a picture of ``size``, with many that overlap, and scores from 0 to 1 behind them."""
    centres = generator.uniform(0, size, (max(1, count // 3), 2))[generator.integers(0, max(1, count // 3), count)]
    centres = centres + generator.normal(0, 2, (count, 2))
    extents = generator.uniform(1, max(size) / 2, (count, 2))
    corners = {
        "xyxy": [centres - extents / 2, centres + extents / 2],
        "xywh": [centres - extents / 2, extents],
        "cxcywh": [centres, extents],
        "yxyx": [(centres - extents / 2)[:, ::-1], (centres + extents / 2)[:, ::-1]],
        "cycxhw": [centres[:, ::-1], extents[:, ::-1]],
    }[form]
    return np.concatenate([*corners, generator.random((count, width - 4))], axis=1)


def whole_boxes(generator: np.random.Generator) -> Case:
    """Give the outputs of a model that tells boxes whole, in one table or in several."""
    size = tuple(int(length) for length in generator.integers(16, 96, 2))
    count, kinds = int(generator.integers(0, 40)), int(generator.integers(1, 6))
    form = str(generator.choice(["xyxy", "yxyx", "xywh", "cxcywh", "cycxhw"]))
    objectness, normalised = (bool(generator.random() < 0.4) for _ in range(2))
    layout = str(generator.choice(["rows", "columns"]))
    apart = bool(generator.random() < 0.4)
    extra = 0 if apart else int(generator.choice([0, 6]))
    array = rows(generator, count, 4 + objectness + kinds + extra, size, form)
    if normalised:
        array[:, :4] /= np.array(size * 2 if form not in {"yxyx", "cycxhw"} else size[::-1] * 2)
    more: dict[str, Any] = {}
    outputs = {"boxes": array}
    if apart:
        outputs = {"boxes": array[:, :4], "scores": array[:, 4 : 4 + kinds]}
        more = {"scores": "scores"}
        if generator.random() < 0.4:
            outputs["scores"] = outputs["scores"][:, :1]
            outputs["classes"] = generator.integers(1, 5, (1, count)) + generator.normal(0, 0.05, (1, count))
            more |= {"classes": "classes", "first": 1}
        objectness = False
        if generator.random() < 0.3:
            outputs["number"] = np.array([generator.integers(0, count + 3)])
            more["number"] = "number"
    elif extra:
        more = {"categories": kinds} if generator.random() < 0.5 else {}
        more["points"] = KeyPoints(count=extra // 3, values=3, start=4 + objectness + kinds, names=("left",))
    arrays = {
        name: spoiled(generator, value.T[None] if layout == "columns" and value.ndim == 2 else value[None])
        for name, value in outputs.items()
    }
    table = BoxesTable(
        boxes="boxes",
        layout=layout,
        form=form,
        unit="normalised" if normalised else "pixels",
        objectness=objectness,
        activation=str(generator.choice(["none", "sigmoid", "softmax"])) if not more.get("classes") else "none",
        background=str(generator.choice(["none", "first", "last"])) if kinds > 1 else None,
        score=float(generator.choice([0, 0.3])),
        iou=float(generator.choice([0.1, 0.5, 1.0])),
        most=int(generator.choice([3, 100])),
        agnostic=bool(generator.random() < 0.3),
        blend=bool(generator.random() < 0.3),
        suppressed=bool(generator.random() < 0.2),
        **more,
    )
    frame = random_frame(generator, *size) if generator.random() < 0.8 else None
    options = Options(score=0.2, iou=0.3, most=5, clip=False) if generator.random() < 0.2 else Options()
    return Case(table, arrays, labels[:4], frame, options)


def anchored_boxes(generator: np.random.Generator) -> Case:
    """Give the outputs of a model whose boxes are relative to anchors, in one output or one a level."""
    size = tuple(int(length) for length in generator.integers(16, 96, 2))
    levels = tuple(
        AnchorLevel(
            stride=stride,
            shapes=tuple((float(w), float(h)) for w, h in generator.uniform(8, 40, (int(generator.integers(0, 4)), 2))),
        )
        for stride in (8, 16)
    )
    decode = str(generator.choice(["deltas", "linear", "distances", "yolo"]))
    layout = str(generator.choice(["rows", "columns", "planes"]))
    bins = 4 if decode == "distances" and generator.random() < 0.5 else None
    width = 4 * (bins or 1)
    kinds = int(generator.integers(1, 4))
    apart = bool(generator.random() < 0.5)
    marks = int(generator.choice([0, 2]))
    separate = layout == "planes" or bool(generator.random() < 0.5)
    outputs: dict[str, list[np.ndarray]] = {"boxes": [], "scores": [], "points": []}
    for level in levels:
        grid = (-(-size[1] // level.stride), -(-size[0] // level.stride))
        shapes = max(1, len(level.shapes))
        for name, numbers in (
            ("boxes", width + (0 if apart else kinds + 2 * marks)),
            ("scores", kinds),
            ("points", 2 * marks),
        ):
            array = generator.normal(0, 1, (grid[0] * grid[1] * shapes, numbers))
            if layout == "planes":
                array = np.moveaxis(array.reshape(*grid, shapes * numbers), 2, 0)
            outputs[name].append(array)
    names = {name: [f"{name}{number}" for number in range(len(levels))] if separate else [name] for name in outputs}
    arrays: dict[str, np.ndarray] = {}
    for name, found in outputs.items():
        for key, array in zip(names[name], found if separate else [np.concatenate(found)], strict=True):
            arrays[key] = spoiled(generator, (array.T if layout == "columns" else array)[None])
    points = None
    if marks:
        points = KeyPoints(count=marks, start=width + kinds, output=tuple(names["points"]) if apart else ())
    table = BoxesTable(
        boxes=tuple(names["boxes"]),
        scores=tuple(names["scores"]) if apart else (),
        layout=layout,
        form=str(generator.choice(["cxcywh", "cycxhw"])),
        decode=decode,
        bins=bins,
        anchors=levels,
        offset=float(generator.choice([0, 0.5])),
        variances=(0.1, 0.1, 0.2, 0.2) if generator.random() < 0.5 else None,
        activation=str(generator.choice(["sigmoid", "softmax"])),
        points=points,
        score=0.5,
        iou=0.4,
        blend=bool(generator.random() < 0.3),
    )
    return Case(table, arrays, labels[:2], random_frame(generator, *size))


def box_cases() -> Iterator[Case]:
    generator = np.random.default_rng(2)
    for _ in range(120):
        yield whole_boxes(generator)
        yield anchored_boxes(generator)
    one = rows(generator, 5, 6, (32, 32), "xyxy")
    end_to_end = BoxesTable(boxes="o", columns=(0, 4, 5), suppressed=True)
    yield Case(end_to_end, {"o": one[None].astype(np.float32)}, labels)
    yield Case(BoxesTable(boxes="o", columns=(2, 1, 0)), {"o": np.roll(one, 2, axis=1).astype(np.float32)}, labels)
    for shape in [(2, 5, 6), (6,), (1, 5, 3), (1, 5, 4), (1, 0, 6), (0, 6)]:
        yield Case(BoxesTable(boxes="o"), {"o": np.ones(shape, np.float32)}, labels)
    anchors = (AnchorLevel(stride=8),)
    far = random_frame(generator, 32, 32)
    yield Case(
        BoxesTable(boxes="o", decode="deltas", anchors=anchors), {"o": np.ones((1, 15, 6), np.float32)}, labels, far
    )
    yield Case(BoxesTable(boxes="o", decode="deltas", anchors=anchors), {"o": np.ones((1, 16, 6), np.float32)}, labels)
    yield Case(BoxesTable(boxes="o", scores="s"), {"o": np.ones((1, 4, 4), np.float32), "s": np.ones(3, np.float32)})


@pytest.mark.slow
def test_boxes() -> None:
    def same(got: Any, expected: tuple[boxes.Box, ...]) -> None:
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert (one.get("label"), one["index"]) == (other.label, other.index)
            sides = [number(one[key]) for key in ("score", "x", "y", "width", "height")]
            wanted = [other.score, other.x, other.y, other.width, other.height]
            assert sides == pytest.approx(wanted, rel=1e-9, abs=1e-9)
            for spot, mark in zip(one.get("points", ()), other.points, strict=True):
                assert spot.get("label") == mark.label
                found = [number(spot[key]) for key in ("x", "y")] + [number(spot.get("score", 0))]
                assert found == pytest.approx([mark.x, mark.y, mark.score or 0], rel=1e-9, abs=1e-9, nan_ok=True)

    cases = list(box_cases())
    found = answers_of_pages(cases)
    assert sum(len(item) for item in found if isinstance(item, list)) > 1000
    for case, got in zip(cases, found, strict=True):
        compare(
            case,
            got,
            lambda case=case: boxes.answer(case.outputs, case.table, case.labels, case.frame, case.options),
            same,
        )


def mask_cases() -> Iterator[Case]:
    generator = np.random.default_rng(3)
    for number_ in range(150):
        size = tuple(int(length) for length in generator.integers(4, 40, 2))
        height, width = (int(length) for length in generator.integers(1, 14, 2))
        channels = int(generator.choice([1, 2, 5]))
        smooth = generator.normal(0, 1, (channels, height, width)).cumsum(axis=1).cumsum(axis=2)
        array = spoiled(generator, smooth)
        layout = str(generator.choice(["first", "last"]))
        shaped = array if layout == "first" else np.moveaxis(array, 0, 2)
        table = MaskTable(
            layout=layout,
            activation=str(generator.choice(["none", "sigmoid", "softmax"])),
            channel=int(generator.integers(channels)) if generator.random() < 0.3 else None,
            threshold=0.5 if generator.random() < 0.5 else None,
            background=int(generator.integers(2)),
        )
        frame = random_frame(generator, *size) if number_ % 5 else None
        options = Options(score=0.25) if generator.random() < 0.1 else Options()
        yield Case(table, {"mask": shaped[None] if number_ % 2 else shaped}, labels[:3], frame, options)
    for layout in ("first", "last"):
        numbers = generator.integers(-1, 4, (1, 1, 6, 7) if layout == "first" else (1, 6, 7, 1)).astype(np.float32)
        yield Case(
            MaskTable(values="classes", layout=layout),
            {"mask": spoiled(generator, numbers)},
            labels,
            random_frame(generator, 14, 12),
        )
    yield Case(MaskTable(values="classes"), {"mask": np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)}, labels)
    for shape in [(2, 4, 4, 3), (4,), (1, 0, 4, 3), (1, 4, 4, 257)]:
        yield Case(MaskTable(), {"mask": np.ones(shape, np.float32)}, labels)
    yield Case(MaskTable(channel=3), {"mask": np.ones((1, 4, 4, 3), np.float32)}, labels)
    yield Case(MaskTable(), {"mask": np.ones((4, 5), np.float32)}, labels)


def test_masks() -> None:
    def same(got: Any, expected: mask.Mask) -> None:
        assert [got["height"], got["width"]] == list(expected.data.shape)
        assert got["soft"] is expected.soft
        apart = np.abs(np.array(got["data"]) - expected.data.reshape(-1).astype(int))
        # Interpolated shares that are as near to each other as rounding may fall to either side.
        assert apart.max() <= (1 if expected.soft and set(np.unique(expected.data)) != {0, 255} else 255)
        assert (apart > 0).mean() < 0.005
        if not apart.any():
            assert [(one.get("label"), one["index"]) for one in got["classes"]] == [
                (one.label, one.index) for one in expected.classes
            ]
            assert [one["share"] for one in got["classes"]] == pytest.approx([one.share for one in expected.classes])

    cases = list(mask_cases())
    for case, got in zip(cases, answers_of_pages(cases), strict=True):
        compare(
            case,
            got,
            lambda case=case: mask.answer(case.outputs, case.table, case.labels, case.frame, case.options),
            same,
        )


def point_cases() -> Iterator[Case]:
    generator = np.random.default_rng(4)
    for _ in range(150):
        size = tuple(int(length) for length in generator.integers(8, 60, 2))
        count = int(generator.integers(0, 7))
        more: dict[str, Any] = {}
        if generator.random() < 0.5:
            order = str(generator.choice(["xy", "yx", "yxs", "xyz", "xyzs_", "sxy"]))
            array = generator.uniform(-2, 60, (count, len(order)))
            shape = ((1, -1), array.shape, (1, 1, *array.shape), (-1,))[generator.integers(4)] if count else array.shape
            more = {"order": order, "unit": str(generator.choice(["pixels", "normalised"]))}
            array = array.reshape(shape)
        else:
            layout = str(generator.choice(["first", "last"]))
            array = generator.normal(0, 1, (max(1, count), *generator.integers(1, 9, 2)))
            array = array[None] if layout == "first" else np.moveaxis(array, 0, 2)
            more = {"form": "heatmap", "layout": layout, "quarter": bool(generator.random() < 0.5)}
            count = max(1, count)
        outputs = {"points": spoiled(generator, array)}
        if generator.random() < 0.4:
            outputs["scores"] = spoiled(
                generator, generator.normal(0, 1, (1, 1 if generator.random() < 0.5 else count))
            )
            more["scores"] = "scores"
        table = PointsTable(
            output="points",
            activation=str(generator.choice(["none", "sigmoid"])),
            threshold=float(generator.random()),
            **more,
        )
        options = Options(score=0.1) if generator.random() < 0.2 else Options()
        frame = random_frame(generator, *size) if generator.random() < 0.8 else None
        yield Case(table, outputs, labels[:3], frame, options)
    for shape in [(2, 5, 2), (3, 5), (1, 5)]:
        yield Case(PointsTable(), {"points": np.ones(shape, np.float32)})
    yield Case(PointsTable(form="heatmap"), {"points": np.ones((2, 4, 4, 3), np.float32)})


def test_points() -> None:
    def same(got: Any, expected: tuple[points.Point, ...]) -> None:
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert (one.get("label"), one["unsure"], "z" in one) == (other.label, other.unsure, other.z is not None)
            found = [number(one[key]) for key in ("x", "y", "score")] + [number(one.get("z", 0))]
            wanted = [other.x, other.y, other.score, other.z or 0]
            assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9, nan_ok=True)

    cases = list(point_cases())
    for case, got in zip(cases, answers_of_pages(cases), strict=True):
        compare(
            case,
            got,
            lambda case=case: points.answer(case.outputs, case.table, case.labels, case.frame, case.options),
            same,
        )


def vector_cases() -> Iterator[Case]:
    generator = np.random.default_rng(5)
    for _ in range(60):
        tokens, width = (int(length) for length in generator.integers(1, 9, 2))
        pooling = str(generator.choice(["none", "mean", "first"]))
        array = generator.normal(0, 1, (1, width) if pooling == "none" else (1, tokens, width)).astype(np.float32)
        table = VectorTable(pooling=pooling, normalise=bool(generator.random() < 0.5), mask="mask")
        weights = (generator.random((1, tokens)) < 0.6).astype(np.float32)
        yield Case(table, {"v": array}, inputs={"mask": weights} if generator.random() < 0.6 else None)
    yield Case(VectorTable(), {"v": np.zeros((1, 4), np.float32)})
    yield Case(VectorTable(), {"v": np.zeros((2, 4), np.float32)})
    yield Case(VectorTable(), {"v": np.zeros((1, 0), np.float32)})
    yield Case(VectorTable(pooling="mean"), {"v": np.zeros((2, 3, 4), np.float32)})
    yield Case(
        VectorTable(pooling="mean", mask="mask"),
        {"v": np.ones((1, 3, 4), np.float32)},
        inputs={"mask": np.ones(2, np.float32)},
    )


def test_vectors() -> None:
    def same(got: Any, expected: vector.Vector) -> None:
        assert got["values"] == pytest.approx(expected.values.tolist(), rel=1e-6, abs=1e-7)

    cases = list(vector_cases())
    for case, got in zip(cases, answers_of_pages(cases), strict=True):
        compare(case, got, lambda case=case: vector.answer(case.outputs, case.table, case.inputs), same)


def test_the_tables_of_cases_are_those_of_build_toml() -> None:
    """What is tried here could stand in build.toml: msgspec checks values only when it reads them."""
    for case in [*class_cases(), *box_cases(), *mask_cases(), *point_cases(), *vector_cases()]:
        table = msgspec.to_builtins(case.table)
        assert msgspec.convert(table, type(case.table)) == case.table
