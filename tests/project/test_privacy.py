"""Nothing is sent anywhere: what docs/privacy.md says of the program and of the loader."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from builder.bundle.scripts import scripts
from tests.helpers import tiny
from tests.helpers.browsing import chromium
from tests.helpers.modules import package
from tests.helpers.serving import serve

root = Path(__file__).resolve().parents[2]
able = {
    "aiohttp", "boto3", "botocore", "distributed", "ftplib", "http", "httpx", "imaplib", "poplib", "requests",
    "smtplib", "socket", "socketserver", "ssl", "telnetlib", "urllib3", "uvicorn", "websockets", "xmlrpc",
}  # fmt: skip
able_parts = {"urllib.request"}
# What connects where the user says, or listens for the user's own pages.
allowed = {
    "develop/server/run.py", "publish/fetch.py", "stores/answers.py", "stores/s3.py", "stores/s3_client.py",
    "stores/s3_deletes.py", "stores/s3_failures.py", "work/cluster.py",
}  # fmt: skip
sending = re.compile(
    r"\b(XMLHttpRequest|sendBeacon|WebSocket|EventSource|RTCPeerConnection|WebTransport|document\.cookie)\b"
)

# Loaded by every Python that starts with this folder on its path: writes down whom it looks up and connects to.
guard = """
import os, sys
log = os.open(os.environ["CONNECTIONS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
watched = ("socket.connect", "socket.getaddrinfo", "socket.gethostby", "socket.sendto", "socket.sendmsg", "socket.bind")
def hook(event, arguments):
    if event.startswith(watched) and not (event != "socket.getaddrinfo" and isinstance(arguments[-1], (str, bytes))):
        os.write(log, f"{event} {arguments[-1] if event != 'socket.getaddrinfo' else arguments[0]}\\n".encode())
sys.addaudithook(hook)
"""


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_only_modules_for_what_users_name_can_use_the_network() -> None:
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(name.split(".")[0] in able or name in able_parts for name in imports(path))
    }
    assert found == allowed


@pytest.fixture
def watched(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "guard"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(guard)
    return {**os.environ, "PYTHONPATH": str(folder), "CONNECTIONS": str(tmp_path / "connections.txt")}


@pytest.mark.slow
def test_a_build_and_the_other_commands_connect_to_nothing(tmp_path: Path, watched: dict[str, str]) -> None:
    tiny.graph_model(tmp_path / "site/face")
    commands = (["init"], ["doctor"], ["check"], [], ["report"], ["schema"])
    for words in commands:
        done = subprocess.run(
            [sys.executable, str(root / "build.py"), *words],
            cwd=tmp_path / "site", env=watched, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0 or words == ["doctor"], done.stderr
    log = Path(watched["CONNECTIONS"])
    assert log.read_text() == ""
    assert (tmp_path / "site/dist/cdn/loader.js").is_file()
    # The guard sees what it is to see.
    code = "import socket, contextlib\nwith contextlib.suppress(OSError): socket.create_connection(('127.0.0.1', 9), 1)"
    subprocess.run([sys.executable, "-c", code], env=watched, check=True, timeout=60)
    assert "socket.getaddrinfo 127.0.0.1" in log.read_text()
    assert "socket.connect ('127.0.0.1', 9)" in log.read_text()


def test_no_script_of_a_bundle_names_an_address_or_sends() -> None:
    for name, text in scripts().items():
        # Names that no host has (RFC 2606), as keys of a cache.
        assert set(re.findall(r"https?://[\w.-]+\.\w+", text)) <= {"https://shardpress.invalid"}, name
        assert not sending.findall(text), name
        # Every request is a GET without a body.
        assert not re.findall(r"""method:\s*["'`](?:POST|PUT|PATCH|DELETE)""", text, re.IGNORECASE), name


def test_the_pages_of_development_listen_to_their_own_server() -> None:
    """``EventSource`` is what tells them of changes; its address is relative to the page's own."""
    files = sorted((root / "templates/dev").glob("*.js"))
    used = {path.name: sending.findall(path.read_text()) for path in files}
    assert {name: set(found) for name, found in used.items() if found} == {"news.js": {"EventSource"}}
    for path in files:
        assert not re.findall(r"""["'`]https?://""", path.read_text()), path.name


@pytest.mark.slow
def test_a_page_requests_the_files_of_its_bundle_alone(tmp_path: Path) -> None:
    built = tiny.bundle(tmp_path / "cdn", {"tiny": tiny.graph_model(tmp_path / "source")})
    runtime = root / "node_modules/@tensorflow/tfjs/dist/tf.min.js"
    (built.root / "tf.min.js").write_bytes(runtime.read_bytes())
    (built.root / "index.html").write_text('<!doctype html><title>p</title><script src="tf.min.js"></script>')
    asked: list[tuple[str, str, str | None]] = []
    with serve(built.root) as site, chromium() as browser:
        context = browser.new_context()
        context.on("request", lambda request: asked.append((request.method, request.url, request.post_data)))
        page = context.new_page()
        page.goto(site.url + "index.html")
        rows = page.evaluate("""async () => {
          const { models } = await import("./loader.js");
          const handle = models.tiny.load();
          await handle.ready;
          const model = await handle.full;
          return tf.tidy(() => model.execute(tf.zeros([1, 24]), "logits").size);
        }""")
        cookies = context.cookies()
    assert rows == tiny.classes
    assert {method for method, _, _ in asked} == {"GET"}
    assert not [body for _, _, body in asked if body]
    for _, url, _ in asked:
        assert url.startswith((site.url, "blob:", "data:")), url
    assert cookies == []


def test_the_statement_names_what_holds_it() -> None:
    text = (root / "docs/privacy.md").read_text()
    assert "tests/project/test_privacy.py" in text
    assert "docs/privacy.md" in (root / "SECURITY.md").read_text()
