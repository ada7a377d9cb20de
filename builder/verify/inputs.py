"""The inputs of verification: seeded random numbers, or the user's own examples."""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, VerificationError
from ..model import TensorSpec
from .played import Played, read_played
from .shown import Shown, read_shown
from .types import InputsRequest, TextInputs, Told

Array = NDArray[np.generic]
Case = dict[str, Array]

seed = 20261101
small_id = 4
faint = 16
levels = 256
seeded_words = ("", "a", "the", "Word 7", "émoi", "模型")
largest_elements = 1 << 28
most_shown = 50  # pictures that go the whole way
most_elements = 1 << 22  # of all inputs, where larger sizes are tried
picture_channels = frozenset({1, 3, 4})
no_ids: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Loaded:
    """The user's cases.

    Attributes:
        cases: inputs by name.
        shown, told, played: pictures, texts and sounds that some of them were made of.
    """

    cases: list[Case]
    shown: list[Shown]
    told: list[Told]
    played: list[Played]


@dataclass(frozen=True, slots=True)
class Sizes:
    """What unknown lengths are taken for: the first axis, those of space, all others.

    Without ``pictures``, what could be a picture without a batch is taken for a batch of sequences. With ``first``,
    open channels of a picture come before its space.
    """

    batch: int = 1
    spatial: int = 64
    sequence: int = 16
    pictures: bool = True
    first: bool = False


usual = Sizes()
usual_sides = (32, 48, 96, 224, 320)  # of pictures: heights of lines of text, thumbnails, classifiers, detectors
# Where a model cannot run the usual ones, or answers with nothing.
larger = (
    Sizes(first=True),
    *(Sizes(spatial=side, first=first) for side in usual_sides for first in (False, True)),
    *(
        Sizes(1, 64 << min(step, 4), 16 << step, pictures, first)
        for step in range(1, 11)
        for first in (False, True)
        for pictures in (False, True)
    ),
)
longer = Sizes(1, 128, 32)
# To see whether a model is right with other sizes too; a source that does not take the first ones may take the others.
others = (Sizes(2, 48, 10), Sizes(2, 64, 16), Sizes(1, 48, 10))


def seeded_inputs(
    specs: tuple[TensorSpec, ...], *, ids_below: Mapping[str, int] = no_ids, sizes: Sizes = usual, salt: int = 0
) -> Case:
    """Make one case of the declared shapes, the same on every platform and for every order of ``specs``.

    float32 is uniform in [0, 1), bool a fair coin, strings are a few words, int32 uniform in [0, 4), or in [0, 256)
    for pictures (rank 4, or 3 with unknown height and width, and 1, 3 or 4 channels last). Inputs named in
    ``ids_below`` (see ``verify.ids``) are whole numbers below the given one, whatever their type. Unknown lengths: the
    first axis (batch) 1; of rank 4 and 5 the last axis (channels) 3 and the others (space) 64, but all from the third
    on where the second has 1, 3 or 4 channels; all others (sequences) 16. Pictures of rank 3 have no batch and are 64
    by 64. An unknown rank is taken as one axis, the batch. ``sizes`` has other lengths; another ``salt`` gives other
    numbers, with every second row of float32 a sixteenth as strong.

    Raises:
        VerificationError: an input cannot be seeded (complex numbers), or would be absurdly large.
    """
    return {spec.name: _seeded(spec, ids_below.get(spec.name), sizes, salt) for spec in specs}


def is_open(specs: tuple[TensorSpec, ...]) -> bool:
    """Whether lengths other than the batch are unknown."""
    return any(declared_shape(spec) != declared_shape(spec, longer) for spec in specs)


def larger_cases(specs: tuple[TensorSpec, ...], ids_below: Mapping[str, int]) -> Iterator[tuple[Sizes, Case]]:
    """Make cases of larger and larger sizes, up to a bound."""
    known: dict[tuple[tuple[int, ...], ...], Sizes] = {tuple(map(declared_shape, specs)): usual}
    for sizes in larger:
        known.setdefault(tuple(declared_shape(spec, sizes) for spec in specs), sizes)
    for shapes, sizes in sorted(list(known.items())[1:], key=lambda item: sum(map(math.prod, item[0]))):
        if sum(map(math.prod, shapes)) <= most_elements:
            yield sizes, seeded_inputs(specs, ids_below=ids_below, sizes=sizes)


def other_cases(specs: tuple[TensorSpec, ...], ids_below: Mapping[str, int]) -> list[Case]:
    """Make cases of another batch size and other sizes; the model may reject some."""
    found: dict[tuple[tuple[int, ...], ...], Sizes] = {tuple(map(declared_shape, specs)): usual}
    for sizes in others:
        found.setdefault(tuple(declared_shape(spec, sizes) for spec in specs), sizes)
    return [seeded_inputs(specs, ids_below=ids_below, sizes=sizes, salt=1) for sizes in list(found.values())[1:]]


def twice(case: Case, specs: tuple[TensorSpec, ...]) -> list[Case]:
    """Return a case as a batch of two, if all inputs have an open batch that is one in it."""
    shapes = {spec.name: spec.shape for spec in specs}
    for name, array in case.items():
        shape = shapes.get(name)
        if not shape or shape[0] is not None or not array.ndim or array.shape[0] != 1:
            return []
    return [{name: np.concatenate([array, array]) for name, array in case.items()}]


