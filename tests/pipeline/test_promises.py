"""Promises that one changed line would break, each kept by a fast test: order, earliest stage, condition, verdict."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.config import Config
from botocore.stub import ANY, Stubber

from builder.bundle.files import File
from builder.bundle.format import loader_name, ops_url
from builder.bundle.head import read_head, shard_urls
from builder.bundle.index import read_index
from builder.cache.local import Blob
from builder.cli.main import main
from builder.codecs.exact import Exact
from builder.errors import StoreConflictError
from builder.model import BytesData, Weight
from builder.packing.segments import plan_stages
from builder.progress import Silent
from builder.publish.apply import deploy
from builder.publish.dist import read_local
from builder.publish.plan import Choice, plain
from builder.publish.protocol import publish
from builder.stores import Headers, no_headers
from builder.stores.directory import DirectoryStore
from builder.stores.memory import MemoryStore
from builder.stores.s3 import S3Store
from builder.stores.s3_client import Location
from tests.helpers.deploying import change, deployer_of, project, target_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: None)
    return project(tmp_path / "site")


class Watching(DirectoryStore):
    """Looks, at each write, whether all that the written file names is there already."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.written: list[str] = []

    def put(self, key: str, content: Path, headers: Headers = no_headers) -> bool:
        self.look(key, content.read_bytes())
        return super().put(key, content, headers)

    def swap(self, key: str, content: bytes, tag: str | None, headers: Headers = no_headers) -> str:
        self.look(key, content)
        return super().swap(key, content, tag, headers)

    def look(self, key: str, content: bytes) -> None:
        self.written.append(key)
        if key != plain(key):
            return
        missing = [name for name in names(key, content) if not (self.root / name).exists()]
        assert not missing, f"{key} is written before {missing}"


def names(key: str, content: bytes) -> list[str]:
    """Give what a file of a bundle names."""
    if key.endswith(".js") and key.startswith("loader"):
        index = read_index(content)
        pinned = [f"loader.{hashlib.sha256(content).hexdigest()[:16]}.js"] if key == loader_name else []
        modules = [f"{name}.{digest[:16]}.js" for name, digest in index.modules.items()]
        return [*pinned, *modules, *(head.url for head in index.heads())]
    if key.endswith(".json") and key.startswith("assets/"):
        head = read_head(content)
        return [*shard_urls(head.name, head), *([ops_url(head.name, head.ops)] if head.ops else [])]
    return []


def test_a_build_writes_nothing_before_what_it_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores: list[Watching] = []

    def opened(root: Path) -> Watching:
        stores.append(Watching(root))
        return stores[-1]

    monkeypatch.setattr("builder.pipeline.write_dist.DirectoryStore", opened)
    shutil.rmtree(folder / "dist")
    change(folder, "a", 7)
    assert stores[0].written[-1] == loader_name
    assert any(key.endswith(".bin") for key in stores[0].written)


class State(Watching):
    """The pointer of a target has a last line besides."""

    def look(self, key: str, content: bytes) -> None:
        super().look(key, content.rpartition(b"//# shardpress=")[0] if key == loader_name else content)


@pytest.mark.parametrize("workers", [1, 12])
def test_a_deploy_writes_nothing_before_what_it_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr("builder.publish.apply.uploaders", workers)
    deployer = deployer_of(target_of(folder))
    deployer.store = store = State(folder / "public")
    deploy(deployer, read_local(folder / "dist"), Choice(), Silent())
    assert store.written[-1] == loader_name
    assert any(key.endswith(".bin") for key in store.written)


def test_publish_keeps_the_order_it_is_given(tmp_path: Path) -> None:
    files = []
    for name in ("assets/a-base-0.bin", "assets/a.json", "loader.pinned.js"):
        (tmp_path / "blob").write_bytes(b"x")
        files.append(File(name, Blob(tmp_path / "blob", 1, "0" * 64), {}))
    store = MemoryStore()
    publish(files[:2], files[2], store)
    assert list(store.objects) == ["assets/a-base-0.bin", "assets/a.json", "loader.pinned.js", loader_name]


@pytest.mark.parametrize("first", [0, 1])
def test_a_weight_of_two_stages_is_in_the_earlier_one(first: int) -> None:
    """Two weights with the same bytes are stored once; whichever comes first in the graph, an early answer has it."""
    weights = tuple(Weight(name, (4,), "float32", BytesData(bytes(16))) for name in ("one", "other", "late"))
    stage_of = (first, 1 - first, 1)
    stages = plan_stages(weights, (Exact(),) * 3, (None, 0, None), ("early", "later"), stage_of)
    found = {stage.name: {segment.weight for group in stage.groups for segment in group} for stage in stages}
    assert found["early"] == {0}
    assert found["later"] == {2}


