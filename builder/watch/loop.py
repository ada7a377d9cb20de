"""The loop of watch mode: wait for a change, let it settle, act, and miss nothing that changes meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from builder.watch.hints import Hints
from builder.watch.snapshot import Camera, Inputs, Snapshot, Stamps


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds.

    Attributes:
        look: between two looks where the system tells of changes, in case it missed one.
        poll: between two looks where it does not.
        quiet: without change, before settings, templates and pages count as saved.
        quiet_models: the same for models, which are written in many steps.
        patience: for a model that cannot be built, as it may be half-written.
    """

    look: float = 2.0
    poll: float = 0.3
    quiet: float = 0.08
    quiet_models: float = 0.4
    patience: float = 1.5


@dataclass(frozen=True, slots=True)
class Change:
    """What differs from what was last acted on."""

    settings: bool
    sources: bool
    templates: bool
    pages: bool

    @property
    def builds(self) -> bool:
        """Tell whether a build is needed."""
        return self.settings or self.sources or self.templates


def difference(old: Snapshot, new: Snapshot) -> Change:
    """Compare two snapshots."""
    return Change(
        old.settings != new.settings,
        old.sources != new.sources,
        old.templates != new.templates,
        old.pages != new.pages,
    )


class Loop:
    """Acts on every change until told to stop.

    Args:
        prepare: reads the settings; gives what to look at from now on.
        act: builds by the settings that ``prepare`` read, and tells of it.
        hints: who wakes the loop.
        pace: how patient it is.
    """

    def __init__(self, prepare: Callable[[], Inputs], act: Callable[[Change], None], hints: Hints, pace: Pace) -> None:
        """Prepare."""
        self._prepare = prepare
        self._act = act
        self._hints = hints
        self._pace = pace
        self._camera = Camera()
        self._stopped = False
        self._inputs = Inputs(())
        self._done = Snapshot()

    def stop(self) -> None:
        """End the loop after what it is doing; for other threads."""
        self.note_stop()
        self._hints.wake()

    def note_stop(self) -> None:
        """End the loop when it looks next; for signal handlers, which must not take a lock."""
        self._stopped = True

    def run(self, inputs: Inputs) -> None:
        """Act once on everything, then on every change."""
        self._inputs = inputs
        self._step(self._camera.take(inputs), Change(settings=True, sources=True, templates=False, pages=False))
        while not self._stopped:
            now = self._camera.take(self._inputs)
            if now == self._done:
                self._hints.wait(self._pace.look if self._hints.native else self._pace.poll)
                continue
            now = self._settle(now)
            if now != self._done:
                self._step(now, difference(self._done, now))

    def moves(self, seconds: float) -> bool:
        """Wait for the next change while acting; tell whether there was one in time."""
        until = time.monotonic() + seconds
        while not self._stopped and (left := until - time.monotonic()) > 0:
            if self._camera.take(self._inputs) != self._done:
                return True
            self._hints.wait(min(left, self._pace.poll))
        return False

    def _step(self, now: Snapshot, change: Change) -> None:
        self._inputs = self._prepare()
        # What was known counts as it was before the settings were read, what they name for the first time as it is now:
        # whatever changes from here on is seen as a change.
        self._done = _merged(now, self._camera.take(self._inputs))
        self._hints.watch(folders(self._done, self._inputs))
        self._act(change)
        self._hints.watch(folders(self._done, self._inputs))

    def _settle(self, now: Snapshot) -> Snapshot:
        """Wait until nothing has changed for a while."""
        while not self._stopped:
            models = now.sources != self._done.sources
            until = time.monotonic() + (self._pace.quiet_models if models else self._pace.quiet)
            while (left := until - time.monotonic()) > 0 and not self._stopped:
                self._hints.wait(left)
            later = self._camera.take(self._inputs)
            if later == now:
                break
            now = later
        return now


def _merged(before: Snapshot, after: Snapshot) -> Snapshot:
    def merge(old: Stamps, new: Stamps) -> Stamps:
        return {path: old.get(path, stamp) for path, stamp in new.items()}

    return Snapshot(
        merge(before.settings, after.settings),
        merge(before.sources, after.sources),
        merge(before.templates, after.templates),
        merge(before.pages, after.pages),
    )


def folders(snapshot: Snapshot, inputs: Inputs) -> set[Path]:
    """Give the folders that must be watched for a snapshot to stay up to date."""
    files = {*snapshot.settings, *snapshot.sources, *snapshot.templates, *snapshot.pages}
    found = {file.parent for file in files} | {path for path in files if path.is_dir()}
    found |= {*inputs.templates, *inputs.pages, *(folder.parent for folder in inputs.pages)}
    return {nearest(folder) for folder in found}


def nearest(folder: Path) -> Path:
    """Give the folder, or the nearest above it that exists: from there its return is seen."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder
