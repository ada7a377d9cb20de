"""The types of verification; without NumPy, so that builds that verify nothing do not load it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..model import TensorSpec

if TYPE_CHECKING:
    from .compare import Tensors
    from .played import Played
    from .shown import Shown

metrics = ("top1", "boxes", "psnr", "relative")
box_formats = ("xyxy", "yxyx", "xywh", "cxcywh")


@dataclass(frozen=True, slots=True)
class BoxRules:
    """How outputs are read as boxes, see ``verify.boxes``.

    Attributes:
        boxes: output of shape [pictures, boxes, 4 or more]; further numbers are scores.
        scores: output with a score, or one for each class, for every box; None: further numbers of ``boxes``.
        classes: output with the class of every box; None: the class of the best score.
        format: what the four numbers are, one of ``box_formats``; c is the centre.
        classes_last: ``boxes`` has one score, and the class as its last number.
        columns_first: ``boxes`` is [pictures, numbers, boxes].
        min_score: least score that counts.
        iou: least intersection over union of boxes that match.
        nms: boxes that overlap better ones of their class by so much are dropped; None: the model has done that.
        anchored: the four numbers are relative to anchors that are elsewhere: only like rows match.
        most: number of boxes of a picture that count.
    """

    boxes: str
    scores: str | None = None
    classes: str | None = None
    format: str = "xyxy"
    classes_last: bool = False
    columns_first: bool = False
    min_score: float = 0.3
    iou: float = 0.7
    nms: float | None = None
    anchored: bool = False
    most: int = 300


@dataclass(frozen=True, slots=True)
class Gate:
    """What a model must meet to pass, at its last stage.

    Attributes:
        max_error: the largest allowed max error, or None.
        min_agreement: the least allowed share (0..1) of cases that agree by ``metric``, or None.
        metric: ``top1`` counts rows; ``boxes`` is matched F1; ``psnr`` counts cases of at least 40 dB; ``relative``
            cases of max error ≤ 0.01.
        boxes: how outputs are read as boxes; needed by that metric.

    Raises:
        ConfigError: a number is out of its range, or the metric is unknown.
    """

    max_error: float | None = 1e-4
    min_agreement: float | None = None
    metric: str = "top1"
    boxes: BoxRules | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.metric not in metrics:
            raise ConfigError(
                f"metric {self.metric!r} is unknown",
                code="SP-205",
                where="verify.metric",
                hint=f"Use one of {', '.join(metrics)}",
            )
        if self.metric == "boxes" and self.boxes is None:
            raise ConfigError(
                "the metric boxes needs verify.boxes",
                code="SP-228",
                where="verify.boxes",
                hint='For example, boxes = { boxes = "detection_boxes", scores = "detection_scores" }',
            )
        if self.max_error is not None and not 0 <= self.max_error < math.inf:
            raise ConfigError(
                f"max_error is {self.max_error}",
                code="SP-205",
                where="verify.max_error",
                hint="Give a number of at least 0",
            )
        if self.min_agreement is not None and not 0 <= self.min_agreement <= 1:
            raise ConfigError(
                f"min_agreement is {self.min_agreement}",
                code="SP-205",
                where="verify.min_agreement",
                hint="Give a number from 0 to 1",
            )

    def admits(self, comparison: Comparison) -> bool:
        """Whether ``comparison`` passes."""
        exact = self.max_error is None or comparison.max_error <= self.max_error
        return exact and (self.min_agreement is None or comparison.agreement >= self.min_agreement)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One stage against the source model, over all cases.

    Attributes:
        stage: that of some outputs, ``base`` or ``full``.
        max_error: the largest of all outputs and cases; infinite where NaN, infinities or shapes differ.
        agreement: share (0..1) of what agrees by the gate's metric.
        worst: name of the output with the largest error.
    """

    stage: str
    max_error: float
    agreement: float
    worst: str


