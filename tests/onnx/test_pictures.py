"""Convolutions, pools, resizes and normalisations of random shapes and attributes, against ONNX Runtime."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

from builder.errors import UnsupportedOpsError
from tests.helpers.onnx_cases import check_file, model_of

# What ONNX Runtime does not run itself tells nothing; what is refused is counted by the test of refusals.
unanswered = (Fail, InvalidArgument, RuntimeException)
seeds = range(12)


def numbers(seed: int, *shape: int) -> Any:
    """Return random numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def run(folder: Path, model: Any, feeds: dict[str, Any]) -> bool:
    """Check a model; False where nothing can be compared."""
    try:
        check_file(folder, model, feeds)
    except (*unanswered, UnsupportedOpsError):
        return False
    return True


def opened(pick: random.Random, axes: int) -> tuple[int, ...]:
    """Return which axes have open lengths: none, the batch, or all but the channels."""
    return pick.choice([(), (), (0,), (0, *range(2, 2 + axes))])


def convolution(seed: int) -> tuple[Any, dict[str, Any]]:
    """Return a Conv or a ConvTranspose."""
    pick = random.Random(seed)
    axes, group, turned = pick.choice([1, 2, 2, 3]), pick.choice([1, 1, 2, 4]), seed % 2 == 0
    kernel = [pick.randint(1, 4) for _ in range(axes)]
    strides = [pick.randint(1, 3) for _ in range(axes)]
    dilations = [pick.choice([1, 1, 2]) for _ in range(axes)]
    attributes: dict[str, Any] = {"group": group, "strides": strides, "dilations": dilations}
    mode = pick.choice(["", "", "SAME_UPPER", "SAME_LOWER", "VALID"])
    if mode:
        attributes["auto_pad"] = mode
    else:
        reach = [(size - 1) * dilation for size, dilation in zip(kernel, dilations, strict=True)]
        attributes["pads"] = [pick.randint(0, most) for most in (*reach, *reach)]
    if turned and pick.random() < 0.3:
        attributes["output_padding"] = [pick.randint(0, stride - 1) for stride in strides]
    outputs = pick.choice([1, 2])
    shape = (4, outputs, *kernel) if turned else (outputs * group, 4 // group, *kernel)
    x = numbers(seed, 2, 4, *(pick.randint(4, 8) for _ in range(axes)))
    weights = {"w": numbers(seed + 1, *shape) * 0.3, "b": numbers(seed + 2, outputs * group)}
    node = helper.make_node("ConvTranspose" if turned else "Conv", ["x", "w", "b"], ["y"], **attributes)
    return model_of([node], {"x": x}, weights, opened=opened(pick, axes)), {"x": x}


def pool(seed: int) -> tuple[Any, dict[str, Any]]:
    """Return a pool of any kind."""
    pick = random.Random(seed)
    axes, op = pick.choice([1, 2, 2, 3]), ["MaxPool", "AveragePool", "LpPool"][seed % 3]
    kernel = [pick.randint(1, 4) for _ in range(axes)]
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": [pick.randint(1, 3) for _ in range(axes)]}
    if pick.random() < 0.3:
        attributes["dilations"] = [pick.choice([1, 2]) for _ in range(axes)]
    mode = pick.choice(["", "", "SAME_UPPER", "VALID"])
    if mode:
        attributes["auto_pad"] = mode
    else:
        attributes["pads"] = [pick.randint(0, size // 2) for size in (*kernel, *kernel)]
    if pick.random() < 0.3:
        attributes["ceil_mode"] = 1
    if op == "AveragePool" and pick.random() < 0.4:
        attributes["count_include_pad"] = 1
    if op == "LpPool":
        attributes["p"] = pick.choice([1, 2, 3])
    outputs = ["y", "places"] if op == "MaxPool" and pick.random() < 0.4 else ["y"]
    # All below zero, so that added zeros would be the largest.
    x = numbers(seed, 2, 3, *(pick.randint(5, 9) for _ in range(axes))) - 3
    node = helper.make_node(op, ["x"], outputs, **attributes)
    return model_of([node], {"x": x}, {}, outputs, opset=22, opened=opened(pick, axes)), {"x": x}


def resize(seed: int) -> tuple[Any, dict[str, Any]]:
    """Return a Resize by scales or to sizes."""
    pick = random.Random(seed)
    mode = ["nearest", "linear", "cubic"][seed % 3]
    coordinates = pick.choice(["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])
    attributes: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest":
        attributes["nearest_mode"] = pick.choice(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
    elif pick.random() < 0.3 and coordinates in ("half_pixel", "asymmetric"):
        attributes["antialias"] = 1
    if mode == "cubic" and pick.random() < 0.3:
        attributes["exclude_outside"] = 1
    x = numbers(seed, 1, 3, pick.randint(2, 9), pick.randint(2, 9))
    weights: dict[str, Any]
    if pick.random() < 0.5:
        sizes = np.array([1, 3, pick.randint(1, 20), pick.randint(1, 20)], np.int64)
        inputs, weights = ["x", "", "", "s"], {"s": np.asarray(sizes)}
    else:
        scales = np.array([1, 1, pick.choice([2, 3, 0.5, 1.5]), pick.choice([2, 0.5, 2.5, 1])], np.float32)
        inputs, weights = ["x", "", "s"], {"s": np.asarray(scales)}
    node = helper.make_node("Resize", inputs, ["y"], **attributes)
    return model_of([node], {"x": x}, weights, opened=opened(pick, 2)), {"x": x}


def normalisation(seed: int) -> tuple[Any, dict[str, Any]]:
    """Return a normalisation after a convolution, so that the channels are stored last."""
    pick = random.Random(seed)
    axes = pick.choice([1, 2, 3])
    ops = ["BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization", "LpNormalization"]
    op = ops[seed % len(ops)]
    shape = (2, 4, *(pick.randint(2, 6) for _ in range(axes)))
    x = numbers(seed, *shape)
    attributes: dict[str, Any] = {}
    weights: dict[str, Any] = {"w": numbers(seed + 1, 4, 4, *[1] * axes)}
    if op == "LayerNormalization":
        axis = pick.randint(1, axes + 1)
        attributes["axis"] = pick.choice([axis, axis - axes - 2])
        weights |= {"s": numbers(seed + 2, *shape[axis:]), "b": numbers(seed + 3, *shape[axis:])}
    elif op == "LpNormalization":
        attributes = {"axis": pick.randint(0, axes + 1), "p": pick.choice([1, 2])}
    else:
        names = "sbmv" if op == "BatchNormalization" else "sb"
        weights |= {name: abs(numbers(seed + 2 + number, 4)) + 0.5 for number, name in enumerate(names)}
        attributes = {"num_groups": 2} if op == "GroupNormalization" else {}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["t"]),
        helper.make_node(op, ["t", *(name for name in weights if name != "w")], ["y"], **attributes),
    ]
    return model_of(nodes, {"x": x}, weights, opset=21, opened=pick.choice([(), (0,)])), {"x": x}


def grid_sample(seed: int) -> tuple[Any, dict[str, Any]]:
    """Return samples of a picture or a volume, some of them outside."""
    pick = random.Random(seed)
    axes = pick.choice([2, 2, 3])
    attributes: dict[str, Any] = {
        "mode": pick.choice(["linear", "nearest", "cubic"] if axes == 2 else ["linear", "nearest"]),
        "padding_mode": pick.choice(["zeros", "border", "reflection"]),
        "align_corners": pick.choice([0, 1]),
    }
    x = numbers(seed, 2, 3, *(pick.randint(2, 6) for _ in range(axes)))
    grid = numbers(seed + 1, 2, *(pick.randint(1, 5) for _ in range(axes)), axes)
    node = helper.make_node("GridSample", ["x", "grid"], ["y"], **attributes)
    feeds = {"x": x, "grid": grid}
    return model_of([node], feeds, {}, opset=20, opened=pick.choice([(), (0,)])), feeds


def roi_align(seed: int) -> tuple[Any, dict[str, Any]]:
    """Return means of parts of pictures."""
    pick = random.Random(seed)
    attributes: dict[str, Any] = {
        "output_height": pick.randint(1, 4),
        "output_width": pick.randint(1, 4),
        "sampling_ratio": pick.randint(1, 3),
        "spatial_scale": pick.choice([1.0, 0.5]),
        "coordinate_transformation_mode": pick.choice(["half_pixel", "output_half_pixel"]),
    }
    corners = abs(numbers(seed + 1, 5, 2)) * 4 - 1
    feeds = {
        "x": numbers(seed, 2, 3, pick.randint(4, 9), pick.randint(4, 9)),
        "rois": np.concatenate([corners, corners + abs(numbers(seed + 2, 5, 2)) * 4], 1),
        "batch": np.array([0, 1, 1, 0, 1]),
    }
    node = helper.make_node("RoiAlign", list(feeds), ["y"], **attributes)
    return model_of([node], feeds, {}, opset=16), feeds


def deformed(seed: int) -> tuple[Any, dict[str, Any]]:
    """Return a convolution whose kernel takes its numbers from places that are given."""
    pick = random.Random(seed)
    group, offset_group = pick.choice([1, 2]), pick.choice([1, 2])
    kernel = [pick.randint(1, 3) for _ in range(2)]
    lengths, strides = [pick.randint(5, 7) for _ in range(2)], [pick.randint(1, 2) for _ in range(2)]
    dilations, pads = [pick.randint(1, 2) for _ in range(2)], [pick.randint(0, 1) for _ in range(4)]
    places = [
        (lengths[axis] + pads[axis] + pads[axis + 2] - (kernel[axis] - 1) * dilations[axis] - 1) // strides[axis] + 1
        for axis in (0, 1)
    ]
    count = offset_group * kernel[0] * kernel[1]
    feeds = {
        "x": numbers(seed, 2, 4, *lengths),
        "offset": numbers(seed + 1, 2, 2 * count, *places),
        "mask": abs(numbers(seed + 2, 2, count, *places)),
    }
    weights = {"w": numbers(seed + 3, 4, 4 // group, *kernel), "b": numbers(seed + 4, 4)}
    node = helper.make_node(
        "DeformConv", ["x", "w", "offset", "b", "mask"], ["y"], group=group, offset_group=offset_group,
        kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads,
    )  # fmt: skip
    return model_of([node], feeds, weights), feeds


def columns(seed: int) -> tuple[Any, dict[str, Any]]:
    """Return columns of blocks that become a picture; of lines ONNX Runtime takes the wrong channels."""
    pick = random.Random(seed)
    image, block = [pick.randint(4, 7) for _ in range(2)], [pick.randint(1, 2) for _ in range(2)]
    strides, pads = [pick.randint(1, 2) for _ in range(2)], [pick.randint(0, 1) for _ in range(4)]
    places = [(image[axis] + pads[axis] + pads[axis + 2] - block[axis]) // strides[axis] + 1 for axis in (0, 1)]
    x = numbers(seed, 2, 3 * block[0] * block[1], places[0] * places[1])
    weights = {"image": np.array(image), "block": np.array(block)}
    node = helper.make_node("Col2Im", ["x", "image", "block"], ["y"], strides=strides, pads=pads)
    return model_of([node], {"x": x}, weights), {"x": x}


makers = (convolution, pool, resize, normalisation, grid_sample, roi_align, deformed, columns)


@pytest.mark.parametrize("seed", seeds)
@pytest.mark.parametrize("maker", makers, ids=lambda maker: maker.__name__)
def test_pictures_are_as_in_onnx_runtime(maker: Any, seed: int, tmp_path: Path) -> None:
    run(tmp_path, *maker(seed))


@pytest.mark.parametrize("maker", makers, ids=lambda maker: maker.__name__)
def test_most_random_cases_are_compared(maker: Any, tmp_path: Path) -> None:
    assert sum(run(tmp_path / str(seed), *maker(seed)) for seed in _folders(tmp_path)) >= 8


def _folders(folder: Path) -> range:
    chosen = range(100, 112)
    for seed in chosen:
        (folder / str(seed)).mkdir()
    return chosen
