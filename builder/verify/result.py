"""What the harness writes of a job; ``harness.mjs`` says what the fields mean."""

from __future__ import annotations

from typing import Any, TypedDict


class StoredTensor(TypedDict):
    """A tensor, whose numbers lie in the file of tensors."""

    name: str
    dtype: str
    shape: list[int]
    offset: int
    bytes: int


class Failure(TypedDict):
    """What went wrong, and in which stage."""

    stage: str
    message: str
    code: str | None


class Complaint(TypedDict):
    """Why the extra case has no answer."""

    message: str


class StageAnswers(TypedDict):
    """The answers of one stage, case by case."""

    name: str
    cases: list[list[StoredTensor]]


class SampleAnswers(TypedDict, total=False):
    """The answers of the sample's run."""

    base: list[StoredTensor]
    full: list[StoredTensor]
    numbered: bool


class ToldAnswer(TypedDict):
    """What ``run`` makes of a text: the model's inputs, and an answer where the head describes one."""

    inputs: dict[str, list[float]]
    answer: Any


class HeardWindow(TypedDict):
    """What ``run`` made of a window: seconds, the input as base64 of a sound's first windows, and the answer."""

    start: float
    end: float
    input: str | None
    answer: Any


class HeavyKernel(TypedDict):
    """A kernel of TensorFlow.js, its kind's share of all multiply-adds, and the lengths that it works on."""

    kernel: str
    share: float
    sizes: list[int]


class StoredCost(TypedDict):
    """What one run takes: elements of its inputs, multiply-adds, kernels that do something; the heaviest of these."""

    elements: int
    macs: int
    ops: int
    heaviest: list[HeavyKernel]


class Result(TypedDict, total=False):
    """All of it; a job without an answer has none of the fields."""

    runtime: str
    backend: str | None
    present: list[str]
    requests: list[str]
    seconds: float
    caseSeconds: float
    stages: list[StageAnswers]
    source: list[list[StoredTensor]] | None
    extra: list[StoredTensor] | Complaint | None
    sourceExtra: list[StoredTensor] | Complaint | None
    kernels: list[str]
    cost: StoredCost | None
    sample: SampleAnswers | None
    answers: list[Any] | None
    heard: list[list[HeardWindow]] | None
    told: list[ToldAnswer] | None
    error: Failure | None
