"""From ``picture`` and ``answer`` of ``build.toml`` to what a head says of them; ``docs/format.md`` has the fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..config.answers import AnswerTable, head_of
from ..config.models import ModelConfig
from ..config.pictures import PictureConfig, PictureTable, each
from ..errors import ConfigError
from ..model import TensorSpec
from ..typed import from_builtins
from .complete import complete
from .formats import Seen
from .hearing import audio_of
from .texts import texts_of

channel_counts = frozenset({1, 3})
module = "answers"
vectorization = "vectorization"
"""Module, and ``model`` of the head's ``tokenizer``, where a page does what Keras' TextVectorization did."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a head says of ``run``.

    Attributes:
        picture, answer, tokenizer, audio: None where nothing is set.
        modules: JavaScript that ``run`` needs; its first does it.
    """

    picture: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    modules: tuple[str, ...] = ()
    tokenizer: dict[str, Any] | None = None
    audio: dict[str, Any] | None = None


plain_run = Described()


def describe(
    name: str,
    settings: ModelConfig,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    *,
    labels: Sequence[str] | None = None,
    from_tensorflow: bool = False,
    glued: bool = False,
    tokenizer: Mapping[str, Any] | None = None,
    rows: Mapping[str, int] | None = None,
    texts: Mapping[str, Any] | None = None,
) -> Described:
    """Describe how a page's ``run`` goes from a picture, sound or text to an answer.

    Args:
        name: of the model.
        settings: its table.
        inputs: of the model.
        outputs: of the model.
        labels: what the outputs' numbers mean, if known.
        from_tensorflow: TensorFlow exported it, whatever it was trained in.
        glued: decoders or encoders were cut off its ends.
        tokenizer: as ``tokens.read`` describes it, where its table names one.
        rows: of the tables that inputs look up, by input.
        texts: how texts become ids of the model's own words, by input.

    Raises:
        ConfigError: the settings do not fit the inputs.
        ConversionError: they do not fit the outputs or labels.
    """
    picture = picture_of(name, settings.picture, inputs)
    taken = None
    if settings.tokenizer and texts:
        raise _has_words(name)
    if settings.tokenizer and tokenizer:
        taken = texts_of(name, settings.tokenizer, tokenizer, inputs, rows or {})
    elif texts:
        taken = {"model": vectorization, "texts": dict(texts)}
    audio = audio_of(name, settings.audio, inputs, outputs)
    if audio and (picture or taken or glued):
        raise _mixed(name)
    answer = None
    if settings.answer:
        size = picture.get("size") if picture else None
        size = (size[0], size[1]) if size else None
        names = tuple(spec.name for spec in inputs)
        carried = {source["output"] for source in (audio or {}).get("state", {}).values()}
        answering = tuple(spec for spec in outputs if spec.name not in carried)
        seen = Seen(answering, len(labels or ()), size, from_tensorflow, f"models.{name}.answer", names)
        answer = _answer(settings.answer, seen)
    modules = ["glue"] if glued else []
    if picture or answer or taken or audio:
        lazy = [] if taken is None else [vectorization if taken["model"] == vectorization else "tokens"]
        modules = [module, *modules, *lazy, *([answer["kind"]] if answer else [])]
    if audio:
        modules = ["audio", "answers", "listen", *(["mel"] if "mel" in audio else []), *modules[1:]]
    return Described(picture, answer, tuple(modules), taken, audio)


def _mixed(name: str) -> ConfigError:
    return ConfigError(
        "a model that takes sounds takes no pictures or texts beside them",
        code="SP-247",
        where=f"models.{name}.audio",
        hint="Remove picture and tokenizer; run takes other inputs as tensors by name",
    )


def _has_words(name: str) -> ConfigError:
    return ConfigError(
        "the model begins with texts itself, and makes ids of them with its own words",
        code="SP-426",
        where=f"models.{name}.tokenizer",
        hint="Remove the key; in a ladder, name it in the rungs that need it",
    )


def table_of(answer: str | AnswerTable | PictureTable) -> AnswerTable | PictureTable:
    """Return the whole table of an answer that may only name its kind."""
    made: AnswerTable | PictureTable = (
        from_builtins({"kind": answer}, AnswerTable | PictureTable) if isinstance(answer, str) else answer
    )
    return made


def channels_at(shape: Sequence[int | None] | None) -> int | None:
    """Return which axis of a picture's shape, with or without a batch, has its channels: -1 or -3; None: it is none."""
    if shape is None or len(shape) not in {3, 4} or (len(shape) == 4 and shape[0] not in {1, None}):
        return None
    return next((axis for axis in (-1, -3) if shape[axis] in channel_counts), None)


