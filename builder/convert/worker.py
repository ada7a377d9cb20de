"""The tasks of a conversion process; ``serve`` finds them here by name.

Every source becomes a ``Source``: named inputs and outputs, a way to run it as it is, and a way to freeze it into one
graph of constants. From there all go the same way: checks and cuts (``surgery``), the stock converter's optimiser and
files (``artefact``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ..errors import ConversionError
from ..graphs.fake_quant import largest_step
from ..precision.types import MeasureRequest, MeasureResult
from ..sources.safety import check_topology
from ..sources.tfjs import read_model
from . import stock
from .answers import reference_result
from .artefact import optimise, write_artefact
from .frozen import Source
from .frozen_graph import open_frozen_graph
from .graph_runner import GraphRunner, unregistered_ops
from .keras import checked_h5, checked_zip, open_h5, open_zip
from .layers_model import layers_as_graph
from .requests import ConvertRequest, ConvertResult, ReferenceRequest, ReferenceResult, SourceOptions
from .saved_model import open_saved_model
from .session import clear_models, load_tensorflow, loaded_versions
from .side_files import write_glue, write_step, write_texts, write_vocabulary
from .surgery import prepare


def convert(request: ConvertRequest) -> ConvertResult:
    """Convert a source into a graph model.

    Raises:
        SourceError: it is damaged, unsafe, or cannot be chosen from as asked.
        UnsupportedOpsError: TensorFlow.js lacks ops of it.
        ConversionError: TensorFlow cannot be imported.
    """
    where = str(request.source.path)
    with _opened(request.source) as source:
        frozen, prepared = prepare(source.freeze(), request.source)
        step = largest_step(frozen.graph_def, where)
        # Nobody else holds the graph, so that its weights go as soon as they can.
        prepared, graphs = dataclasses.replace(prepared, run=None), [frozen]
        del frozen
        result = optimise(graphs.pop(), where, request.source.custom_ops)
        write_artefact(result, request.out)
        write_glue(request.out / "model.json", prepared.glue)
        write_vocabulary(request.out / "model.json", prepared.vocabulary)
        write_texts(request.out / "model.json", prepared.texts)
        write_step(request.out / "model.json", step)
        return ConvertResult(request.out / "model.json", (*source.notes, *prepared.notes))


def layers_form(request: ConvertRequest) -> ConvertResult:
    """Write the layers model that the stock converter makes of a Keras file, to compare its size.

    Raises:
        SourceError: as ``convert``.
        ConversionError: TensorFlow cannot be imported, or the stock converter makes none.
    """
    load_tensorflow()
    options = request.source
    suffix, check = {"keras-h5": (".h5", checked_h5), "keras-zip": (".keras", checked_zip)}[options.kind]
    with tempfile.TemporaryDirectory(prefix="shardpress-") as folder:
        plain = Path(folder) / f"model{suffix}"
        plain.symlink_to(options.path.resolve())
        copy, *_ = check(options, plain)
        try:
            stock.write_layers_model(copy, request.out)
        except Exception as error:  # whatever its own code meets in a file of a form that it does not know
            raise ConversionError(
                f"the stock converter makes no layers model of it ({error})", code="SP-404"
            ) from error
    return ConvertResult(request.out / "model.json")


def reference(request: ReferenceRequest) -> ReferenceResult:
    """Run the source as it is and write its outputs, see ``ReferenceRequest``.

    Raises:
        SourceError, ConversionError: as ``convert``.
    """
    with _opened(request.source) as source:
        run = source.run
        if source.may_be_cut:
            _, prepared = prepare(source.freeze(), request.source)
            run = prepared.run or run
        return reference_result(run, request)


def measure(request: MeasureRequest) -> MeasureResult:
    """Find how coarse the weights of a converted model may be, see ``MeasureRequest``.

    Raises:
        ConversionError: TensorFlow cannot be imported, or cannot run the model.
    """
    from ..precision.measure import measure_model

    try:
        model = read_model(request.model_json)
        topology = model.artifacts["modelTopology"]
        if not request.trust and "node" in topology:
            check_topology(topology, str(request.model_json), unregistered_ops(topology["node"]))
        makers = partial(GraphRunner, trust=request.trust), partial(layers_as_graph, trust=request.trust)
        return measure_model(request, model, *makers)
    finally:
        clear_models()


def versions(_: object = None) -> dict[str, str]:
    """Return the versions of what took part in a conversion."""
    return loaded_versions()


@contextlib.contextmanager
def _opened(options: SourceOptions) -> Iterator[Source]:
    """Check a source, load it, and forget it afterwards."""
    openers = {
        "saved-model": open_saved_model,
        "keras-h5": open_h5,
        "keras-zip": open_zip,
        "frozen-graph": open_frozen_graph,
    }
    with tempfile.TemporaryDirectory(prefix="shardpress-") as folder:
        suffix = {"keras-h5": ".h5", "keras-zip": ".keras"}.get(options.kind, "")
        # TensorFlow reads glob patterns and URLs into paths; this one is plain.
        plain = Path(folder) / f"model{suffix}"
        plain.symlink_to(options.path.resolve())
        source = openers[options.kind](options, plain)
        try:
            yield source
        finally:
            del source
            clear_models()
