"""A Dask cluster on loopback builds what this machine would have built, byte for byte."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builder.cli.main import main
from builder.convert.exchange import Reply
from builder.convert.requests import ConvertRequest, SourceOptions
from builder.errors import ConversionError, SourceError, UsageError
from builder.work.parcels import Parcel, execute, pack, unpack
from builder.work.workers import LocalWorkers, open_workers
from tests.helpers import pool_tasks
from tests.helpers.models import write_frozen_graph, write_model
from tests.helpers.s3_server import free_port


@dataclass(frozen=True, slots=True)
class Request:
    """Reads some things and writes others."""

    model: Path
    tables: tuple[Path, ...]
    folder: Path
    file: Path
    lost: Path


@dataclass(frozen=True, slots=True)
class Result:
    made: Path
    seen: tuple[str, ...]


def work(request: Request) -> Result:
    seen = [path.name for path in sorted(request.model.parent.iterdir())]
    seen += [text for table in request.tables for text in (table / "deep" / "a.txt").read_text().split()]
    (request.folder / "one.bin").write_bytes(b"1")
    (request.folder / "two").mkdir()
    (request.folder / "two" / "three.bin").write_bytes(b"3")
    request.file.write_bytes(b"4")
    return Result(request.folder / "one.bin", tuple(seen))


def refuse(request: Request) -> None:
    raise SourceError(f"{request.model} is damaged", where=str(request.tables[0] / "deep"), hint="Save it again")


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    model = write_model(tmp_path / "model", shard_bytes=100)
    (tmp_path / "model" / "another.bin").write_bytes(b"not named")
    (tmp_path / "tables" / "deep").mkdir(parents=True)
    (tmp_path / "tables" / "deep" / "a.txt").write_text("some words")
    (tmp_path / "out").mkdir()
    return Request(model, (tmp_path / "tables",), tmp_path / "out", tmp_path / "file.bin", tmp_path / "lost.bin")


def test_a_parcel_carries_what_is_read_and_brings_what_is_written(request_: Request) -> None:
    parcel = pack(work, request_)
    reply = unpack(execute(parcel))
    assert reply.failure is None
    seen = reply.result.seen
    assert seen == ("model.json", "shard0.bin", "shard1.bin", "shard2.bin", "some", "words"), "and nothing beside it"
    assert reply.result.made == request_.folder / "one.bin", "the sender's path"
    assert reply.result.made.read_bytes() == b"1"
    assert (request_.folder / "two" / "three.bin").read_bytes() == b"3"
    assert request_.file.read_bytes() == b"4"
    assert not request_.lost.exists()


def test_a_failure_names_the_paths_of_the_sender(request_: Request) -> None:
    reply: Reply = unpack(execute(pack(refuse, request_)))
    assert isinstance(reply.failure, SourceError)
    assert reply.failure.what == f"{request_.model} is damaged"
    assert reply.failure.where == str(request_.tables[0] / "deep")


def test_a_parcel_cannot_write_elsewhere(request_: Request) -> None:
    parcel = pack(work, request_)
    for address in ("../../escape", "/escape", "a/../../escape"):
        bad = Parcel(parcel.task, request_, {request_.model: ((address, b"x"),)}, {})
        with pytest.raises(ValueError, match="escape"):
            execute(bad)


def test_work_without_tensorflow_runs_here_in_threads() -> None:
    with LocalWorkers(2) as workers:
        assert workers.submit(pool_tasks.square, 7).result() == 49
        assert workers.submit(pool_tasks.process, None).result() == os.getpid()
        with pytest.raises(SourceError):
            workers.submit(pool_tasks.refuse, "x").result()


@pytest.mark.slow
def test_a_scheduler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builder.work.cluster.patience", 1.0)
    address = f"tcp://127.0.0.1:{free_port()}"
    with open_workers(1, scheduler=address) as workers, pytest.raises(UsageError, match="no Dask scheduler answers"):
        workers.submit(pool_tasks.square, 7)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A cluster of two processes on loopback."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None, silence_logs=50
    ) as cluster:
        yield str(cluster.scheduler_address)


@pytest.mark.slow
def test_a_cluster_answers_as_this_machine_does(scheduler: str, tmp_path: Path) -> None:
    with open_workers(1, scheduler=scheduler) as workers:
        futures = [workers.submit(pool_tasks.process, None) for _ in range(8)]
        assert os.getpid() not in {future.result() for future in futures}
        assert workers.submit(pool_tasks.square, 7).result() == 49
        with pytest.raises(SourceError, match="is damaged"):
            workers.submit(pool_tasks.refuse, "x").result()
        with pytest.raises(ConversionError, match="The shapes do not match") as caught:
            workers.submit(pool_tasks.fail, "The shapes do not match").result()
        assert any("Traceback" in note for note in caught.value.__notes__)
        missing = SourceOptions(tmp_path / "missing.pb", "frozen-graph")
        with pytest.raises(SourceError, match=str(missing.path)):
            workers.submit("convert", ConvertRequest(missing, tmp_path / "out")).result()


@pytest.mark.slow
def test_workers_of_another_version_are_refused(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from builder.work import cluster

    monkeypatch.setattr(cluster, "installed_versions", lambda: {"tensorflow": "0.1"})
    with open_workers(1, scheduler=scheduler) as workers, pytest.raises(UsageError, match="has other converters"):
        workers.versions()


@pytest.mark.slow
def test_a_cluster_builds_the_same_bytes(scheduler: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Conversion, reference run and compression, with Node where there is one."""
    contents: list[dict[str, bytes]] = []
    for name, words in (("here", []), ("there", ["--scheduler", scheduler])):
        folder = tmp_path / name
        folder.mkdir()
        write_frozen_graph(folder / "frozen.pb")
        write_model(folder / "plain", width=200, seed=1)
        (folder / "build.toml").write_text(
            '[build]\nshard_bytes = "4 KiB"\n[models.frozen]\nsource = "frozen.pb"\ncompat = "float32"\n'
            '[models.plain]\nsource = "plain/model.json"\n'
        )
        assert main(["-q", "--config", str(folder / "build.toml"), *words]) == 0, capfd.readouterr().err
        cdn = folder / "dist" / "cdn"
        contents.append({str(path.relative_to(cdn)): path.read_bytes() for path in cdn.rglob("*") if path.is_file()})
    assert contents[0].keys() == contents[1].keys()
    assert contents[0] == contents[1]
    assert len(contents[0]) > 10


def test_without_dask_the_hint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "builder.work.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"Dask is not installed.*shardpress\[cluster\]"):
        open_workers(1, scheduler="tcp://127.0.0.1:1")


def test_requests_of_any_kind_travel(tmp_path: Path) -> None:
    parcel: Any = pack(pool_tasks.square, 7)
    assert (parcel.inputs, parcel.outputs) == ({}, {})
    assert unpack(execute(parcel)).result == 49


@pytest.mark.slow
def test_a_worker_that_came_later_with_another_version_does_no_work(
    scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this machine takes for the cluster's kind is not what its workers are."""
    from builder.work import cluster

    code, versions = cluster.describe()
    monkeypatch.setattr(cluster.ClusterWorkers, "_examine", lambda *_: (f"{code}-newer", versions))
    with open_workers(1, scheduler=scheduler) as workers, pytest.raises(UsageError, match="joined later"):
        workers.submit(pool_tasks.square, 7).result()
