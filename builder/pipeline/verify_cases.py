"""What a model is verified with and what its source answers, found together: the source knows which sizes it takes."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..answers.texts import tokenizer_of
from ..convert.requests import ReferenceRequest, ReferenceResult, takes_shapes, task_of
from ..errors import ShardpressError, VerificationError
from ..files.npz import write_npz
from ..verify.types import TextInputs, Told

if TYPE_CHECKING:
    from ..verify.inputs import Case, Sizes
    from ..verify.played import Played
    from ..verify.shown import Shown
    from .make_model import Built
    from .session import Session


@dataclass(frozen=True, slots=True)
class Answers:
    """The cases of a check.

    Attributes:
        cases: what to feed.
        references: what the source answers to each; None where TensorFlow.js runs it.
        sizes: what unknown lengths were taken for.
        extra: a case of another batch and other sizes that the source takes, or None.
        extra_reference: what the source answers to it; None where TensorFlow.js runs it.
        shown, told, played: pictures, texts and sounds that cases were made of, for the whole way from them to answers.
    """

    cases: list[Case]
    references: list[Case] | None
    sizes: Sizes
    extra: Case | None
    extra_reference: Case | None
    shown: tuple[Shown, ...] = ()
    told: tuple[Told, ...] = ()
    played: tuple[Played, ...] = ()


class Question:
    """One model's cases, put to its source."""

    def __init__(self, session: Session, built: Built, stem: Path) -> None:
        """Make the cases, and have TensorFlow begin where it is needed.

        Raises:
            VerificationError: inputs cannot be made up.
        """
        from ..verify.inputs import load_inputs, other_cases, seeded_inputs, twice

        self._session, self._built, self._stem = session, built, stem
        self._specs = built.bundle.inputs
        self._task = task_of("reference", built.source.kind)
        pattern = built.settings.verify.inputs
        self._seeded = pattern is None
        self._shown: list[Shown] = []
        self._told: list[Told] = []
        self._played: list[Played] = []
        picture, self._audio = built.bundle.content.picture, built.bundle.content.audio
        if pattern is None:
            self._cases = [seeded_inputs(self._specs, ids_below=built.assembly.ids_below)]
            self._others = other_cases(self._specs, built.assembly.ids_below)
            self._add_picture(picture)
            self._add_sound()
        else:
            folder = session.config.folder
            submit, texts = session.pool.submit, text_inputs(session, built)
            loaded = load_inputs(pattern, self._specs, folder, stem.parent, submit, picture, texts, self._audio)
            self._cases, self._shown, self._told, self._played = loaded.cases, loaded.shown, loaded.told, loaded.played
            self._others = twice(self._cases[0], self._specs)
        self._futures: list[Future[Any]] = []
        self._following: list[tuple[tuple[Path, Path], ...]] = []
        if built.needs_tensorflow:
            besides = tuple(self._files(f"other-{n}", case) for n, case in enumerate(self._others))
            files = [self._files(str(number), case) for number, case in enumerate(self._cases)]
            for first, *more in self._groups():
                follow = tuple(files[number] for number in more)
                request = ReferenceRequest(
                    built.source, *files[first], besides=besides, follow=follow, state=self._state()
                )
                besides = ()
                self._following.append(follow)
                self._futures.append(session.pool.submit(self._task, request, built.bundle.name))

    def _add_picture(self, picture: Mapping[str, Any] | None) -> None:
        """Make up a picture for a model that takes one, of a size that is known."""
        from ..verify.shown import seeded_picture

        if not picture or "size" not in picture or picture["fit"] == "contain" or len(self._specs) > 1:
            return
        if found := seeded_picture(picture, len(self._cases)):
            case, shown = found
            self._cases.append(case)
            self._shown.append(shown)

    def _add_sound(self) -> None:
        """Make up a sound for a model that takes one."""
        from ..verify.inputs import is_open
        from ..verify.played import Played, seeded_sound

        if self._audio and (found := seeded_sound(self._audio, self._specs)):
            cases, content = found
            if is_open(self._specs):  # a length that was guessed is seldom one that it takes
                self._cases = []
            first = len(self._cases)
            self._cases += cases
            self._played.append(Played(tuple(range(first, len(self._cases))), content))

    def _state(self) -> tuple[tuple[str, str], ...]:
        """Return the inputs that carry state from window to window, with the outputs that they are."""
        return tuple((name, one["output"]) for name, one in (self._audio or {}).get("state", {}).items())

    def _groups(self) -> list[tuple[int, ...]]:
        """Return the cases that are run one after the other: the windows of a sound where they have state."""
        if not self._state():
            return [(number,) for number in range(len(self._cases))]
        windows = {played.cases[0]: played.cases for played in self._played}
        later = {number for played in self._played for number in played.cases[1:]}
        return [windows.get(number, (number,)) for number in range(len(self._cases)) if number not in later]

    def answers(self) -> Answers:
        """Wait for the source's answers.

        Raises:
            ShardpressError: the source cannot run its inputs.
        """
        from ..verify.inputs import usual

        if not self._futures:
            extra = self._others[0] if self._others else None
            return Answers(self._cases, None, usual, extra, None, tuple(self._shown), tuple(self._told), self._proved())
        sizes = usual
        try:
            results: list[ReferenceResult] = [future.result() for future in self._futures]
            failure: ShardpressError | None = None
        except ShardpressError as error:  # another length may do
            if not self._may_grow():
                raise
            results, failure = [], error
        if failure is not None or (self._may_grow() and results[0].empty):
            sizes, result = self._grow(failure)
            results = [result]
        references, cases = self._read_all(results)
        besides = results[0].besides
        extra, reference = (_read(besides[0]), _read(besides[1])) if besides else (None, None)
        shown = tuple(self._shown) if sizes is usual else ()
        played = tuple(self._played) if sizes is usual else ()
        return Answers(cases, references, sizes, extra, reference, shown, tuple(self._told), played)

    def _proved(self) -> tuple[Played, ...]:
        """Return the sounds whose windows TensorFlow.js can run case by case: none that state holds together."""
        return () if self._state() else tuple(self._played)

    def _read_all(self, results: list[ReferenceResult]) -> tuple[list[Case], list[Case]]:
        """Return what the source answered, and to what: state is what the window before left."""
        references: list[Case] = []
        cases: list[Case] = []
        for place, result in enumerate(results):
            references.append(_read(result.outputs))
            cases.append(_read(result.inputs))
            for inputs, outputs in self._following[place] if place < len(self._following) else ():
                left = {name: references[-1][output] for name, output in self._state()}
                cases.append(_read(inputs) | left)
                references.append(_read(outputs))
        return references, cases

    def _may_grow(self) -> bool:
        from ..verify.inputs import is_open

        return self._seeded and is_open(self._specs) and not self._played

    def _grow(self, failure: ShardpressError | None) -> tuple[Sizes, ReferenceResult]:
        """Double the lengths that were guessed until the source takes them, and answers with something."""
        from ..verify.inputs import larger_cases

        built = self._built
        tried: dict[Path, Sizes] = {}
        files = []
        for number, (sizes, case) in enumerate(larger_cases(self._specs, built.assembly.ids_below)):
            files.append(self._files(f"larger-{number}", case))
            tried[files[-1][0]] = sizes
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in self._cases[0].items())
        hint = fix_lengths(built)
        hint = hint[:1].upper() + hint[1:]
        result: ReferenceResult | None = None
        if files:
            request = ReferenceRequest(built.source, *files[0], instead=tuple(files[1:]))
            try:
                result = self._session.pool.submit(self._task, request, built.bundle.name).result()
            except ShardpressError as error:
                failure = failure or error
        if result is None and failure is not None:
            what = f"the source model runs with none of the sizes that were tried for its open lengths: {failure}"
            raise VerificationError(what, code="SP-546", where=f"inputs from {shapes}", hint=hint) from failure
        if result is None or result.empty:
            what = "the source model gives empty outputs for all sizes that were tried for its open lengths"
            raise VerificationError(what, code="SP-546", where=f"inputs from {shapes}", hint=hint)
        return tried[result.inputs], result

    def _files(self, name: str, case: Case) -> tuple[Path, Path]:
        """Write a case; give its file and that for its answers."""
        inputs, outputs = (self._stem.with_suffix(f".{name}.{side}.npz") for side in ("in", "out"))
        write_npz(inputs, case)
        return inputs, outputs


