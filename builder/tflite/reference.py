"""Runs a TensorFlow Lite model in its own interpreter, for the outputs that the conversion is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..convert.fixed_inputs import array_of
from ..convert.own_runtime import Arrays, chosen, needed, runner_of
from ..convert.requests import SourceOptions
from ..lowering.values import narrowed
from .detection_options import name as post_process
from .detection_options import read_options
from .interface import interface_of
from .quantized import real_numbers
from .read import read_tflite
from .schema import extra, package
from .substitutes import needs_substitutes, with_substitutes
from .types import Subgraph


def runner(source: SourceOptions) -> Callable[[Arrays], Arrays]:
    """Return a function that runs a model: arrays by name of an input to arrays by name of an output.

    The interpreter's own kernels run, without XNNPACK or another delegate, so that an int8 model computes as its
    format defines it. Open lengths are those of what is given. Quantised inputs are codes, as pages give them;
    quantised outputs come as the real numbers that their codes stand for.

    Raises:
        SourceError: the file is damaged.
        ConversionError: ai-edge-litert is not installed.
    """
    where = str(source.path)
    file = read_tflite(source.path, where)
    interface = interface_of(file, source.signature, where)
    tensors = file.subgraphs[interface.subgraph].tensors
    content = with_substitutes(source.path) if needs_substitutes(file) else source.path.read_bytes()

    def real(name: str, found: Any) -> Any:
        tensor = tensors[interface.outputs[name]]
        array = np.array(found)
        return real_numbers(array, tensor.scales) if tensor.quantized and tensor.scales else narrowed(array)

    types = {name: tensors[number].type for name, number in interface.inputs.items()}
    always = {}
    for item in source.inputs:
        if item.value is not None:
            tensor = tensors[interface.inputs[item.name]]
            always[item.name] = array_of(item, tensor.open_shape, tensor.type, where)

    detectors = _detectors(file.subgraphs[interface.subgraph], interface.outputs)

    def call(arrays: Arrays) -> Arrays:
        interpreter = _interpreter(content)  # a new one: they keep the state of recurrent layers
        if interface.key:
            found = interpreter.get_signature_runner(interface.key)(**arrays)
        else:
            found = _plain_run(interpreter, interface.inputs, interface.outputs, arrays)
        found = _without_leftovers(found, detectors)
        return {name: real(name, found[name]) for name in chosen(interface.outputs, source.outputs)}

    return runner_of(types, always, call)


def _detectors(subgraph: Subgraph, outputs: Mapping[str, int]) -> list[tuple[list[str], str, int]]:
    """Return for each last step of a detector its outputs, the one that counts boxes, and the classes of a box."""
    names = {number: name for name, number in outputs.items()}
    found = []
    for operator in subgraph.operators:
        if operator.op == post_process and operator.outputs[-1] in names:
            own = [names[number] for number in operator.outputs[:-1] if number in names]
            classes = read_options(bytes(operator.options.get("custom", b""))).classes
            found.append((own, names[operator.outputs[-1]], classes))
    return found


def _without_leftovers(found: Arrays, detectors: list[tuple[list[str], str, int]]) -> Arrays:
    """Return zeros where there is no box: the interpreter leaves there what was in its memory."""
    found = dict(found)
    for names, counted, classes in detectors:
        filled = int(np.ravel(found[counted])[0]) * classes
        for name in names:
            found[name] = np.array(found[name])
            found[name][:, filled:] = 0
    return found


def _interpreter(content: bytes) -> Any:
    with needed(package, extra):
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return Interpreter(model_content=content, experimental_op_resolver_type=kind, num_threads=1)


def _plain_run(interpreter: Any, inputs: Any, outputs: Any, arrays: Arrays) -> Arrays:
    """Run the first subgraph, by numbers of tensors."""
    details = {detail["index"]: detail for detail in interpreter.get_input_details()}
    for name, array in arrays.items():
        number = inputs[name]
        if tuple(details[number]["shape"]) != array.shape:
            interpreter.resize_tensor_input(number, array.shape)
    interpreter.allocate_tensors()
    for name, array in arrays.items():
        interpreter.set_tensor(inputs[name], array)
    interpreter.invoke()
    return {name: interpreter.get_tensor(number) for name, number in outputs.items()}