@dataclass(frozen=True, slots=True)
class SampleInput:
    """An input of a golden sample; ``below`` 0 stands for numbers from 0 to 1, else for whole ones below it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    below: int


@dataclass(frozen=True, slots=True)
class Told:
    """A text that ``run`` is given, and the number of the case that it became."""

    case: int
    text: str


@dataclass(frozen=True, slots=True)
class Check:
    """One model to verify.

    Attributes:
        model: its name in the loader.
        loader: the bundle's ``loader.js`` on disk.
        cases: what to feed, by input name.
        gate: what must hold.
        files: where the bundle's other files lie, by path relative to the bundle's root; None: beside ``loader``.
        source: the stock ``model.json`` to compare with, run by the same TensorFlow.js, or None.
        references: what the source model answers to each case, by output name; needed when ``source`` is None.
        ops: the module of the model's own ops, if it has some.
        initial: the bundle has no weights; the source model is given the initial ones that the bundle's got.
        runtime: a bundle's own TensorFlow.js to run it with, its binaries beside it; None: the installed one.
        stages: name and outputs of the stages that answer before all outputs are there, in order.
        sample: inputs of the golden sample to be run besides; () for none.
        extra: a case of another batch and other sizes, which may go wrong without failing the model; or None.
        extra_reference: what the source model answers to it; needed where ``references`` are.
        tolerance: max error that the sample allows other devices.
        shown: pictures that ``run`` is given as on a page.
        answer: what it makes of the outputs, as in the head.
        labels: of the model.
        told: texts that ``run`` must make the inputs of their cases of.
        played: sounds whose windows ``run`` must make the inputs of their cases of.
        heard: the input that takes the windows, where there are some.
    """

    model: str
    loader: Path
    cases: Sequence[Tensors]
    gate: Gate
    files: Mapping[str, Path] | None = None
    source: Path | None = None
    references: Sequence[Tensors] | None = None
    stages: tuple[tuple[str, tuple[str, ...]], ...] = ()
    ops: Path | None = None
    initial: bool = False
    runtime: Path | None = None
    sample: tuple[SampleInput, ...] = ()
    extra: Tensors | None = None
    extra_reference: Tensors | None = None
    tolerance: float = 0.01
    shown: Sequence[Shown] = ()
    answer: Mapping[str, Any] | None = None
    labels: tuple[str, ...] = ()
    told: Sequence[Told] = ()
    played: Sequence[Played] = ()
    heard: str = ""


@dataclass(frozen=True, slots=True)
class HeavyKernel:
    """A kernel of TensorFlow.js, and what it works on.

    Attributes:
        kernel: its name there.
        share: of the model's multiply-adds, that of all kernels of its name.
        sizes: of a convolution the rows and columns that it gives, the channels in and out (of one by depth those in
            and how many it makes of each), and the window's rows and columns; of a product of matrices rows, inner
            length and columns.
    """

    kernel: str
    share: float
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a model takes, at the lengths of its first case.

    Attributes:
        macs: multiply-adds of convolutions and products of matrices.
        ops: kernels that do something.
        elements: of the inputs.
        heaviest: the heaviest kernel of each of the two kinds that take most of the multiply-adds.
    """

    macs: int
    ops: int
    elements: int
    heaviest: tuple[HeavyKernel, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of one check.

    Attributes:
        runtime: what ran it and met the gate, as ``tfjs 4.22.0 wasm, cpu``; None: nothing could, it is unverified.
        passed: TensorFlow.js ran every stage, and the last one meets the gate.
        stages: the comparisons made, in order.
        problem: why it is unverified or has not passed; empty when it passed.
        notes: what else to know, as a backend that was too slow to be run.
        wrong: backends that cannot run the model or answer wrongly, and why.
        doubts: why having passed proves less than it seems.
        seconds: time in TensorFlow.js, loading included.
        kernels: those of TensorFlow.js that ran, sorted.
        cost: what a run takes; None: not counted.
        sample: the golden sample for the head, if there is one.
        answers: how many answers of ``run`` were the reference's, and of how many pictures, texts or windows of sounds;
            None: none were asked for.
    """

    runtime: str | None
    passed: bool
    stages: tuple[Comparison, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()
    wrong: tuple[tuple[str, str], ...] = ()
    doubts: tuple[str, ...] = ()
    seconds: float = 0.0
    kernels: tuple[str, ...] = ()
    cost: Cost | None = None
    sample: dict[str, object] | None = None
    answers: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class TextInputs:
    """How a model takes texts.

    Attributes:
        tokenizer: the tokenizer.json; None: the model's own words.
        spec: ``tokenizer`` of the head.
        vocabulary: of the head, where the words are the model's own.
    """

    tokenizer: Path | None
    spec: Mapping[str, Any]
    vocabulary: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class InputsRequest:
    """A request to read a user's pictures and arrays, whose decoders process untrusted data.

    Attributes:
        files: one case each, of texts one a line.
        specs: the inputs of the model.
        out: an empty folder, which gets ``0.npz``, ``1.npz``, …, arrays by input, and ``0.shown.npz``, … of pictures,
            ``0.txt``, … of texts, ``0.sound.npz``, … of sounds, at the number of their first window.
        picture: how a page makes an input of a picture, as in the head; None: resized and scaled to 0..1.
        texts: how it makes inputs of texts, where it does.
        audio: how it makes inputs of sounds, as in the head.
    """

    files: tuple[Path, ...]
    specs: tuple[TensorSpec, ...]
    out: Path
    picture: Mapping[str, Any] | None = None
    texts: TextInputs | None = None
    audio: Mapping[str, Any] | None = None
