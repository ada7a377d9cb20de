"""Reports changes on disk, by the system's events if there are any. The only module that imports watchdog."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from watchdog.observers.api import ObservedWatch


class Hints:
    """Wakes a waiting thread when a file in a watched folder changes; used as a context manager.

    Events are only hints: the woken thread looks for itself. Where the system sends none (network drives, some
    containers, too many watches), the waiting thread polls.

    Args:
        native: use the system's events.
    """

    def __init__(self, *, native: bool) -> None:
        """Watch nothing yet."""
        self.native = native
        self._changed = threading.Event()
        self._watches: dict[Path, tuple[int, ObservedWatch]] = {}
        self._observer: Any = None

    def __enter__(self) -> Self:
        if self.native:
            from watchdog.observers import Observer

            self._observer = Observer()
            try:
                self._observer.start()
            except OSError:
                self._observer, self.native = None, False
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()

    def watch(self, folders: Iterable[Path]) -> None:
        """Watch exactly these folders, without their subfolders; a replaced folder is watched again."""
        if self._observer is None:
            return
        wanted = {}
        for folder in folders:
            try:
                wanted[folder] = folder.stat().st_ino
            except OSError:
                continue
        for folder, (number, watch) in list(self._watches.items()):
            if wanted.get(folder) != number:
                del self._watches[folder]
                self._observer.unschedule(watch)
        for folder, number in wanted.items():
            if folder not in self._watches:
                try:
                    self._watches[folder] = number, self._observer.schedule(self._handler(), str(folder))
                except OSError:  # too many watches, or gone again: whoever waits looks from time to time
                    self.native = False

    def wait(self, seconds: float) -> bool:
        """Wait for a change, for a limited time; return whether there was one."""
        changed = self._changed.wait(seconds)
        self._changed.clear()
        return changed

    def wake(self) -> None:
        """End a wait."""
        self._changed.set()

    def _handler(self) -> Any:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler

        changed = self._changed

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                # Our own reading opens and closes files all the time.
                if event.event_type not in {"opened", "closed_no_write"}:
                    changed.set()

        return Handler()
