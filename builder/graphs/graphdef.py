"""Reads and writes TensorFlow's graph files (``saved_model.pb``, frozen ``.pb``) without TensorFlow.

Only the fields that Shardpress looks at are described; protobuf keeps all others, so what is read and written again
loses nothing. The descriptors live in a pool of their own: TensorFlow's, of the same names, may be in the process too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from ..errors import SourceError

# One line a message: its fields as "number name type", "*" repeated, "{}" a map from string.
# The numbers are those of tensorflow/core/protobuf and tensorflow/core/framework.
schema = {
    "SavedModel": "1 saved_model_schema_version int64, 2 meta_graphs *MetaGraphDef",
    "MetaGraphDef": "1 meta_info_def MetaInfoDef, 2 graph_def GraphDef, 3 saver_def SaverDef, "
    "4 collection_def {}CollectionDef, 5 signature_def {}SignatureDef, 6 asset_file_def *AssetFileDef, "
    "7 object_graph_def SavedObjectGraph",
    "SaverDef": "1 filename_tensor_name string, 2 save_tensor_name string, 3 restore_op_name string",
    "MetaInfoDef": "4 tags *string, 5 tensorflow_version string",
    "CollectionDef": "1 node_list NodeList, 5 any_list AnyList",
    "AnyList": "1 value *Any",
    "Any": "1 type_url string, 2 value bytes",
    "NodeList": "1 value *string",
    "SignatureDef": "1 inputs {}TensorInfo, 2 outputs {}TensorInfo, 3 method_name string",
    "TensorInfo": "1 name string, 2 dtype int32, 3 tensor_shape TensorShapeProto, 4 coo_sparse CooSparse, "
    "5 composite_tensor CompositeTensor",
    "CooSparse": "1 values_tensor_name string",
    "CompositeTensor": "2 components *TensorInfo",
    "TensorShapeProto": "2 dim *Dim, 3 unknown_rank bool",
    "Dim": "1 size int64, 2 name string",
    "AssetFileDef": "1 tensor_info TensorInfo, 2 filename string",
    "SavedObjectGraph": "1 nodes *SavedObject, 2 concrete_functions {}SavedConcreteFunction",
    "SavedConcreteFunction": "2 bound_inputs *int32",
    "SavedObject": "1 children *ObjectReference, 4 user_object SavedUserObject, 5 asset SavedAsset, "
    "6 function SavedFunction, 7 variable SavedVariable, 8 bare_concrete_function SavedBareConcreteFunction, "
    "9 constant SavedConstant, 10 resource SavedResource, 12 captured_tensor CapturedTensor, "
    "11 saveable_objects {}SaveableObject",
    "SavedUserObject": "1 identifier string, 2 version VersionDef",
    "SavedAsset": "1 asset_file_def_index int32",
    "SavedVariable": "1 dtype int32",
    "SavedConstant": "1 operation string",
    "SavedResource": "1 device string",
    "CapturedTensor": "1 name string, 2 concrete_function string",
    "ObjectReference": "1 node_id int32, 2 local_name string",
    "SavedFunction": "1 concrete_functions *string",
    "SavedBareConcreteFunction": "1 concrete_function_name string",
    "SaveableObject": "2 save_function int32, 3 restore_function int32",
    "GraphDef": "1 node *NodeDef, 2 library FunctionDefLibrary, 4 versions VersionDef",
    "VersionDef": "1 producer int32, 2 min_consumer int32",
    "FunctionDefLibrary": "1 function *FunctionDef, 2 gradient *GradientDef",
    "GradientDef": "1 function_name string, 2 gradient_func string",
    "FunctionDef": "1 signature OpDef, 3 node_def *NodeDef, 4 ret {}string, 5 attr {}AttrValue, 6 control_ret {}string",
    "OpDef": "1 name string, 2 input_arg *ArgDef, 3 output_arg *ArgDef, 20 control_output *string",
    "ArgDef": "1 name string, 3 type int32, 4 type_attr string, 5 number_attr string, 6 type_list_attr string",
    "NodeDef": "1 name string, 2 op string, 3 input *string, 4 device string, 5 attr {}AttrValue, "
    "6 experimental_debug_info ExperimentalDebugInfo",
    "ExperimentalDebugInfo": "1 original_node_names *string, 2 original_func_names *string",
    "AttrValue": "1 list ListValue, 2 s bytes, 3 i int64, 4 f float, 5 b bool, 6 type int32, 7 shape TensorShapeProto, "
    "8 tensor TensorProto, 9 placeholder string, 10 func NameAttrList",
    "ListValue": "2 s *bytes, 3 i *int64, 4 f *float, 5 b *bool, 6 type *int32, 7 shape *TensorShapeProto, "
    "8 tensor *TensorProto, 9 func *NameAttrList",
    "NameAttrList": "1 name string, 2 attr {}AttrValue",
    "TensorProto": "1 dtype int32, 2 tensor_shape TensorShapeProto, 4 tensor_content bytes, 5 float_val *float, "
    "7 int_val *int32, 8 string_val *bytes",
}
# The fields of which a message has one at most.
one_ofs = {
    "AttrValue": ("value", "list s i f b type shape tensor placeholder func"),
    "SavedObject": (
        "kind",
        "user_object asset function variable bare_concrete_function constant resource captured_tensor",
    ),
}
largest_file = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Messages:
    """The classes to make and parse messages with; they behave as TensorFlow's own."""

    SavedModel: Any
    MetaGraphDef: Any
    GraphDef: Any
    FunctionDef: Any
    NodeDef: Any


