"""Pages make of sounds what the reference does: one Node process for all cases; and its formulas are the usual ones."""

from __future__ import annotations

import base64
import json
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from builder.answers.audio import resample, to_windows
from builder.answers.describe import describe
from builder.answers.hearing import audio_of
from builder.answers.mel import filters, spectrogram
from builder.answers.wav import read_wav
from builder.config.audio import AudioConfig
from builder.config.models import ModelConfig
from builder.errors import ConfigError
from builder.model import TensorSpec
from builder.verify.played import write_wav

folder = Path(__file__).resolve().parent
golden = json.loads((folder.parent / "golden" / "mel.json").read_text())
rates = (8000, 11_025, 12_345, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000)
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Case:
    """A sound, as samples or a WAV file, and what a head says of the model."""

    audio: dict[str, Any]
    channels: Floats | None = None
    rate: int = 16_000
    wav: bytes | None = None
    answer: dict[str, Any] | None = None
    pieces: tuple[int, ...] = ()
    most: int = 0


def described(
    table: dict[str, Any],
    shape: tuple[int | None, ...] = (1, 400),
    dtype: str = "float32",
    more: tuple[TensorSpec, ...] = (),
    outputs: tuple[TensorSpec, ...] = (TensorSpec("y", "float32", (1, 1)), TensorSpec("next", "float32", (3,))),
) -> dict[str, Any]:
    """Give what a head says of a model with this table and input."""
    given = msgspec.convert(table, AudioConfig)
    found = audio_of("m", given, (TensorSpec("x", dtype, shape), *more), outputs)
    assert found is not None
    return json.loads(json.dumps(found))


