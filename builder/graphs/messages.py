"""TensorFlow's protobuf messages: the fields that Shardpress looks at, with their numbers and types.

These classes say how to read a message (``graphdef`` makes descriptors of them) and what a function takes. None is
ever made: what there is at run time is made of the descriptors, or TensorFlow's own. The numbers are those of
tensorflow/core/protobuf and tensorflow/core/framework; enumerations are numbers here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import MutableMapping, MutableSequence
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeVar

if TYPE_CHECKING:
    from google.protobuf.message import Message as Base
else:
    Base = object

T = TypeVar("T")
Int32 = Annotated[int, "int32"]
Int64 = Annotated[int, "int64"]
Float32 = Annotated[float, "float"]


class Repeated(MutableSequence[T]):
    """A field of many values."""

    @abstractmethod
    def add(self, **fields: object) -> T:
        """Append a new message and give it."""


class Keyed(MutableMapping[str, T]):
    """A field that maps text to values; indexing with a new key adds an empty message."""


class Message(Base):
    """What all have in common.

    Attributes:
        one_of: a name for fields of which a message has one at most, and these fields.
    """

    one_of: ClassVar[tuple[str, str]] = ("", "")

    if TYPE_CHECKING:

        def __init__(self, **fields: object) -> None:
            """Make one of its fields."""


class SavedModel(Message):
    """The file ``saved_model.pb``."""

    saved_model_schema_version: Annotated[Int64, 1]
    meta_graphs: Annotated[Repeated[MetaGraphDef], 2]


class MetaGraphDef(Message):
    """A graph with what belongs to it; a SavedModel has one for each set of tags."""

    meta_info_def: Annotated[MetaInfoDef, 1]
    graph_def: Annotated[GraphDef, 2]
    saver_def: Annotated[SaverDef, 3]
    collection_def: Annotated[Keyed[CollectionDef], 4]
    signature_def: Annotated[Keyed[SignatureDef], 5]
    asset_file_def: Annotated[Repeated[AssetFileDef], 6]
    object_graph_def: Annotated[SavedObjectGraph, 7]


class SaverDef(Message):
    """The tensors by which TensorFlow 1 restores variables."""

    filename_tensor_name: Annotated[str, 1]
    save_tensor_name: Annotated[str, 2]
    restore_op_name: Annotated[str, 3]


class MetaInfoDef(Message):
    """Tags, and the version that wrote a meta graph."""

    tags: Annotated[Repeated[str], 4]
    tensorflow_version: Annotated[str, 5]


class CollectionDef(Message):
    """Named things of TensorFlow 1."""

    node_list: Annotated[NodeList, 1]
    any_list: Annotated[AnyList, 5]


class AnyList(Message):
    """Messages of any kind."""

    value: Annotated[Repeated[AnyMessage], 1]


class AnyMessage(Message):
    """A message with its kind; ``google.protobuf.Any`` by another name."""

    type_url: Annotated[str, 1]
    value: Annotated[bytes, 2]


class NodeList(Message):
    """Names of nodes."""

    value: Annotated[Repeated[str], 1]


class SignatureDef(Message):
    """The inputs and outputs of a model."""

    inputs: Annotated[Keyed[TensorInfo], 1]
    outputs: Annotated[Keyed[TensorInfo], 2]
    method_name: Annotated[str, 3]


class TensorInfo(Message):
    """A tensor of a signature; ``dtype`` is a number of ``DataType``."""

    name: Annotated[str, 1]
    dtype: Annotated[Int32, 2]
    tensor_shape: Annotated[TensorShapeProto, 3]
    coo_sparse: Annotated[CooSparse, 4]
    composite_tensor: Annotated[CompositeTensor, 5]


class CooSparse(Message):
    """A sparse tensor."""

    values_tensor_name: Annotated[str, 1]


class CompositeTensor(Message):
    """A tensor of several, such as a ragged one."""

    components: Annotated[Repeated[TensorInfo], 2]


class TensorShapeProto(Message):
    """A shape."""

    dim: Annotated[Repeated[Dim], 2]
    unknown_rank: Annotated[bool, 3]


class Dim(Message):
    """A length; -1 where it is unknown."""

    size: Annotated[Int64, 1]
    name: Annotated[str, 2]


class AssetFileDef(Message):
    """A file of a SavedModel, and the tensor that gets its path."""

    tensor_info: Annotated[TensorInfo, 1]
    filename: Annotated[str, 2]


class SavedObjectGraph(Message):
    """The Python objects of a SavedModel of TensorFlow 2."""

    nodes: Annotated[Repeated[SavedObject], 1]
    concrete_functions: Annotated[Keyed[SavedConcreteFunction], 2]


class SavedConcreteFunction(Message):
    """What a function of the library captures, as numbers of objects."""

    bound_inputs: Annotated[Repeated[Int32], 2]


class SavedObject(Message):
    """A Python object, and its attributes as numbers of others."""

    one_of: ClassVar = (
        "kind",
        "user_object asset function variable bare_concrete_function constant resource captured_tensor",
    )
    children: Annotated[Repeated[ObjectReference], 1]
    user_object: Annotated[SavedUserObject, 4]
    asset: Annotated[SavedAsset, 5]
    function: Annotated[SavedFunction, 6]
    variable: Annotated[SavedVariable, 7]
    bare_concrete_function: Annotated[SavedBareConcreteFunction, 8]
    constant: Annotated[SavedConstant, 9]
    resource: Annotated[SavedResource, 10]
    captured_tensor: Annotated[CapturedTensor, 12]
    saveable_objects: Annotated[Keyed[SaveableObject], 11]


class SavedUserObject(Message):
    """An object of a class."""

    identifier: Annotated[str, 1]
    version: Annotated[VersionDef, 2]


class SavedAsset(Message):
    """A file."""

    asset_file_def_index: Annotated[Int32, 1]


class SavedVariable(Message):
    """A variable."""

    dtype: Annotated[Int32, 1]


class SavedConstant(Message):
    """A constant; ``operation`` is a node of the graph."""

    operation: Annotated[str, 1]


class SavedResource(Message):
    """A table or another resource."""

    device: Annotated[str, 1]


class CapturedTensor(Message):
    """A constant inside a function."""

    name: Annotated[str, 1]
    concrete_function: Annotated[str, 2]


class ObjectReference(Message):
    """An attribute of an object."""

    node_id: Annotated[Int32, 1]
    local_name: Annotated[str, 2]


class SavedFunction(Message):
    """A ``tf.function``: functions of the library."""

    concrete_functions: Annotated[Repeated[str], 1]


class SavedBareConcreteFunction(Message):
    """One function of the library."""

    concrete_function_name: Annotated[str, 1]


class SaveableObject(Message):
    """The functions that save and restore a state, as numbers of objects."""

    save_function: Annotated[Int32, 2]
    restore_function: Annotated[Int32, 3]


class GraphDef(Message):
    """A graph: nodes, and the functions that they call."""

    node: Annotated[Repeated[NodeDef], 1]
    library: Annotated[FunctionDefLibrary, 2]
    versions: Annotated[VersionDef, 4]


class VersionDef(Message):
    """Versions of the format."""

    producer: Annotated[Int32, 1]
    min_consumer: Annotated[Int32, 2]


class FunctionDefLibrary(Message):
    """The functions of a graph."""

    function: Annotated[Repeated[FunctionDef], 1]
    gradient: Annotated[Repeated[GradientDef], 2]


class GradientDef(Message):
    """The gradient of a function."""

    function_name: Annotated[str, 1]
    gradient_func: Annotated[str, 2]


class FunctionDef(Message):
    """A function of the library; ``ret`` names a tensor for each result."""

    signature: Annotated[OpDef, 1]
    node_def: Annotated[Repeated[NodeDef], 3]
    ret: Annotated[Keyed[str], 4]
    attr: Annotated[Keyed[AttrValue], 5]
    control_ret: Annotated[Keyed[str], 6]


class OpDef(Message):
    """The signature of a function."""

    name: Annotated[str, 1]
    input_arg: Annotated[Repeated[ArgDef], 2]
    output_arg: Annotated[Repeated[ArgDef], 3]
    control_output: Annotated[Repeated[str], 20]


class ArgDef(Message):
    """An argument or result of a function."""

    name: Annotated[str, 1]
    type: Annotated[Int32, 3]
    type_attr: Annotated[str, 4]
    number_attr: Annotated[str, 5]
    type_list_attr: Annotated[str, 6]


class NodeDef(Message):
    """An op with its inputs and attributes; an input that only orders begins with ``^``."""

    name: Annotated[str, 1]
    op: Annotated[str, 2]
    input: Annotated[Repeated[str], 3]
    device: Annotated[str, 4]
    attr: Annotated[Keyed[AttrValue], 5]
    experimental_debug_info: Annotated[ExperimentalDebugInfo, 6]


class ExperimentalDebugInfo(Message):
    """Where a node comes from."""

    original_node_names: Annotated[Repeated[str], 1]
    original_func_names: Annotated[Repeated[str], 2]


class AttrValue(Message):
    """The value of an attribute."""

    one_of: ClassVar = ("value", "list s i f b type shape tensor placeholder func")
    list: Annotated[ListValue, 1]
    s: Annotated[bytes, 2]
    i: Annotated[Int64, 3]
    f: Annotated[Float32, 4]
    b: Annotated[bool, 5]
    type: Annotated[Int32, 6]
    shape: Annotated[TensorShapeProto, 7]
    tensor: Annotated[TensorProto, 8]
    placeholder: Annotated[str, 9]
    func: Annotated[NameAttrList, 10]


class ListValue(Message):
    """The values of an attribute that is a list."""

    s: Annotated[Repeated[bytes], 2]
    i: Annotated[Repeated[Int64], 3]
    f: Annotated[Repeated[Float32], 4]
    b: Annotated[Repeated[bool], 5]
    type: Annotated[Repeated[Int32], 6]
    shape: Annotated[Repeated[TensorShapeProto], 7]
    tensor: Annotated[Repeated[TensorProto], 8]
    func: Annotated[Repeated[NameAttrList], 9]


class NameAttrList(Message):
    """The name of a function in an attribute."""

    name: Annotated[str, 1]
    attr: Annotated[Keyed[AttrValue], 2]


class TensorProto(Message):
    """The value of a constant; ``dtype`` is a number of ``DataType``."""

    dtype: Annotated[Int32, 1]
    tensor_shape: Annotated[TensorShapeProto, 2]
    tensor_content: Annotated[bytes, 4]
    float_val: Annotated[Repeated[Float32], 5]
    int_val: Annotated[Repeated[Int32], 7]
    string_val: Annotated[Repeated[bytes], 8]
    bool_val: Annotated[Repeated[bool], 11]