def picture_of(name: str, given: PictureConfig | None, inputs: Sequence[TensorSpec]) -> dict[str, Any] | None:
    """Describe how a picture becomes an input; None where nothing says so.

    Args:
        name: of the model.
        given: its table.
        inputs: of the model.

    Raises:
        ConfigError: the settings do not fit the inputs.
    """
    if given is None:
        return None
    where = f"models.{name}.picture"
    spec = _input(where, given, inputs)
    axis = channels_at(spec.shape)
    if axis is None or spec.shape is None or spec.dtype not in {"float32", "int32"}:
        shape = list(spec.shape) if spec.shape else "an unknown shape"
        raise ConfigError(
            f"the input {spec.name!r} is {spec.dtype} {shape}, and a picture is float32 or int32 of 1 or 3 channels",
            code="SP-246",
            where=where,
            hint="Remove the table, or name another input; lengths of an ONNX model are set with [models.NAME.inputs]",
        )
    count = spec.shape[axis]
    channels = given.channels or ("grey" if count == 1 else "rgb")
    if (channels == "grey") is not (count == 1):
        raise ConfigError(
            f"{channels!r} does not fit the input {spec.name!r}, which has {count} channels",
            code="SP-246",
            where=f"{where}.channels",
            hint="Remove the key",
        )
    low, high = given.range
    std, mean = _spread(given.std, channels, f"{where}.std"), _spread(given.mean, channels, f"{where}.mean")
    size = _size(where, given, spec, axis)
    return {
        "input": spec.name,
        **({"size": size} if size else {}),
        "fit": given.fit,
        "share": given.share,
        "colour": list(given.colour),
        "channels": channels,
        "resize": given.resize,
        "scale": [(high - low) / 255 / deviation for deviation in std],
        "offset": [(low - centre) / deviation for centre, deviation in zip(mean, std, strict=True)],
        "dtype": spec.dtype,
        **({"first": True} if axis == -3 else {}),
        "rank": len(spec.shape),
    }


def _spread(value: float | tuple[float, ...], channels: str, where: str) -> tuple[float, ...]:
    numbers, wanted = each(value), 1 if channels == "grey" else 3
    if len(numbers) > wanted:
        raise ConfigError(f"has {len(numbers)} numbers for 1 channel", code="SP-246", where=where, hint="Give one")
    return numbers * (wanted // len(numbers))


def _input(where: str, given: PictureConfig, inputs: Sequence[TensorSpec]) -> TensorSpec:
    named = [spec for spec in inputs if spec.name == given.input]
    fitting = named if given.input else [spec for spec in inputs if channels_at(spec.shape) is not None]
    if not fitting and not given.input and len(inputs) == 1:
        fitting = list(inputs)
    if len(fitting) == 1:
        return fitting[0]
    what = f"there is no input {given.input!r}" if given.input else f"{len(fitting)} inputs could be the picture"
    names = ", ".join(repr(spec.name) for spec in inputs)
    raise ConfigError(what, code="SP-246", where=f"{where}.input", hint=f"Name one of {names}")


def _size(where: str, given: PictureConfig, spec: TensorSpec, axis: int) -> list[int] | None:
    shape = spec.shape or ()
    rows, columns = (shape[-3], shape[-2]) if axis == -1 else (shape[-2], shape[-1])
    wanted = (given.size, given.size) if isinstance(given.size, int) else given.size
    if wanted is None:
        if rows is not None and columns is not None:
            return [rows, columns]
        if given.fit != "stretch":
            raise ConfigError(
                f"the input {spec.name!r} takes any size, so `fit` has nothing to fit to",
                code="SP-246",
                where=f"{where}.size",
                hint="Give one",
            )
        return None
    if any(own is not None and own != given_length for own, given_length in zip((rows, columns), wanted, strict=True)):
        raise ConfigError(
            f"is {list(wanted)}, and the input {spec.name!r} takes {[rows, columns]} only",
            code="SP-246",
            where=f"{where}.size",
            hint="Remove the key",
        )
    return list(wanted)


def _answer(given: str | AnswerTable | PictureTable, seen: Seen) -> dict[str, Any]:
    table = table_of(given)
    if isinstance(table, PictureTable):
        spec = _output(seen.where, table.output, seen.outputs)
        axis = channels_at(spec.shape) or -1
        channels = {"channels": "bgr"} if table.channels == "bgr" else {}
        return {
            "kind": "picture",
            "output": spec.name,
            "range": list(table.range),
            **channels,
            **({"first": True} if axis == -3 else {}),
        }
    return head_of(complete(table, seen))


def _output(where: str, name: str, outputs: Sequence[TensorSpec]) -> TensorSpec:
    found = [spec for spec in outputs if not name or spec.name == name]
    if len(found) == 1:
        return found[0]
    what = f"there is no output {name!r}" if name else f"the model has {len(found)} outputs"
    names = ", ".join(repr(spec.name) for spec in outputs)
    raise ConfigError(what, code="SP-246", where=f"{where}.output", hint=f"Name one of {names}")
