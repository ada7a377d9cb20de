"""Finds the tests of the onnx package, reads them, and makes variants of them; needs ``onnx``.

A test is a folder with ``model.onnx``, and ``test_data_set_0`` with its inputs and outputs as protobufs. Those of
``light`` are networks whose weights are constants: they get seeded random ones here, and ONNX Runtime's answers.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Array = NDArray[Any]
folders = ("node", "simple", "pytorch-converted", "pytorch-operator")
groups = (*folders, "light")
data_folder = Path(onnx.__file__).parent / "backend" / "test" / "data"
# Their answers are random numbers, so that no two runtimes agree on more than types and shapes.
random_operators = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)


class UnfitError(Exception):
    """A test cannot be asked of TensorFlow.js, whatever a model is converted to; the text says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test.

    Attributes:
        name: of its folder, unique in its group.
        group: one of ``groups``.
        model: the ``.onnx`` file.
    """

    name: str
    group: str
    model: Path

    @property
    def label(self) -> str:
        """Group and name."""
        return f"{self.group}/{self.name}"

    @property
    def is_large(self) -> bool:
        """A whole network, which the cpu backend takes minutes for."""
        return self.group == "light"


@dataclass(frozen=True, slots=True)
class Data:
    """What a test feeds and expects, by name.

    Attributes:
        inputs, outputs: arrays; those of text hold ``str``.
        loose: only types and shapes of the outputs are known.
        error: the largest max error that counts as right, see ``builder.verify.compare``.
    """

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]
    loose: bool
    error: float


def find_cases(only: str = "", sample: int = 0, wanted: Sequence[str] = groups) -> list[Case]:
    """Give the tests whose ``group/name`` matches the pattern ``only``; of many a sample, the same each time."""
    found = [
        Case(path.parent.name, group, path)
        for group in folders
        if group in wanted
        for path in sorted((data_folder / group).glob("*/model.onnx"))
    ]
    if "light" in wanted:
        found += [Case(path.stem, "light", path) for path in sorted((data_folder / "light").glob("*.onnx"))]
    found = [case for case in found if re.search(only, case.label)]
    if 0 < sample < len(found):
        chosen = sorted(found, key=lambda case: zlib.crc32(case.label.encode()))[:sample]
        found = [case for case in found if case in chosen]
    return found


def operators(model: Any) -> Iterator[str]:
    """Give the operators of a model, those of subgraphs too."""
    waiting = [model.graph]
    while waiting:
        for node in waiting.pop().node:
            yield node.op_type
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += attribute.graphs


def read_data(case: Case) -> Data:
    """Read what a test feeds and expects.

    Raises:
        UnfitError: it is no tensor, or has numbers that no tensor of TensorFlow.js holds.
    """
    model = onnx.load(case.model, load_external_data=False)
    folder = case.model.parent / "test_data_set_0"
    weights = {tensor.name for tensor in model.graph.initializer}
    fed = [info for info in model.graph.input if info.name not in weights or (folder / "input_0.pb").exists()]
    inputs, outputs = (
        {
            info.name: array
            for number, info in enumerate(infos)
            if (array := _read(folder, side, number, info)) is not None
        }
        for side, infos in (("input", fed), ("output", model.graph.output))
    )
    if not outputs:
        raise UnfitError("the test has no outputs")
    loose = any(operator in random_operators for operator in operators(model)) or _drops(model)
    errors = [_error(info.type.tensor_type.elem_type) for info in (*model.graph.output, *model.graph.input)]
    return Data(
        {name: held(name, array) for name, array in inputs.items()},
        {name: held(name, array) for name, array in outputs.items()},
        loose,
        max(errors, default=1e-3),
    )


def held(name: str, array: Array) -> Array:
    """Give an array as TensorFlow.js holds it.

    Raises:
        UnfitError: it has numbers outside of int32, or of a kind that is unknown there.
    """
    if array.dtype.kind in "iu":
        if array.size and not (int(array.min()) >= -(1 << 31) and int(array.max()) < 1 << 31):
            raise UnfitError(f"whole numbers outside of int32 ({array.dtype})")
        return array.astype(np.int32)
    if array.dtype.kind in "bcOUS":
        return array.astype(object) if array.dtype.kind in "US" else array
    if array.dtype.kind == "V" or array.dtype.name.startswith(("float", "bfloat", "int", "uint")):
        return array.astype(np.float32) if "float" in array.dtype.name else array.astype(np.int32)
    raise UnfitError(f"the type {array.dtype}")


def freeze(case: Case, data: Data, folder: Path) -> tuple[Case, Data] | None:
    """Write the model with all inputs but the first as weights, which is how networks have them; None without any."""
    names = list(data.inputs)
    if len(names) < 2:
        return None
    model = onnx.load(case.model)
    types = {info.name: info.type.tensor_type.elem_type for info in model.graph.input}
    for name in names[1:]:
        array = data.inputs[name].astype(onnx.helper.tensor_dtype_to_np_dtype(types[name]))
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    kept = [info for info in model.graph.input if info.name not in names[1:]]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    folder.mkdir(parents=True)
    path = folder / "model.onnx"
    onnx.save(model, path)
    return Case(case.name, case.group, path), Data(
        {names[0]: data.inputs[names[0]]}, data.outputs, data.loose, data.error
    )


def with_weights(case: Case, folder: Path) -> tuple[Case, Data]:
    """Give a network of ``light`` seeded weights, a seeded picture, and what ONNX Runtime answers.

    Weights are made by nodes ConstantOfShape there. They become normal numbers scaled by the number of inputs of each
    output, so that the signal neither dies nor explodes; variances are positive.
    """
    import onnxruntime

    model = onnx.load(case.model)
    random = np.random.Generator(np.random.PCG64(zlib.crc32(case.name.encode())))
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    roles = {name: (node.op_type, place) for node in model.graph.node for place, name in enumerate(node.input)}
    kept = []
    for node in model.graph.node:
        if node.op_type == "ConstantOfShape" and node.input[0] in known:
            array = _weight([int(n) for n in known[node.input[0]]], roles.get(node.output[0], ("", 0)), random)
            model.graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
        else:
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    weights = {tensor.name for tensor in model.graph.initializer}
    infos = [info for info in model.graph.input if info.name not in weights]
    folder.mkdir(parents=True)
    path = folder / "model.onnx"
    onnx.save(model, path)
    inputs = {
        info.name: random.random([dim.dim_value for dim in info.type.tensor_type.shape.dim], np.float32)
        for info in infos
    }
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    wanted = {info.name for info in session.get_inputs()}
    answers = session.run(None, {name: array for name, array in inputs.items() if name in wanted})
    outputs = dict(zip((info.name for info in session.get_outputs()), answers, strict=True))
    return Case(case.name, case.group, path), Data(inputs, outputs, loose=False, error=1e-3)


def _weight(shape: Sequence[int], role: tuple[str, int], random: np.random.Generator) -> Array:
    if role[0] == "BatchNormalization":
        spread = random.random(shape, np.float32)
        return spread + np.float32(0.5) if role[1] in (1, 4) else spread - np.float32(0.5)
    inputs = math.prod(shape[1:]) if len(shape) > 1 else 1
    scale = math.sqrt(2 / inputs) if len(shape) > 1 else 0.1
    return np.asarray(random.standard_normal(shape, np.float32) * np.float32(scale))


def _read(folder: Path, side: str, number: int, info: Any) -> Array | None:
    path = folder / f"{side}_{number}.pb"
    if not path.exists():
        return None
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        raise UnfitError(f"{side}s that are no tensors ({str(kind).removesuffix('_type')})")
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    array = numpy_helper.to_array(tensor)
    if tensor.data_type != onnx.TensorProto.STRING:
        return np.asarray(array)
    texts = [item.decode() if isinstance(item, bytes) else str(item) for item in np.ravel(array).tolist()]
    found = np.empty(len(texts), object)
    found[:] = texts
    return found.reshape(array.shape)


def _drops(model: Any) -> bool:
    """Whether Dropout is in training, which throws dice."""
    return any(node.op_type == "Dropout" and len(node.input) > 2 and node.input[2] for node in model.graph.node)


def _error(kind: int) -> float:
    """Half of a last digit of coarse types counts as right."""
    name = onnx.TensorProto.DataType.Name(kind) if kind else ""
    return 1e-2 if name == "BFLOAT16" else 2e-3 if name == "FLOAT16" else 0.13 if name.startswith("FLOAT8") else 1e-3
