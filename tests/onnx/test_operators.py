"""What lowered operators compute, in any order of axes and with open lengths, beside ONNX' own reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnx.helper import make_node, np_dtype_to_tensor_dtype

from builder.errors import UnsupportedOpsError
from tests.helpers.numpy_graphs import run_graph
from tests.helpers.onnx_cases import check, lower, model, ops_of

rng = np.random.default_rng(3)
picture = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
matrix = rng.normal(size=(2, 3)).astype(np.float32)


def numbers(*content: int) -> Any:
    """Give whole numbers as ONNX takes axes."""
    return np.array(content, np.int64)


def ways(function: Any) -> Any:
    """Run a test with a picture as it is, with its channels last, and with open lengths."""
    return pytest.mark.parametrize("way", [{}, {"last": True}, {"opened": True}], ids=["plain", "last", "opened"])(
        function
    )


@ways
@pytest.mark.parametrize("axis", [1, 2, -1])
def test_one_axis(axis: int, way: dict[str, bool]) -> None:
    """Operators along one axis find it where it is stored."""
    for op, attributes in (
        ("Softmax", {}),
        ("LogSoftmax", {}),
        ("Hardmax", {}),
        ("LpNormalization", {"p": 1}),  # of which the reference forgets the absolute values
        ("LpNormalization", {"p": 2}),
    ):
        x = np.abs(picture) if op == "LpNormalization" else picture
        check([make_node(op, ["x"], ["y"], axis=axis, **attributes)], {"x": x}, opset=18, **way)
    for op in ("ArgMax", "ArgMin"):
        for keep, last in ((0, 0), (1, 1)):
            node = make_node(op, ["x"], ["y"], axis=axis, keepdims=keep, select_last_index=last)
            check([node], {"x": np.round(picture)}, **way)
    for op in ("CumSum", "CumProd"):
        for exclusive, reverse in ((0, 0), (1, 0), (0, 1), (1, 1)):
            node = make_node(op, ["x", "axis"], ["y"], exclusive=exclusive, reverse=reverse)
            check([node], {"x": picture}, {"axis": np.array(axis)}, opset=26 if op == "CumProd" else 20, **way)
    for largest in (0, 1):
        node = make_node("TopK", ["x", "k"], ["y", "places"], axis=axis, largest=largest)
        check([node], {"x": picture}, {"k": numbers(2)}, outputs=["y", "places"], **way)
    check(
        [make_node("Compress", ["x", "c"], ["y"], axis=axis)],
        {"x": picture},
        {"c": np.array([True, False, True])},
        **way,
    )


@ways
@pytest.mark.parametrize("op", ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"])
def test_reductions(op: str, way: dict[str, bool]) -> None:
    """Reductions along some axes, all, or none."""
    positive = np.abs(picture) + 1
    for axes, keep in (([1], 1), ([1], 0), ([2, -1], 0), ([0, 1, 2, 3], 1)):
        node = make_node(f"Reduce{op}", ["x", "axes"], ["y"], keepdims=keep)
        check([node], {"x": positive}, {"axes": numbers(*axes)}, **way)
    check([make_node(f"Reduce{op}", ["x"], ["y"], keepdims=0)], {"x": positive}, **way)
    node = make_node(f"Reduce{op}", ["x", "axes"], ["y"], noop_with_empty_axes=1)
    check([node], {"x": positive}, {"axes": numbers()}, **way)


@pytest.mark.parametrize("op", ["L1", "L2", "LogSum", "LogSumExp", "Max", "Min", "Prod", "Sum", "SumSquare"])
def test_reductions_of_nothing(op: str) -> None:
    """An axis of length 0 gives what the specification says: wasm's kernels would give what was in memory."""
    node = make_node(f"Reduce{op}", ["x", "axes"], ["y"], keepdims=1)
    graph = check([node], {"x": np.zeros((2, 0, 3), np.float32)}, {"axes": numbers(1)})
    assert ops_of(graph) == []


def test_reduction_of_minus_infinity() -> None:
    """The exponentials of nothing but minus infinity add up to 0, whose logarithm is minus infinity, not NaN."""
    made = model(
        [make_node("ReduceLogSumExp", ["x", "axes"], ["y"])], {"x": (np.float32, [2])}, ["y"], {"axes": numbers(0)}
    )
    graph, found = lower(made)
    assert run_graph(graph, found, {"x": np.full(2, -np.inf, np.float32)})["y"].tolist() == [-np.inf]


def test_computed_axes() -> None:
    """Axes that are computed while the model runs are possible where the number of axes is known."""
    made = model(
        [make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=1)],
        {"x": (np.float32, [2, 3]), "axes": (np.int64, [1])},
        ["y"],
    )
    assert ops_of(lower(made)[0])[-1] == "Sum"


