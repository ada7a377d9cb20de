"""Measures how often each rung of a ladder answers as the last one does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..cache.local import key_of
from ..packages import code_hash
from ..precision.calibrate import input_digests
from ..verify.agreement import share_that_agrees
from ..verify.run import answers_of, find_node_modules, missing_runtime
from ..verify.types import Check
from .ladders import Rungs, ladders_of
from .make_model import Built
from .page_view import takes_tensors
from .session import Session
from .verify_cases import Answers, text_inputs
from .verify_models import check_of


def measure_agreement(session: Session, models: tuple[Built, ...]) -> dict[str, float | None]:
    """Return for each lower rung the share of its answers that are the last one's, on the inputs that build.toml names.

    Args:
        session: of the build.
        models: what it made, as it was verified.
    """
    shares: dict[str, float | None] = {}
    node_modules = find_node_modules(session.config.folder)
    if missing_runtime(node_modules):
        return shares
    for name, (_, rungs) in ladders_of(session, models).items():
        settings = rungs[-1].settings.verify
        if settings.inputs is None:
            continue
        samples = input_digests(settings.inputs, session.config.folder, session.cache)
        heads = [built.bundle.head.blob.sha256 for built in rungs]
        key = key_of(heads, settings, samples, code_hash("verify", "answers", "pipeline"))
        record = session.cache.record("agreement", key)
        if record is None:
            session.progress.begin(name, "compare the rungs", 1)
            record = _measure(session, rungs, node_modules)
            if None not in record:
                session.cache.put_record("agreement", key, record)
            session.progress.end(name)
        shares |= {built.bundle.name: share for built, share in zip(rungs, record, strict=False)}
    return shares


def _measure(session: Session, rungs: Rungs, node_modules: Path | None) -> list[float | None]:
    with session.cache.work() as work:
        checks = [_check(session, built, work) for built in rungs]
        session.note_wall()
        *lower, last = answers_of(checks, work=work, node_modules=node_modules)
        tensors = takes_tensors(rungs)
        return [
            None if got is None or last is None else share_that_agrees(check, got, checks[-1], last, tensors=tensors)
            for check, got in zip(checks, lower, strict=False)
        ]


def _check(session: Session, built: Built, work: Path) -> Check:
    """Return what a rung is to answer: the same pictures, texts, sounds or inputs as the others."""
    from ..verify.inputs import load_inputs, usual

    content = built.bundle.content
    pattern = built.settings.verify.inputs or ""
    texts = text_inputs(session, built)
    given = session.config.folder, work, session.pool.submit
    loaded = load_inputs(pattern, built.bundle.inputs, *given, content.picture, texts, content.audio)
    made = tuple(loaded.shown), tuple(loaded.told), tuple(loaded.played)
    answers = Answers(loaded.cases, None, usual, None, None, *made)
    return replace(check_of(built, answers, work, None), source=None, sample=(), stages=())
