"""A build cache in a bucket: what one runner made another one takes, and nothing that is damaged or foreign."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.cache.local import Cache
from builder.cache.shared import SharedCache, open_shared
from builder.cli.main import main
from builder.errors import ConfigError, StoreError
from builder.stores.directory import DirectoryStore
from builder.stores.s3 import S3Store
from builder.stores.s3_client import Location
from tests.helpers import s3_server
from tests.helpers.credential_watch import wrong_secret
from tests.helpers.models import write_model
from tests.publish.test_deploy_s3 import credentials


class Runner:
    """One machine: a folder of its own, the bucket in common."""

    def __init__(self, folder: Path, store: Any) -> None:
        self.shared = SharedCache(store)
        self.cache = Cache(folder, self.shared)
        self.folder = folder

    def end(self) -> None:
        self.shared.__exit__(None, None, None)


def made_by_one(tmp_path: Path, store: Any) -> None:
    """Have a first runner make a record with a blob, an encoding of it, and a folder."""
    runner = Runner(tmp_path / "one", store)
    blob = runner.cache.put(b"content")
    runner.cache.put_variant(blob, "brs-11", b"shorter")
    runner.cache.put_variant(blob, "gzip-9", None)
    names = [blob.sha256, f"{blob.sha256}.brs-11", f"{blob.sha256}.gzip-9"]
    runner.cache.put_record("built", "key", {"a": 1}, names)
    runner.cache.put_record("latest", "face", {"mine": True})
    tree = runner.cache.tree("converted", "key")
    tree.mkdir()
    for name in ("model.json", "same-1.bin", "same-2.bin"):
        (tree / name).write_text(name[:4])
    runner.cache.put_tree("converted", "key", {"notes": []})
    runner.end()


def test_a_second_runner_gets_records_with_all_they_need(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "bucket")
    made_by_one(tmp_path, store)
    runner = Runner(tmp_path / "two", store)
    assert runner.cache.record("built", "key") == {"a": 1}
    blob = next(path for path in (tmp_path / "two" / "blobs").rglob("*") if path.is_file() and "." not in path.name)
    found = runner.cache.find(blob.name)
    assert found is not None
    assert found.path.read_bytes() == b"content"
    assert runner.cache.find_variant(found, "brs-11")[0].read_bytes() == b"shorter"  # type: ignore[index]
    assert runner.cache.find_variant(found, "gzip-9")[1] == 0  # type: ignore[index]
    assert runner.cache.record("latest", "face") is None, "that is a matter of each folder"
    assert runner.cache.find_tree("converted", "key") == {"notes": []}
    tree = runner.cache.tree("converted", "key")
    assert sorted(path.name for path in tree.iterdir()) == ["model.json", "same-1.bin", "same-2.bin"]
    assert runner.cache.record("built", "other") is None
    runner.end()
    assert runner.shared.warnings == ()
    shutil.rmtree(tmp_path / "bucket")
    assert Cache(tmp_path / "two").record("built", "key") == {"a": 1}, "the copy in front is enough"


@pytest.mark.parametrize("harm", ["cut", "changed", "moved", "not ours", "gone"])
@pytest.mark.parametrize("victim", ["blob", "record"])
def test_damaged_and_foreign_entries_are_seen_and_made_anew(tmp_path: Path, harm: str, victim: str) -> None:
    bucket = tmp_path / "bucket"
    store = DirectoryStore(bucket)
    made_by_one(tmp_path, store)
    keys = [key for key in store.list() if ("/blobs/" in key and "." not in key) or "built-key" in key]
    blob, record = (
        next(key for key in keys if "built" not in key and b"content" in (bucket / key).read_bytes()),
        next(key for key in keys if "built" in key),
    )
    path = bucket / (blob if victim == "blob" else record)
    whole = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        other = next(bucket / key for key in store.list() if key not in (blob, record))
        path.write_bytes(
            {
                "cut": whole[:-1],
                "changed": whole.replace(b"content", b"CONTENT") if victim == "blob" else whole.replace(b"1}", b"2}"),
                "moved": other.read_bytes(),
                "not ours": b"<Error>Access Denied</Error>",
            }[harm]
        )
    runner = Runner(tmp_path / "two", store)
    assert runner.cache.record("built", "key") is None
    made = runner.cache.put(b"content")
    runner.cache.put_variant(made, "brs-11", b"shorter")
    runner.cache.put_variant(made, "gzip-9", None)
    runner.cache.put_record("built", "key", {"a": 1}, [made.sha256, f"{made.sha256}.brs-11", f"{made.sha256}.gzip-9"])
    runner.end()
    assert ("damaged" in "".join(runner.shared.warnings)) == (harm != "gone")
    third = Runner(tmp_path / "three", store)
    assert third.cache.record("built", "key") == {"a": 1}
    third.end()
    assert third.shared.warnings == ()


@pytest.mark.parametrize("name", ["../escape", "a/b", "..", "", "a\\b"])
def test_folders_from_a_bucket_stay_in_theirs(tmp_path: Path, name: str) -> None:
    store = DirectoryStore(tmp_path / "bucket")
    writer = SharedCache(store)
    document = {"value": {}, "files": [], "tree": {name: "0" * 64}}
    key = next(iter(_record_keys("converted-key")))
    writer._write(key, json.dumps(document).encode())
    writer.__exit__(None, None, None)
    runner = Runner(tmp_path / "two", store)
    assert runner.cache.find_tree("converted", "key") is None
    runner.end()
    assert "damaged" in "".join(runner.shared.warnings)


def _record_keys(name: str) -> Iterator[str]:
    from builder.cache.shared import _record_key

    yield _record_key(name)


class Moody(DirectoryStore):
    """Refuses some of what it is asked."""

    refused: tuple[str, ...] = ()

    def _refuse(self, what: str) -> None:
        if what in self.refused:
            raise StoreError("access is denied (403)", where=what, hint="Check credentials")

    def get(self, key: str) -> tuple[bytes, str] | None:
        self._refuse("get")
        return super().get(key)

    def create(self, key: str, content: bytes, headers: Any = None) -> bool:
        self._refuse("create")
        return super().create(key, content)

    def replace(self, key: str, content: bytes, headers: Any) -> None:
        self._refuse("replace")
        super().replace(key, content, headers)


def test_a_store_that_may_only_be_read_still_gives(tmp_path: Path) -> None:
    store = Moody(tmp_path / "bucket")
    made_by_one(tmp_path, store)
    store.refused = ("create", "replace")
    runner = Runner(tmp_path / "two", store)
    runner.cache.put_record("built", "new", {})
    assert runner.cache.record("built", "key") == {"a": 1}
    runner.cache.put_record("built", "newer", {})
    runner.end()
    assert len(runner.shared.warnings) == 1
    assert "gets nothing new: access is denied" in runner.shared.warnings[0]


def test_a_store_that_refuses_conditions_is_written_without(tmp_path: Path) -> None:
    store = Moody(tmp_path / "bucket")
    store.refused = ("create",)
    made_by_one(tmp_path, store)
    assert Runner(tmp_path / "two", store).cache.record("built", "key") == {"a": 1}


def test_a_store_that_refuses_all_is_told_once_and_not_asked_again(tmp_path: Path) -> None:
    store = Moody(tmp_path / "bucket")
    store.refused = ("get", "create", "replace")
    runner = Runner(tmp_path / "one", store)
    assert runner.cache.record("built", "key") is None
    runner.cache.put_record("built", "key", {"a": 1})
    assert runner.cache.record("built", "key") == {"a": 1}
    runner.end()
    assert set(runner.shared.warnings) == {
        f"the shared cache {tmp_path}/bucket/ is not used: access is denied (403). Check credentials"
    }
    assert list(store.list()) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("gs://bucket", "is not a valid cache"),
        ("s3:///prefix", "is not a valid cache"),
        ("s3://b/p?colour=red", "unknown option 'colour'"),
    ],
)
def test_addresses_are_checked(text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        open_shared(text)


@pytest.mark.parametrize("cache", ["gs://bucket/prefix", "s3:///prefix", "http://example.com/cache"])
def test_an_address_that_is_none_is_told_before_anything_is_built(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], cache: str
) -> None:
    folder = runner_project(tmp_path / "one", cache)
    for words in ([], ["check"]):
        assert main([*words, "--config", str(folder / "build.toml")]) == 2
        assert "is neither a folder nor 's3://bucket/prefix'" in capfd.readouterr().err


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3_server.S3]:
    with s3_server.seaweed(tmp_path_factory.mktemp("seaweed")) as running:
        yield running


def runner_project(folder: Path, cache: str) -> Path:
    folder.mkdir()
    for name, seed in (("a", 1), ("b", 2)):
        write_model(folder / name, width=200, seed=seed)
    table = f'[build]\ncache = "{cache}"\nshard_bytes = "4 KiB"\n'
    (folder / "build.toml").write_text(
        table + '[models.a]\nsource = "a/model.json"\ncompat = "float32"\n[models.b]\nsource = "b/model.json"\n'
    )
    return folder


def built(folder: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    capfd.readouterr()
    assert main(["--fast", "--json", "--compare", "--config", str(folder / "build.toml")]) == 0
    return json.loads(capfd.readouterr().out)


@pytest.mark.slow
def test_a_second_runner_rebuilds_nothing(
    tmp_path: Path, server: s3_server.S3, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """On the real server: with an empty folder of its own, nothing is read, compressed or put together again."""
    credentials(monkeypatch)
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    server.client().create_bucket(Bucket="cache")
    cache = f"s3://cache/team?endpoint_url={server.url}&addressing=path"
    first = built(runner_project(tmp_path / "one", cache), capfd)
    assert not any("cache" in warning for warning in first["warnings"])

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("this was made before")

    second = runner_project(tmp_path / "two", cache)
    with monkeypatch.context() as patch:
        for name in (
            "builder.pipeline.make_model.assemble",
            "builder.pipeline.make_model.stock_files",
            "builder.pipeline.make_model.measure_stock",
        ):
            patch.setattr(name, never)
        again = built(second, capfd)
    assert all(model["cached"] for model in again["models"].values())
    assert again["release"] == first["release"]
    for path in (tmp_path / "one" / "dist" / "cdn").rglob("*"):
        if path.is_file():
            assert (second / path.relative_to(tmp_path / "one")).read_bytes() == path.read_bytes()

    store = S3Store(Location("cache", "team/", server.url, "path"))
    keys = list(store.list())
    assert any("/blobs/" in key for key in keys)
    key = next(key for key in keys if "/records/" in key and "/built-" in key)
    store.replace(key, b"nonsense", {})
    third = built(runner_project(tmp_path / "three", cache), capfd)
    assert any("damaged" in warning for warning in third["warnings"])
    assert third["release"] == first["release"]
    fourth = built(runner_project(tmp_path / "four", cache), capfd)
    assert all(model["cached"] for model in fourth["models"].values()), "the third one has mended it"


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["offline", "denied", "no bucket", "reader"])
def test_a_build_does_without_its_shared_cache(
    tmp_path: Path,
    server: s3_server.S3,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    trouble: str,
) -> None:
    credentials(monkeypatch)
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    url, bucket = server.url, "ready"
    if trouble == "offline":
        url = f"http://127.0.0.1:{s3_server.free_port()}"
    elif trouble == "denied":
        credentials(monkeypatch, secret=wrong_secret)
    elif trouble == "no bucket":
        bucket = "nowhere"
    else:
        credentials(monkeypatch, s3_server.reader_key, s3_server.reader_secret)
    folder = runner_project(tmp_path / "one", f"s3://{bucket}/team?endpoint_url={url}&addressing=path")
    result = built(folder, capfd)
    found = [warning for warning in result["warnings"] if "shared cache s3://" in warning]
    assert len(found) == 1, result["warnings"]
    what = {
        "offline": "refuses the connection",
        "denied": "credentials are refused",
        "no bucket": "the bucket 'nowhere' does not exist",
        "reader": "gets nothing new: access is denied",
    }[trouble]
    assert what in found[0]
    assert wrong_secret not in json.dumps(result)
    assert built(folder, capfd)["release"] == result["release"]