@ways
@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("Celu", {"alpha": 2.0}),
        ("Elu", {"alpha": 0.5}),
        ("Gelu", {}),
        ("Gelu", {"approximate": "tanh"}),
        ("HardSigmoid", {"alpha": 0.3}),
        ("HardSwish", {}),
        ("Mish", {}),
        ("Selu", {"alpha": 2.0}),
        ("Shrink", {"lambd": 0.4, "bias": 0.1}),
        ("Softsign", {}),
        ("ThresholdedRelu", {"alpha": 0.2}),
    ],
)
def test_activations(op: str, attributes: dict[str, Any], way: dict[str, bool]) -> None:
    """Activations that are made of several ops move no axes."""
    graph = check([make_node(op, ["x"], ["y"], **attributes)], {"x": picture}, **way)
    assert "Transpose" not in ops_of(graph)


@ways
def test_slopes(way: dict[str, bool]) -> None:
    """A slope a channel is TensorFlow.js' own op where channels lie last; others are computed."""
    for shape in ((3, 1, 1), (5,), (4, 5), (1,)):
        slope = rng.normal(size=shape).astype(np.float32)
        graph = check([make_node("PRelu", ["x", "slope"], ["y"])], {"x": picture}, {"slope": slope}, **way)
        if shape == (3, 1, 1) and way.get("last"):
            assert ops_of(graph) == ["Prelu"]


@ways
def test_normalisations(way: dict[str, bool]) -> None:
    """Means and variances over any axes."""
    scale, bias = (rng.normal(size=(4, 5)).astype(np.float32) for _ in range(2))
    node = make_node("LayerNormalization", ["x", "scale", "bias"], ["y", "mean", "inverse"], axis=2)
    check([node], {"x": picture}, {"scale": scale, "bias": bias}, outputs=["y", "mean", "inverse"], **way)
    node = make_node("RMSNormalization", ["x", "scale"], ["y"], axis=-2)
    check([node], {"x": picture}, {"scale": scale}, opset=23, **way)
    check([make_node("MeanVarianceNormalization", ["x"], ["y"], axes=[0, 2])], {"x": picture}, **way)


@ways
@pytest.mark.parametrize(
    ("equation", "shape"),
    [
        ("nchw,nchw->nhw", (2, 3, 4, 5)),
        ("nchw,cd->ndhw", (3, 6)),
        ("nchw,nkw->nchk", (2, 6, 5)),
        ("...hw,...wk->...hk", (3, 5, 2)),
        ("nchw,hw->nc", (4, 5)),
        ("nchw,d->nchwd", (2,)),
        ("nchw,wi", (5, 2)),
    ],
)
def test_einsum(equation: str, shape: tuple[int, ...], way: dict[str, bool]) -> None:
    """Equations become products of matrices."""
    other = rng.normal(size=shape).astype(np.float32)
    graph = check([make_node("Einsum", ["x", "b"], ["y"], equation=equation)], {"x": picture}, {"b": other}, **way)
    assert "Einsum" not in ops_of(graph)


def test_einsum_of_one_and_three() -> None:
    """Diagonals, sums, and products of several."""
    square = rng.normal(size=(2, 3, 3)).astype(np.float32)
    for equation in ("bii->bi", "bii->b", "bij->bji", "bij->", "bij"):
        check([make_node("Einsum", ["x"], ["y"], equation=equation)], {"x": square})
    node = make_node("Einsum", ["x", "b", "c"], ["y"], equation="ij,jk,kl->li")
    weights = {"b": rng.normal(size=(3, 4)).astype(np.float32), "c": rng.normal(size=(4, 5)).astype(np.float32)}
    check([node], {"x": matrix}, weights)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((2, 3, 4, 5), (3, 5, 2)),
        ((2, 1, 4, 5), (1, 3, 5, 2)),
        ((4,), (2, 4, 3)),
        ((2, 3, 4), (4,)),
        ((4, 5), (3, 5, 2)),
    ],
)
def test_products(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    """Stacks of matrices of any shapes; what the kernels would repeat wrongly is repeated before."""
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in (left, right))
    graph = check([make_node("MatMul", ["a", "b"], ["y"])], {"a": a, "b": b})
    assert ops_of(graph).count("BroadcastTo") == (left == (2, 1, 4, 5))


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "int32", "int64"])
def test_whole_numbers(kind: str) -> None:
    """Narrow whole numbers wrap around, quotients are cut towards zero."""
    limits = np.iinfo(kind)
    wide = kind in ("int32", "int64")
    low, high = (-(2**30), 2**30) if wide else (limits.min, limits.max)
    a, b = (rng.integers(low, high, 50, dtype=kind, endpoint=True) for _ in range(2))
    b[b == 0] = 1
    small = rng.integers(1 if limits.min == 0 else -7, 8, 50).astype(kind)
    small[small == 0] = 2
    for other in (b, small):
        for op in ("Div", "Mod", "Max", "Min", *(() if wide else ("Add", "Sub", "Mul"))):
            if op == "Div" and limits.min < 0:  # the reference divides down, ONNX towards zero
                continue
            check([make_node(op, ["a", "b"], ["y"])], {"a": a, "b": other})
    for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
        check([make_node(op, ["a", "b"], ["y"])], {"a": a, "b": b})
    if limits.min < 0:
        for op in ("Abs", "Neg", "Sign"):
            check([make_node(op, ["a"], ["y"])], {"a": a})
    many = rng.integers(-(2**30), 2**30, 50).astype(np.int32)
    check([make_node("Cast", ["a"], ["y"], to=np_dtype_to_tensor_dtype(np.dtype(kind)))], {"a": many})


