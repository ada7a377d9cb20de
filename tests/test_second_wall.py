"""Hostile models with the first wall taken away: the second keeps all that they reach for from them."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from builder.convert.pool import ConversionPool
from builder.convert.requests import ReferenceRequest, SourceOptions
from builder.errors import ConversionError
from tests import pool_tasks, wall_tasks

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
        with pytest.raises(ConversionError):
            pool.submit("reference", missing).result()
        assert pool.submit(pool_tasks.process, None).result() != before