def text_inputs(session: Session, built: Built) -> TextInputs | None:
    """Return how a model takes the texts of ``verify.inputs``, if it does."""
    content, given = built.bundle.content, built.settings.tokenizer
    spec = content.tokenizer
    if given is None and spec is not None and len(spec["texts"]) == 1:
        return TextInputs(None, spec, content.vocabulary)
    if given is None or spec is None:
        return None
    return TextInputs(session.config.folder / tokenizer_of(given).file, spec)


def fix_lengths(built: Built) -> str:
    """Say what to do about open lengths for which nothing right was found."""
    name = built.bundle.name
    examples = f"give examples of the right size with [models.{name}.verify] inputs"
    if built.source.kind not in takes_shapes:
        return examples
    first = built.bundle.inputs[0].name
    return f"fix them with [models.{name}.inputs], as {first} = {{ shape = […] }}, or {examples}"


def guesses_lengths(built: Built) -> bool:
    """Whether the inputs that a model is verified with have lengths that nobody stated."""
    from ..verify.inputs import is_open

    return built.settings.verify.inputs is None and is_open(built.bundle.inputs)


def reference_to(session: Session, built: Built, case: Case, folder: Path) -> list[Case] | None:
    """Return what a model's source answers to a case; None where it does not take it, or answers with nothing."""
    given, answered = folder / "source.in.npz", folder / "source.out.npz"
    write_npz(given, case)
    request = ReferenceRequest(built.source, given, answered)
    try:
        result = session.pool.submit(task_of("reference", built.source.kind), request, built.bundle.name).result()
    except ShardpressError:
        return None
    return None if result.empty else [_read(result.outputs)]


def _read(path: Path) -> dict[str, Any]:
    import numpy as np

    with np.load(path) as arrays:
        return dict(arrays)
