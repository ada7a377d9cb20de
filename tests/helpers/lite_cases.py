"""Small TensorFlow Lite models, one for each operator and form of it that is lowered."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.helpers.lite import Lite

random = np.random.default_rng(5)
cases: dict[str, Callable[[], Lite]] = {}
same, valid = {"padding": 0}, {"padding": 1}


def numbers(*shape: int) -> Any:
    return random.normal(size=shape).astype(np.float32)


def case(name: str) -> Callable[[Callable[[], Lite]], Callable[[], Lite]]:
    def register(function: Callable[[], Lite]) -> Callable[[], Lite]:
        assert name not in cases, name
        cases[name] = function
        return function

    return register


def one(
    name: str,
    op: str,
    shapes: list[tuple[int, ...]],
    constants: list[Any] = [],  # noqa: B006
    results: tuple[str, ...] = ("float32",),
    options: str = "",
    kinds: tuple[str, ...] = (),
    first: int = 0,
    **settings: Any,
) -> None:
    """Add a case of one operator: inputs of these shapes, then constants (before them ``first`` of these)."""

    def build() -> Lite:
        lite = Lite()
        given = [
            lite.input(shape, kinds[number] if number < len(kinds) else "float32")
            for number, shape in enumerate(shapes)
        ]
        fixed = [lite.constant(array) for array in constants]
        found = lite.op(op, [*fixed[:first], *given, *fixed[first:]], results, options, **settings)
        return lite.gives(*(found if isinstance(found, list) else [found]))

    assert name not in cases, name
    cases[name] = build


picture = (2, 7, 8, 3)
window = {"strideH": 2, "strideW": 2}
for name, extra in {
    "same": {**same, "strideH": 1, "strideW": 1},
    "valid": {**valid, "strideH": 1, "strideW": 1},
    "strides": {**same, **window, "fusedActivationFunction": 1},
    "uneven": {**valid, "strideH": 1, "strideW": 2, "fusedActivationFunction": 3},
    "dilations": {**same, "strideH": 1, "strideW": 1, "dilationHFactor": 2, "dilationWFactor": 2},
    "n1": {**valid, "strideH": 1, "strideW": 1, "fusedActivationFunction": 2},
}.items():
    one(f"conv-{name}", "CONV_2D", [picture], [numbers(5, 3, 3, 3), numbers(5)], options="Conv2DOptions", **extra)
    if name != "uneven":
        one(
            f"depthwise-{name}",
            "DEPTHWISE_CONV_2D",
            [picture],
            [numbers(1, 3, 3, 6), numbers(6)],
            options="DepthwiseConv2DOptions",
            depthMultiplier=2,
            **extra,
        )
one(
    "conv-groups",
    "CONV_2D",
    [(1, 5, 5, 4)],
    [numbers(6, 3, 3, 2), numbers(6)],
    options="Conv2DOptions",
    version=6,
    **same,
    strideH=1,
    strideW=1,
)
for pad, lengths in ((same, (2, 14, 16, 5)), (valid, (2, 15, 17, 5))):
    one(
        f"transpose-conv-{pad['padding']}",
        "TRANSPOSE_CONV",
        [picture],
        [np.array(lengths), numbers(5, 3, 3, 3), numbers(5)],
        options="TransposeConvOptions",
        first=2,
        version=3,
        **pad,
        **window,
    )
for op, name in (("MAX_POOL_2D", "max"), ("AVERAGE_POOL_2D", "average"), ("L2_POOL_2D", "l2")):
    for pad in (same, valid):
        one(
            f"pool-{name}-{pad['padding']}",
            op,
            [picture],
            options="Pool2DOptions",
            filterHeight=3,
            filterWidth=2,
            **pad,
            **window,
        )
for op, name in (("RESIZE_BILINEAR", "Bilinear"), ("RESIZE_NEAREST_NEIGHBOR", "NearestNeighbor")):
    for mode in ("", "alignCorners", "halfPixelCenters"):
        for size in ((14, 5), (3, 20)):
            one(
                f"resize-{name}-{mode or 'plain'}-{size[0]}",
                op,
                [picture],
                [np.array(size)],
                options=f"Resize{name}Options",
                version=3,
                **({mode: True} if mode else {}),
            )
one("space-to-depth", "SPACE_TO_DEPTH", [(2, 4, 6, 3)], options="SpaceToDepthOptions", blockSize=2)
one("depth-to-space", "DEPTH_TO_SPACE", [(2, 4, 6, 12)], options="DepthToSpaceOptions", blockSize=2)
one("space-to-batch", "SPACE_TO_BATCH_ND", [(1, 4, 5, 3)], [np.array([2, 3]), np.array([[1, 1], [0, 1]])])
one("batch-to-space", "BATCH_TO_SPACE_ND", [(6, 3, 2, 3)], [np.array([2, 3]), np.array([[1, 1], [0, 1]])])
for op in ("RELU", "RELU6", "RELU_N1_TO_1", "LOGISTIC", "TANH", "ELU", "HARD_SWISH", "ABS", "CEIL", "COS", "EXP",
           "FLOOR", "NEG", "ROUND", "SIGN", "SIN", "SQUARE", "ZEROS_LIKE"):  # fmt: skip
    one(op.lower(), op, [(3, 5)])
for op in ("LOG", "SQRT", "RSQRT"):

    @case(op.lower())
    def positive(op: str = op) -> Lite:
        lite = Lite()
        return lite.gives(lite.op(op, [lite.op("EXP", [lite.input((3, 5))])]))


one("leaky-relu", "LEAKY_RELU", [(3, 5)], options="LeakyReluOptions", alpha=0.2)
one("prelu", "PRELU", [picture], [numbers(1, 1, 3)])
one("gelu", "GELU", [(3, 5)], options="GeluOptions")
one("gelu-tanh", "GELU", [(3, 5)], options="GeluOptions", approximate=True)
one("softmax", "SOFTMAX", [(3, 5)], options="SoftmaxOptions", beta=1.0)
one("softmax-beta", "SOFTMAX", [(3, 4, 5)], options="SoftmaxOptions", beta=0.5)
one("log-softmax", "LOG_SOFTMAX", [(3, 5)])
one("l2-normalization", "L2_NORMALIZATION", [(3, 5)], options="L2NormOptions")
one(
    "lrn",
    "LOCAL_RESPONSE_NORMALIZATION",
    [(1, 3, 3, 8)],
    options="LocalResponseNormalizationOptions",
    radius=2,
    bias=1.0,
    alpha=0.3,
    beta=0.5,
)
for op, options in (("ADD", "AddOptions"), ("SUB", "SubOptions"), ("MUL", "MulOptions"), ("DIV", "DivOptions")):
    one(op.lower(), op, [(2, 3, 4), (3, 1)], options=options, fusedActivationFunction=1)
    one(f"{op.lower()}-int", op, [(2, 3, 4), (3, 1)], options=options, kinds=("int32", "int32"), results=("int32",))
for op in ("MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "FLOOR_MOD", "FLOOR_DIV"):
    one(op.lower(), op, [(2, 3, 4), (3, 1)])
one("floor-div-int", "FLOOR_DIV", [(2, 3)], [np.array([[3, -4, 7]])], kinds=("int32",), results=("int32",))
one("floor-mod-int", "FLOOR_MOD", [(2, 3)], [np.array([[3, -4, 7]])], kinds=("int32",), results=("int32",))
one("pow-2", "POW", [(3, 5)], [np.float32(2)])
one("pow-3", "POW", [(3, 5)], [np.float32(3)])
one("atan2", "ATAN2", [(3, 5), (3, 5)])
one("relu-0-to-1", "RELU_0_TO_1", [(3, 5)])
one("rank", "RANK", [(3, 5)], results=("int32",))
one("where", "WHERE", [(3, 5)], results=("int64",), kinds=("bool",))
one("any", "REDUCE_ANY", [(3, 5)], [np.array([1])], ("bool",), "ReducerOptions", kinds=("bool",))
one("all", "REDUCE_ALL", [(3, 5)], [np.array([1])], ("bool",), "ReducerOptions", kinds=("bool",), keepDims=True)
one("fill", "FILL", [()], [np.array([2, 3])], first=1)
one("range", "RANGE", [()], [np.int32(3), np.int32(4)], ("int32",), "RangeOptions", kinds=("int32",), first=1)
one("add-n", "ADD_N", [(3, 5), (3, 5), (3, 5)])
for op in ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"):
    one(op.lower(), op, [(3, 5)], [np.float32(0.25)], results=("bool",))


@case("logic")
def logic() -> Lite:
    lite = Lite()
    x = lite.input((3, 5))
    above = lite.op("GREATER", [x, lite.constant(np.float32(0))], ["bool"])
    below = lite.op("LESS", [x, lite.constant(np.float32(1))], ["bool"])
    both = lite.op("LOGICAL_AND", [above, below], ["bool"])
    either = lite.op("LOGICAL_OR", [above, lite.op("LOGICAL_NOT", [below], ["bool"])], ["bool"])
    chosen = lite.op("SELECT_V2", [both, x, lite.constant(np.float32(7))])
    other = lite.op("SELECT", [either, x, lite.op("NEG", [x])])
    return lite.gives(chosen, other, both)


one("cast-int", "CAST", [(3, 5)], results=("int32",), options="CastOptions", inDataType=0, outDataType=2)
one("cast-float", "CAST", [(3, 5)], kinds=("int32",), options="CastOptions", inDataType=2, outDataType=0)
for op in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"):
    for keep in (False, True):
        one(
            f"{op.lower()}-{'kept' if keep else 'gone'}",
            op,
            [picture],
            [np.array([1, -2])],
            options="ReducerOptions",
            keepDims=keep,
        )
one("arg-max", "ARG_MAX", [(3, 5)], [np.int32(-1)], ("int32",), "ArgMaxOptions", outputType=2)
one("arg-min", "ARG_MIN", [(3, 5)], [np.int32(0)], ("int64",), "ArgMinOptions", outputType=4)
one("cumsum", "CUMSUM", [(3, 5)], [np.int32(1)], options="CumsumOptions", exclusive=True, reverse=True)
one("top-k", "TOPK_V2", [(3, 7)], [np.int32(4)], ("float32", "int32"), "TopKV2Options")
one("fully-connected", "FULLY_CONNECTED", [(3, 8)], [numbers(5, 8), numbers(5)], options="FullyConnectedOptions",
    fusedActivationFunction=1)  # fmt: skip
one("fully-connected-kept", "FULLY_CONNECTED", [(2, 3, 8)], [numbers(5, 8)], options="FullyConnectedOptions",
    keepNumDims=True, version=5)  # fmt: skip
one("fully-connected-flat", "FULLY_CONNECTED", [(3, 2, 4)], [numbers(5, 8)], options="FullyConnectedOptions")
one("batch-matmul", "BATCH_MATMUL", [(2, 3, 4, 5), (2, 1, 5, 6)], options="BatchMatMulOptions")
one("batch-matmul-adj", "BATCH_MATMUL", [(2, 4, 3), (2, 6, 4)], options="BatchMatMulOptions", adjX=True, adjY=True)
one("reshape", "RESHAPE", [(2, 3, 4)], [np.array([-1, 6])], options="ReshapeOptions")
one("reshape-option", "RESHAPE", [(2, 3, 4)], options="ReshapeOptions", newShape=np.array([4, -1], np.int32))
one("squeeze", "SQUEEZE", [(1, 3, 1, 4)], options="SqueezeOptions", squeezeDims=np.array([0, -2], np.int32))
one("squeeze-all", "SQUEEZE", [(1, 3, 1, 4)], options="SqueezeOptions")
one("expand-dims", "EXPAND_DIMS", [(3, 4)], [np.int32(-2)], options="ExpandDimsOptions")
one("transpose", "TRANSPOSE", [(2, 3, 4, 5)], [np.array([0, 3, 1, 2])], options="TransposeOptions")
one("pack", "PACK", [(3, 4), (3, 4)], options="PackOptions", axis=-1, valuesCount=2)
one("unpack", "UNPACK", [(3, 2, 4)], results=("float32", "float32"), options="UnpackOptions", axis=1, num=2)
one("concatenation", "CONCATENATION", [(2, 3, 4), (2, 5, 4)], options="ConcatenationOptions", axis=-2)
one("split", "SPLIT", [(2, 6, 3)], [np.int32(1)], ("float32",) * 3, "SplitOptions", first=1, numSplits=3)
one("split-v", "SPLIT_V", [(2, 6, 3)], [np.array([1, -1, 2]), np.int32(-2)], ("float32",) * 3, "SplitVOptions",
    numSplits=3)  # fmt: skip
one("tile", "TILE", [(2, 3)], [np.array([2, 3])])
one("pad", "PAD", [picture], [np.array([[0, 0], [1, 2], [0, 3], [1, 0]])])
one("pad-v2", "PADV2", [(2, 3)], [np.array([[1, 0], [0, 2]]), np.float32(-3)])
one("mirror-pad", "MIRROR_PAD", [(1, 4, 5, 1)], [np.array([[0, 0], [1, 2], [3, 1], [0, 0]])],
    options="MirrorPadOptions", mode=0)  # fmt: skip
one("mirror-pad-symmetric", "MIRROR_PAD", [(4, 5)], [np.array([[2, 2], [3, 1]])], options="MirrorPadOptions", mode=1)
one("reverse", "REVERSE_V2", [(2, 3, 4)], [np.array([-2])])
one("broadcast-to", "BROADCAST_TO", [(3, 1)], [np.array([2, 3, 4])], version=2)
one("slice", "SLICE", [(4, 5, 6)], [np.array([1, 0, 2]), np.array([2, -1, 3])])
for name, (begin, end, steps, more) in {
    "plain": ([1, 0, 2], [3, 5, 6], [1, 1, 1], {}),
    "steps": ([0, 4, 1], [4, 0, 6], [2, -1, 2], {}),
    "masks": ([1, 2, 3], [2, 3, 4], [1, 1, 1], {"beginMask": 2, "endMask": 6}),
    "shrunk": ([1, -2, 0], [2, -1, 6], [1, 1, 2], {"shrinkAxisMask": 3}),
    "ellipsis": ([0, 1], [0, 3], [1, 1], {"ellipsisMask": 1}),
    "new": ([0, 0, 1], [0, 0, 3], [1, 1, 1], {"ellipsisMask": 1, "newAxisMask": 2}),
}.items():
    one(f"strided-{name}", "STRIDED_SLICE", [(4, 5, 6)], [np.array(begin), np.array(end), np.array(steps)],
        options="StridedSliceOptions", **more)  # fmt: skip
one("gather", "GATHER", [(3, 5, 2)], [np.array([[1, 4], [0, 0]])], options="GatherOptions", axis=1)
one("gather-batch", "GATHER", [(2, 5, 3)], [np.array([[1, 4], [0, 2]])], options="GatherOptions", axis=1, batchDims=1)
one("gather-rows", "GATHER", [(2, 3)], [np.array([[0], [2]])], options="GatherOptions", axis=1, batchDims=1)
one("gather-columns", "GATHER", [(2, 3, 5)], [np.array([[0], [4]])], options="GatherOptions", axis=2, batchDims=1)
one("gather-batches", "GATHER", [(2, 2, 4, 3)], [np.array([[[3, 1], [0, 0]], [[2, 2], [1, 3]]])],
    options="GatherOptions", axis=2, batchDims=2)  # fmt: skip
one("gather-nd", "GATHER_ND", [(3, 5, 2)], [np.array([[[1, 4], [0, 0]]])], options="GatherNdOptions")
one("scatter-nd", "SCATTER_ND", [(3, 4)], [np.array([[1], [4], [1]]), np.array([6, 4])], options="ScatterNdOptions",
    first=1)  # fmt: skip
one("embedding-lookup", "EMBEDDING_LOOKUP", [(9,)], [numbers(120, 4)], kinds=("int32",))
one("one-hot", "ONE_HOT", [(2, 3)], [np.int32(5), np.float32(2), np.float32(-1)], kinds=("int32",),
    options="OneHotOptions", axis=-1)  # fmt: skip
one("one-hot-first", "ONE_HOT", [(2, 3)], [np.int32(5), np.float32(1), np.float32(0)], kinds=("int32",),
    options="OneHotOptions", axis=0)  # fmt: skip


@case("transposes-that-cancel")
def transposes_that_cancel() -> Lite:
    lite = Lite()
    x = lite.input((1, 4, 5, 3))
    first = lite.op("TRANSPOSE", [x, lite.constant(np.array([0, 3, 1, 2]))], options="TransposeOptions")
    middle = lite.op("LOGISTIC", [first])
    return lite.gives(lite.op("TRANSPOSE", [middle, lite.constant(np.array([0, 2, 3, 1]))], options="TransposeOptions"))


@case("shape-of-an-open-batch")
def shape_of_an_open_batch() -> Lite:
    """Flattens as Keras does: the batch comes from the shape at run time."""
    lite = Lite()
    x = lite.input((1, 3, 4), signature=(-1, 3, 4))
    shape = lite.op("SHAPE", [x], ["int32"], "ShapeOptions", outType=2)
    begin, end, step = (lite.constant(np.array([n])) for n in (0, 1, 1))
    batch = lite.op("STRIDED_SLICE", [shape, begin, end, step], ["int32"], "StridedSliceOptions", shrinkAxisMask=1)
    target = lite.op("PACK", [batch, lite.constant(np.int32(12))], ["int32"], "PackOptions", valuesCount=2)
    result = lite.tensor((1, 12), signature=(-1, 12))
    return lite.gives(lite.op("RESHAPE", [x, target], [result], "ReshapeOptions"))


@case("float16-weights")
def float16_weights() -> Lite:
    lite = Lite()
    x = lite.input((3, 8))
    kernel = lite.op("DEQUANTIZE", [lite.constant(numbers(5, 8).astype(np.float16))])
    return lite.gives(lite.op("FULLY_CONNECTED", [x, kernel, -1], options="FullyConnectedOptions"))


@case("if")
def if_() -> Lite:
    lite = Lite()
    x = lite.input((2, 3))
    total = lite.op("SUM", [x, lite.constant(np.array([0, 1]))], options="ReducerOptions")
    above = lite.op("GREATER", [total, lite.constant(np.float32(0))], ["bool"])
    numbers_of = []
    for op in ("NEG", "EXP"):
        numbers_of.append(lite.subgraph(op))
        inner = lite.input((2, 3))
        lite.gives(lite.op(op, [inner], [lite.tensor((2, 3))]))
    lite.main()
    then, otherwise = numbers_of
    result = lite.op("IF", [above, x], [lite.tensor((2, 3))], "IfOptions", thenSubgraphIndex=then,
                     elseSubgraphIndex=otherwise)  # fmt: skip
    return lite.gives(result)


@case("while")
def while_() -> Lite:
    lite = Lite()
    x, count = lite.input((2, 3)), lite.constant(np.int32(0))
    condition = lite.subgraph("condition")
    lite.input((2, 3))
    lite.gives(lite.op("LESS", [lite.input((), "int32"), lite.constant(np.int32(3))], [lite.tensor((), "bool")]))
    body = lite.subgraph("body")
    inner, number = lite.input((2, 3)), lite.input((), "int32")
    more = lite.op("ADD", [inner, lite.constant(np.float32(1))], [lite.tensor((2, 3))], "AddOptions")
    next_ = lite.op("ADD", [number, lite.constant(np.int32(1))], [lite.tensor((), "int32")], "AddOptions")
    lite.gives(more, next_)
    lite.main()
    found = lite.op("WHILE", [x, count], [lite.tensor((2, 3)), lite.tensor((), "int32")], "WhileOptions",
                    condSubgraphIndex=condition, bodySubgraphIndex=body)  # fmt: skip
    return lite.gives(*found)


@case("mediapipe-transpose-conv-bias")
def mediapipe_transpose_conv_bias() -> Lite:
    lite = Lite()
    x = lite.input((1, 4, 5, 3))
    inputs = [x, lite.constant(numbers(2, 2, 2, 3)), lite.constant(numbers(2))]
    result = lite.tensor((1, 8, 9, 2))  # MediaPipe gives one less than the picture times the stride
    return lite.gives(
        lite.op("custom Convolution2DTransposeBias", inputs, [result], custom=struct.pack("<3i", 1, 2, 2))
    )


def beyond_floats(op: str, *others: int) -> Callable[[], Lite]:
    """Compute with whole numbers that float32 does not hold; their last digit tells."""

    def build() -> Lite:
        lite = Lite()
        large = lite.op(
            "MUL", [lite.input((2, 9), "int32"), lite.constant(np.int32(-1000003))], ["int32"], "MulOptions"
        )
        found = lite.op(op, [large, *(lite.constant(np.int32(other)) for other in others)], ["int32"])
        return lite.gives(lite.op("FLOOR_MOD", [found, lite.constant(np.int32(10))], ["int32"]))

    return build


cases |= {
    "abs-large": beyond_floats("ABS"),
    "neg-large": beyond_floats("NEG"),
    "div-large": beyond_floats("DIV", 3),
    "floor-div-large": beyond_floats("FLOOR_DIV", 3),
}
