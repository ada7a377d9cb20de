"""The shape of ``report.json``, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict


class WeightBytes(TypedDict):
    """A weight: its bytes, decoded and as sent, the latter by stage too; ``spread`` where its exponents are known."""

    name: str
    shape: list[int]
    dtype: str
    codec: str
    bytes: int
    wire_bytes: int
    stages: dict[str, int]
    spread: float | None


class PlaneBytes(TypedDict):
    """A plane of all weights of a codec, in a stage."""

    codec: str
    plane: int
    stage: str
    bytes: int
    wire_bytes: int


class Details(TypedDict):
    """Where a model's bytes are."""

    weights: list[WeightBytes]
    planes: list[PlaneBytes]


class Advice(TypedDict):
    """What would make a model smaller or faster."""

    kind: str
    weight: str
    text: str
    saves_bytes: int
    times_fewer_flops: float | None


class MeasuredWeight(TypedDict):
    """A weight whose precision was measured: bits an element, how far the answers move, and why it is stored so."""

    weight: str
    size: int
    bits: float
    distance: float
    why: str


class PrecisionReport(TypedDict, total=False):
    """What a measurement of precision found."""

    weights: list[MeasuredWeight]


class Support(TypedDict):
    """Ops that the page registers and that TensorFlow.js lacks (None: not known), and what is left to the browser."""

    custom: list[str]
    lacking: list[str] | None
    browser: list[str]


class StageBytes(TypedDict):
    """A stage: bytes of its shards, decoded and as sent."""

    name: str
    bytes: int
    wire_bytes: int


class Waterfall(TypedDict):
    """When files arrive over a network, in seconds: of which group, from when to when."""

    network: str
    usable: float
    full: float
    files: list[tuple[str, float, float]]


class RuntimeReport(TypedDict):
    """The bundle's own TensorFlow.js; ``kernels`` is None when it has all."""

    version: str
    backends: Sequence[str]
    kernels: int | None
    bytes: int
    wire_bytes: int
    wasm_wire_bytes: dict[str, int]
    notes: Sequence[str]


class LadderReport(TypedDict):
    """The rungs below a ladder's last one: names, and shares of their answers that are its; None: not measured."""

    rungs: list[str]
    agreement: list[float | None]
    tensors: bool


class CostReport(TypedDict):
    """What one run takes: multiply-adds, and kernels of TensorFlow.js that do something."""

    macs: int
    ops: int


class ModelReport(TypedDict, total=False):
    """A model; ``--json`` of a build has no more than the first part."""

    source: str
    bytes: int
    wire_bytes: int
    head_wire_bytes: int
    stages: list[StageBytes]
    stock: Mapping[str, object] | None
    cached: bool
    precision: PrecisionReport | None
    notes: list[str]
    verification: Mapping[str, object] | None
    ladder: LadderReport | None
    cost: CostReport | None

    format: str
    load: str
    priority: str
    head: str
    first_use_bytes: int
    shards: list[str]
    weights: list[WeightBytes]
    planes: list[PlaneBytes]
    waterfalls: list[Waterfall]
    advice: list[Advice]
    ops: Mapping[str, int]
    support: Support
    budget_bytes: int | None
    new_bytes: int


class Previous(TypedDict):
    """The release before: of each model its sizes, head and shards."""

    release: str
    models: dict[str, ModelReport]


class Report(TypedDict, total=False):
    """All of ``report.json``; ``left_out`` counts the models that its page does not show."""

    release: str
    generator: str
    seconds: float
    runtime: RuntimeReport | None
    models: dict[str, ModelReport]
    previous: Previous | None
    left_out: int
