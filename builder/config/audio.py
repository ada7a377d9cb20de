"""The table ``[models.NAME.audio]``: from a page's sound to what the model takes."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from msgspec import Meta, field

from .table import Table

slowest, fastest = 1000, 192_000  # Hz
longest = 1 << 26  # samples of a window: an hour at 16 kHz
Samples = Annotated[int, Meta(ge=1, le=longest)]
Finite = Annotated[float, Meta(ge=-1e30, le=1e30)]


class MelConfig(Table, frozen=True):
    """The table ``[models.NAME.audio.mel]``: the spectrogram that a model is given in place of samples."""

    fft: Annotated[
        int,
        Meta(
            title="Length of the transform",
            ge=2,
            le=1 << 16,
            description="Samples of a Fourier transform.",
            examples=[400],
        ),
    ] = 512
    frame: Annotated[
        int | None,
        Meta(
            title="Length of a frame",
            description="Samples of a frame, the rest of fft is 0; by itself fft.",
            examples=[400],
        ),
    ] = None
    hop: Annotated[
        int,
        Meta(title="Step between frames", ge=1, le=longest, description="Samples from frame to frame.", examples=[512]),
    ] = 160
    window: Annotated[
        Literal["hann", "hamming", "blackman", "none"], Meta(description="What frames are multiplied with, periodic.")
    ] = "hann"
    centre: Annotated[bool, Meta(description="The first frame has its middle at the first sample.")] = False
    padding: Annotated[
        Literal["reflect", "zeros"], Meta(description="What is before and behind the sound, with centre.")
    ] = "reflect"
    power: Annotated[Literal[1, 2], Meta(description="1: magnitudes, 2: their squares.")] = 2
    mels: Annotated[
        int | None,
        Meta(title="Bands", description="How many bands; by itself as the input's shape says.", examples=[80]),
    ] = None
    low: Annotated[
        float, Meta(title="Lowest frequency", ge=0, description="Lowest frequency of the bands, Hz.", examples=[20.0])
    ] = 0.0
    high: Annotated[
        float | None,
        Meta(
            title="Highest frequency", description="Highest frequency, Hz; by itself half of rate.", examples=[8000.0]
        ),
    ] = None
    scale: Annotated[
        Literal["htk", "slaney", "linear"],
        Meta(title="Mel scale", description="Which mel; linear: no bands, the lowest frequencies of the transform."),
    ] = "htk"
    slopes: Annotated[
        Literal["hertz", "mel"], Meta(description="In what the bands are triangles; TensorFlow's are in mel.")
    ] = "hertz"
    area: Annotated[
        bool, Meta(title="Equal areas", description="All bands have the same area, librosa's norm='slaney'.")
    ] = False
    offset: Annotated[
        float,
        Meta(
            title="Added before the logarithm",
            ge=0,
            le=1e30,
            description="Added before the logarithm.",
            examples=[0.001],
        ),
    ] = 1e-6
    least: Annotated[
        float,
        Meta(
            title="Least before the logarithm",
            ge=0,
            le=1e30,
            description="Smaller numbers are this before the logarithm.",
            examples=[1e-10],
        ),
    ] = 0.0
    log: Annotated[
        Literal["ln", "log10", "db", "none"],
        Meta(title="Logarithm", description="Logarithm; db: 10 log10 of squares, 20 of magnitudes."),
    ] = "ln"
    span: Annotated[
        float | None,
        Meta(
            title="Dynamic range", description="What is further below the loudest is lifted to that.", examples=[80.0]
        ),
    ] = None
    shift: Annotated[Finite, Meta(description="Then added.", examples=[4.0])] = 0.0
    factor: Annotated[Finite, Meta(description="Then multiplied with.", examples=[0.25])] = 1.0
    normalise: Annotated[bool, Meta(description="Each window gets mean 0 and deviation 1.")] = False
    layout: Annotated[
        Literal["frames", "mels"] | None, Meta(description="Which axis comes first; by itself as the shape says.")
    ] = None

    def __post_init__(self) -> None:
        """Check what the numbers mean together.

        Raises:
            ValueError: they make no sense.
        """
        if self.frame is not None and not 2 <= self.frame <= self.fft:
            raise ValueError(f"frame is {self.frame}, it must be from 2 to fft, {self.fft}")
        if self.mels is not None and self.mels < 1:
            raise ValueError(f"mels is {self.mels}, it must be at least 1")
        if self.high is not None and not self.low < self.high:
            raise ValueError(f"high is {self.high:g}, it must be above low, {self.low:g}")
        if self.log != "none" and not self.offset and not self.least:
            raise ValueError("the logarithm of 0 needs offset or least above 0")
        if self.span is not None and not 0 < self.span < math.inf:
            raise ValueError(f"span is {self.span:g}, it must be above 0")
        if not self.factor:
            raise ValueError("factor is 0")


class AudioConfig(Table, frozen=True):
    """The table ``[models.NAME.audio]``: how ``run`` makes a model's inputs of a sound."""

    input: Annotated[
        str, Meta(description="Which input it is; by itself the only one that can be.", examples=["audio"])
    ] = ""
    rate: Annotated[
        int,
        Meta(
            title="Sample rate",
            ge=slowest,
            le=fastest,
            description="Samples a second of what the model takes.",
            examples=[44100],
        ),
    ] = 16_000
    samples: Annotated[
        Samples | None,
        Meta(
            title="Samples of a window",
            description="Of a window; by itself as many as the input has, else the whole sound.",
            examples=[15600],
        ),
    ] = None
    seconds: Annotated[
        float | None,
        Meta(title="Seconds of a window", description="Length of a window, in place of samples.", examples=[0.975]),
    ] = None
    hop: Annotated[
        Samples | None,
        Meta(
            title="Step between windows",
            description="Samples from window to window; by itself a window's.",
            examples=[512],
        ),
    ] = None
    lead: Annotated[
        int,
        Meta(
            title="Samples before the first",
            ge=0,
            le=longest,
            description="Samples of silence before the first: what a window knows of earlier.",
            examples=[64],
        ),
    ] = 0
    range: Annotated[
        tuple[float, float],
        Meta(
            description="What -1 and 1 become: [-32768, 32768] for whole numbers of 16 bits.",
            examples=[[-32768.0, 32767.0]],
        ),
    ] = (-1.0, 1.0)
    state: Annotated[
        dict[str, str],
        Meta(
            description="Inputs that take an output of the window before, first 0: {state = 'out'}.",
            examples=[{"state": "stateN"}],
        ),
    ] = field(default_factory=dict)
    mel: Annotated[
        MelConfig | None,
        Meta(
            title="Log-mel spectrogram",
            description="The spectrogram, where the graph does not make its own.",
            examples=[{"fft": 400, "hop": 160, "mels": 80}],
        ),
    ] = None

    def __post_init__(self) -> None:
        """Check what the numbers mean together.

        Raises:
            ValueError: they make no sense.
        """
        if self.seconds is not None:
            if self.samples is not None:
                raise ValueError("seconds and samples both tell the length of a window")
            if not 1 <= self.seconds * self.rate <= longest:
                raise ValueError(f"seconds is {self.seconds:g}, a window has from 1 to {longest} samples")
        if not all(map(math.isfinite, self.range)) or self.range[0] >= self.range[1]:
            raise ValueError(f"range is {list(self.range)}, it must be two numbers, the smaller one first")
        if self.mel is not None and self.mel.high is not None and self.mel.high > self.rate / 2:
            raise ValueError(f"mel.high is {self.mel.high:g}, above half of rate, {self.rate / 2:g}")
        if self.mel is not None and self.mel.low >= self.rate / 2:
            raise ValueError(f"mel.low is {self.mel.low:g}, not below half of rate, {self.rate / 2:g}")

    @property
    def window(self) -> int | None:
        """Samples of a window, if the table says it."""
        return self.samples if self.seconds is None else round(self.seconds * self.rate)