@cache
def messages() -> Messages:
    """Give the message classes; they are built at first use."""
    file = descriptor_pb2.FileDescriptorProto(name="shardpress/graph.proto", package="tensorflow", syntax="proto3")
    for name, fields in schema.items():
        _describe(file.message_type.add(name=name), fields)
    pool: Any = descriptor_pool.DescriptorPool()
    pool.Add(file)

    def get(name: str) -> Any:
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.{name}"))

    return Messages(*(get(name) for name in Messages.__slots__))


def _describe(target: descriptor_pb2.DescriptorProto, fields: str) -> None:
    scalars = descriptor_pb2.FieldDescriptorProto
    group, members = one_ofs.get(target.name, ("", ""))
    if group:
        target.oneof_decl.add(name=group)
    for text in fields.split(", "):
        number, name, kind = text.split()
        field = target.field.add(name=name, number=int(number), label=scalars.LABEL_OPTIONAL)
        if name in members.split():
            field.oneof_index = 0
        if kind.startswith(("*", "{}")):
            field.label = scalars.LABEL_REPEATED
        if kind.startswith("{}"):
            entry = target.nested_type.add(name=name.title().replace("_", "") + "Entry")
            entry.options.map_entry = True
            _set_type(entry.field.add(name="key", number=1, label=scalars.LABEL_OPTIONAL), "string")
            _set_type(entry.field.add(name="value", number=2, label=scalars.LABEL_OPTIONAL), kind[2:])
            field.type = scalars.TYPE_MESSAGE
            field.type_name = f".tensorflow.{target.name}.{entry.name}"
        else:
            _set_type(field, kind.lstrip("*"))


def _set_type(field: descriptor_pb2.FieldDescriptorProto, kind: str) -> None:
    if kind in schema:
        field.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".tensorflow.{kind}"
    else:
        field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")


def parse_graph(content: bytes, where: str = "") -> Any:
    """Parse a GraphDef.

    Raises:
        SourceError: the bytes are not one, or it has no nodes.
    """
    graph = _parse(messages().GraphDef, content, where, "a TensorFlow graph (GraphDef)")
    if not graph.node:
        raise SourceError(
            "holds no graph: there is no node in it", code="SP-310", where=where, hint="Export the frozen graph again"
        )
    return graph


def parse_saved_model(content: bytes, where: str = "") -> Any:
    """Parse a SavedModel.

    Raises:
        SourceError: the bytes are not one, or it has no graph.
    """
    model = _parse(messages().SavedModel, content, where, "a SavedModel")
    if not model.meta_graphs:
        raise SourceError(
            "holds no graph", code="SP-310", where=where, hint="Save the model again with tf.saved_model.save"
        )
    return model


def read_graph(path: Path) -> Any:
    """Read the frozen graph in the ``.pb`` file at ``path``.

    Raises:
        SourceError: missing, unreadable, too large or not a GraphDef.
    """
    return parse_graph(_read(path), str(path))


def read_saved_model(folder: Path) -> Any:
    """Read ``saved_model.pb`` in ``folder``; variables are not touched.

    Raises:
        SourceError: missing, unreadable, too large or not a SavedModel.
    """
    path = folder / "saved_model.pb"
    return parse_saved_model(_read(path), str(path))


def choose_meta_graph(model: Any, tags: tuple[str, ...], where: str = "") -> Any:
    """Give the meta graph with exactly these tags.

    Raises:
        SourceError: there is none.
    """
    for meta_graph in model.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == set(tags):
            return meta_graph
    found = " or ".join(sorted(str(sorted(graph.meta_info_def.tags)) for graph in model.meta_graphs))
    raise SourceError(
        f"has no graph with the tags {sorted(tags)}", code="SP-313", where=where, hint=f"Set tags = {found}"
    )


def choose_signature(meta_graph: Any, name: str, where: str = "") -> Any:
    """Give the signature of this name.

    Raises:
        SourceError: there is none, or it takes or gives sparse or ragged tensors.
    """
    if name not in meta_graph.signature_def:
        known = sorted(key for key in meta_graph.signature_def if not key.startswith("__"))
        hint = f"Set signature to one of {known}" if known else "Save the model again with signatures=…"
        raise SourceError(f"has no signature {name!r}", code="SP-314", where=where, hint=hint)
    signature = meta_graph.signature_def[name]
    for side in (signature.inputs, signature.outputs):
        for key, info in side.items():
            if info.HasField("coo_sparse") or info.HasField("composite_tensor"):
                raise SourceError(
                    f"signature {name!r} has the sparse or ragged tensor {key!r}, which TensorFlow.js lacks",
                    code="SP-316",
                    where=where,
                    hint="Add a signature with dense tensors",
                )
    return signature


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > largest_file:
            raise SourceError(
                "is larger than 2 GiB, the limit of such files", code="SP-312", where=str(path), hint="Use a SavedModel"
            )
        return path.read_bytes()
    except OSError as error:
        raise SourceError(
            f"cannot be read ({error.strerror})", code="SP-302", where=str(path), hint="Check the path in build.toml"
        ) from error


def _parse(kind: Any, content: bytes, where: str, what: str) -> Any:
    try:
        return kind.FromString(content)
    except (message.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(
            f"is not {what}, or is truncated",
            code="SP-308",
            where=where,
            hint="Export the model again, or copy it completely",
        ) from error
