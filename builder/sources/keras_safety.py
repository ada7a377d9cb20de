"""Refuses configurations of Keras models that name anything but Keras' own layers and their parts.

A configuration is a tree of objects, each with the name of a class or function that Keras looks up and calls. So names
are allowed, never forbidden: see ``allowed_keras``. What only training needs is left out of what Keras gets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from ..errors import SourceError, UnsafeModelError
from .allowed_functions import class_methods, is_allowed_function, tensor_methods
from .allowed_keras import (
    classes,
    functions,
    is_allowed_module,
    named_by_key,
    spec_classes,
    specs,
)
from .allowed_ops import danger_of, is_allowed_op
from .keras_applications import is_application_layer

T = TypeVar("T")
training_keys = ("compile_config",)
_coding_layers = {
    "Lambda": "holds Python code",
    "__lambda__": "holds Python code",
    "TorchModuleWrapper": "holds pickled PyTorch code",
    "TFSMLayer": "loads another SavedModel from a path",
    "JaxLayer": "holds a JAX program",
    "FlaxLayer": "holds a JAX program",
}
_file_keys = ("vocabulary", "idf_weights", "vocabulary_file")
_trust = "Rebuild it with plain layers, or set trust = true if you know its author"
_custom = "needs the custom class or function"
_elsewhere = "Where its code is, export a SavedModel with model.export(PATH) and build that"


def check_keras_config(config: object, *, trust: bool = False, where: str = "") -> None:
    """Check the configuration of a Keras model, at any depth.

    Args:
        config: decoded JSON; parts that ``without_training`` leaves out are not looked at.
        trust: the user trusts the code inside the model.
        where: the file, for messages.

    Raises:
        UnsafeModelError: it names code, a file, or a function that is not on the list, and is not trusted.
        SourceError: it names a class that is not on the list.
    """
    if trust:
        return
    queue = [config]
    while queue:
        item = queue.pop()
        if isinstance(item, dict):
            if problem := _problem(item):
                raise _refusal(problem, where)
            queue.extend(value for key, value in item.items() if key not in training_keys)
        elif isinstance(item, list):
            queue.extend(item)


def without_training(config: T) -> T:
    """Return a configuration without what only training needs: optimisers, losses and metrics, at any depth.

    Args:
        config: decoded JSON; not changed. The same object comes back if there is nothing to leave out.
    """
    if not _has_training(config):
        return config
    whole: list[T] = [config]
    queue: list[tuple[Any, Any, object]] = [
        (whole, 0, config)
    ]  # a loop: configurations can be deeper than Python's stack
    while queue:
        target, key, value = queue.pop()
        if isinstance(value, dict):
            target[key] = copy = {name: item for name, item in value.items() if name not in training_keys}
            queue.extend((copy, name, item) for name, item in copy.items())
        elif isinstance(value, list):
            target[key] = items = list(value)
            queue.extend((items, number, item) for number, item in enumerate(items))
        else:
            target[key] = value
    return whole[0]


def parse_config(text: str | bytes | None, where: str = "") -> object:
    """Parse the ``model_config`` of an HDF5 file.

    Raises:
        SourceError: it is not there, not JSON, or null.
    """
    if text is None:
        raise SourceError(
            "holds weights only, no model",
            code="SP-310",
            where=where,
            hint="Rebuild the model in Python, load these weights, and save all of it with model.save",
        )
    try:
        config = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise SourceError(
            "its model_config is not JSON", code="SP-309", where=where, hint="Save the model again"
        ) from error
    if config is None:
        raise SourceError(
            "holds no model: its model_config is null", code="SP-310", where=where, hint="Save the whole model"
        )
    return config


def _has_training(config: object) -> bool:
    queue = [config]
    while queue:
        item = queue.pop()
        if isinstance(item, dict):
            if any(key in item for key in training_keys):
                return True
            queue.extend(item.values())
        elif isinstance(item, list):
            queue.extend(item)
    return False


def _problem(item: dict[str, object]) -> str:
    """Tell what one object of a configuration names that it must not, or give ``""``."""
    for key in _file_keys:
        if isinstance(item.get(key), str):
            return f"reads its {key} from the file {item[key]!r}{_of(item)}"
    for key, text in _named_parts(item):
        return f"names the {key} {text!r}, which is not one of Keras' own{_of(item)}"
    if "class_name" not in item:
        return ""
    kind, inner = item["class_name"], item.get("config")
    name = _name_of(item)
    if not isinstance(kind, str):
        return f"an object has no name of a class, but {kind!r:.100}"
    if kind in _coding_layers:
        return f"layer {name!r} ({kind}) {_coding_layers[kind]}"
    if is_application_layer(item):
        return ""
    return _module_problem(item, kind, name) or _kind_problem(item, kind, name, inner)


def _module_problem(item: dict[str, object], kind: str, name: str) -> str:
    module, registered = item.get("module"), item.get("registered_name")
    if module is not None and not (isinstance(module, str) and is_allowed_module(module)):
        outside = "Keras' layers" if str(module).partition(".")[0] in {"keras", "tf_keras"} else "Keras"
        return f"layer {name!r} ({_shown(item, kind)}) names Python code outside {outside} ({module})"
    same = (None, "", "function", kind, item.get("config") if kind == "function" else kind)
    if any(registered == plain for plain in same):
        return ""
    return f"layer {name!r} {_custom} {str(registered).rpartition('>')[2]!r}, not Keras' own"


def _kind_problem(item: dict[str, object], kind: str, name: str, inner: object) -> str:
    """Tell what is wrong about the class or function itself and what it is given."""
    config = inner if isinstance(inner, dict) else {}
    problem = ""
    if kind == "function":
        if not isinstance(inner, str) or inner not in functions:
            problem = f"names the function {inner!r:.100}, which is not one of Keras' activations"
    elif kind in functions and inner == kind:  # another way to write it
        problem = ""
    elif kind not in classes:
        what = f"layer {name!r}" if name else "the model itself"
        problem = f"{what} {_custom} {kind!r}, which is not one of Keras' layers"
    elif kind in {"TFOpLambda", "SlicingOpLambda"}:
        function = config.get("function")
        if not isinstance(function, str) or not _may_call(function):
            problem = f"layer {name!r} calls tf.{function}, which is not on the list of functions that only compute"
    elif kind == "TensorFlowOpLayer":
        problem = _op_problem(name, config)
    elif kind in spec_classes:
        spec = item.get("type_spec", item.get("spec_name"))
        problem = (
            ""
            if isinstance(spec, str) and spec in specs
            else f"makes a {spec!r:.100} of TensorFlow, which no layer needs"
        )
    elif kind in {"InstanceMethod", "InstanceProperty"}:
        attribute = config.get("attr_name")
        allowed = isinstance(attribute, str) and attribute in tensor_methods
        problem = "" if allowed else f"layer {name!r} ({kind}) calls {attribute!r:.100} of a tensor"
    elif kind == "ClassMethod":
        method = f"{config.get('cls_symbol')}.{config.get('method_name')}"
        problem = "" if method in class_methods else f"layer {name!r} (ClassMethod) calls tf.{method}"
    return problem


def _may_call(function: str) -> bool:
    if function.startswith("raw_ops."):
        op = function.removeprefix("raw_ops.")
        return is_allowed_op(op) and op not in {"PrintV2", "DecodeProtoV2", "EncodeProto"}
    return is_allowed_function(function)


def _op_problem(name: str, config: Mapping[str, object]) -> str:
    """Look at the op of a layer of TensorFlow's graph; older versions keep it as text, which nobody here can read."""
    definition = config.get("node_def")
    op = definition.get("op") if isinstance(definition, dict) else None
    if not isinstance(op, str):
        return f"layer {name!r} (TensorFlowOpLayer) has an op that cannot be read: {definition!r:.100}"
    if danger := danger_of(op):
        return f"layer {name!r} holds the op {op}, which {danger}"
    if not _may_call(f"raw_ops.{op}"):
        return f"layer {name!r} holds the op {op}, which is not on the list of harmless ones"
    return ""


def _named_parts(item: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Return key and text of what names an activation, initializer and so on that is not on the list."""
    for key, value in item.items():
        kind = next((end for end in named_by_key if key == end or key.endswith(f"_{end}")), "")
        if kind:
            texts = value if isinstance(value, list) else [value]
            yield from ((key, text) for text in texts if isinstance(text, str) and text not in named_by_key[kind])


def _refusal(problem: str, where: str) -> SourceError:
    """Put a problem into an error; what is only missing is no attack."""
    if _custom in problem:
        return SourceError(problem, code="SP-322", where=where, hint=f"{_elsewhere}. {_trust}")
    return UnsafeModelError(problem, code="SP-364", where=where, hint=_trust)


def _shown(item: dict[str, object], kind: str) -> str:
    return str(item["config"]) if kind == "function" and isinstance(item.get("config"), str) else kind


def _name_of(item: dict[str, object]) -> str:
    inner = item.get("config")
    inner = inner if isinstance(inner, dict) else {}
    return str(inner.get("name", item.get("name", "")))


def _of(item: dict[str, object]) -> str:
    return f" (layer {_name_of(item)!r})" if _name_of(item) else ""
