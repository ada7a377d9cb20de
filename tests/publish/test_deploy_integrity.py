"""What is deployed is what was built: ``dist`` comes from another job and is not believed."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import brotli
import pytest

from builder.bundle.format import head_url
from builder.bundle.index import read_index, replace_index
from builder.cli.main import main
from builder.errors import FormatError
from builder.progress import Silent
from builder.publish.apply import deploy
from builder.publish.dist import read_local
from builder.publish.plan import Choice
from builder.stores import Headers, no_headers
from builder.stores.directory import DirectoryStore
from tests.helpers.deploying import assert_live, change, deployer_of, project, target_of

secret = "a secret of the deploy job, which must not be published"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text(secret)
    return project(tmp_path / "site")


def run(folder: Path, *words: str) -> int:
    return main([words[0], "--config", str(folder / "build.toml"), *words[1:]])


def rewrite(folder: Path, edit: Callable[[Any], None]) -> None:
    """Change ``manifest.json`` as a hostile build job could."""
    path = folder / "dist" / "manifest.json"
    manifest = json.loads(path.read_bytes())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def published(folder: Path) -> list[Path]:
    return [path for path in (folder / "public").rglob("*") if path.is_file()]


def files(folder: Path) -> dict[Path, bytes]:
    """Give all files but those that are there to be too large."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path: path.read_bytes() for path in found if path.stat().st_size < 1 << 30}


