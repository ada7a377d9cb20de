"""Verifies that a page answers like the source: neighbours and analogies, queried through the loader under Node.

Asked are seeded words, and seeded triples as analogies, of the base rows and then of all. The measures, by stage:

- **max error**: the largest difference between the similarity that the page gives with an answer and the cosine of the
  source's float32 vectors for the same two;
- **agreement**: the mean share of the source's ten best that are among the page's ten best.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from ..sandbox.launch import run_behind_wall
from ..sources.word_vectors import read_vectors
from ..verify.types import Comparison, Gate, Verification
from .answers import unit_rows

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

harness = Path(__file__).with_name("harness.mjs")
seed = 20261124
words_asked, analogies_asked = 48, 24
answers_asked = 10
largest_error = 0.02
Question = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VectorsCheck:
    """One model of word vectors to verify.

    Attributes:
        model: its name in the loader.
        loader: the bundle's ``loader.js`` on disk, the modules that it imports beside it.
        files: where the bundle's other files lie, by path relative to the bundle's root.
        source: where it came from.
        vocabulary: likewise, or None.
        rows: how many there are.
        first: how many of them the base stage has.
        gate: what must hold at the end.
    """

    model: str
    loader: Path
    files: Mapping[str, Path]
    source: Path
    vocabulary: Path | None
    rows: int
    first: int
    gate: Gate


class _Answer(TypedDict):
    """A word that the page answers with."""

    word: str
    score: float


class _Answers(TypedDict):
    """The answers of one stage, by question."""

    answers: list[list[_Answer]]


class _Failure(TypedDict):
    """What went wrong, and in which stage."""

    stage: str
    message: str


class _Result(TypedDict):
    """What the harness writes."""

    stages: list[_Answers]
    error: _Failure | None


@dataclass(slots=True)
class _Stage:
    """What is asked of one stage, and what the source says to it."""

    name: str
    rows: int
    questions: list[Question]
    targets: npt.NDArray[np.float32]
    answers: list[list[_Answer]] = field(default_factory=list)
    best: list[list[tuple[float, str]]] = field(default_factory=list)
    largest: float = 0.0
    worst: str = ""


def gate_of_vectors(max_error: float | None, min_agreement: float | None) -> Gate:
    """Complete a gate; a stated agreement is enough by itself."""
    return Gate(largest_error if max_error is None and min_agreement is None else max_error, min_agreement)


def verify_vectors(check: VectorsCheck, work: Path, timeout: float = 600.0) -> Verification:
    """Verify one model.

    Args:
        check: what to verify.
        work: an existing folder for the job; the caller removes it.
        timeout: seconds that Node may take.
    """
    node = shutil.which("node")
    if node is None:
        return Verification(None, passed=False, problem="Node is not installed. Install Node 20 or later.")
    stages = _stages(check)
    job, out = work / "job.json", work / "result.json"
    content = {
        "loader": str(check.loader.resolve()),
        "files": {name: str(path.resolve()) for name, path in check.files.items()},
        "model": check.model,
        "k": answers_asked,
        "questions": {stage.name: stage.questions for stage in stages},
        "out": str(out.resolve()),
    }
    job.write_text(json.dumps(content), encoding="utf-8")
    try:
        done = run_behind_wall(
            node, [str(harness), str(job)], [harness, check.loader.parent, *check.files.values()], [work], timeout
        )
    except subprocess.TimeoutExpired:
        return Verification("node", passed=False, problem=f"Node gave no answer within {timeout:g} seconds")
    if not out.is_file():
        said = " | ".join(done.stderr.strip().splitlines()[-5:]) or "it said nothing"
        return Verification("node", passed=False, problem=f"Node ended with status {done.returncode}: {said}")
    return _judge(check, stages, json.loads(out.read_bytes()))


def _judge(check: VectorsCheck, stages: Sequence[_Stage], result: _Result) -> Verification:
    for stage, found in zip(stages, result["stages"], strict=False):
        stage.answers = found["answers"]
    asked = [stage for stage in stages if stage.answers]
    _compare(check, asked)
    comparisons = tuple(_comparison(stage) for stage in asked)
    problem = ""
    if result["error"] is not None:
        problem = f"the loader's word vectors fail ({result['error']['stage']}): {result['error']['message']}"
    elif not check.gate.admits(comparisons[-1]):
        problem = _shortfall(check.gate, comparisons[-1])
    return Verification("node", passed=not problem, stages=comparisons, problem=problem)


def _shortfall(gate: Gate, last: Comparison) -> str:
    if gate.max_error is not None and last.max_error > gate.max_error:
        return (
            f"similarities of {last.worst!r} differ from the source's by {last.max_error:.2g}, "
            f"allowed is {gate.max_error:g}"
        )
    return f"only {last.agreement:.1%} of the neighbours are the source's, asked for is {gate.min_agreement or 0:.1%}"


def _stages(check: VectorsCheck) -> list[_Stage]:
    """Choose the questions and look up their vectors; rows of zeros are like nothing and are not asked."""
    import numpy as np

    generator = np.random.Generator(np.random.PCG64(seed))
    spans = {"base": min(check.first, check.rows), "full": check.rows}
    chosen = {name: _choose(generator, rows) for name, rows in spans.items()}
    wanted = {row for groups in chosen.values() for group in groups for row in group}
    found: dict[int, tuple[str, npt.NDArray[np.float32]]] = {}
    start = 0
    for batch in read_vectors(check.source, check.vocabulary):
        for row in range(start, start + len(batch.words)):
            if row in wanted:
                found[row] = batch.words[row - start], unit_rows(batch.rows[row - start : row - start + 1])[0]
        start += len(batch.words)
    stages = []
    for name, groups in chosen.items():
        full = [group for group in groups if all(found[row][1].any() for row in group)]
        targets = [_target([found[row][1] for row in group]) for group in full]
        words = [tuple(found[row][0] for row in group) for group in full]
        table = np.array(targets, np.float32).reshape(len(full), -1)
        stages.append(_Stage(name, spans[name], words, unit_rows(table)))
    return stages


def _choose(generator: np.random.Generator, rows: int) -> list[list[int]]:
    single = generator.choice(rows, size=min(words_asked, rows), replace=False).tolist()
    triples = [
        generator.choice(rows, size=3, replace=False).tolist() for _ in range(analogies_asked if rows > 3 else 0)
    ]
    return [*([row] for row in single), *triples]


def _target(vectors: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    if len(vectors) == 1:
        return vectors[0]
    first, second, third = vectors
    return second - first + third


def _compare(check: VectorsCheck, stages: Sequence[_Stage]) -> None:
    """Go through the source once more, for its best answers and for its own opinion of the page's."""
    import numpy as np

    given: list[dict[str, list[tuple[int, float]]]] = []
    for stage in stages:
        by_word: dict[str, list[tuple[int, float]]] = {}
        for number, answers in enumerate(stage.answers):
            for answer in answers:
                by_word.setdefault(answer["word"], []).append((number, answer["score"]))
        given.append(by_word)
        stage.best = [[] for _ in stage.questions]
    start = 0
    for batch in read_vectors(check.source, check.vocabulary):
        units = unit_rows(batch.rows)
        for stage, by_word in zip(stages, given, strict=True):
            count = min(len(batch.words), stage.rows - start)
            if count <= 0:
                continue
            scores = units[:count] @ stage.targets.T
            zero = ~batch.rows[:count].any(axis=1)
            for row in range(count):
                for number, score in by_word.get(batch.words[row], ()):
                    error = abs(float(scores[row, number]) - score)
                    if error > stage.largest:
                        stage.largest, stage.worst = error, " ".join(stage.questions[number])
            scores[zero] = -np.inf
            _keep_best(stage, batch.words, scores)
        start += len(batch.words)


def _keep_best(stage: _Stage, words: Sequence[str], scores: npt.NDArray[np.float32]) -> None:
    import numpy as np

    count = min(answers_asked + 3, len(scores))  # what was asked with is among them
    some = np.argpartition(-scores, count - 1, axis=0)[:count]
    for number, question in enumerate(stage.questions):
        fresh = [
            (float(scores[row, number]), words[row])
            for row in some[:, number]
            if words[row] not in question and np.isfinite(scores[row, number])
        ]
        stage.best[number] = sorted([*stage.best[number], *fresh], reverse=True)[:answers_asked]


def _comparison(stage: _Stage) -> Comparison:
    shares = [
        len({word for _, word in best} & {answer["word"] for answer in answers}) / len(best)
        for best, answers in zip(stage.best, stage.answers, strict=True)
        if best
    ]
    return Comparison(stage.name, stage.largest, sum(shares) / len(shares) if shares else 1.0, stage.worst)
