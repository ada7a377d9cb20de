"""Says of each item in each form what became of it, and runs what was built; needs no TensorFlow."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from builder.graphs.wasm_rewrites import rewrite_for_wasm
from builder.sources.tfjs import read_model
from builder.transforms.canonical import canonicalise
from builder.verify.compare import Gate
from builder.verify.run import Check, find_node_modules, verify_all
from builder.verify.types import Verification
from tests.helpers import tiny

both = "wasm, cpu"
most_error = 1e-4
patience = 300.0  # seconds; large networks are slow on cpu, where other things run beside them
# What wasm cannot run, so that builds keep pages from choosing it there, and why.
not_on_wasm = {
    "Hashing-masked": "its kernel Equal gives nothing for text",
    "MelSpectrogram": "it has no complex numbers",
}
# What Keras itself cannot write, so that no conversion is to blame: by library, class and ending, what it says.
module = "cannot pickle 'module' object"
keras_cannot: dict[tuple[str, str, str], str] = {
    ("keras", kind, "h5"): module
    for kind in ("RandomBrightness", "RandomColorDegeneration", "RandomPosterization", "RandomSaturation",
                 "RandomSharpness", "Solarization")
} | {("tf_keras", "SpectralNormalization", ending): "must be an instance of InputSpec"
     for ending in ("keras", "h5", "saved")} | {
    ("tf_keras", "StochasticDepth", "saved"): "len is not well defined for a symbolic Tensor"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an item in a form.

    Attributes:
        library, item, kind, form: which.
        outcome: ``built``, ``cut`` (its text part is the page's), ``refused``, ``unmade`` (by Keras) or ``failed``.
        words: the refusal, what Keras said, or what is wrong.
    """

    library: str
    item: str
    kind: str
    form: str
    outcome: str
    words: str = ""


def read_outcomes(folder: Path) -> tuple[dict[str, list[str]], list[dict[str, Any]]]:
    """Read what ``run`` wrote: the classes of each library, and what became of the models."""
    content = json.loads((folder / "outcomes.json").read_bytes())
    return content["classes"], content["models"]


def judge(outcomes: Sequence[dict[str, Any]]) -> list[Verdict]:
    """Run what was built on both backends with all its batches, and judge every item."""
    verdicts = []
    checked = _verify([outcome for outcome in outcomes if "model" in outcome])
    for outcome in outcomes:
        problem = _problem(outcome, checked.get(outcome["model"])) if "model" in outcome else _unbuilt(outcome)
        for item, kind in zip(outcome["items"], outcome["kinds"], strict=True):
            cut = any(name.rpartition("_")[0] == item.replace("-", "_").lower() for name in outcome.get("cut", ()))
            is_cut = cut or bool(outcome.get("cut") and len(outcome["items"]) == 1)
            end = "unmade" if "unmade" in outcome else "refused" if "error" in outcome else "cut" if is_cut else "built"
            words = problem or outcome.get("error", "") or outcome.get("unmade", "")
            verdicts.append(
                Verdict(outcome["library"], item, kind, outcome["form"], "failed" if problem else end, words)
            )
    return verdicts


def _verify(outcomes: Sequence[dict[str, Any]]) -> dict[str, Verification]:
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        work = Path(folder)
        checks = []
        for number, outcome in enumerate(outcomes):
            model_json = Path(outcome["model"])
            model = rewrite_for_wasm(canonicalise(read_model(model_json)))
            bundle = tiny.bundle(work / f"bundle-{number}", {"model": model}, shard_bytes=1 << 24, compresses=False)
            fed, answers = (
                [_read(model_json.parent.parent / f"{side}{case}.npz") for case in range(outcome["cases"])]
                for side in ("inputs", "outputs")
            )
            checks.append(Check("model", bundle.loader, fed, Gate(most_error), references=answers))
        modules = find_node_modules()
        found = verify_all(checks, work=work, node_modules=modules, timeout=patience, thorough=True)
    return {outcome["model"]: answer for outcome, answer in zip(outcomes, found, strict=True)}


def _read(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as content:
        return dict(content)


def _problem(outcome: dict[str, Any], found: Verification | None) -> str:
    """Say what is wrong with a built model; "" where nothing is."""
    if found is None or found.runtime is None:
        return "it was not run"
    if outcome["wanted"] != "built":
        return f"it was to be refused with {outcome['wanted']!r}, but was built"
    if found.problem:
        return found.problem
    if dict(found.wrong).keys() == {"wasm"} and set(outcome["items"]) <= set(not_on_wasm):
        return ""  # the build says so, and its pages use another one
    if found.wrong:
        return "; ".join(f"{backend}: {words}" for backend, words in found.wrong)
    if not found.runtime.endswith(both):
        return f"it ran on {found.runtime} only: {' '.join(found.notes)}"
    return "all its answers are the same number: that proves nothing" if outcome["constant"] else ""


def _unbuilt(outcome: dict[str, Any]) -> str:
    """Say what is wrong with a refusal; "" where it names the layer and the way out, as it should."""
    if "unmade" in outcome:
        known = keras_cannot.get((outcome["library"], outcome["kinds"][0], outcome["form"].partition("-")[2]))
        return "" if known is not None and known in outcome["unmade"] else f"Keras: {outcome['unmade']}"
    said = outcome["error"]
    (kind,) = outcome["kinds"]
    if outcome["wanted"] == "built":
        return f"it was to be built: {said}"
    if outcome["wanted"] not in said:
        return f"it was to be refused with {outcome['wanted']!r}: {said}"
    if outcome["type"] in {"ConversionError", "ShardpressError"} or not (outcome["hint"] or "set cut" in said):
        return f"no way out is named: {said}"
    if _letters(kind) not in _letters(said):
        return f"the layer {kind} is not named: {said}"
    return ""


def _letters(text: str) -> str:
    return text.lower().replace("_", "")
