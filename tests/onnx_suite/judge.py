"""Takes tests of ONNX the whole way: converted, bundled with a generated loader, run by TensorFlow.js under Node."""

from __future__ import annotations

import math
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from builder.convert.requests import ConvertRequest, SourceOptions
from builder.errors import ShardpressError
from builder.graphs.wasm_rewrites import rewrite_for_wasm
from builder.model import Model
from builder.sources.tfjs import read_model
from builder.transforms.canonical import canonicalise
from builder.verify.compare import Gate
from builder.verify.run import Check, find_node_modules, verify_all
from builder.verify.types import Verification
from tests.helpers import tiny
from tests.onnx_suite.cases import Case, Data, UnfitError, freeze, read_data, with_weights

conversion_seconds = 60
step_seconds = 20.0
batch = 80  # models in a bundle, and in a Node process
both = "wasm, cpu"
outcomes = ("passed", "frozen", "one backend", "refused", "unfit", "wrong")


class TooSlowError(Exception):
    """A conversion took too long."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a test.

    Attributes:
        case: which.
        outcome: ``passed`` on wasm and cpu as it is; ``frozen``: passed once all inputs but the first are weights;
            ``one backend``: passed on one of the two, of which builds tell pages; ``refused`` in words; ``unfit``: its
            numbers or types are none of TensorFlow.js'; ``wrong``: it crashed, or answered otherwise.
        words: why it did not pass as it is.
        reason: the same without names, to group by.
        seconds: of conversion.
    """

    case: Case
    outcome: str
    words: str = ""
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Ready:
    """A test whose model is converted."""

    case: Case
    data: Data
    model: Model
    seconds: float
    frozen: str = ""  # why it was not converted as it is


def convert(path: Path, out: Path) -> Path:
    """Convert an ONNX file to a stock TensorFlow.js graph model in the new folder ``out``; give its ``model.json``.

    The signature names inputs and outputs as ONNX does.

    Raises:
        ShardpressError: a refusal, in words for users.
    """
    from builder.onnx.tasks import convert_onnx

    return convert_onnx(ConvertRequest(SourceOptions(path, "onnx"), out)).model_json


def judge(cases: Sequence[Case], work: Path, say: Callable[[str], None] = lambda _: None) -> list[Verdict]:
    """Take tests the whole way.

    Args:
        cases: which.
        work: an existing folder, which gets a lot.
        say: told of progress.
    """
    verdicts: list[Verdict] = []
    waiting: list[_Ready] = []
    told = 0
    for number, case in enumerate(cases):
        found = _prepare(case, work / "models" / str(number))
        if isinstance(found, Verdict):
            verdicts.append(found)
        else:
            waiting.append(found)
        is_last = number + 1 == len(cases)
        if len(waiting) == batch or (waiting and (is_last or case.is_large or cases[number + 1].is_large)):
            verdicts += _run(waiting, work / f"run-{number}")
            waiting = []
            shutil.rmtree(work / "models", ignore_errors=True)
            for verdict in verdicts[told:]:
                if verdict.outcome == "wrong":
                    say(f"wrong: {verdict.case.label}: {verdict.words}")
            told = len(verdicts)
            say(f"{number + 1} of {len(cases)}: {summary(verdicts)}")
    order = {case.label: number for number, case in enumerate(cases)}
    return sorted(verdicts, key=lambda verdict: order[verdict.case.label])


def summary(verdicts: Sequence[Verdict]) -> str:
    """Count outcomes."""
    counts = {outcome: sum(verdict.outcome == outcome for verdict in verdicts) for outcome in outcomes}
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())


def _prepare(case: Case, folder: Path) -> _Ready | Verdict:
    """Read and convert a test, as it is or with constant arguments."""
    try:
        case, data = with_weights(case, folder / "weights") if case.group == "light" else (case, read_data(case))
    except UnfitError as error:
        known = _convert(case, None, folder / "out")  # a refusal in words is what users get to see
        words = known.words if isinstance(known, Verdict) and known.outcome == "refused" else str(error)
        return Verdict(case, "unfit", words, str(error))
    found = _convert(case, data, folder / "out")
    if isinstance(found, _Ready) or found.outcome == "wrong":
        return found
    other = freeze(case, data, folder / "frozen")
    again = _convert(*other, folder / "frozen-out") if other else found
    return replace(again, case=case, frozen=found.words) if isinstance(again, _Ready) else found


