"""Files with the user's own examples: arrays, pictures, sounds, texts. A worker decodes them: decoders are attacked."""

from __future__ import annotations

import importlib
import itertools
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..files.npz import write_npz
from ..model import TensorSpec
from .played import make_cases, write_played
from .shown import make_case, write_shown
from .texts import text_cases
from .types import InputsRequest

Array = NDArray[np.generic]
Case = dict[str, Array]
picture_suffixes = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})


def read_inputs(request: InputsRequest) -> None:
    """Decode the user's cases, in a worker.

    An ``.npz`` holds one array for each input, by name (with a single input, under any name), batch included.
    A picture feeds a model with one input of shape [n, height, width, 1 or 3]: it is resized (bilinear) to height and
    width (its own size where they are unknown) and scaled to 0..1, or kept at 0..255 for an int32 input; or what
    ``[models.NAME.picture]`` says. A ``.txt`` has a text a line, for models with a tokenizer; of a ``.wav`` each
    window is a case, for models with ``[models.NAME.audio]``.

    Raises:
        ConfigError: a file is unreadable, arrays are missing or do not fit.
    """
    numbers = itertools.count()
    for path in request.files:
        if request.texts is not None and path.suffix.lower() == ".txt":
            for line, inputs in text_cases(path, request.texts):
                number = next(numbers)
                write_npz(request.out / f"{number}.npz", _whole(inputs, request.specs, str(path)))
                (request.out / f"{number}.txt").write_text(line, encoding="utf-8", newline="")
            continue
        if request.audio is not None and path.suffix.lower() != ".npz":
            cases, content = _windows(path, request)
            first = next(numbers)
            for number, case in zip(itertools.chain([first], numbers), cases):  # noqa: B905
                write_npz(request.out / f"{number}.npz", case)
            write_played(request.out / f"{first}.sound.npz", content, len(cases))
            continue
        number = next(numbers)
        if request.picture is None or path.suffix.lower() == ".npz":
            write_npz(request.out / f"{number}.npz", _case(path, request.specs))
            continue
        with _opened(path, request.specs) as file:
            case, seen, frame = make_case(file, request.picture)
        write_npz(request.out / f"{number}.npz", case)
        write_shown(request.out / f"{number}.shown.npz", seen, frame)


def _windows(path: Path, request: InputsRequest) -> tuple[list[Case], bytes]:
    where = str(path)
    try:
        return make_cases(path.read_bytes(), request.audio or {}, request.specs)
    except ConfigError as error:
        raise ConfigError(error.what, code=error.code, where=where, hint=error.hint) from error
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot be used as a sound ({error})",
            code="SP-224",
            where=where,
            hint="Provide WAV files of whole numbers or floats, or narrow the pattern in verify.inputs",
        ) from error


def _whole(inputs: Case, specs: tuple[TensorSpec, ...], where: str) -> Case:
    missing = [spec.name for spec in specs if spec.name not in inputs]
    if missing:
        raise ConfigError(
            f"is text, and the model also takes {', '.join(map(repr, missing))}",
            code="SP-227",
            where=where,
            hint="Store the inputs as .npz instead",
        )
    return inputs


def _case(path: Path, specs: tuple[TensorSpec, ...]) -> Case:
    return _arrays(path, specs) if path.suffix.lower() == ".npz" else _picture(path, specs)


def _arrays(path: Path, specs: tuple[TensorSpec, ...]) -> Case:
    try:
        # numpy leaves a file that it opened itself open when it is no archive
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            found = {name.removesuffix(".npy"): _array(archive, name) for name in archive.namelist()}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigError(
            f"cannot be read as .npz ({error})", code="SP-224", where=str(path), hint="Write it with numpy.savez"
        ) from error
    if len(specs) == len(found) == 1:
        found = {specs[0].name: next(iter(found.values()))}
    missing = [spec.name for spec in specs if spec.name not in found]
    if missing:
        raise ConfigError(
            f"lacks the inputs {', '.join(map(repr, missing))}, it has {', '.join(map(repr, found))}",
            code="SP-225",
            where=str(path),
            hint="Store one array for each input under its name",
        )
    return {spec.name: fit(found[spec.name], spec, str(path)) for spec in specs}


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(name) as member:
        array: Array = np.lib.format.read_array(member, allow_pickle=False)  # type: ignore[no-untyped-call]
    return array


