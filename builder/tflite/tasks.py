"""The tasks of a process that converts TensorFlow Lite models; ``convert.serve`` finds them here by name."""

from __future__ import annotations

from ..convert.answers import reference_result
from ..convert.own_runtime import chosen
from ..convert.requests import ConvertRequest, ConvertResult, ReferenceRequest, ReferenceResult
from ..convert.side_files import write_own_words, write_step
from ..lowering.artefact import write_graph
from .interface import interface_of
from .lower import lower_file
from .own_words import own_words
from .quantized import is_hybrid, largest_step
from .read import read_tflite
from .reference import runner


def convert_tflite(request: ConvertRequest) -> ConvertResult:
    """Lower a TensorFlow Lite model to a TensorFlow.js graph.

    Raises:
        SourceError: it is damaged or malformed.
        UnsupportedOpsError: TensorFlow.js cannot do what an operator asks for.
        ConversionError: the package with the schema is not installed.
    """
    source = request.source
    where = str(source.path)
    file = read_tflite(source.path, where)
    interface = interface_of(file, source.signature, where)
    graph, outputs = lower_file(file, interface, where, source.inputs)
    wanted = {name: outputs[name] for name in chosen(outputs, source.outputs)}
    path = write_graph(graph, wanted, request.out, file.description or "TensorFlow Lite")
    subgraph = file.subgraphs[interface.subgraph]
    write_step(path, largest_step(subgraph), is_hybrid=is_hybrid(subgraph))
    write_own_words(path, own_words(source.path))
    return ConvertResult(path)


def reference_tflite(request: ReferenceRequest) -> ReferenceResult:
    """Run the source in TensorFlow Lite's own interpreter, and write its outputs; see ``ReferenceRequest``."""
    return reference_result(runner(request.source), request)