def test_division_towards_zero() -> None:
    """Whole numbers of both signs are divided exactly, beyond the 2^24 that floats hold too."""
    a = np.array([7, -7, 7, -7, 1_000_000_007, -1_000_000_007, 16_777_217], np.int64)
    b = np.array([2, 2, -2, -2, 3, 3, -1], np.int64)
    made = model([make_node("Div", ["a", "b"], ["y"])], {"a": (np.int64, [7]), "b": (np.int64, [7])}, ["y"])
    graph, found = lower(made)
    got = run_graph(graph, found, {"a": a, "b": b})["y"]
    assert got.tolist() == [3, -3, -3, 3, 333333335, -333333335, -16777217]


def test_ranges() -> None:
    """Ranges that are computed, also those with nothing in them, which TensorFlow.js' own op would count down."""
    for start, limit, delta in ((0, 10, 3), (10, 0, -3), (5, 3, 1), (3, 5, -1), (0, 0, 1), (-5, 6, 4)):
        for kind in (np.int64, np.float32):
            feeds = {name: np.array(n, kind) for name, n in (("a", start), ("b", limit), ("c", delta))}
            check([make_node("Range", ["a", "b", "c"], ["y"])], feeds)


def test_selections() -> None:
    """Results that are as long as there is something to select."""
    x = np.array([2, 1, 1, 3, 4, 3], np.float32)
    check([make_node("NonZero", ["x"], ["y"])], {"x": np.round(matrix)})
    names = ["y", "first", "inverse", "counts"]
    for order in (0, 1):
        check([make_node("Unique", ["x"], names, sorted=order)], {"x": x}, outputs=names)
    check([make_node("Compress", ["x", "c"], ["y"])], {"x": matrix, "c": np.array([True, False, True, True])})


def test_marks_and_triangles() -> None:
    """Marks count from the end too, and mark nothing beyond, unlike the reference's; triangles may be moved."""
    node = make_node("OneHot", ["i", "d", "v"], ["y"], axis=1)
    weights = {"d": np.array(3), "v": np.array([-1, 2], np.float32)}
    check([node], {"i": np.array([[0, -1, 2], [2, 1, -3]])}, weights)
    graph, found = lower(model([node], {"i": (np.int64, [3])}, ["y"], weights))
    assert run_graph(graph, found, {"i": np.array([7, -4, 1])})["y"].tolist() == [[-1] * 3, [-1] * 3, [-1, 2, -1]]
    for upper in (0, 1):
        check([make_node("Trilu", ["x", "k"], ["y"], upper=upper)], {"x": picture}, {"k": np.array(-1)}, last=True)
    check([make_node("Det", ["x"], ["y"])], {"x": rng.normal(size=(2, 3, 3)).astype(np.float32)})


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint32"])
def test_shifts(kind: str, direction: str) -> None:
    """Shifted bits go at the ends."""
    a = rng.integers(0, min(np.iinfo(kind).max, 2**28), 30, dtype=np.int64).astype(kind)
    by = rng.integers(0, 3 if kind == "uint32" else 8, 30).astype(kind)
    check([make_node("BitShift", ["a", "b"], ["y"], direction=direction)], {"a": a, "b": by})


def test_bodies() -> None:
    """Operators that the specification makes of others are lowered as these."""
    x, labels = rng.normal(size=(3, 5)).astype(np.float32), np.array([1, 0, 4])
    node = make_node("SoftmaxCrossEntropyLoss", ["x", "labels"], ["y"], reduction="mean")
    check([node], {"x": x, "labels": labels})
    check([make_node("CastLike", ["x", "like"], ["y"])], {"x": x, "like": np.array([1], np.int32)})


