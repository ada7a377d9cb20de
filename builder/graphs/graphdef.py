"""Reads and writes TensorFlow's graph files (``saved_model.pb``, frozen ``.pb``) without TensorFlow.

Only the fields that Shardpress looks at are described (see ``messages``); protobuf keeps all others, so that what is
read and written again loses nothing. The descriptors live in a pool of their own: TensorFlow's, of the same names, may
be in the process too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, TypeVar, cast, get_args, get_origin, get_type_hints

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from ..errors import SourceError
from .messages import FunctionDef, GraphDef, Keyed, Message, MetaGraphDef, NodeDef, SavedModel, SignatureDef

M = TypeVar("M", bound=Message)

scalars = {str: "string", bytes: "bytes", bool: "bool"}  # numbers say theirs in ``messages``
largest_file = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Messages:
    """The classes to make and parse messages with; they behave as TensorFlow's own."""

    SavedModel: type[SavedModel]
    MetaGraphDef: type[MetaGraphDef]
    GraphDef: type[GraphDef]
    FunctionDef: type[FunctionDef]
    NodeDef: type[NodeDef]


@cache
def messages() -> Messages:
    """Return the message classes; they are built at first use."""
    file = descriptor_pb2.FileDescriptorProto(name="shardpress/graph.proto", package="tensorflow", syntax="proto3")
    for kind in Message.__subclasses__():
        _describe(file.message_type.add(name=kind.__name__), kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)  # type: ignore[no-untyped-call]

    def get(kind: type[M]) -> type[M]:
        descriptor = pool.FindMessageTypeByName(f"tensorflow.{kind.__name__}")  # type: ignore[no-untyped-call]
        return cast(type[M], message_factory.GetMessageClass(descriptor))

    return Messages(get(SavedModel), get(MetaGraphDef), get(GraphDef), get(FunctionDef), get(NodeDef))


def _describe(target: descriptor_pb2.DescriptorProto, kind: type[Message]) -> None:
    labels = descriptor_pb2.FieldDescriptorProto
    group, members = kind.one_of
    if group:
        target.oneof_decl.add(name=group)
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            continue  # of the class itself
        held, *told = get_args(hint)
        field = target.field.add(name=name, number=told.pop(), label=labels.LABEL_OPTIONAL)
        if name in members.split():
            field.oneof_index = 0
        many = get_origin(held)
        if many is not None:
            field.label = labels.LABEL_REPEATED
            (held,) = get_args(held)
            if get_origin(held) is Annotated:
                held, *told = get_args(held)
        if many is Keyed:
            entry = target.nested_type.add(name=name.title().replace("_", "") + "Entry")
            entry.options.map_entry = True
            _set_type(entry.field.add(name="key", number=1, label=labels.LABEL_OPTIONAL), str, ())
            _set_type(entry.field.add(name="value", number=2, label=labels.LABEL_OPTIONAL), held, told)
            field.type = labels.TYPE_MESSAGE
            field.type_name = f".tensorflow.{target.name}.{entry.name}"
        else:
            _set_type(field, held, told)


def _set_type(field: descriptor_pb2.FieldDescriptorProto, held: type, told: Sequence[str]) -> None:
    """Set a field's type.

    Args:
        field: to be described.
        held: the type of its values.
        told: which kind of numbers they are, in the words of protobuf; empty for others.
    """
    if issubclass(held, Message):
        field.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".tensorflow.{held.__name__}"
    else:
        name = told[0] if told else scalars[held]
        field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{name.upper()}")


def parse_graph(content: bytes, where: str = "") -> GraphDef:
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


def parse_saved_model(content: bytes, where: str = "") -> SavedModel:
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


def read_graph(path: Path) -> GraphDef:
    """Read the frozen graph in the ``.pb`` file at ``path``.

    Raises:
        SourceError: missing, unreadable, too large or not a GraphDef.
    """
    return parse_graph(_read(path), str(path))


def read_saved_model(folder: Path) -> SavedModel:
    """Read ``saved_model.pb`` in ``folder``; variables are not touched.

    Raises:
        SourceError: missing, unreadable, too large or not a SavedModel.
    """
    path = folder / "saved_model.pb"
    return parse_saved_model(_read(path), str(path))


def choose_meta_graph(model: SavedModel, tags: tuple[str, ...], where: str = "") -> MetaGraphDef:
    """Return the meta graph with exactly these tags.

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


def choose_signature(meta_graph: MetaGraphDef, name: str, where: str = "") -> SignatureDef:
    """Return the signature of this name.

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


def _parse(kind: type[M], content: bytes, where: str, what: str) -> M:
    try:
        return kind.FromString(content)
    except (message.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(
            f"is not {what}, or is truncated",
            code="SP-308",
            where=where,
            hint="Export the model again, or copy it completely",
        ) from error
