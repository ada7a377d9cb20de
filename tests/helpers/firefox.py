"""Headless Firefox for tests, over WebDriver BiDi: as much of Playwright's interface as the tests of the loader need.

Playwright drives Firefox builds of its own only; Debian's needs no driver program for BiDi, which it speaks itself.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import socket as sockets
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

patience = 120.0  # seconds for an answer
events = ("log.entryAdded", "network.beforeRequestSent", "script.realmCreated")

preferences = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.connection.enabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.disable-localhost-when-offline": True,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}


class WebSocket:
    """A client's end of a WebSocket (RFC 6455), for whole text messages."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self.socket = sockets.create_connection((host, port), timeout=patience)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        self.stream = self.socket.makefile("rb")
        status = self.stream.readline()
        assert b" 101 " in status, status
        while self.stream.readline().strip():
            pass

    def send(self, text: str) -> None:
        content = text.encode()
        size = len(content)
        if size < 126:
            head = struct.pack("!BB", 0x81, 0x80 | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x81, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x81, 0x80 | 127, size)
        # A mask of zeros would do, but Firefox closes the connection then.
        mask = secrets.token_bytes(4)
        key = (mask * (size // 4 + 1))[:size]
        masked = (int.from_bytes(content) ^ int.from_bytes(key)).to_bytes(size)
        self.socket.sendall(head + mask + masked)

    def close(self) -> None:
        self.stream.close()
        self.socket.close()

    def receive(self) -> str:
        content = b""
        while True:
            first, second = self._read(2)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(self._read(2 if size == 126 else 8))
            part = self._read(size)
            if first & 0x0F == 8:
                raise ConnectionError("Firefox has closed the connection")
            if first & 0x0F <= 2:
                content += part
                if first & 0x80:
                    return content.decode()

    def _read(self, count: int) -> bytes:
        found = self.stream.read(count)
        if len(found) < count:
            raise ConnectionError("Firefox has closed the connection")
        return found


class Connection:
    """Commands to a browser, and what it tells by itself."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.count = 0
        self.patience = patience
        self.listeners: list[Callable[[str, dict[str, Any]], None]] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.count += 1
        number = self.count
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        end = time.monotonic() + self.patience
        while True:
            try:
                # The other messages may never end.
                self.socket.socket.settimeout(max(0.001, end - time.monotonic()))
                message = json.loads(self.socket.receive())
            except TimeoutError:
                what = params.get("expression", "")
                raise FirefoxError(f"{method} is not done after {self.patience:g} s: {what}") from None
            if message.get("id") == number:
                if message["type"] == "error":
                    raise FirefoxError(f"{message['error']}: {message['message']}")
                result: dict[str, Any] = message["result"]
                return result
            if "method" in message:
                for listener in self.listeners:
                    listener(message["method"], message["params"])


class FirefoxError(Exception):
    """What a page threw, or why Firefox cannot do what was asked."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a page's console says."""

    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """What a page or a worker asks for; a body is told of, not given."""

    method: str
    url: str
    post_data: str | None


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that a page has started; its address is not told."""

    url: str = "blob:?"


class Page:
    """A tab, or a frame of one."""

    def __init__(self, context: Context, name: str) -> None:
        self.context = context
        self.name = name
        self.heard: dict[str, list[Callable[[Any], object]]] = {}

    def on(self, event: Literal["console", "request", "worker"], listener: Callable[[Any], object]) -> None:
        self.heard.setdefault(event, []).append(listener)

    @property
    def main_frame(self) -> Page:
        return self

    @property
    def frames(self) -> list[Page]:
        (tree,) = self.context.connection.call("browsingContext.getTree", root=self.name)["contexts"]
        return [self, *(Page(self.context, child["context"]) for child in tree["children"] or [])]

    def goto(self, url: str) -> None:
        self.context.connection.call("browsingContext.navigate", context=self.name, url=url, wait="complete")

    def reload(self) -> None:
        self.context.connection.call("browsingContext.reload", context=self.name, wait="complete")

    def evaluate(self, expression: str, argument: Any = None) -> Any:
        """Give what an expression, or a function called with an argument, becomes, as JSON has it."""
        source = f"""(async () => {{
          const value = ({expression});
          const given = await (typeof value === "function" ? value({json.dumps(argument)}) : value);
          return JSON.stringify(given) ?? "null";
        }})()"""
        target = {"context": self.name}
        found = self.context.connection.call(
            "script.evaluate", expression=source, target=target, awaitPromise=True, resultOwnership="none"
        )
        if found["type"] == "exception":
            raise FirefoxError(found["exceptionDetails"]["text"])
        return json.loads(found["result"]["value"])

    def wait_for_function(self, expression: str, *, arg: Any = None) -> None:
        """Wait until it is true, asked anew at each turn of the page's timers."""
        waiting = f"""async (given) => {{
          const end = performance.now() + {1000 * patience / 2};
          for (;;) {{
            const value = ({expression});
            if (await (typeof value === "function" ? value(given) : value)) return true;
            if (performance.now() > end) return false;
            await new Promise((done) => setTimeout(done, 10));
          }}
        }}"""
        assert self.evaluate(waiting, arg), f"not so in {patience / 2:.0f} s: {expression}"

    def wait_for_selector(self, selector: str, *, state: str = "attached") -> None:
        assert state == "attached", state
        self.wait_for_function(f"document.querySelector({json.dumps(selector)})")

    def wait_for_timeout(self, ms: float) -> None:
        self.evaluate(f"new Promise((done) => setTimeout(done, {ms}))")

    def title(self) -> str:
        title: str = self.evaluate("document.title")
        return title

    def close(self) -> None:
        self.context.connection.call("browsingContext.close", context=self.name)
        self.context.pages.pop(self.name)


class Context:
    """A visitor of its own: cookies, caches and workers are not those of others."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.name: str = connection.call("browser.createUserContext")["userContext"]
        self.pages: dict[str, Page] = {}
        self.heard: dict[str, list[Callable[[Any], object]]] = {}
        self.realms: dict[str, str] = {}
        connection.listeners.append(self._hear)

    def on(self, event: Literal["console", "request", "page"], listener: Callable[[Any], object]) -> None:
        self.heard.setdefault(event, []).append(listener)

    def _hear(self, method: str, params: dict[str, Any]) -> None:
        """Tell of what happens in this visitor's tabs, and of requests of workers, which belong to no tab."""
        if method == "script.realmCreated" and params.get("context") in self.pages:
            self.realms[params["realm"]] = params["context"]
        if method == "log.entryAdded":
            self._tell(params["source"].get("context"), "console", Message(params.get("text") or ""))
        elif method == "network.beforeRequestSent":
            asked = params["request"]
            request = Request(asked["method"], asked["url"], "a body" if asked.get("bodySize") else None)
            self._tell(params.get("context"), "request", request)
        elif method == "script.realmCreated" and params["type"] == "dedicated-worker":
            for owner in params["owners"]:
                self._tell(self.realms.get(owner), "worker", Worker())

    def _tell(self, name: str | None, event: str, what: object) -> None:
        page = self.pages.get(name or "")
        if page or (name is None and event == "request"):
            for listener in [*self.heard.get(event, []), *(page.heard.get(event, []) if page else [])]:
                listener(what)

    def new_page(self) -> Page:
        name = self.connection.call("browsingContext.create", type="tab", userContext=self.name)["context"]
        page = self.pages[name] = Page(self, name)
        for realm in self.connection.call("script.getRealms", context=name)["realms"]:
            self.realms[realm["realm"]] = name
        for listener in self.heard.get("page", []):
            listener(page)
        return page

    def set_offline(self, offline: bool) -> None:
        """Take the network from the whole browser: from a single visitor BiDi cannot take that of service workers."""
        (window, *_) = self.connection.call("browsingContext.getTree", **{"moz:scope": "chrome"})["contexts"]
        # A connection that is kept open would still take a request.
        prune = 'Services.obs.notifyObservers(null, "net:prune-all-connections")'
        self.connection.call(
            "script.evaluate",
            expression=f"Services.io.offline = {json.dumps(offline)}; {prune}",
            target={"context": window["context"]},
            awaitPromise=False,
        )

    def close(self) -> None:
        self.set_offline(False)
        self.connection.listeners.remove(self._hear)
        self.connection.call("browser.removeUserContext", userContext=self.name)


class Browser:
    """A running Firefox."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def new_context(self) -> Context:
        return Context(self.connection)


@contextmanager
def firefox() -> Iterator[Browser]:
    """Run the system's Firefox with a profile of its own until the block ends."""
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    assert path, "Firefox is not installed: run make test, or apt-get install firefox-esr"
    with tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True) as folder:
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()]
        (Path(folder) / "user.js").write_text("\n".join(lines))
        command = [path, "--headless", "--no-remote", "--new-instance", "--profile", folder]
        command += ["--remote-allow-system-access", "--remote-debugging-port", "0", "about:blank"]
        log = Path(folder) / "log"
        with log.open("wb") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said, env={**os.environ, "HOME": folder})
        try:
            with closing(WebSocket("127.0.0.1", _port(process, log), "/session")) as socket:
                connection = Connection(socket)
                connection.call("session.new", capabilities={})
                connection.call("session.subscribe", events=list(events))
                yield Browser(connection)
                with suppress(FirefoxError, OSError):
                    connection.call("browser.close")
                    process.wait(10)
        finally:
            if process.poll() is None:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                process.kill()
            process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    """Wait until Firefox says where it listens."""
    end = time.monotonic() + patience
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"WebDriver BiDi listening on ws://127\.0\.0\.1:(\d+)", log.read_text(errors="replace")):
            return int(found[1])
        time.sleep(0.05)
    raise AssertionError(f"Firefox does not start:\n{log.read_text(errors='replace')}")
