"""Hostile models with the first wall taken away: the second keeps all that they reach for from them."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from builder.convert.requests import ReferenceRequest, SourceOptions
from builder.errors import ShardpressError, SourceError
from builder.precision.types import MeasureRequest
from builder.sources.detect import detect
from builder.verify.types import Gate
from builder.work.pool import ConversionPool
from tests.helpers import pool_tasks, wall_tasks
from tests.helpers.hostile_sources import Case, cases
from tests.sources.test_hostile_sources import Scene, root, scene_in

pytestmark = pytest.mark.slow
secret = b"[default]\naws_secret_access_key = s3cret\n"


def test_no_model_gets_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_bytes(secret)
    victim, mark, outside = tmp_path / "victim", tmp_path / "mark", tmp_path / "code"
    victim.write_text("whole")
    outside.mkdir()
    (outside / "library.c").write_text(
        f"""#include <stdio.h>
__attribute__((constructor)) static void begin(void) {{ FILE *file = fopen("{mark}", "w"); if (file) fclose(file); }}
"""
    )
    library = outside / "library.so"
    compiler = shutil.which("cc")
    assert compiler is not None
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, outside / "library.c"], check=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mailbox,
        # The library may be read, so that its constructor runs: it must not get out either.
        ConversionPool(1, reads=(*pool_tasks.code, outside)) as pool,
    ):
        server.setblocking(False)
        mailbox.setblocking(False)
        port = server.getsockname()[1]
        mailbox.bind(("127.0.0.1", port))
        aims = [str(home / ".aws" / "credentials"), str(victim), str(library), port]
        found = pool.submit(wall_tasks.attack, json.dumps(aims)).result()
        for one in (server.accept, lambda: mailbox.recv(1)):
            with pytest.raises(BlockingIOError):
                one()
    assert found.pop("graph reads its own file") == f"done {[[float(byte) for byte in b'mine!']]}", "the attack works"
    assert found.pop("trusted own") == "done"
    assert found.pop("trusted library") == "done", "its constructor ran, in vain"
    assert {name: answer for name, answer in found.items() if answer.startswith("done")} == {
        "op library": found["op library"]
    }
    assert len(found) == 11
    assert "s3cret" not in str(found)
    assert victim.read_text() == "whole"
    assert not mark.exists()


def test_a_worker_that_ran_a_trusted_model_serves_no_other(tmp_path: Path) -> None:
    missing = ReferenceRequest(
        SourceOptions(tmp_path / "none", "keras-h5", trust=True), tmp_path / "in", tmp_path / "out"
    )
    with ConversionPool(1, reads=pool_tasks.code) as pool:
        before = pool.submit(pool_tasks.process, None).result()
        assert pool.submit(pool_tasks.process, None).result() == before
        with pytest.raises(SourceError):
            pool.submit("reference", missing).result()
        assert pool.submit(pool_tasks.process, None).result() != before


def test_the_corpus_of_hostile_sources_leaves_no_trace(tmp_path: Path) -> None:
    """What ``test_hostile_sources`` shows of the first wall, with the second one alone."""
    scene = scene_in(tmp_path)
    target = scene.target
    arguments = (scene.sources, target.folder, target.port, target.secret, target.library)
    made = subprocess.run(
        [sys.executable, "-m", "tests.helpers.hostile_sources", *map(str, arguments)],
        cwd=root,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    scene.paths = {name: Path(path) for name, path in json.loads(made.stdout.splitlines()[-1]).items()}
    before, traces, said = scene.state(), {}, {}
    with ConversionPool(1, reads=(*pool_tasks.code, target.library)) as pool:
        for case in cases():
            try:
                said[case.name] = pool.submit(wall_tasks.unguarded, order(case, scene), case.name).result()
            except ShardpressError as error:  # not even read, or the process did not survive it
                said[case.name] = str(error)
            if scene.state() != before:
                traces[case.name] = scene.state().keys() ^ before.keys()
    assert traces == {}
    assert scene.knocked() == 0
    results = [path.read_bytes() for path in (tmp_path / "work").rglob("*") if path.is_file()]
    assert not [content for content in results if b"nobody's" in content]
    assert "nobody's" not in str(said)
    stopped = [name for name, text in said.items() if re.search("ermission|not permitted", text)]
    assert len(stopped) > 5, "the second wall was met"


def order(case: Case, scene: Scene) -> tuple[str, object]:
    """Give the task that runs most of a source."""
    path, work = scene.paths[case.name], scene.folder / "work" / case.name
    work.mkdir()
    inputs = work / "case.npz"
    np.savez(inputs, x=np.ones((1, 4), np.float32))
    kind = detect(path)
    if kind == "tfjs":
        return "measure", MeasureRequest(path, (inputs,), work / "measured.npz", Gate(0.1))
    return "reference", ReferenceRequest(SourceOptions(path, kind), inputs, work / "answers.npz")
