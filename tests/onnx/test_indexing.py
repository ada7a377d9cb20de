"""Slices, gathers, scatters, pads and products of random shapes, against ONNX Runtime, in whatever order is stored."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from builder.errors import UnsupportedOpsError
from tests.helpers.onnx_cases import check_file, model_of

seeds = range(16)
largest, smallest = 2**63 - 1, -(2**63)


class Case:
    """One node under construction: its input, which a convolution or transposes may have stored in another order."""

    def __init__(self, seed: int, least_rank: int = 1) -> None:
        self.pick = random.Random(seed)
        self.random = np.random.default_rng(seed)
        self.shape = [self.pick.randint(1, 5) for _ in range(self.pick.randint(least_rank, 4))]
        self.x = self.random.normal(size=self.shape).astype(np.float32)
        self.feeds: dict[str, Any] = {"x": self.x}
        self.constants: dict[str, Any] = {}
        self.nodes: list[Any] = []
        self.source = "x"
        self.axis = self.pick.randint(-len(self.shape), len(self.shape) - 1)
        self.opened: tuple[int, ...] = self.pick.choice([(), (), (0,)])
        self.is_computed = self.pick.random() < 0.3
        if len(self.shape) == 4 and self.pick.random() < 0.6:
            self.constants["kernel"] = self.random.normal(size=(self.shape[1], self.shape[1], 1, 1)).astype(np.float32)
            self.nodes.append(helper.make_node("Conv", ["x", "kernel"], ["t"]))
            self.source = "t"
        elif len(self.shape) > 1 and self.pick.random() < 0.5:
            moves = self.pick.sample(range(len(self.shape)), len(self.shape))
            back = [moves.index(axis) for axis in range(len(moves))]
            self.nodes.append(helper.make_node("Transpose", ["x"], ["t0"], perm=moves))
            self.nodes.append(helper.make_node("Transpose", ["t0"], ["t"], perm=back))
            self.source = "t"

    def give(self, name: str, content: Any, *, computed: bool | None = None) -> str:
        """Give whole numbers, as a constant or when the model runs."""
        array = np.asarray(content, np.int64)
        place = self.feeds if (self.is_computed if computed is None else computed) else self.constants
        place[name] = array
        return name

    def model(
        self, op: str, *inputs: str, outputs: tuple[str, ...] = ("y",), opset: int = 19, **attributes: Any
    ) -> Any:
        """Return the model."""
        self.nodes.append(helper.make_node(op, [self.source, *inputs], list(outputs), **attributes))
        return model_of(self.nodes, self.feeds, self.constants, outputs, opset=opset, opened=self.opened)


def run(folder: Path, case: Case, model: Any) -> bool:
    """Check a model; False where it is refused."""
    try:
        check_file(folder, model, case.feeds)
    except UnsupportedOpsError:
        return False
    return True


@pytest.mark.parametrize("seed", seeds)
def test_slices(seed: int, tmp_path: Path) -> None:
    case = Case(seed)
    rank, pick = len(case.shape), case.pick
    axes = pick.sample(range(rank), pick.randint(1, rank))
    steps = [pick.choice([1, 1, 2, -1, -2]) for _ in axes]
    starts = [pick.choice([0, 1, -1, 2]) if step > 0 else pick.choice([-1, 100, 2]) for step in steps]
    ends = [
        pick.choice([2, -1, 3] if case.is_computed else [2, -1, largest if step > 0 else smallest]) for step in steps
    ]
    inputs = [
        case.give("starts", starts),
        case.give("ends", ends),
        case.give("axes", [axis - pick.choice([0, rank]) for axis in axes]),
        case.give("steps", steps),
    ]
    assert run(tmp_path, case, case.model("Slice", *inputs))


@pytest.mark.parametrize("seed", seeds)
def test_gathers(seed: int, tmp_path: Path) -> None:
    case = Case(seed)
    length = case.shape[case.axis]
    places = case.random.integers(-length, length, case.pick.choice([(), (3,), (2, 2)]))
    assert run(tmp_path, case, case.model("Gather", case.give("places", places), axis=case.axis))


@pytest.mark.parametrize("seed", seeds)
def test_gathers_of_elements(seed: int, tmp_path: Path) -> None:
    case = Case(seed)
    case.opened = ()
    shape = [case.pick.randint(1, length) for length in case.shape]
    shape[case.axis] = case.pick.randint(1, 6)
    places = case.random.integers(-case.shape[case.axis], case.shape[case.axis], shape)
    assert run(tmp_path, case, case.model("GatherElements", case.give("places", places), axis=case.axis))


@pytest.mark.parametrize("seed", seeds)
def test_gathers_of_rows(seed: int, tmp_path: Path) -> None:
    case = Case(seed)
    rank = len(case.shape)
    batch = case.pick.randint(0, min(rank - 1, 1))
    depth = case.pick.randint(1, rank - batch)
    outer = case.shape[:batch] + [case.pick.randint(1, 4) for _ in range(case.pick.randint(1, 2))]
    places = [case.random.integers(-n, n, outer) for n in case.shape[batch : batch + depth]]
    given = case.give("places", np.stack(places, -1))
    assert run(tmp_path, case, case.model("GatherND", given, batch_dims=batch))


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
@pytest.mark.parametrize("seed", seeds[:8])
def test_scatters_of_elements(seed: int, reduction: str, tmp_path: Path) -> None:
    case = Case(seed)
    case.opened = ()
    shape = [case.pick.randint(1, length) for length in case.shape]
    if reduction == "none":  # of which several at one place are undefined
        places = np.indices(shape)[case.axis % len(shape)]
    else:
        shape[case.axis] = case.pick.randint(1, 6)
        places = case.random.integers(-case.shape[case.axis], case.shape[case.axis], shape)
    case.feeds["updates"] = case.random.normal(size=shape).astype(np.float32)
    given = case.give("places", places)
    model = case.model("ScatterElements", given, "updates", axis=case.axis, reduction=reduction)
    assert run(tmp_path, case, model)


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
@pytest.mark.parametrize("seed", seeds[:8])
def test_scatters_of_rows(seed: int, reduction: str, tmp_path: Path) -> None:
    case = Case(seed)
    case.opened = ()
    depth = case.pick.randint(1, len(case.shape))
    places = np.stack([case.random.integers(0, n, case.pick.randint(1, 1) + 3) for n in case.shape[:depth]], -1)
    places = np.unique(places, axis=0) if reduction == "none" else places
    case.feeds["updates"] = case.random.normal(size=(len(places), *case.shape[depth:])).astype(np.float32)
    model = case.model("ScatterND", case.give("places", places), "updates", reduction=reduction)
    assert run(tmp_path, case, model)


@pytest.mark.parametrize("seed", seeds)
def test_splits(seed: int, tmp_path: Path) -> None:
    case = Case(seed)
    length = case.shape[case.axis]
    case.opened = ()
    if seed % 2:
        cuts = sorted(case.random.integers(0, length + 1, case.pick.randint(0, 3)))
        parts = np.diff([0, *cuts, length])
        names = tuple(f"y{number}" for number in range(len(parts)))
        model = case.model("Split", case.give("parts", parts, computed=False), outputs=names, axis=case.axis)
    else:
        count = case.pick.randint(1, length)
        names = tuple(f"y{number}" for number in range(count))
        model = case.model("Split", outputs=names, axis=case.axis, num_outputs=count)
    assert run(tmp_path, case, model)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("seed", seeds[:8])
def test_pads(seed: int, mode: str, tmp_path: Path) -> None:
    case = Case(seed)
    rank = len(case.shape)
    lengths = case.shape * 2
    if mode == "reflect":
        pads = [case.pick.randint(0, min(2, length - 1)) for length in lengths]
    else:
        cuts = mode == "constant" and min(lengths) > 2 and not case.is_computed and not case.opened
        pads = [case.pick.randint(-1 if cuts else 0, 3) for _ in lengths]
    axes = case.pick.sample(range(rank), case.pick.randint(1, rank))
    case.constants["value"] = np.array(2.5, np.float32)
    given = case.give("pads", [pads[axis] for axis in (*axes, *(axis + rank for axis in axes))])
    inputs = [given, "value" if mode == "constant" else "", case.give("axes", axes)]
    assert run(tmp_path, case, case.model("Pad", *inputs, mode=mode))


@pytest.mark.parametrize("seed", seeds)
def test_repetitions(seed: int, tmp_path: Path) -> None:
    case = Case(seed)
    if seed % 2:
        times = [case.pick.randint(1, 3) for _ in case.shape]
        assert run(tmp_path, case, case.model("Tile", case.give("times", times)))
        return
    target = [case.pick.choice([1, n]) if n > 1 else case.pick.randint(1, 3) for n in case.shape]
    target = [case.pick.randint(1, 3), *target] if case.pick.random() < 0.5 else target
    assert run(tmp_path, case, case.model("Expand", case.give("target", target)))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_blocks(mode: str, tmp_path: Path) -> None:
    x = np.arange(2 * 8 * 4 * 6, dtype=np.float32).reshape(2, 8, 4, 6)
    nodes = [
        helper.make_node("DepthToSpace", ["x"], ["t"], blocksize=2, mode=mode),
        helper.make_node("SpaceToDepth", ["t"], ["y"], blocksize=2),
    ]
    check_file(tmp_path, model_of(nodes, {"x": x}, {}, opened=(0,)), {"x": x})


@pytest.mark.parametrize("seed", range(24))
def test_products_of_stacks(seed: int, tmp_path: Path) -> None:
    pick, random_numbers = random.Random(seed), np.random.default_rng(seed)
    stack = [pick.randint(1, 3) for _ in range(pick.randint(0, 3))]
    left = [pick.choice([1, n, n]) for n in stack]
    right = [pick.choice([1, n, n]) for n in stack][pick.choice([0, 0, len(stack)]) :]
    feeds = {
        "x": random_numbers.normal(size=(*left, 3, 4)).astype(np.float32),
        "z": random_numbers.normal(size=(*right, 5, 4)).astype(np.float32),
    }
    rank = len(right) + 2
    nodes = [
        helper.make_node("Transpose", ["z"], ["t"], perm=[*range(rank - 2), rank - 1, rank - 2]),
        helper.make_node("MatMul", ["x", "t"], ["y"]),
    ]
    constants = {"z": feeds.pop("z")} if pick.random() < 0.5 else {}
    check_file(tmp_path, model_of(nodes, feeds, constants, opened=pick.choice([(), (0,)])), feeds)