@pytest.mark.parametrize(
    ("node", "kind", "words"),
    [
        (make_node("RandomNormalLike", ["x"], ["y"]), np.float32, "gives other numbers each time"),
        (make_node("Bernoulli", ["x"], ["y"]), np.float32, "gives other numbers each time"),
        (make_node("Cast", ["x"], ["y"], to=TensorProto.STRING), np.float32, "between numbers and strings"),
        (make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT8E4M3FN), np.float32, "float8_e4m3fn"),
        (make_node("Cast", ["x"], ["y"], to=TensorProto.INT4), np.float32, "int4"),
        (make_node("MatMul", ["x", "x"], ["y"]), np.int64, "int64"),
        (make_node("Einsum", ["x"], ["y"], equation="ij->ji"), np.int32, "int32"),
        (make_node("LpNormalization", ["x"], ["y"], p=3), np.float32, "p of 3"),
        (make_node("Det", ["x"], ["y"]), np.float32, "4 rows"),
        (make_node("Unique", ["x"], ["y"], axis=0), np.float32, "along an axis"),
    ],
)
def test_refusals(node: Any, kind: Any, words: str) -> None:
    """What cannot be exact is refused, in words that name it."""
    with pytest.raises(UnsupportedOpsError, match=words):
        lower(model([node], {"x": (kind, [4, 4])}, ["y"]))


def test_training_is_refused() -> None:
    """Dropout drops nothing at inference, and is refused where it would."""
    weights = {"ratio": np.float32(0.5), "training": np.array(True)}
    node = make_node("Dropout", ["x", "ratio", "training"], ["y"])
    with pytest.raises(UnsupportedOpsError, match="training_mode"):
        lower(model([node], {"x": (np.float32, [2, 2])}, ["y"], weights))
    node = make_node("Dropout", ["x"], ["y", "mask"])
    assert ops_of(check([node], {"x": matrix}, outputs=["y", "mask"])) == []
    assert ops_of(check([node], {"x": matrix}, outputs=["y", "mask"], opened=True))[-1] == "Fill"
    for opset, kind in ((7, "float32"), (10, "bool")):
        made = model([node], {"x": (np.float32, [2, 2])}, ["y", "mask"], opset=opset)
        assert lower(made)[1]["mask"].dtype == kind


def test_constants_are_computed() -> None:
    """What depends on constants only is in no node."""
    nodes = [make_node("Exp", ["w"], ["e"]), make_node("ReduceSum", ["e"], ["s"]), make_node("Mul", ["x", "s"], ["y"])]
    graph = check(nodes, {"x": matrix}, {"w": matrix})
    assert ops_of(graph) == ["Mul"]


def test_size_of_what_is_made() -> None:
    """A small file cannot ask for a large constant."""
    for node, shape in (
        (make_node("EyeLike", ["x"], ["y"]), [1 << 16, 1 << 16]),
        (make_node("Trilu", ["x"], ["y"]), [1 << 16, 1 << 16]),
        (make_node("Dropout", ["x"], ["z", "y"]), [1 << 16, 1 << 16]),
        (make_node("ReduceSum", ["x"], ["y"], axes=[0]), [0, 1 << 16, 1 << 16]),
    ):
        with pytest.raises(UnsupportedOpsError, match="would make a constant of 4,294,967,296 elements"):
            lower(model([node], {"x": (np.float32, shape)}, ["y"], opset=12 if node.op_type != "Trilu" else 14))


def test_bounds_that_bound_nothing() -> None:
    """The limits of int64 are no bounds of what is held in 32 bits."""
    weights = {"low": np.array(0), "high": np.array(np.iinfo(np.int64).max)}
    graph = check([make_node("Clip", ["x", "low", "high"], ["y"])], {"x": np.array([-3, 4])}, weights)
    assert ops_of(graph) == ["Maximum"]


def test_small_numbers_of_half_floats() -> None:
    """Numbers that ONNX gives as float32 stay so beside halves, which would make 1e-12 nothing."""
    node = make_node("LayerNormalization", ["x", "scale"], ["y"], epsilon=1e-12)
    made = model([node], {"x": (np.float16, [2, 2])}, ["y"], {"scale": np.ones(2, np.float16)})
    graph, found = lower(made)
    got = run_graph(graph, found, {"x": np.array([[1, 1], [0, 2]], np.float32)})["y"]
    np.testing.assert_allclose(got, [[0, 0], [-1, 1]])


def test_what_changes_nothing_is_left_out() -> None:
    """Adding zeros and multiplying with ones, as masks that mask nothing do, is no op."""
    for op, number in (("Add", 0), ("Sub", 0), ("Mul", 1), ("Div", 1)):
        node = make_node(op, ["x", "w"], ["y"])
        assert ops_of(check([node], {"x": matrix}, {"w": np.full((1, 3), number, np.float32)})) == []
        assert ops_of(check([node], {"x": matrix}, {"w": np.full((1, 2, 3), number, np.float32)})) != []
    assert ops_of(check([make_node("Sub", ["w", "x"], ["y"])], {"x": matrix}, {"w": np.float32(0)})) == ["Sub"]
