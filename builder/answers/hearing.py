"""From ``audio`` of ``build.toml`` to what a head says of it: which input takes sound, in windows of which length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..config.audio import AudioConfig, MelConfig, longest
from ..errors import ConfigError
from ..model import TensorSpec

Shape = tuple[int | None, ...]
usual_mels = 80
number_types = frozenset({"float32", "int32"})


def audio_of(
    name: str, given: AudioConfig | None, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> dict[str, Any] | None:
    """Describe how a sound becomes an input; None where nothing says so.

    Args:
        name: of the model.
        given: its table.
        inputs: of the model.
        outputs: of the model.

    Raises:
        ConfigError: the settings do not fit the inputs or outputs.
    """
    if given is None:
        return None
    where = f"models.{name}.audio"
    state = _state(where, given, inputs, outputs)
    spec = _input(where, given, [one for one in inputs if one.name not in state])
    if spec.shape is None or not spec.shape or spec.dtype not in number_types:
        shape = list(spec.shape) if spec.shape is not None else "an unknown shape"
        raise _unfit(f"the input {spec.name!r} is {spec.dtype} {shape}, and sound is float32 or int32", where, other)
    low, high = given.range
    facts: dict[str, Any] = {"input": spec.name, "rate": given.rate}
    if given.mel is None:
        time, shape = _waveform(where, spec.shape)
        samples = _fitting(where, spec, given.window, shape[time])
        mel = None
    else:
        mel, shape, least, samples = _spectrogram(where, given.mel, spec.shape, given.rate, given.window)
        if samples is not None and samples < least:
            what = (
                f"a window of {samples} samples gives too few frames for the input {spec.name!r}, which needs {least}"
            )
            raise _unfit(what, where, "Correct samples, or the numbers of mel", "SP-249")
    if samples is None and (given.hop is not None or given.lead or state):
        key = "hop" if given.hop is not None else "lead" if given.lead else "state"
        what = f"the input {spec.name!r} takes sounds of any length, so {key} has no windows to go with"
        raise _unfit(what, f"{where}.{key}", "Set samples or seconds")
    if samples is not None and samples > longest:
        raise _unfit(f"a window of {samples} samples is too long", where, f"At most {longest} are possible")
    if samples is not None and given.lead >= samples:
        what = f"is {given.lead}, and a window has {samples} samples"
        raise _unfit(what, f"{where}.lead", "Give fewer")
    if samples is not None:
        facts |= {"samples": samples, "hop": given.hop or samples}
    return {
        **facts,
        **({"lead": given.lead} if given.lead else {}),
        "scale": (high - low) / 2,
        "offset": (high + low) / 2,
        "dtype": spec.dtype,
        "shape": [*shape],
        **({"mel": mel} if mel else {}),
        **({"state": state} if state else {}),
    }


other = "Remove the table, or name another input; lengths of an ONNX model are set with [models.NAME.inputs]"


def _input(where: str, given: AudioConfig, inputs: Sequence[TensorSpec]) -> TensorSpec:
    named = [spec for spec in inputs if spec.name == given.input]
    fitting = named if given.input else [spec for spec in inputs if spec.shape]
    if not fitting and not given.input and len(inputs) == 1:
        fitting = list(inputs)
    if len(fitting) == 1:
        return fitting[0]
    what = f"there is no input {given.input!r}" if given.input else f"{len(fitting)} inputs could be the sound"
    names = ", ".join(repr(spec.name) for spec in inputs) or "none: all are state"
    raise _unfit(what, f"{where}.input", f"Name one of {names}")


def _state(
    where: str, given: AudioConfig, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> dict[str, Any]:
    """Return what each input that carries state on is made of."""
    found: dict[str, Any] = {}
    for name, source in given.state.items():
        spec = next((one for one in inputs if one.name == name), None)
        output = next((one for one in outputs if one.name == source), None)
        for what, one, all_names in (("input", spec, inputs), ("output", output, outputs)):
            if one is None:
                missing = name if what == "input" else source
                names = ", ".join(repr(other.name) for other in all_names)
                raise _unfit(f"there is no {what} {missing!r}", f"{where}.state", f"Name one of {names}", "SP-248")
        if spec is None or output is None:
            continue
        if spec.shape is None or None in spec.shape or spec.dtype not in number_types or spec.dtype != output.dtype:
            shape = list(spec.shape) if spec.shape is not None else "an unknown shape"
            what = f"{name!r} is {spec.dtype} {shape} and {source!r} {output.dtype}: state has one type, fixed lengths"
            raise _unfit(what, f"{where}.state", "Fix its lengths with [models.NAME.inputs]", "SP-248")
        if not _alike(spec.shape, output.shape):
            what = f"{name!r} is {list(spec.shape)} and {source!r} {list(output.shape or ())}"
            raise _unfit(what, f"{where}.state", "Name an output of the same shape", "SP-248")
        found[name] = {"output": source, "shape": list(spec.shape), "dtype": spec.dtype}
    return found


def _alike(one: Shape, two: Shape | None) -> bool:
    if two is None:
        return True
    return len(one) == len(two) and all(a is None or b is None or a == b for a, b in zip(one, two, strict=True))


def _waveform(where: str, shape: Shape) -> tuple[int, list[int | None]]:
    """Return which axis of an input has the samples, and its shape with a batch of one."""
    fixed = [axis for axis, length in enumerate(shape) if length not in {1, None}]
    unknown = [axis for axis, length in enumerate(shape) if length is None]
    if len(fixed) > 1:
        what = f"{list(shape)} is no row of samples"
        raise _unfit(what, where, "Describe its spectrogram with [models.NAME.audio.mel]", "SP-249")
    time = fixed[0] if fixed else unknown[-1] if unknown else len(shape) - 1
    return time, [length if axis == time else 1 for axis, length in enumerate(shape)]


def _fitting(where: str, spec: TensorSpec, wanted: int | None, own: int | None) -> int | None:
    """Return the samples of a window, of which the input may know itself."""
    if wanted is not None and own is not None and wanted != own:
        raise _unfit(f"a window has {wanted} samples, and the input {spec.name!r} {own}", where, "Remove samples")
    return own if wanted is None else wanted


def _spectrogram(
    where: str, mel: MelConfig, shape: Shape, rate: int, window: int | None
) -> tuple[dict[str, Any], list[int | None], int, int | None]:
    """Return the table with nothing left open, the shape, the fewest samples of a window and how many it has."""
    place = f"{where}.mel"
    inner = range(1 if len(shape) > 2 and shape[0] in {1, None} else 0, len(shape))
    axes = [axis for axis in inner if shape[axis] != 1]
    if len(axes) == 1 and len(inner) > 1:  # a single frame
        axes = [axes[0] - 1, axes[0]] if axes[0] - 1 in inner else [axes[0], axes[0] + 1]
    if len(axes) != 2:
        raise _unfit(f"{list(shape)} is no spectrogram of frames and bands", place, other, "SP-249")
    bands = _bands(place, mel, shape, axes)
    frames = axes[0] if bands == axes[1] else axes[1]
    count = shape[bands] or mel.mels or usual_mels
    frame = mel.frame or mel.fft
    high = rate / 2 if mel.high is None else mel.high
    if mel.scale == "linear" and count > mel.fft // 2 + 1:
        what = f"a transform of {mel.fft} samples has {mel.fft // 2 + 1} frequencies, and the input takes {count}"
        raise _unfit(what, f"{place}.fft", "Give more", "SP-249")
    wanted = shape[frames]
    samples = window
    least = 1 if mel.centre else frame
    if wanted is not None:
        least = max(1, (wanted - 1) * mel.hop + (frame % 2 if mel.centre else frame))
        samples = samples or (wanted * mel.hop if mel.centre else least)
    if samples is not None and mel.centre and mel.padding == "reflect" and samples <= frame // 2:
        what = f"a window of {samples} samples is too short to be reflected at its ends"
        raise _unfit(what, f"{place}.padding", 'Set padding = "zeros"', "SP-249")
    made = msgspec.structs.replace(
        mel, mels=count, frame=frame, high=high, layout="frames" if frames < bands else "mels"
    )
    fixed: list[int | None] = [1] * len(shape)
    fixed[bands], fixed[frames] = count, wanted
    plain = {key: value for key, value in msgspec.to_builtins(made).items() if value is not None}
    return plain, fixed, least, samples


def _bands(place: str, mel: MelConfig, shape: Shape, axes: list[int]) -> int:
    """Return which axis has the bands."""
    fitting = [axis for axis in axes if shape[axis] in {mel.mels, None}] if mel.mels else list(axes)
    if mel.mels and not fitting:
        what = f"is {mel.mels}, and the input is {list(shape)}"
        raise _unfit(what, f"{place}.mels", "Remove it, or correct it", "SP-249")
    exact = [axis for axis in fitting if mel.mels and shape[axis] == mel.mels]
    fitting = exact or [axis for axis in fitting if shape[axis] != 1]
    wanted = axes[0] if mel.layout == "mels" else axes[1] if mel.layout == "frames" else None
    if wanted is not None:
        if wanted not in fitting:
            what = f"is {mel.layout!r}, and the input is {list(shape)}"
            raise _unfit(what, f"{place}.layout", "Remove it", "SP-249")
        return wanted
    return fitting[-1]


def _unfit(what: str, where: str, hint: str, code: str = "SP-247") -> ConfigError:
    return ConfigError(what, code=code, where=where, hint=hint)
