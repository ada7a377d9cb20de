"""Troubles that a real server makes: a full disk, a wrong clock, and conditions that it knows by another name only."""

from __future__ import annotations

import datetime as dt
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from builder.cli.main import main
from builder.errors import StoreConflictError, StoreError
from builder.progress import Silent
from builder.publish.apply import Deployer, Keeping, deploy
from builder.publish.dist import read_local
from builder.publish.emulated_conditions import record_key
from builder.publish.plan import Choice
from builder.publish.probe import probe
from builder.publish.uploads import Form
from builder.stores.s3 import S3Store
from builder.stores.s3_client import Location
from tests.helpers import s3_server
from tests.helpers.deploying import assert_live, change, project, state_of
from tests.helpers.fault_proxy import faulty
from tests.publish.test_deploy_s3 import credentials

pytestmark = pytest.mark.slow
header = "x-oss-forbid-overwrite"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3_server.S3]:
    with s3_server.seaweed(tmp_path_factory.mktemp("seaweed")) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    credentials(monkeypatch)
    return project(tmp_path / "site")


def deployer_to(url: str, bucket: str, **more: Any) -> Deployer:
    store = S3Store(Location(bucket, "models/", url, "path", attempts=2, **more))
    return Deployer(store, Form(keeps_headers=True, encoding="br", rules={}), Keeping(5, 0.0))


@contextmanager
def full_disk(server: s3_server.S3) -> Iterator[None]:
    """Let the server's files grow no more: the system refuses its writes, as it does when nothing is left."""
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_old_release_and_a_later_deploy_succeeds(
    folder: Path, server: s3_server.S3, capfd: pytest.CaptureFixture[str]
) -> None:
    server.client().create_bucket(Bucket="full")
    deployer = deployer_to(server.url, "full")
    deploy(deployer, read_local(folder / "dist"), Choice(), Silent())
    before = assert_live(deployer.store)
    generation = state_of(deployer.store)["generation"]
    change(folder, "a", 7)
    local = read_local(folder / "dist")
    with full_disk(server), pytest.raises(StoreError, match="see whether the store's disk is full"):
        deploy(deployer_to(server.url, "full"), local, Choice(), Silent())
    assert assert_live(deployer.store) == before
    assert state_of(deployer.store)["generation"] == generation
    assert deploy(deployer_to(server.url, "full"), local, Choice(), Silent()).swapped
    assert assert_live(deployer.store)[1] == local.index


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_wrong_clock_is_told(
    folder: Path,
    server: s3_server.S3,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    hours: int,
) -> None:
    """The server itself refuses requests that this machine signs an hour too early or too late."""
    server.client().create_bucket(Bucket=f"clock{hours % 7}")
    path = folder / "build.toml"
    target = {"type": "s3", "bucket": f"clock{hours % 7}", "endpoint_url": server.url, "addressing": "path"}
    path.write_text(path.read_text() + "[targets.t]\n" + "\n".join(f'{key} = "{text}"' for key, text in target.items()))

    def shifted(*_: Any, **__: Any) -> dt.datetime:
        # botocore signs with a time without zone
        return dt.datetime.now(dt.UTC).replace(tzinfo=None) + dt.timedelta(hours=hours)

    with monkeypatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", shifted)
        assert main(["deploy", "--config", str(path)]) == 4
    taken = capfd.readouterr().err
    assert "this machine's clock is too far off" in taken
    assert "Set the clock" in taken
    assert main(["deploy", "--config", str(path)]) == 0


def test_a_store_with_a_header_of_its_own_decides_by_records(folder: Path, server: s3_server.S3) -> None:
    """The proxy refuses If-Match and If-None-Match, and honours the header as some Chinese stores do."""
    server.client().create_bucket(Bucket="forbid")
    with faulty(server.url, rate=0.0, seed=1, forbid_header=header) as proxy:
        assert probe(deployer_to(proxy.url, "forbid").store) == "none", "without the header nothing is safe"
        assert probe(deployer_to(proxy.url, "forbid", no_overwrite_header=header).store) == "create"
        first = deployer_to(proxy.url, "forbid", no_overwrite_header=header)
        deploy(first, read_local(folder / "dist"), Choice(), Silent())
        assert_live(first.store)
        assert first.honours
        assert first.honours.capability == "create"
        change(folder, "a", 7)
        kept = folder / "kept"
        (folder / "dist").rename(kept)
        change(folder, "a", 8)

        class Late(S3Store):
            """Somebody else publishes just before."""

            def create(self, key: str, content: bytes, headers: Any = None) -> bool:
                if key == record_key(2):
                    other = deployer_to(proxy.url, "forbid", no_overwrite_header=header)
                    deploy(other, read_local(kept), Choice(), Silent())
                return super().create(key, content, headers or {})

        late = deployer_to(proxy.url, "forbid", no_overwrite_header=header)
        late.store = Late(late.store.location)  # type: ignore[attr-defined]
        with pytest.raises(StoreConflictError):
            deploy(late, read_local(folder / "dist"), Choice(), Silent())
        again = deployer_to(proxy.url, "forbid", no_overwrite_header=header)
        assert assert_live(again.store)[1] == read_local(kept).index
        deploy(again, read_local(folder / "dist"), Choice(), Silent())
        assert assert_live(again.store)[1] == read_local(folder / "dist").index
        assert state_of(again.store)["generation"] == 3
        assert {record_key(number) for number in (1, 2, 3)} <= set(again.store.list())