def fit(array: Array, spec: TensorSpec, where: str) -> Array:
    """Return ``array`` in the input's own type.

    Raises:
        ConfigError: the shape contradicts the input's, or the type cannot be converted without loss of meaning.
    """
    wanted = spec.shape
    if wanted is not None and (
        len(wanted) != array.ndim
        or any(length is not None and length != got for length, got in zip(wanted, array.shape, strict=True))
    ):
        raise ConfigError(
            f"input {spec.name!r} has shape {list(array.shape)}, the model takes {_readable(wanted)}",
            code="SP-226",
            where=where,
            hint="Remember the batch axis: one picture is [1, height, width, channels]",
        )
    kinds = {"float32": "fiub", "int32": "iub", "bool": "biu", "string": "SU"}
    if array.dtype.kind not in kinds.get(spec.dtype, ""):
        raise ConfigError(
            f"input {spec.name!r} is {array.dtype}, the model takes {spec.dtype}",
            code="SP-226",
            where=where,
            hint=f"Store it as {spec.dtype}",
        )
    if spec.dtype == "string":
        return np.char.encode(array.astype(np.str_), "utf-8") if array.dtype.kind == "U" else array
    converted: Array = np.ascontiguousarray(array.astype(spec.dtype)).reshape(array.shape)
    return converted


def _readable(shape: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("any" if length is None else str(length) for length in shape) + "]"


@contextmanager
def _opened(path: Path, specs: tuple[TensorSpec, ...]) -> Iterator[Any]:
    """Open a picture for a model that takes one."""
    where = str(path)
    if path.suffix.lower() not in picture_suffixes:
        raise ConfigError(
            "is neither an .npz file nor a picture",
            code="SP-224",
            where=where,
            hint="Narrow the pattern in verify.inputs",
        )
    if len(specs) != 1:
        raise _unfit(where)
    try:
        with _pillow(where).open(path) as file:
            yield file
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot be decoded ({error})", code="SP-224", where=where, hint="Provide a complete PNG or JPEG file"
        ) from error


def _unfit(where: str) -> ConfigError:
    return ConfigError(
        "pictures can only be used for a model with one input of shape [1, height, width, 1 or 3]",
        code="SP-227",
        where=where,
        hint="Store the inputs as .npz instead, or say with [models.NAME.picture] how the model takes them",
    )


def _picture(path: Path, specs: tuple[TensorSpec, ...]) -> Case:
    where = str(path)
    shape = specs[0].shape if len(specs) == 1 else None
    if path.suffix.lower() in picture_suffixes and (
        shape is None or len(shape) != 4 or shape[3] not in {1, 3, None} or shape[0] not in {1, None}
    ):
        raise _unfit(where)
    spec = specs[0]
    _, height, width, channels = shape or (None,) * 4
    with _opened(path, specs) as file:
        picture = file.convert("L" if channels == 1 else "RGB")
    picture = picture.resize((width or picture.width, height or picture.height), _pillow(where).Resampling.BILINEAR)
    pixels = np.asarray(picture, dtype=np.uint8).reshape(1, picture.height, picture.width, channels or 3)
    if spec.dtype == "float32":
        return {spec.name: pixels.astype(np.float32) / np.float32(255)}
    return {spec.name: fit(pixels, spec, where)}


def _pillow(where: str) -> Any:
    try:
        return importlib.import_module("PIL.Image")
    except ImportError as error:
        raise ConfigError(
            "picture inputs need Pillow",
            code="SP-209",
            where=where,
            hint="Run pip install pillow, or use .npz files",
        ) from error
