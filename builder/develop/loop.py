"""The loop of watch mode: wait for a change, let it settle, act, and miss no change in the meantime."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from .hints import Hints
from .server.asked import is_folder
from .snapshot import Camera, Inputs, Snapshot, Stamps

leisure = 20.0  # a wait is so many times as long as the look before it


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds.

    Attributes:
        look: between two looks if the system reports changes, in case it missed one.
        poll: between two looks if it does not.
        quiet: without change, before settings, templates and pages count as saved.
        quiet_models: the same for models, which are written in many steps.
        patience: for a model that cannot be built, because it may be half-written.
    """

    look: float = 2.0
    poll: float = 0.3
    quiet: float = 0.08
    quiet_models: float = 0.4
    patience: float = 1.5


@dataclass(frozen=True, slots=True)
class Change:
    """The differences from the state last acted on."""

    settings: bool
    sources: bool
    templates: bool
    pages: bool

    @property
    def builds(self) -> bool:
        """Return whether a build is needed."""
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
        prepare: reads the settings; returns what to watch from now on.
        act: builds with the settings that ``prepare`` read, and reports the result.
        hints: wake the loop.
        pace: its times.
    """

    def __init__(self, prepare: Callable[[], Inputs], act: Callable[[Change], None], hints: Hints, pace: Pace) -> None:
        """Prepare."""
        self._prepare = prepare
        self._act = act
        self._hints = hints
        self._pace = pace
        self._camera = Camera()
        self._pause = threading.Event()
        self._stopped = False
        self._inputs = Inputs(())
        self._done = Snapshot()
        self._known: Stamps = {}

    def stop(self) -> None:
        """End the loop after its current work; for other threads."""
        self.note_stop()
        self._pause.set()
        self._hints.wake()

    def note_stop(self) -> None:
        """End the loop at its next look; for signal handlers, which must not take a lock."""
        self._stopped = True

    def run(self, inputs: Inputs) -> None:
        """Act once on everything, then on every change."""
        self._inputs = inputs
        self._step(self._camera.take(inputs), Change(settings=True, sources=True, templates=False, pages=False))
        while not self._stopped:
            begun = time.monotonic()
            now = self._look()
            if now == self._done:
                self._rest(begun)
                continue
            now = self._settle(now)
            if now != self._done:
                self._step(now, difference(self._done, now))

    def moves(self, seconds: float) -> bool:
        """Wait for the next change while acting; return whether there was one in time."""
        until = time.monotonic() + seconds
        while not self._stopped and (left := until - time.monotonic()) > 0:
            if self._look() != self._done:
                return True
            self._hints.wait(min(left, self._pace.poll))
        return False

    def _look(self) -> Snapshot:
        """Look at everything; for a file requested since the last look, its state at the request counts."""
        now = self._camera.take(self._inputs)
        asked = self._inputs.pages.known()
        if asked.keys() != self._known.keys():
            self._known = asked
            self._hints.watch(folders(now, self._inputs))
        done = self._done.pages
        pages = {path: done.get(path, asked.get(path, stamp)) for path, stamp in now.pages.items()}
        self._done = replace(self._done, pages=pages)
        return now

    def _rest(self, begun: float) -> None:
        """Wait for a change, without looking all the time: neither with many files nor with many unrelated events."""
        looked = time.monotonic()
        pause = max(self._pace.quiet, (looked - begun) * leisure)
        usual = self._pace.look if self._hints.native else self._pace.poll
        self._hints.wait(max(usual, pause))
        left = looked + pause - time.monotonic()
        if left > 0 and not self._stopped:
            self._pause.wait(left)

    def _step(self, now: Snapshot, change: Change) -> None:
        self._inputs = self._prepare()
        # What was known counts as it was before the settings were read, what they name for the first time as it is now:
        # whatever changes from here on is seen as a change.
        self._done = replace(_merged(now, self._camera.take(self._inputs)), pages=now.pages)
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
            later = self._look()
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
    )


def folders(snapshot: Snapshot, inputs: Inputs) -> set[Path]:
    """Return the folders that must be watched to keep a snapshot up to date."""
    files = {*snapshot.settings, *snapshot.sources, *snapshot.templates, *snapshot.pages}
    found = {file.parent for file in files} | {path for path in files if is_folder(path)}
    # What links lead to changes where it lies.
    found |= {Path(os.path.realpath(path)).parent for path in files}
    return {nearest(folder) for folder in {*found, *inputs.templates}}


def nearest(folder: Path) -> Path:
    """Return the folder or its nearest existing parent, where its return can be noticed."""
    while not is_folder(folder) and folder != folder.parent:
        folder = folder.parent
    return folder
