"""All that Shardpress uses of TensorFlow, Keras and the stock converter without a promise that it stays.

Every such name is listed in ``private_names`` with its purpose, and looked up there when it is needed. If a version
moves one, the error names it and the version to install, and ``tests/convert/test_stock.py``, which looks up all of
them in what is installed, fails.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, TypedDict

from ..errors import ConversionError
from ..graphs.messages import GraphDef, MetaGraphDef, SignatureDef
from ..packages import apart, installed
from ..sources.keras_applications import application_layers
from .folding import MakeTensor, fold_batch_norms
from .tf_types import Array, Function, Graph, Tensor

# The versions in which all of them were found; a test holds them to those that pyproject.toml asks for.
seen_in = {"tensorflow": ">=2.19,<2.22", **apart, "keras": ">=3.9,<4"}


class StockWeight(TypedDict):
    """A weight as the converter hands it from step to step."""

    name: str
    data: Array


@dataclass(frozen=True, slots=True)
class PrivateName:
    """A name that may move in any version.

    Attributes:
        package: the distribution that has it.
        module: where it is.
        name: it; a dot leads to an attribute of a class.
        purpose: what needs it, as the end of the sentence "… is needed".
        parameters: what it is called with by name.
    """

    package: str
    module: str
    name: str
    purpose: str
    parameters: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Module and name."""
        return f"{self.module}.{self.name}"


_converters = "tensorflowjs.converters"
_graph_models = f"{_converters}.tf_saved_model_conversion_v2"
_layers_models = f"{_converters}.keras_h5_conversion"
_freezing = "tensorflow.python.framework.convert_to_constants"
_data = "_FunctionConverterDataInEager"
_resource = "tensorflow.python.trackable.resource"
private_names = (
    PrivateName("tensorflowjs", _graph_models, "_freeze_saved_model_v1", "to freeze a SavedModel of TensorFlow 1"),
    PrivateName(
        "tensorflowjs",
        _graph_models,
        "optimize_graph",
        "to optimise a graph",
        ("skip_op_check", "strip_debug_ops"),
    ),
    PrivateName("tensorflowjs", _graph_models, "extract_weights", "to take the weights out of a graph"),
    PrivateName("tensorflowjs", _graph_models, "_build_signature_def", "to describe what fills tables"),
    PrivateName(
        "tensorflowjs",
        _graph_models,
        "write_artifacts",
        "to write model.json",
        (
            "tf_version",
            "signature_def",
            "weight_shard_size_bytes",
            "initializer_graph_def",
            "initializer_signature_def",
            "resource_ids_maps",
        ),
    ),
    # The converter calls what is put in these two places, see ``patch_converter`` and ``import_converter``.
    PrivateName("tensorflowjs", _graph_models, "fold_batch_norms", "to fold batch normalisation fast"),
    PrivateName("tensorflowjs", f"{_converters}.jax_conversion", "convert_jax", "to import the converter without JAX"),
    PrivateName("tensorflowjs", f"{_converters}.graph_rewrite_util", "values_from_const", "to read constants"),
    PrivateName(
        "tensorflowjs",
        f"{_converters}.converter",
        "dispatch_keras_keras_to_tfjs_layers_model_conversion",
        "to write the layers model of a .keras file",
    ),
    PrivateName(
        "tensorflowjs",
        _layers_models,
        "h5_merged_saved_model_to_tfjs_format",
        "to write the layers model of an HDF5 file",
    ),
    PrivateName("tensorflowjs", _layers_models, "write_artifacts", "to write the layers model of an HDF5 file"),
    PrivateName("tensorflowjs", _layers_models, "normalize_weight_name", "to name the weights of a layers model"),
    PrivateName(
        "tensorflow",
        _freezing,
        _data,
        "to freeze a function without three more copies of its weights",
        ("func", "lower_control_flow", "aggressive_inlining"),
    ),
    PrivateName("tensorflow", _freezing, f"{_data}.graph_def", "to drop counters before freezing"),
    PrivateName("tensorflow", _freezing, f"{_data}._build_node_defs_list", "to drop counters before freezing"),
    PrivateName(
        "tensorflow", _freezing, "_replace_variables_by_constants", "to freeze a function", ("converter_data",)
    ),
    PrivateName(
        "tensorflow",
        "tensorflow.python.framework.func_graph",
        "FuncGraph.captures",
        "to tell the variables and tables of a function",
    ),
    PrivateName("tensorflow", "tensorflow.python.framework.op_def_registry", "get", "to tell which ops are known"),
    PrivateName("tensorflow", "tensorflow.python.grappler.tf_optimizer", "OptimizeGraph", "to inline functions"),
    PrivateName("tensorflow", "tensorflow.core.protobuf.config_pb2", "ConfigProto", "to inline functions"),
    PrivateName("tensorflow", "tensorflow.core.protobuf.meta_graph_pb2", "SignatureDef", "to describe a graph's ends"),
    # Written in every SavedModel; ``sources.slimming`` goes by these names without importing TensorFlow.
    PrivateName("tensorflow", _resource, "TrackableResource._create_resource", "to keep the tables of a SavedModel"),
    PrivateName("tensorflow", _resource, "TrackableResource._initialize", "to keep the tables of a SavedModel"),
    PrivateName("tensorflow", _resource, "TrackableResource._destroy_resource", "to keep the tables of a SavedModel"),
    # Of objects: looked up in each model that is loaded, as each kind keeps it elsewhere.
    PrivateName("keras", "keras.src.layers", "dot", "to read an HDF5 file of Keras 3"),
    *(
        PrivateName(package, f"{module}.src.applications.{family}", name, "to load a network of keras.applications")
        for package, module in (("keras", "keras"), ("tf-keras", "tf_keras"))
        for name, (family, _) in application_layers.items()
    ),
    PrivateName("keras", "keras.tree", "pack_sequence_as", "to name the inputs of a model of Keras 3"),
)
_by_address = {item.address: item for item in private_names}
# Where Keras keeps the graph of a Sequential, the structure of a side of a model, and what made a tensor.
functional_place = "_functional"
structure_places = ("_{side}_struct", "_nested_{side}")
history_place = "_keras_history"