def assert_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Nothing goes live, nothing leaves the folder, and the reason is one paragraph."""
    before = files(folder.parent)
    capsys.readouterr()
    assert run(folder, "deploy") in (1, 2)
    taken = capsys.readouterr().err
    assert "Traceback" not in taken
    assert "bug in shardpress" not in taken
    assert not (folder / "public" / "loader.js").exists()
    after = files(folder.parent)
    assert all(path.is_relative_to(folder / "public") for path in set(after) - set(before))
    assert {path: after[path] for path in before} == before
    assert all(secret not in path.read_text(errors="replace") for path in published(folder))
    return taken


def outside(file: dict[str, Any]) -> None:
    content = secret.encode()
    file |= {"url": "../../../secret", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    file["encodings"] = {}


hostile: dict[str, Callable[[Any], None]] = {
    "a shard outside": lambda manifest: outside(manifest["models"]["a"]["shards"][0]),
    "a head outside": lambda manifest: outside(manifest["models"]["a"]["head"]),
    "the loader outside": lambda manifest: outside(manifest["loader"]["pinned"]),
    "the worker outside": lambda manifest: outside(manifest["worker"]),
    "a module outside": lambda manifest: outside(next(iter(manifest["modules"].values()))),
    "a stock copy outside": lambda manifest: manifest["models"]["a"]["compat"].append(
        {"url": "../../secret", "bytes": 1, "sha256": "0" * 64, "encodings": {}}
    ),
    "an absolute path": lambda manifest: manifest["worker"].update(url="/etc/passwd"),
    "a backslash": lambda manifest: manifest["worker"].update(url=r"..\..\secret"),
    "the mutable loader as a shard": lambda manifest: manifest["models"]["a"]["shards"][0].update(url="loader.js"),
    "another file's name": lambda manifest: manifest["models"]["a"]["shards"][0].update(
        url=manifest["models"]["b"]["shards"][0]["url"]
    ),
    "a hash that is none": lambda manifest: manifest["worker"].update(sha256="../" * 20 + "0000"),
    "a model's name with a path": lambda manifest: manifest["models"].update({"../a": manifest["models"].pop("a")}),
    "a stage's name with a path": lambda manifest: manifest["models"]["a"]["shards"][0].update(stage="../x"),
    "a negative length": lambda manifest: manifest["worker"].update(bytes=-1),
    "a length beyond all memory": lambda manifest: manifest["worker"].update(bytes=1 << 62),
    "an empty copy": lambda manifest: manifest["models"]["a"]["shards"][0]["encodings"].update(br=0),
    "a model that the loader does not name": lambda manifest: manifest["models"].update(
        c=manifest["models"]["a"] | {"head": manifest["models"]["b"]["head"]}
    ),
    "a model less": lambda manifest: manifest["models"].pop("a"),
    "a module less": lambda manifest: manifest["modules"].popitem(),
    "another contract": lambda manifest: manifest["models"]["a"].update(contract="0" * 16),
    "a shard less": lambda manifest: manifest["models"]["a"]["shards"].pop(),
    "an endless version": lambda manifest: manifest.update(generator="shardpress " + "9" * 10_000),
}


@pytest.mark.parametrize("name", hostile)
def test_a_manifest_that_names_what_no_build_writes_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    rewrite(folder, hostile[name])
    assert_refused(folder, capsys)


def test_an_endless_manifest_is_not_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "dist" / "manifest.json").open("ab") as file:
        file.truncate(1 << 40)  # sparse: a terabyte on no disk
    assert "larger than" in assert_refused(folder, capsys)


def a_shard(folder: Path) -> Path:
    return min((folder / "dist" / "cdn" / "assets").glob("a-*.bin"))


def link_file(folder: Path) -> None:
    path = a_shard(folder)
    path.unlink()
    path.symlink_to(folder.parent / "secret")


def link_copy(folder: Path) -> None:
    path = next((folder / "dist" / "cdn").glob("vectors.*.js.br"))
    moved = folder.parent / "elsewhere.br"
    path.rename(moved)
    path.symlink_to(moved)


def link_assets(folder: Path) -> None:
    path = folder / "dist" / "cdn" / "assets"
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere", target_is_directory=True)


def link_cdn(folder: Path) -> None:
    path = folder / "dist" / "cdn"
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere", target_is_directory=True)


def link_manifest(folder: Path) -> None:
    path = folder / "dist" / "manifest.json"
    path.rename(folder.parent / "elsewhere.json")
    path.symlink_to(folder.parent / "elsewhere.json")


def link_loader(folder: Path) -> None:
    path = next((folder / "dist" / "cdn").glob("loader.????????????????.js"))
    path.rename(folder.parent / "elsewhere.js")
    path.symlink_to(folder.parent / "elsewhere.js")


def pipe(folder: Path) -> None:
    path = a_shard(folder)
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("spoil", [link_file, link_copy, link_assets, link_cdn, link_manifest, link_loader, pipe])
def test_no_link_is_followed_and_nothing_but_files_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], None]
) -> None:
    spoil(folder)
    assert_refused(folder, capsys)


def test_a_head_that_names_other_files_than_the_manifest_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Head, loader and manifest agree on a hash; only the names within the head lead elsewhere."""
    cdn = folder / "dist" / "cdn"
    loader = (cdn / "loader.js").read_bytes()
    index = read_index(loader)
    old = head_url("a", index.models["a"].head_sha256)
    head = json.loads((cdn / old).read_bytes())
    head["stages"][0] = "../../../../etc"
    content = json.dumps(head).encode()
    digest = hashlib.sha256(content).hexdigest()
    entry = replace(index.models["a"], head_sha256=digest, head_bytes=len(content))
    (cdn / head_url("a", digest)).write_bytes(content)
    loader = replace_index(loader, replace(index, models={**index.models, "a": entry}))
    pinned = hashlib.sha256(loader).hexdigest()
    (cdn / f"loader.{pinned[:16]}.js").write_bytes(loader)

    def edit(manifest: Any) -> None:
        file = {"url": head_url("a", digest), "bytes": len(content), "sha256": digest, "encodings": {}}
        manifest["models"]["a"]["head"] = file
        file = {"url": f"loader.{pinned[:16]}.js", "bytes": len(loader), "sha256": pinned, "encodings": {}}
        manifest["loader"]["pinned"] = file

    rewrite(folder, edit)
    assert "is not the head" in assert_refused(folder, capsys)


@pytest.mark.parametrize(
    "entry",
    [
        ["../../x", 1, "now", "high", "graph-model", 1, 1],
        ["0" * 64, "1", "now", "high", "graph-model", 1, 1],
        ["0" * 64, 1, "now", "high", "graph-model", 1, 1, {"older": ["c", "../../../../etc/passwd", 1]}],
    ],
)
def test_an_index_that_names_no_hashes_is_refused(entry: list[Any]) -> None:
    index = {"format": 1, "release": "0", "models": {"a": entry}}
    with pytest.raises(FormatError, match="index"):
        read_index(b"const CONFIG=" + json.dumps(index).encode())
    index = {"format": 1, "release": "0", "models": {"../a": ["0" * 64, 1, "now", "high", "graph-model", 1, 1]}}
    with pytest.raises(FormatError, match="index"):
        read_index(b"const CONFIG=" + json.dumps(index).encode())


def bomb(encoding: str) -> bytes:
    zeros = bytes(1 << 24)
    return brotli.compress(zeros, quality=1) if encoding == "br" else gzip.compress(zeros)


def changed(path: Path) -> bytes:
    content = path.read_bytes()
    return content[:-1] + bytes([content[-1] ^ 1])


