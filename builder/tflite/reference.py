"""Runs a TensorFlow Lite model in its own interpreter, for the outputs that the conversion is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..convert.fixed_inputs import array_of
from ..convert.requests import SourceOptions
from ..errors import ConversionError
from ..lowering.values import narrowed
from .interface import interface_of
from .quantized import real_numbers
from .read import read_tflite
from .schema import install_hint
from .substitutes import needs_substitutes, with_substitutes

Arrays = dict[str, Any]


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

    always = {}
    for item in source.inputs:
        if item.value is not None:
            tensor = tensors[interface.inputs[item.name]]
            always[item.name] = array_of(item, tensor.open_shape, tensor.type, where)

    def given(arrays: Arrays) -> Arrays:
        found = {name: array.astype(tensors[interface.inputs[name]].type) for name, array in arrays.items()}
        return found | always

    def run(arrays: Arrays) -> Arrays:
        interpreter = _interpreter(content)  # a new one: they keep the state of recurrent layers
        wanted = [name for name in interface.outputs if not source.outputs or name in source.outputs]
        if interface.key:
            found = interpreter.get_signature_runner(interface.key)(**given(arrays))
        else:
            found = _plain_run(interpreter, interface.inputs, interface.outputs, given(arrays))
        return {name: real(name, found[name]) for name in wanted}

    return run


def _interpreter(content: bytes) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ModuleNotFoundError as error:
        raise ConversionError(
            "ai-edge-litert cannot be imported: not installed", code="SP-405", hint=install_hint
        ) from error
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