def look_up(module: str, name: str) -> Any:
    """Return what a name in the table stands for.

    Raises:
        ConversionError: the installed version does not have it.
    """
    wanted = _by_address[f"{module}.{name}"]
    try:
        return reduce(getattr, name.split("."), importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        raise ConversionError(
            f"{wanted.package} {installed(wanted.package)} has no {wanted.address}, which is needed {wanted.purpose}",
            code="SP-405",
            hint=f"Install {_asked_for(wanted.package)}",
        ) from error


def _asked_for(package: str) -> str:
    return f"'{package}{seen_in[package]}'"


# --- the import and the patches ---------------------------------------------------------------------------------------

# The converter imports these for other sources; TF-DF's protobuf breaks many installs, JAX costs half a gigabyte.
left_out = ("tensorflow_decision_forests", "tensorflow_hub", f"{_converters}.jax_conversion")


def import_converter() -> None:
    """Import the converter, with empty modules where it imports what conversion never uses."""
    for name in left_out:
        if name not in sys.modules:
            sys.modules[name] = types.ModuleType(name)
    sys.modules[f"{_converters}.jax_conversion"].__dict__.setdefault("convert_jax", None)
    importlib.import_module(_graph_models)


def patch_converter(make_tensor: MakeTensor) -> None:
    """Have the converter fold batch normalisation by ``folding``; its own takes seconds for a million weights.

    Args:
        make_tensor: gives the TensorProto of an array.
    """
    look_up(_graph_models, "fold_batch_norms")
    read = look_up(f"{_converters}.graph_rewrite_util", "values_from_const")

    def fold(graph_def: GraphDef) -> GraphDef:
        return fold_batch_norms(graph_def, read, make_tensor)

    module = importlib.import_module(_graph_models)
    vars(module)["fold_batch_norms"] = types.SimpleNamespace(fold_batch_norms=fold)


# --- the stock converter ----------------------------------------------------------------------------------------------


def freeze_saved_model_1(folder: Path, tags: Sequence[str], nodes: Sequence[str]) -> tuple[Graph, Graph | None]:
    """Return the graph of a SavedModel of TensorFlow 1 without variables, and the graph that fills its tables or None.

    Args:
        folder: of the SavedModel.
        tags: of the meta graph.
        nodes: names of the nodes of the outputs.
    """
    graph, initializer = look_up(_graph_models, "_freeze_saved_model_v1")(str(folder), list(tags), list(nodes))
    return graph, initializer


def optimize_graph(graph: Graph, signature: SignatureDef) -> GraphDef:
    """Return the definition of a graph as TensorFlow's and the converter's optimisers leave it."""
    optimize = look_up(_graph_models, "optimize_graph")
    optimized: GraphDef = optimize(graph, signature, skip_op_check=True, strip_debug_ops=True)
    return optimized


def extract_weights(graph_def: GraphDef, initializer: GraphDef | None) -> list[StockWeight]:
    """Take the values out of a graph's constants, and out of those of the graph that fills its tables or None."""
    (weights,) = look_up(_graph_models, "extract_weights")(graph_def, initializer)
    found: list[StockWeight] = weights
    return found


def signature_of_outputs(graph: Graph, outputs: Sequence[Tensor]) -> SignatureDef:
    """Describe tensors as the outputs of a graph, each by its own name."""
    signature: SignatureDef = look_up(_graph_models, "_build_signature_def")(graph, [], outputs)
    return signature


def write_graph_model(
    model_json: Path, topology: Mapping[str, object], weights: list[StockWeight], **details: object
) -> None:
    """Write a ``model.json`` with its weight files.

    Args:
        model_json: the file.
        topology: the graph as JSON.
        weights: as ``extract_weights`` gives them.
        details: what the converter's writer takes beside; see the table for the names.
    """
    look_up(_graph_models, "write_artifacts")(topology, [weights], str(model_json), **details)


def write_layers_model(file: Path, out: Path) -> None:
    """Write what the converter makes of a Keras file: ``model.json`` and weight files, into the folder ``out``."""
    if file.suffix == ".keras":
        dispatch = look_up(f"{_converters}.converter", "dispatch_keras_keras_to_tfjs_layers_model_conversion")
        dispatch(str(file), str(out))
        return
    topology, groups = look_up(_layers_models, "h5_merged_saved_model_to_tfjs_format")(str(file))
    out.mkdir(parents=True, exist_ok=True)
    look_up(_layers_models, "write_artifacts")(topology, groups, str(out))


def layers_weight_name(name: str) -> str:
    """Return the name under which a layers model has a variable."""
    return str(look_up(_layers_models, "normalize_weight_name")(name))


# --- TensorFlow -------------------------------------------------------------------------------------------------------


def variables_to_constants(function: Function, prepare: Callable[[GraphDef], None]) -> GraphDef:
    """Return the graph of a concrete function with constants in place of its variables.

    TensorFlow's public function also makes a new function of the result: three more copies of all weights.

    Args:
        function: a concrete function.
        prepare: changes the graph before.
    """
    data = look_up(_freezing, _data)(func=function, lower_control_flow=True, aggressive_inlining=True)
    prepare(data.graph_def)
    data._build_node_defs_list()
    graph_def: GraphDef = look_up(_freezing, "_replace_variables_by_constants")(converter_data=data)[0]
    return graph_def


def inline_functions(meta_graph: MetaGraphDef) -> GraphDef:
    """Return the definition of a graph with the bodies of functions where they are called."""
    config = look_up("tensorflow.core.protobuf.config_pb2", "ConfigProto")()
    config.graph_options.rewrite_options.optimizers.append("function")
    config.graph_options.rewrite_options.min_graph_nodes = -1
    graph_def: GraphDef = look_up("tensorflow.python.grappler.tf_optimizer", "OptimizeGraph")(config, meta_graph)
    return graph_def


def is_registered(op: str) -> bool:
    """Return whether TensorFlow has an op."""
    return look_up("tensorflow.python.framework.op_def_registry", "get")(op) is not None


def new_signature() -> SignatureDef:
    """Return an empty SignatureDef."""
    signature: SignatureDef = look_up("tensorflow.core.protobuf.meta_graph_pb2", "SignatureDef")()
    return signature


# --- Keras ------------------------------------------------------------------------------------------------------------


def keras_layers() -> Mapping[str, object]:
    """Return all that Keras 3 looks up by name where an HDF5 file names a layer."""
    look_up("keras.src.layers", "dot")
    return vars(importlib.import_module("keras.src.layers"))


def application_layer(module: str, name: str) -> object:
    """Return the class of a layer that a network of ``keras.applications`` has of its own.

    Args:
        module: ``keras`` or ``tf_keras``.
        name: of the class, one of ``application_layers``.
    """
    return look_up(f"{module}.src.applications.{application_layers[name][0]}", name)


def keras_graph(model: object) -> Any:
    """Return the object that has the ends of a model: a Sequential of Keras 3 keeps its graph apart."""
    return getattr(model, functional_place, None) or model


def keras_structure(graph: object, side: str) -> object:
    """Return the nested tensors of a side of a model.

    Args:
        graph: as ``keras_graph`` gives it.
        side: ``inputs`` or ``outputs``.

    Raises:
        ConversionError: it is in none of the places where Keras 2 or 3 keeps it.
    """
    for place in structure_places:
        if hasattr(graph, name := place.format(side=side)):
            return getattr(graph, name)
    raise ConversionError(
        f"keras {installed('keras')} or tf-keras {installed('tf-keras')} keeps the structure of a model elsewhere",
        code="SP-405",
        hint=f"Install {_asked_for('keras')} and {_asked_for('tf-keras')}",
    )


def keras_layer_name(tensor: object) -> str:
    """Return the name of the layer that made a symbolic tensor of Keras 3."""
    return str(getattr(tensor, history_place).operation.name)