def of_pages(cases: list[Case]) -> list[Any]:
    """Give what JavaScript makes of each case."""
    told = [
        {
            "audio": case.audio,
            "answer": case.answer,
            "pieces": case.pieces or None,
            "most": case.most,
            "sound": {"wav": base64.b64encode(case.wav).decode()}
            if case.wav is not None
            else {
                "channels": [base64.b64encode(one.astype("<f4").tobytes()).decode() for one in case.channels],
                "rate": case.rate,
            },
        }
        for case in cases
    ]
    done = subprocess.run(
        ["node", "--no-warnings", str(folder / "hear.mjs")],
        input=json.dumps(told),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == len(cases)
    return found


def compare(case: Case, got: Any, tolerance: float = 2e-6) -> None:
    """Hold what a page made of a sound, or its refusal, against the reference."""
    assert got["left"] == 0, (case.audio, "tensors are left")
    try:
        channels, rate = (case.channels.astype(np.float32), case.rate) if case.wav is None else read_wav(case.wav)
        wanted = to_windows(channels.astype(np.float64), rate, case.audio)
    except ValueError as error:
        refusal = [f"The sound cannot be used: {error}", "contract"]
    else:
        refusal = []
    if refusal:
        assert [got.get("error"), got.get("code")] == refusal
        return
    assert len(got["windows"]) == len(wanted), (case.audio, got)
    for one, other in zip(got["windows"], wanted, strict=True):
        assert [one["start"], one["end"]] == pytest.approx([other.start, other.end])
        assert one["shape"] == list(other.tensor.shape)
        values = np.frombuffer(base64.b64decode(one["values"]), other.tensor.dtype).astype(np.float64)
        expected = other.tensor.reshape(-1).astype(np.float64)
        largest = max(1.0, float(np.abs(expected).max(initial=0)))
        slack = 1.01 if other.tensor.dtype == np.int32 else tolerance * largest
        assert np.abs(values - expected).max(initial=0) <= slack, (case.audio, case.rate)


def wave(generator: np.random.Generator, count: int, channels: int) -> Floats:
    """Give noise over tones, some of it louder than 1."""
    time = np.arange(count) / 16_000
    tones = np.sin(2 * np.pi * generator.uniform(50, 7000, (channels, 1)) * time)
    return generator.uniform(0, 1.5) * tones + generator.normal(0, 0.2, (channels, count))


def test_windows_of_any_rate_and_length_are_the_references() -> None:
    generator = np.random.default_rng(1)
    cases = []
    for number in range(120):
        length = int(generator.integers(1, 900))
        table: dict[str, Any] = {"rate": int(generator.choice(rates))}
        shape = ((1, length), (length,), (None, length), (1, 1, length), (1, length, 1), (1, None), (None,))[number % 7]
        if None in shape[-1:]:
            table |= {"samples": length} if generator.random() < 0.5 else {}
        windowed = "samples" in table or None not in shape[-1:]
        if windowed:
            table["hop"] = int(generator.integers(1 + length // 4, 2 * length + 1))
            table["lead"] = int(generator.integers(0, length))
        whole = generator.random() < 0.2
        if generator.random() < 0.4 or whole:
            table["range"] = [-32768.0, 32768.0]
        count = int(generator.choice([1, 2, 7, 800, 3000]))
        channels = wave(generator, count, int(generator.choice([1, 2, 8])))
        audio = described(table, shape, "int32" if whole else "float32")
        cases.append(Case(audio, channels, int(generator.choice(rates))))
    for case, got in zip(cases, of_pages(cases), strict=True):
        compare(case, got)


def test_spectrograms_are_the_references() -> None:
    generator = np.random.default_rng(2)
    cases = []
    for number in range(60):
        fft = int(generator.choice([8, 64, 100, 400, 512, 30, 49, 97]))
        mels, frames = int(generator.integers(1, min(20, fft // 2))), int(generator.integers(1, 12))
        mel = {
            "fft": fft, "frame": fft - int(generator.integers(0, fft // 3)), "hop": int(generator.integers(1, fft)),
            "window": str(generator.choice(["hann", "hamming", "blackman", "none"])),
            "centre": bool(generator.random() < 0.5), "padding": str(generator.choice(["reflect", "zeros"])),
            "power": int(generator.choice([1, 2])), "mels": mels, "low": float(generator.choice([0, 60])),
            "scale": str(generator.choice(["htk", "slaney", "linear"])),
            "slopes": str(generator.choice(["hertz", "mel"])),
            "area": bool(generator.random() < 0.5), "log": str(generator.choice(["ln", "log10", "db", "none"])),
            "offset": float(generator.choice([1e-6, 0.01])), "least": float(generator.choice([0, 1e-10, 1e-3])),
            "shift": 4.0, "factor": 0.25, "normalise": bool(generator.random() < 0.3),
            "layout": str(generator.choice(["frames", "mels"])),
        }  # fmt: skip
        if generator.random() < 0.4:
            mel["span"] = 8.0
        sides = (frames, mels) if mel["layout"] == "frames" else (mels, frames)
        shape = ((1, *sides), (1, *sides, 1), (None, *sides), sides)[number % 4] if 1 not in sides else (1, None, None)
        table: dict[str, Any] = {"mel": mel, "rate": int(generator.choice(rates))}
        if mel["centre"] and mel["padding"] == "reflect":
            table["samples"] = frames * mel["hop"] + fft
        table["hop"] = int(generator.integers(100, 900))
        table.setdefault("samples", frames * mel["hop"] + fft)
        channels = wave(generator, int(generator.choice([1, 900, 2500])), 1)
        cases.append(Case(described(table, shape), channels, int(generator.choice(rates))))
    for case, got in zip(cases, of_pages(cases), strict=True):
        compare(case, got, 2e-5)


def wav(channels: Floats, rate: int, kind: int, bits: int, *, wide: bool = False, odd: bool = False) -> bytes:
    """Write a WAV file of any kind; ``wide`` with the longer description, ``odd`` with a chunk before the samples."""
    width = bits // 8
    if kind == 3:
        body = channels.T.astype(f"<f{width}").tobytes()
    elif bits == 8:
        body = np.clip(np.rint(channels.T * 128 + 128), 0, 255).astype(np.uint8).tobytes()
    else:
        whole = np.clip(np.rint(channels.T * 2.0 ** (bits - 1)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1).astype("<i8")
        body = np.ascontiguousarray(whole).view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    count = len(channels)
    head = struct.pack("<HHIIHH", 0xFFFE if wide else kind, count, rate, rate * width * count, width * count, bits)
    if wide:
        head += struct.pack("<HHIH", 22, bits, 0, kind) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    chunks = b"fmt " + struct.pack("<I", len(head)) + head
    chunks += b"LIST" + struct.pack("<I", 3) + b"abc\0" if odd else b""
    chunks += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


kinds = ((1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64))


def test_files_of_every_kind_and_of_none_are_read_alike() -> None:
    generator = np.random.default_rng(3)
    audio = described({"hop": 300}, (1, 400))
    whole = described({}, (1, None))
    cases = []
    for n in range(18):
        sound = np.clip(wave(generator, 700, 1 + n % 3), -1, 1)
        cases.append(Case(audio, wav=wav(sound, rates[n % 9], *kinds[n % 6], wide=n % 2 == 0, odd=n % 3 == 0)))
    good = wav(wave(generator, 500, 2), 16_000, 1, 16)
    bad = [
        b"RIFF", good[:20], good[:40], good[:44], good[:45], good[:-7], good[:12],
        good[:22] + b"\0\0" + good[24:],  # no channels
        good[:24] + b"\0\0\0\0" + good[28:], good[:24] + b"\xff\xff\xff\xff" + good[28:],  # rates
        good[:20] + b"\x55\0" + good[22:],  # compressed
        wav(np.zeros((2, 0)), 8000, 1, 16), wav(np.full((1, 9), np.nan), 8000, 3, 32),
        wav(np.full((1, 9), np.inf), 8000, 3, 64),
    ]  # fmt: skip
    cases += [Case(audio, wav=content) for content in bad]
    cases += [Case(spec, np.zeros((2, 5000)), 44_100) for spec in (audio, whole)]  # silent
    cases += [Case(audio, np.sign(wave(generator, 5000, 1)), 48_000)]  # clipped
    cases += [Case(spec, np.zeros((1, 0))) for spec in (audio, whole)]
    cases += [Case(whole, wave(generator, 1, 1), 192_000)]
    answers = of_pages([*cases, Case(audio, wav=b"not a sound at all"), Case(audio, wav=b"")])
    for case, got in zip(cases, answers, strict=False):
        if case.wav is None or len(case.wav) >= 12:
            compare(case, got)
    assert sum("error" in got for got in answers) >= 9
    for got in (*answers[-2:], answers[18]):
        assert got["error"] == "The sound cannot be used: it is no WAV file, and only browsers decode others"


def test_a_file_cut_off_is_read_as_far_as_it_goes() -> None:
    content = wav(np.linspace(-1, 1, 100)[None], 8000, 1, 16)
    assert read_wav(content[:-51])[0].shape == (1, 74)
    channels, rate = read_wav(write_wav(np.array([[0.5, -2.0], [0.25, 1e-9]]), 44_100))
    assert rate == 44_100
    assert channels.astype(np.float32).tolist() == np.array([[0.5, -2.0], [0.25, 1e-9]], np.float32).tolist()


def test_state_goes_from_window_to_window_and_the_answer_is_that_of_the_others() -> None:
    state = {"state": {"s": "next"}}
    spec = TensorSpec("s", "float32", (3,))
    audio = described(state | {"hop": 100}, (1, 100), more=(spec,))
    assert audio["state"] == {"s": {"output": "next", "shape": [3], "dtype": "float32"}}
    audio = audio | {"state": {"state": audio["state"]["s"]}}
    answer = {"kind": "classes", "output": "y"}
    sound = np.ones((1, 450))
    first, second = of_pages([Case(audio, sound, answer=answer), Case(audio, sound)])
    assert first["states"] == second["states"] == [0, 1, 2, 3, 4]
    assert [window["score"] for window in first["windows"]] == [1, 2, 3, 4, 5]
    assert first["left"] == second["left"] == 0


def test_a_microphone_gives_the_windows_of_the_whole_sound_and_is_released() -> None:
    generator = np.random.default_rng(4)
    cases = []
    for number in range(24):
        length = int(generator.integers(20, 400))
        table: dict[str, Any] = {"rate": int(generator.choice(rates)), "lead": int(generator.integers(0, length))}
        table["hop"] = int(generator.integers(10, 2 * length))
        pieces = tuple(int(size) for size in generator.integers(1, 700, 5))
        rate = int(generator.choice(rates))
        cases.append(Case(described(table, (1, length)), wave(generator, 2500, 1), rate, pieces=pieces))
        cases.append(Case(cases[-1].audio, cases[-1].channels, rate, pieces=pieces, most=1 + number % 3))
    for case, got in zip(cases, of_pages(cases), strict=True):
        assert got["left"] == 0
        assert got["released"] == ["microphone"], str(got)[:300]
        wanted = to_windows(case.channels.astype(np.float32).astype(np.float64), case.rate, case.audio)
        samples, hop, lead = (case.audio.get(key, 0) for key in ("samples", "hop", "lead"))
        # All windows that are full; the resampler still waits for what follows the last samples.
        heard = -(-2500 * case.audio["rate"] // case.rate) + lead
        full = max(0, (heard - samples) // hop + 1)
        waiting = 0 if case.rate == case.audio["rate"] else 40 * max(1, case.audio["rate"] // case.rate)
        least = max(0, (heard - waiting - samples) // hop + 1)
        assert (min(least, case.most) if case.most else least) <= len(got["windows"]) <= full
        assert not case.most or len(got["windows"]) <= case.most
        for one, other in zip(got["windows"], wanted, strict=False):
            values = np.frombuffer(base64.b64decode(one["values"]), np.float32)
            assert one["start"] == pytest.approx(other.start)
            assert np.abs(values - other.tensor.reshape(-1)).max() < 2e-6 * max(1, np.abs(values).max())


def test_a_device_that_is_behind_leaves_windows_out_and_tells_the_time() -> None:
    audio = described({"hop": 1600, "lead": 100}, (1, 1700))
    sound = wave(np.random.default_rng(5), 80_000, 1)
    (got,) = of_pages([Case(audio, sound, pieces=(80_000,))])
    wanted = {
        round(one.start, 3): one for one in to_windows(sound.astype(np.float32).astype(np.float64), 16_000, audio)
    }
    starts = [one["start"] for one in got["windows"]]
    # 80,100 samples came at once; what is more than a window and two seconds old is left out: ⌈46,400 / 1600⌉ windows.
    assert starts == pytest.approx([number / 10 for number in range(29, 50)])
    for one in got["windows"]:
        expected = wanted[round(one["start"], 3)].tensor.reshape(-1)
        assert np.abs(np.frombuffer(base64.b64decode(one["values"]), np.float32) - expected).max() < 1e-5


def test_a_model_of_whole_sounds_cannot_listen() -> None:
    (got,) = of_pages([Case(described({}, (1, None)), np.ones((1, 9)), pieces=(4,))])
    assert got["error"].startswith("The sound cannot be used: the model takes whole sounds only")
    assert got["released"] == ["track"]


def test_resampling_keeps_tones_and_drops_what_the_new_rate_lacks() -> None:
    time = np.arange(44_100) / 44_100
    kept = resample(np.sin(2 * np.pi * 1000 * time), 44_100, 16_000)
    assert len(kept) == 16_000
    middle = slice(200, -200)
    assert np.abs(kept - np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000))[middle].max() < 1e-3
    lost = resample(np.sin(2 * np.pi * 10_000 * time), 44_100, 16_000)
    assert np.abs(lost[middle]).max() < 1e-3
    assert resample(np.ones(3), 8000, 8000).tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", sorted(golden))
def test_spectrograms_are_those_of_known_libraries(name: str) -> None:
    one = golden[name]
    shape = (1, *one["shape"])
    audio = described({"rate": one["rate"], "mel": one["mel"], "samples": one["samples"]}, shape)
    time = np.arange(one["samples"]) / one["rate"]
    sound = 0.5 * np.sin(2 * np.pi * (200 + 900 * time) * time) + 0.1 * np.cos(2 * np.pi * 2500 * time)
    found = spectrogram(sound, audio["mel"], one["rate"])
    found = found.T if audio["mel"]["layout"] == "mels" else found
    found = found[tuple(slice(None, side) for side in one["shape"])]
    assert found.shape == tuple(one["shape"])
    assert np.abs(found - np.array(one["values"])).max() < one["tolerance"]


def test_bands_cover_what_lies_between_them() -> None:
    audio = described({"mel": {"fft": 512, "mels": 20}, "samples": 512}, (1, 1, 20, 1))
    weights = filters(audio["mel"], 16_000)
    assert weights.shape == (20, 257)
    assert (weights.max(axis=1) > 0.5).all()
    inner = weights.sum(axis=0)[10:200]
    assert np.allclose(inner, 1)


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ({"rate": 999}, "Expected `int` >= 1000"),
        ({"rate": 200_000}, "Expected `int` <= 192000"),
        ({"samples": 5, "seconds": 1.0}, "seconds and samples both tell"),
        ({"seconds": 0.0}, "seconds is 0, a window has from 1 to"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"samples": 0}, "Expected `int` >= 1"),
        ({"hop": 0}, "Expected `int` >= 1"),
        ({"lead": -1}, "Expected `int` >= 0"),
        ({"range": [1.0, -1.0]}, "the smaller one first"),
        ({"range": [0.0, float("inf")]}, "the smaller one first"),
        ({"mel": {"fft": 1}}, "Expected `int` >= 2"),
        ({"mel": {"frame": 600}}, "frame is 600, it must be from 2 to fft, 512"),
        ({"mel": {"mels": 0}}, "mels is 0"),
        ({"mel": {"low": 300.0, "high": 300.0}}, "high is 300, it must be above low, 300"),
        ({"mel": {"high": 9000.0}}, "above half of rate, 8000"),
        ({"mel": {"low": 8000.0}}, "not below half of rate, 8000"),
        ({"mel": {"offset": 0.0}}, "the logarithm of 0 needs offset or least"),
        ({"mel": {"offset": -1.0}}, "Expected `float` >= 0"),
        ({"mel": {"span": 0.0}}, "span is 0, it must be above 0"),
        ({"mel": {"factor": 0.0}}, "factor is 0"),
        ({"mel": {"shift": float("inf")}}, "Expected `float` <= 1e30"),
        ({"mel": {"power": 3}}, "Invalid enum value 3"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(table: dict[str, Any], what: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(table, AudioConfig)
    assert what.replace("1e30", "1e+30") in str(caught.value).replace("1e30", "1e+30")


two = (TensorSpec("s", "float32", (2, 1)),)


@pytest.mark.parametrize(
    ("table", "shape", "more", "code", "what"),
    [
        ({"input": "z"}, (1, 9), (), "SP-247", "there is no input 'z'"),
        ({}, (1, 9), two, "SP-247", "2 inputs could be the sound"),
        ({}, None, (), "SP-247", "float32 an unknown shape"),
        ({}, (), (), "SP-247", "float32 []"),
        ({}, (3, 9), (), "SP-249", "[3, 9] is no row of samples"),
        ({"samples": 8}, (1, 9), (), "SP-247", "a window has 8 samples, and the input 'x' 9"),
        ({"hop": 8}, (1, None), (), "SP-247", "takes sounds of any length, so hop has no windows"),
        ({"lead": 9}, (1, 9), (), "SP-247", "is 9, and a window has 9 samples"),
        ({"state": {"q": "y"}}, (1, 9), two, "SP-248", "there is no input 'q'"),
        ({"state": {"s": "q"}}, (1, 9), two, "SP-248", "there is no output 'q'"),
        ({"state": {"s": "y"}}, (1, 9), two, "SP-248", "'s' is [2, 1] and 'y' [1, 1]"),
        ({"state": {"s": "y"}}, (1, 9), (TensorSpec("s", "float32", (None, 1)),), "SP-248", "fixed lengths"),
        ({"state": {"s": "y"}}, (1, 9), (TensorSpec("s", "string", (1, 1)),), "SP-248", "is string [1, 1]"),
        ({"mel": {}}, (9,), (), "SP-249", "[9] is no spectrogram"),
        ({"mel": {}}, (2, 9, 8, 7), (), "SP-249", "[2, 9, 8, 7] is no spectrogram"),
        ({"mel": {"mels": 5}}, (1, 9, 8), (), "SP-249", "is 5, and the input is [1, 9, 8]"),
        ({"mel": {"mels": 9, "layout": "frames"}}, (1, 9, 8), (), "SP-249", "is 'frames', and the input is [1, 9, 8]"),
        ({"mel": {"scale": "linear", "fft": 8}}, (1, 9, 8), (), "SP-249", "a transform of 8 samples has 5 frequencies"),
        ({"mel": {}, "samples": 600}, (1, 9, 8), (), "SP-249", "needs 1792"),
        ({"mel": {"centre": True, "hop": 1}, "samples": 256}, (1, 9, 8), (), "SP-249", "too short to be reflected"),
    ],
)
def test_settings_that_do_not_fit_the_model_are_refused(
    table: dict[str, Any], shape: Any, more: tuple[TensorSpec, ...], code: str, what: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        described(table, shape, more=more)
    assert caught.value.code == code
    assert what in str(caught.value)
    assert caught.value.hint


def test_a_model_of_sounds_takes_no_pictures_and_its_state_is_no_answer() -> None:
    inputs = (TensorSpec("x", "float32", (1, 9)), TensorSpec("s", "float32", (3,)))
    outputs = (TensorSpec("y", "float32", (1, 2)), TensorSpec("next", "float32", (3,)))
    table: dict[str, Any] = {"source": "m.onnx", "answer": "classes", "audio": {"state": {"s": "next"}}}
    found = describe("m", msgspec.convert(table, ModelConfig), inputs, outputs, labels=("no", "yes"))
    assert found.answer is not None
    assert found.answer["output"] == "y"
    assert found.modules == ("audio", "answers", "listen", "classes")
    picture = (TensorSpec("p", "float32", (1, 8, 8, 3)),)
    both = msgspec.convert(table | {"picture": {}, "audio": {"input": "x"}}, ModelConfig)
    with pytest.raises(ConfigError, match="takes no pictures or texts beside them") as caught:
        describe("m", both, (*inputs[:1], *picture), outputs)
    assert caught.value.code == "SP-247"


def test_a_spectrogram_is_as_long_as_the_input_says() -> None:
    plain = described({"mel": {"fft": 400, "hop": 160}}, (1, 96, 64))
    assert (plain["samples"], plain["hop"]) == (95 * 160 + 400, 95 * 160 + 400)
    assert (plain["mel"]["mels"], plain["mel"]["layout"]) == (64, "frames")
    whisper = described({"mel": {"fft": 400, "hop": 160, "mels": 80, "centre": True}}, (1, 80, 3000))
    assert (whisper["samples"], whisper["mel"]["layout"]) == (480_000, "mels")
    assert described({"mel": {}, "seconds": 1.0}, (None, None, None))["mel"]["mels"] == 80
