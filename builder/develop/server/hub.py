"""What pages learn about builds: one state, sent completely to every page whenever it changes."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

from .asked import Asked

beat_seconds = 15.0


@dataclass(frozen=True, slots=True)
class State:
    """What a page needs to be up to date.

    Attributes:
        pages: changes with every edit of a page, and with every start of the server.
        release: of the bundle that is served; empty before the first one.
        models: hash of each model's head, its policy and its priority.
        shapes: for each head seen since the start a hash of all but its weights' values: equal ones can be swapped.
        contents: for each of them a hash of all that a page has of it: equal ones differ in their compression only.
        errors: of the last build, as ``{"model", "code", "what", "where", "hint"}``.
        served: there is a bundle, of this or an earlier start.
    """

    pages: str
    release: str = ""
    models: dict[str, dict[str, str]] = field(default_factory=dict)
    shapes: dict[str, str] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)
    errors: tuple[dict[str, str], ...] = ()
    served: bool = False

    def data(self) -> dict[str, Any]:
        """Return the state as JSON can hold it."""
        return {
            "pages": self.pages,
            "release": self.release,
            "models": self.models,
            "shapes": self.shapes,
            "contents": self.contents,
            "errors": list(self.errors),
            "served": self.served,
        }


class Hub:
    """Holds the state and sends it to the pages. Changed by one thread, read by the server's threads.

    Attributes:
        asked: the files that pages have asked for.
    """

    def __init__(self) -> None:
        """Begin with nothing built."""
        self.asked = Asked()
        self._server = secrets.token_hex(4)
        self._edits = 0
        self._state = State(f"{self._server}-0")
        self._lock = threading.Lock()
        self._listeners: dict[asyncio.Queue[State | None], asyncio.AbstractEventLoop] = {}
        self._closed = False

    @property
    def state(self) -> State:
        """What pages are told now."""
        with self._lock:
            return self._state

    def update(self, **changes: Any) -> None:
        """Change the state and send it to all pages."""
        with self._lock:
            self._state = replace(self._state, **changes)
            self._tell(self._state)

    def pages_changed(self) -> None:
        """Make all pages reload."""
        self._edits += 1
        self.update(pages=f"{self._server}-{self._edits}")

    def close(self) -> None:
        """End all event streams."""
        with self._lock:
            self._closed = True
            self._tell(None)

    def _tell(self, state: State | None) -> None:
        for queue, loop in self._listeners.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(queue.put_nowait, state)

    async def listen(self) -> AsyncIterator[str]:
        """Yield server-sent events: the state now and at every change, and a heartbeat in between."""
        queue: asyncio.Queue[State | None] = asyncio.Queue()
        with self._lock:
            self._listeners[queue] = asyncio.get_running_loop()
            queue.put_nowait(None if self._closed else self._state)
        try:
            while True:
                try:
                    state = await asyncio.wait_for(queue.get(), beat_seconds)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if state is None:
                    return
                yield f"data: {json.dumps(state.data(), separators=(',', ':'))}\n\n"
        finally:
            with self._lock:
                del self._listeners[queue]