def s3(stub: Callable[[Stubber], None]) -> tuple[S3Store, Stubber]:
    """Give a store whose client answers as it is told, and checks what it is asked."""
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="word",
        config=Config(retries={"total_max_attempts": 1}),
    )
    stubber = Stubber(client)
    stub(stubber)
    stubber.activate()
    return S3Store(Location("bucket", "models/"), client), stubber


def written(content: bytes, **condition: str) -> dict[str, Any]:
    checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
    place = {"Bucket": "bucket", "Key": "models/loader.js"}
    return {**place, "Body": content, "Metadata": ANY, "ChecksumSHA256": checksum, **condition}


def test_a_swap_on_s3_is_conditional() -> None:
    """An unconditional write would end as well, and take back what somebody else has just published."""

    def stub(stubber: Stubber) -> None:
        stubber.add_response("put_object", {"ETag": '"2"'}, written(b"two", IfMatch='"1"'))
        stubber.add_response("put_object", {"ETag": '"1"'}, written(b"one", IfNoneMatch="*"))
        stubber.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
        stubber.add_response("head_object", {"ETag": '"9"', "Metadata": {"shardpress-nonce": "somebody else's"}})

    store, stubber = s3(stub)
    assert store.swap("loader.js", b"two", '"1"') == '"2"'
    assert store.swap("loader.js", b"one", None) == '"1"'
    with pytest.raises(StoreConflictError):
        store.swap("loader.js", b"three", '"2"')
    stubber.assert_no_pending_responses()


def test_immutable_objects_on_s3_are_created_and_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"bytes")
    key = "assets/a.0123456789abcdef.json"

    def stub(stubber: Stubber) -> None:
        asked = written(b"bytes", IfNoneMatch="*") | {"Key": f"models/{key}"}
        stubber.add_response("put_object", {"ETag": '"1"'}, asked)
        stubber.add_client_error("put_object", "PreconditionFailed", http_status_code=412)

    store, stubber = s3(stub)
    assert store.put(key, tmp_path / "file")
    assert not store.put(key, tmp_path / "file")
    stubber.assert_no_pending_responses()


@pytest.mark.parametrize(("moved", "status"), [(0.0, 0), (0.5, 1)])
def test_what_answers_otherwise_than_its_source_is_not_published(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], moved: float, status: int
) -> None:
    """Node's part is played here: the source answers one thing, the bundle another."""

    def play(node: str, jobs: list[Path], timeout: float, reads: list[Path]) -> dict[Path, str]:
        for job in jobs:
            arrays = [np.full((1, 3), 0.25, np.float32), np.full((1, 3), 0.25 + moved, np.float32)]
            job.with_name("result.bin").write_bytes(b"".join(array.tobytes() for array in arrays))
            source, answer = (
                [[{"name": "y", "dtype": "float32", "shape": [1, 3], "offset": at, "bytes": 12}]] for at in (0, 12)
            )
            result = {
                "error": None,
                "runtime": "tfjs",
                "backend": "cpu",
                "present": ["cpu"],
                "source": source,
                "stages": [{"name": "full", "cases": answer}],
                "notes": [],
                "seconds": 0.1,
                "kernels": [],
            }
            job.with_name("result.json").write_text(json.dumps(result))
        return {}

    before = (folder / "dist" / "cdn" / "loader.js").read_bytes()
    monkeypatch.setattr("builder.verify.run.shutil.which", lambda name: "node")
    monkeypatch.setattr("builder.pipeline.verify_models.find_node_modules", lambda folder: folder)
    monkeypatch.setattr("builder.verify.run.run_jobs", play)
    path = folder / "build.toml"
    path.write_text(path.read_text() + "\n[models.a.verify]\nmax_error = 0.01\n[models.b.verify]\nmax_error = 0.01\n")
    from tests.helpers.models import write_model

    write_model(folder / "a", width=200, seed=9)
    assert main(["-q", "--fast", "--config", str(path)]) == status
    assert ("differs from the source model's" in capsys.readouterr().err) == bool(status)
    assert ((folder / "dist" / "cdn" / "loader.js").read_bytes() == before) == bool(status)