def load_inputs(
    pattern: str,
    specs: tuple[TensorSpec, ...],
    base_dir: Path,
    work: Path,
    submit: Callable[[str, object, str], Future[object]],
    picture: Mapping[str, Any] | None = None,
    texts: TextInputs | None = None,
    audio: Mapping[str, Any] | None = None,
) -> Loaded:
    """Read the user's cases: every file that ``pattern`` (relative to ``base_dir``) matches is one, in order of name.

    The files are decoded in a worker, see ``input_files.read_inputs``.

    Args:
        pattern: of the files' names.
        specs: of the model's inputs.
        base_dir: where the pattern starts.
        work: a folder in which one is made for what the worker read; the caller removes it.
        submit: has a task run in a worker.
        picture: how a page makes an input of a picture, as in the head.
        texts: how it makes inputs of texts.
        audio: how it makes inputs of sounds, as in the head.

    Raises:
        ConfigError: nothing matches, a file is unreadable, arrays are missing or do not fit.
    """
    files = tuple(matching_files(pattern, base_dir))
    out = Path(tempfile.mkdtemp(prefix="inputs-", dir=work))
    submit("read_inputs", InputsRequest(files, specs, out, picture, texts, audio), "").result()
    cases: list[Case] = []
    shown: list[Shown] = []
    told: list[Told] = []
    played: list[Played] = []
    for number in itertools.takewhile(lambda number: (out / f"{number}.npz").exists(), itertools.count()):
        with np.load(out / f"{number}.npz", allow_pickle=False) as arrays:
            cases.append(dict(arrays))
        if (kept := out / f"{number}.shown.npz").exists() and len(shown) < most_shown:
            shown.append(read_shown(kept, number))
        if (line := out / f"{number}.txt").exists():
            told.append(Told(number, line.read_text(encoding="utf-8")))
        if (sound := out / f"{number}.sound.npz").exists():
            played.append(read_played(sound, number))
    return Loaded(cases, shown, told, played)


def matching_files(pattern: str, base_dir: Path) -> list[Path]:
    """Return the files that ``pattern`` (relative to ``base_dir``, or absolute) matches, in order of name.

    Raises:
        ConfigError: there are none, or it is no pattern.
    """
    anchor = Path(pattern).anchor
    start, relative = (Path(anchor), str(Path(pattern).relative_to(anchor))) if anchor else (base_dir, pattern)
    try:
        files = sorted(path for path in start.glob(relative) if path.is_file())
    except ValueError as error:
        raise ConfigError(
            f"{pattern!r} is not a valid pattern ({error})", code="SP-223", where="verify.inputs"
        ) from error
    if not files:
        raise ConfigError(
            f"no file matches {pattern!r}",
            code="SP-223",
            where="verify.inputs",
            hint="Name .npz files or pictures, relative to build.toml, or leave the key out for random inputs",
        )
    return files


def _seeded(spec: TensorSpec, below: int | None, sizes: Sizes, salt: int) -> Array:
    shape = declared_shape(spec, sizes)
    if math.prod(shape) > largest_elements:
        raise VerificationError(
            f"a random input of shape {list(shape)} would be too large",
            code="SP-548",
            where=f"input {spec.name!r}",
            hint="Provide smaller examples with verify.inputs",
        )
    generator = np.random.Generator(np.random.PCG64([seed + salt, *spec.name.encode()]))
    if spec.dtype == "int32" or (spec.dtype == "float32" and below is not None):
        small = levels if _is_picture(spec) else small_id
        ids = generator.integers(0, small if below is None else max(below, 1), size=shape, dtype=np.int32)
        return ids.astype(spec.dtype)
    if spec.dtype == "float32":
        values = generator.random(shape, dtype=np.float32)
        if salt and values.ndim > 1:
            values[1::2] /= faint  # a classifier may answer all noise of one strength alike
        return values
    if spec.dtype == "string":
        return generator.choice(np.array(seeded_words), shape)
    if spec.dtype == "bool":
        return generator.integers(0, 2, size=shape, dtype=np.uint8).astype(np.bool_)
    raise VerificationError(
        f"random inputs of type {spec.dtype} cannot be generated",
        code="SP-548",
        where=f"input {spec.name!r}",
        hint="Provide examples as .npz files with verify.inputs",
    )


def declared_shape(spec: TensorSpec, sizes: Sizes = usual) -> tuple[int, ...]:
    """Return an input's shape, unknown lengths as ``seeded_inputs`` takes them."""
    if spec.shape is None:
        return (sizes.batch,)
    whole = sizes.pictures and len(spec.shape) == 3 and _is_picture(spec)
    return tuple(
        length if length is not None else sizes.spatial if whole else _guess(axis, spec.shape, sizes)
        for axis, length in enumerate(spec.shape)
    )


def _is_picture(spec: TensorSpec) -> bool:
    shape = spec.shape or ()
    return shape[-1:] in {(n,) for n in picture_channels} and (
        len(shape) == 4 or (len(shape) == 3 and shape[:2] == (None, None))
    )


def _guess(axis: int, shape: tuple[int | None, ...], sizes: Sizes) -> int:
    """Return what an unknown length is taken for."""
    rank = len(shape)
    if axis == 0:
        return sizes.batch
    if rank not in {4, 5}:
        return sizes.sequence
    is_first = shape[-1] is None and (shape[1] in picture_channels or (shape[1] is None and sizes.first))
    channels = 1 if is_first else rank - 1
    return 3 if axis == channels else sizes.spatial
