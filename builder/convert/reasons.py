"""Puts what TensorFlow and Keras raise into words: the cause, where, and what to do next. Imports neither.

Their first lines are often the emptiest, and the cause stands behind a page of configuration.
"""

from __future__ import annotations

import re

from ..errors import ConversionError, ShardpressError, SourceError
from ..sources.keras_limits import stateless_hint

longest_sentence = 300
empty_lines = re.compile(
    r"Graph execution error:?$|Exception encountered when calling |Detected at node |Traceback |File \"|"
    r"Arguments received by|in user code:|could not be deserialized properly"
)
escapes = re.compile(r"\x1b\[[0-9;]*m")
export_hint = "Where that code is, export a SavedModel with model.export(PATH) and build that"
resave_hint = "Load it in the version of Keras that made it, and save a SavedModel with model.export(PATH)"
keras_own = frozenset(("Functional", "Sequential", "Model"))
# What is said of a text that matches: what happened (\1 is the first group), what to do next, and the code.
reasons: tuple[tuple[str, str, str, str], ...] = (
    (
        r"Op type not registered '(SimpleML\w+)'",
        r"is a decision forest (op \1), for which TensorFlow.js has no ops",
        "Run it with YDF's own JavaScript (npm ydf-inference), or train a network to give its answers",
        "SP-350",
    ),
    (
        r"Op type not registered '([\w>]+)'",
        r"holds the op \1, which this TensorFlow does not have",
        "It comes from an add-on or a newer TensorFlow: export the model without that part",
        "SP-351",
    ),
    (
        r"Failed to find any matching files for \S*variables",
        "is a SavedModel without its weights",
        "Copy its folder variables too, beside saved_model.pb",
        "SP-308",
    ),
    (
        r"Read less bytes than requested|Data loss|DATA_LOSS|Checksum does not match|corrupted record",
        "has truncated or damaged weights",
        "Copy or download the whole model again, the folder variables with it",
        "SP-308",
    ),
    (
        r"(\S*?)/?(?:ReadVariableOp|Assign\w*VariableOp\w*) was passed \w+ from .* expected resource",
        r"keeps state from call to call (layer \1)",
        stateless_hint,
        "SP-319",
    ),
    (
        r"Input \d+ of node (\S+?) was passed u?int8 .* incompatible",
        r"has weights that Keras quantized (at \1)",
        "Save it before model.quantize(): precision is the build's to choose",
        "SP-352",
    ),
    (
        r"A total of (\d+) objects could not be loaded\. [^<]*<(\w+) name=(\w+)[^>]*>:\s*(.*)",
        r"has no weights that fit \1 of its layers, the first \3 (\2): \4",
        "The weights are of another model or version: save the whole model again",
        "SP-353",
    ),
    (
        r"Unable to (?:synchronously )?open object \(object '([^']+)' doesn't exist\)",
        r"lacks \1, where Keras looks for weights",
        "The file is incomplete: save the whole model again with model.save",
        "SP-353",
    ),
    (
        r"Could not deserialize class '(\w+)' because its parent module ([\w.]+) cannot be imported",
        r"needs \2.\1, which this Keras does not have",
        resave_hint,
        "SP-323",
    ),
    (
        r"Could not deserialize '(?:\w+\.)*(\w+)' because it is not a KerasSaveable",
        r"has the layer class \1, which this Keras does not have",
        "Correct the name, or save it again with the Keras that made it",
        "SP-323",
    ),
    (
        r"Unrecognized keyword arguments passed to (\w+): (.{1,120}?\})",
        r"has options of \1 that this Keras does not know: \2",
        "A newer Keras wrote it: " + resave_hint[0].lower() + resave_hint[1:],
        "SP-323",
    ),
    (
        r"layer ['\"]([^'\"]+)['\"] is incompatible with the layer: (.*)",
        r"does not fit together at layer \1: \2",
        "Its configuration was changed after it was saved: save the whole model again",
        "SP-353",
    ),
    (
        r"Exception encountered when calling (?:layer ['\"])?([\w.]+?)(?:\.call\(\)|['\"].*?)\.?\s+Using a symbolic",
        r"has no fixed size, which its layer \1 needs (it decides by a length that is known only when it runs)",
        "Make the model with fixed lengths, as keras.Input((256, 256, 3)), load its weights into that, and save it",
        "SP-355",
    ),
    (
        r"Exception encountered when calling (?:layer ['\"])?([\w.]+?)(?:\.call\(\)|['\"].*?)\.?\s+(.+)",
        r"cannot be run by Keras: layer \1 says: \2",
        "Give the sizes that this layer needs where the model is made (keras.Input with fixed lengths), and save again",
        "SP-356",
    ),
)  # fmt: skip


def explain(error: BaseException, where: str, teller: str = "") -> ShardpressError:
    """Return an error of TensorFlow, Keras or another runtime as one of ours.

    Args:
        error: what was raised.
        where: the source.
        teller: what cannot be done, where it is not TensorFlow that said it.
    """
    text = escapes.sub("", str(error))
    if isinstance(error, MemoryError):
        return ConversionError("memory ran out", code="SP-401", hint="Build with fewer --jobs, or on a larger machine")
    for pattern, what, hint, code in reasons:
        if found := re.search(pattern, text):
            return SourceError(_shorten(" ".join(found.expand(what).split())), code=code, where=where, hint=hint)
    return ConversionError(
        f"{teller or 'TensorFlow cannot convert it'}: {first_sentence(error)}",
        code="SP-403",
        where=where,
        hint="Run with -vv for all of its words" if teller else "Run with -vv for TensorFlow's own words",
    )


def explain_keras(error: BaseException, where: str) -> ShardpressError:
    """Return an error of Keras while it loads a model as one of ours."""
    text = escapes.sub("", str(error))
    unknown = re.search(
        r"[Uu]nknown (?:layer|object|\w+ function):? '?([\w>]+)|[Cc]ould not locate \w+ '([^']+)'", text
    )
    name = next(filter(None, unknown.groups())) if unknown else ""
    if name and name not in keras_own:
        return SourceError(
            f"needs the custom class or function {name!r}, whose code is not in the file",
            code="SP-322",
            where=where,
            hint=export_hint,
        )
    if name:
        return SourceError(
            "was not written by the version of Keras that it states", code="SP-323", where=where, hint=resave_hint
        )
    known = explain(error, where)
    if isinstance(known, SourceError):
        return known
    return SourceError(f"Keras cannot load it: {first_sentence(error)}", code="SP-324", where=where, hint=resave_hint)


def first_sentence(error: BaseException) -> str:
    """Return the first line of an error's text that says something."""
    lines = (line.strip() for line in escapes.sub("", str(error)).splitlines())
    text = next((line for line in lines if len(line) > 3 and not empty_lines.search(line)), "")
    if not text or isinstance(error, KeyError):
        text = f"{type(error).__name__} {str(error).strip()}".strip()
    return _shorten(text)


def _shorten(text: str) -> str:
    return text if len(text) <= longest_sentence else text[: longest_sentence - 1] + "…"