def _convert(case: Case, data: Data | None, out: Path) -> _Ready | Verdict:
    begun = time.monotonic()
    try:
        with _limit(conversion_seconds):
            model = rewrite_for_wasm(canonicalise(read_model(convert(case.model, out))))
    except ShardpressError as error:
        words = f"{error.code} {error.what}"
        return Verdict(case, "refused", words, reason_of(words), time.monotonic() - begun)
    except TooSlowError:
        return Verdict(case, "wrong", f"conversion took {conversion_seconds} s", "conversion takes too long")
    except Exception as error:
        words = f"conversion crashed: {type(error).__name__}: {error}"[:400]
        return Verdict(case, "wrong", words, reason_of(words), time.monotonic() - begun)
    seconds = time.monotonic() - begun
    return Verdict(case, "unfit") if data is None else _Ready(case, data, model, seconds)


def _run(ready: Sequence[_Ready], work: Path) -> list[Verdict]:
    """Bundle and run models together; where that crashes, halves by themselves, down to the guilty one."""
    try:
        return _run_together(ready, work)
    except Exception as error:
        if len(ready) == 1:
            return [_wrong(ready[0], f"it cannot be run: {type(error).__name__}: {error}"[:400])]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    middle = len(ready) // 2
    return [
        *_run(ready[:middle], work.with_name(f"{work.name}a")),
        *_run(ready[middle:], work.with_name(f"{work.name}b")),
    ]


def _run_together(ready: Sequence[_Ready], work: Path) -> list[Verdict]:
    work.mkdir()
    models: dict[str, Path | Model] = {f"m{number}": item.model for number, item in enumerate(ready)}
    bundle = tiny.bundle(work / "bundle", models, shard_bytes=1 << 24, compresses=False)
    checks = [_check(name, item, bundle.loader) for name, item in zip(models, ready, strict=True)]
    large = any(item.case.is_large for item in ready)
    timeout = step_seconds * (10 if large else 1)
    modules = find_node_modules()
    answers = verify_all(checks, work=work, node_modules=modules, timeout=timeout, thorough=not large)
    return [_judge(item, answer) for item, answer in zip(ready, answers, strict=True)]


def _check(name: str, item: _Ready, loader: Path) -> Check:
    data = item.data
    known = {spec.name for spec in item.model.inputs}
    fed = {key: array for key, array in data.inputs.items() if key in known}
    gate = Gate(None, 0.0, "relative") if data.loose else Gate(data.error, metric="relative")
    return Check(name, loader, [fed], gate, references=[data.outputs])


def _judge(item: _Ready, found: Verification) -> Verdict:
    if found.runtime is None or not found.passed:
        return _wrong(item, found.problem)
    if item.data.loose and not math.isfinite(found.stages[-1].max_error):
        return _wrong(item, "its random answer has another shape")
    if found.wrong or not (found.runtime.endswith(both) or item.case.is_large):
        words = "; ".join(f"{backend}: {words}" for backend, words in found.wrong) or " ".join(found.notes)
        return Verdict(item.case, "one backend", words, reason_of(words), item.seconds)
    if item.frozen:
        return Verdict(item.case, "frozen", item.frozen, reason_of(item.frozen), item.seconds)
    return Verdict(item.case, "passed", seconds=item.seconds)


def _wrong(item: _Ready, words: str) -> Verdict:
    words = f"{'with constant arguments: ' if item.frozen else ''}{words}"
    return Verdict(item.case, "wrong", words, reason_of(words), item.seconds)


def reason_of(words: str) -> str:
    """Take names, paths and numbers out of a message, so that like ones are one."""
    words = re.sub(r"\s*\((?:node|in) '[^']*'\)", "", words.splitlines()[0] if words else "")
    words = re.sub(r"'[^']*'|\"[^\"]*\"", "…", words)
    words = re.sub(r"/\S+", "…", words)
    words = re.sub(r"^(SP-\d+) ", r"\1: ", words)
    return re.sub(r"(?<![-\w.])\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w-])", "n", words)[:200]


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        raise TooSlowError

    before: Any = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
