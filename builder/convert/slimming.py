"""Leaves out of a SavedModel what only Keras reads, so that TensorFlow loads it several times faster.

Keras saves every layer's functions a second and a third time, to make layers of them again. Rebuilding them takes most
of the time of ``tf.saved_model.load``, and a signature needs none of them. Needs no TensorFlow, only its messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

keras_mark = "_tf_keras_"
keras_part = "keras_api"
function_kinds = {"function", "bare_concrete_function"}


def slim(meta_graph: Any) -> None:
    """Take the functions of Keras objects out of a meta graph; all other objects keep their numbers.

    Args:
        meta_graph: TensorFlow's MetaGraphDef; changed.
    """
    objects = meta_graph.object_graph_def.nodes
    kept = _kept_functions(objects)
    roots = {name for number in kept for name in _functions_of(objects[number])}
    needed = _needed(meta_graph, roots)
    dropped = {number for number, item in enumerate(objects) if _is_useless(item, number in kept, needed)}
    if not dropped:
        return
    for number, item in enumerate(objects):
        if number in dropped:
            item.Clear()
            item.user_object.identifier = "_generic_user_object"
            item.user_object.version.producer = item.user_object.version.min_consumer = 1
        else:
            children = [child for child in item.children if child.node_id not in dropped]
            if len(children) < len(item.children):
                del item.children[:]
                item.children.extend(children)
    library = meta_graph.graph_def.library
    functions = [function for function in library.function if function.signature.name in needed]
    gradients = [gradient for gradient in library.gradient if gradient.function_name in needed]
    library.CopyFrom(type(library)(function=functions, gradient=gradients))
    concrete = meta_graph.object_graph_def.concrete_functions
    for name in [name for name in concrete if name not in needed]:
        del concrete[name]


def _is_useless(item: Any, is_kept: bool, needed: set[str]) -> bool:
    kind = item.WhichOneof("kind")
    if kind == "captured_tensor":  # a constant inside a function
        return item.captured_tensor.concrete_function not in needed
    return kind in function_kinds and not is_kept


def _kept_functions(objects: Any) -> set[int]:
    """Number the functions that something else than a Keras object names, and what they consist of."""
    keras = set()
    for number, item in enumerate(objects):
        if item.user_object.identifier.startswith(keras_mark):
            keras |= {number, *(child.node_id for child in item.children if child.local_name == keras_part)}
    queue = [
        child.node_id
        for number, item in enumerate(objects)
        if number not in keras and item.WhichOneof("kind") not in function_kinds
        for child in item.children
    ]
    for item in objects:
        for saveable in item.saveable_objects.values():
            queue += [saveable.save_function, saveable.restore_function]
    kept: set[int] = set()
    while queue:
        number = queue.pop()
        if number not in kept and objects[number].WhichOneof("kind") in function_kinds:
            kept.add(number)
            queue += [child.node_id for child in objects[number].children]
    return kept


def _functions_of(item: Any) -> list[str]:
    if item.WhichOneof("kind") == "function":
        return list(item.function.concrete_functions)
    return [item.bare_concrete_function.concrete_function_name]


def _needed(meta_graph: Any, roots: set[str]) -> set[str]:
    """Name the functions that the roots and the graph need: what they call, and what they capture constants of."""
    graph_def, objects = meta_graph.graph_def, meta_graph.object_graph_def.nodes
    concrete = meta_graph.object_graph_def.concrete_functions
    functions = {function.signature.name: function for function in graph_def.library.function}
    gradients = {gradient.function_name: gradient.gradient_func for gradient in graph_def.library.gradient}
    queue = [*roots, *_called(graph_def.node)]
    found: set[str] = set()
    while queue:
        name = queue.pop()
        if name in functions and name not in found:
            found.add(name)
            queue += _called(functions[name].node_def)
            if name in gradients:
                queue.append(gradients[name])
            if name in concrete:
                captured = (objects[number].captured_tensor for number in concrete[name].bound_inputs)
                queue += [tensor.concrete_function for tensor in captured]
    return found


def _called(nodes: Any) -> Iterator[str]:
    for node in nodes:
        yield node.op
        for value in node.attr.values():
            yield value.func.name
            yield from (item.name for item in value.list.func)
            yield value.s.decode(errors="replace")  # names of gradients are given as text