spoiled: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "a shard with another bit": ("assets/a-*.bin", changed),
    "a shorter shard": ("assets/a-*.bin", lambda path: path.read_bytes()[:-1]),
    "an empty copy": ("vectors.*.js.br", lambda path: b""),
    "a copy with another bit": ("vectors.*.js.gz", changed),
    "a copy of something else": ("vectors.*.js.br", lambda path: brotli.compress(b"something else")),
    "a copy that is larger": ("vectors.*.js.br", lambda path: bomb("br")),
    "another copy that is larger": ("vectors.*.js.gz", lambda path: bomb("gzip")),
    "a copy with more behind it": ("vectors.*.js.gz", lambda path: path.read_bytes() + b"more"),
    "another module": ("vectors.*.js", lambda path: b"export default 1;\n"),
    "another offline worker": ("sw.*.js", lambda path: b"evil();\n"),
    "another head": ("assets/a.*.json", lambda path: b"{}"),
}


@pytest.mark.parametrize("name", spoiled)
def test_what_was_changed_after_the_build_goes_nowhere(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    pattern, content = spoiled[name]
    path = min((folder / "dist" / "cdn").glob(pattern))
    path.write_bytes(content(path))
    assert "Build again" in assert_refused(folder, capsys)


def test_a_copy_of_the_right_length_that_unpacks_without_end_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The manifest names the bomb's own length, as a hostile job would."""
    path = next((folder / "dist" / "cdn").glob("vectors.*.js.br"))
    path.write_bytes(bomb("br"))
    rewrite(folder, lambda m: m["modules"]["vectors"]["encodings"].update(br=path.stat().st_size))
    assert_refused(folder, capsys)


def test_only_what_is_sent_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that the live release has costs nothing, so a damaged one does not matter either."""
    assert run(folder, "deploy") == 0
    change(folder, "a", 7)
    for path in (folder / "dist" / "cdn" / "assets").glob("b-*.bin"):
        path.write_bytes(b"damaged later")
    assert run(folder, "deploy") == 0
    assert_live(DirectoryStore(folder / "public"))
    assert run(folder, "deploy", "--repair") in (1, 2), "but it is never sent"
    assert_live(DirectoryStore(folder / "public"))


class Meddling(DirectoryStore):
    """Somebody changes the bundle at the moment when it is sent."""

    def __init__(self, root: Path, cdn: Path) -> None:
        super().__init__(root)
        self.cdn = cdn

    def put(self, key: str, content: Path, headers: Headers = no_headers) -> bool:
        if (self.cdn / key).exists():
            (self.cdn / key).write_bytes(b"changed at the last moment")
        return super().put(key, content, headers)


def test_the_bytes_that_were_hashed_are_the_bytes_that_are_sent(folder: Path) -> None:
    deployer = deployer_of(target_of(folder))
    deployer.store = store = Meddling(folder / "public", folder / "dist" / "cdn")
    deploy(deployer, read_local(folder / "dist"), Choice(), Silent())
    assert_live(store)


@pytest.mark.parametrize(
    ("pattern", "public"),
    [
        ("assets/a.*.json.br", ""),
        ("vectors.*.js.gz", ""),
        ("loader.*.js.br", ""),
        ("assets/b-*.bin", 'public_url = "http://127.0.0.1:{port}/"'),
    ],
)
def test_verify_reads_the_encoded_copies_of_a_folder(
    folder: Path, capsys: pytest.CaptureFixture[str], pattern: str, public: str
) -> None:
    with serve(folder / "public") as port:
        text = f'[targets.test]\ntype = "directory"\npath = "public"\n{public.format(port=port)}\n'
        (folder / "build.toml").write_text((folder / "build.toml").read_text() + text)
        assert run(folder, "deploy", "--no-verify") == 0
        assert run(folder, "verify") == (4 if public else 0), "this server sends no CORS"
        path = min((folder / "public").glob(pattern))
        path = path if path.suffix in (".br", ".gz") else path.with_name(path.name + ".br")
        for content in (b"", brotli.compress(b"something else"), bomb("br"), bomb("gzip")):
            path.write_bytes(content)
            capsys.readouterr()
            assert run(folder, "verify", "--json") == 4
            problems = json.JSONDecoder().raw_decode(capsys.readouterr().out)[0]["checked"]["problems"]
            assert path.name in {problem["url"].rpartition("/")[2] for problem in problems}
        assert run(folder, "deploy", "--repair", "--no-verify") == 0
        assert run(folder, "verify") == (4 if public else 0)
        assert path.name not in capsys.readouterr().err


@contextmanager
def serve(folder: Path) -> Iterator[int]:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
