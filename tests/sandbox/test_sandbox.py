"""The second wall by itself: plain Python behind it tries what a hostile model might, and what TensorFlow needs."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from builder.errors import ConversionError, SourceError
from builder.sandbox import landlock, seccomp, wall
from builder.sandbox.launch import real_program, run_behind_wall
from builder.sandbox.syscalls import audit_arch, numbers
from builder.work.pool import ConversionPool
from tests.helpers import pool_tasks, sandbox_tasks

secrets = {
    "AWS_SECRET_ACCESS_KEY": "s3cret-1",
    "GOOGLE_APPLICATION_CREDENTIALS": "s3cret-2",
    "AZURE_STORAGE_KEY": "s3cret-3",
    "TF_VAR_password": "s3cret-4",
    "NPM_TOKEN": "s3cret-5",
    "HTTPS_PROXY": "http://user:s3cret-6@proxy",
    "PYTHONPATH": "/s3cret-7",
    "LD_PRELOAD": "",
}

node_attempts = """
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
const found = {};
const attempt = (name, act) => {
  try { act(); found[name] = ""; } catch (error) { found[name] = error.code ?? String(error); }
};
attempt("own", () => writeFileSync("OWN/made", "x"));
attempt("read", () => readFileSync("SECRET"));
attempt("write", () => writeFileSync("SECRET", "x"));
attempt("parent", () => readFileSync(`/proc/${process.ppid}/environ`));
attempt("spawn", () => { const { error } = spawnSync("/bin/true"); if (error) throw error; });
const wait = (name, emitter) => new Promise((done) => {
  const end = (code) => { found[name] = code; done(); };
  emitter.on("error", (error) => end(error.code ?? String(error))).on("connect", () => end(""));
});
await wait("tcp", connect(9, "127.0.0.1"));
const mail = createSocket("udp4");
const answer = wait("udp", mail);
mail.connect(9, "127.0.0.1");
await answer;
console.log(JSON.stringify({ found, environment: Object.keys(process.env) }));
"""


def test_a_worker_can_do_nothing_but_its_work(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "victim").write_text("whole")
    before = {path.name: path.stat() for path in tmp_path.iterdir()}
    with (
        subprocess.Popen(["sleep", "60"], start_new_session=True) as other,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mailbox,
        ConversionPool(1, reads=pool_tasks.code) as pool,
    ):
        port = server.getsockname()[1]
        mailbox.bind(("127.0.0.1", port))
        mailbox.setblocking(False)
        bad, needed = pool.submit(sandbox_tasks.try_all, json.dumps([str(tmp_path), other.pid, port])).result()
        assert {name for name, error in bad.items() if not error} == set()
        assert {name: error for name, error in needed.items() if error} == {}
        assert other.poll() is None
        other.kill()
        with pytest.raises(BlockingIOError):
            mailbox.recv(1)
        assert pool.missing == ()
    assert {path.name: path.stat() for path in tmp_path.iterdir()} == before, "not even another time or mode"
    assert (tmp_path / "victim").read_text() == "whole"


def test_what_is_tried_is_possible_without_the_wall(tmp_path: Path) -> None:
    """Else the test above would show nothing."""
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "victim").write_text("whole")
    acts = sandbox_tasks.forbidden(tmp_path, os.getpid(), 9)
    harmless = ["read", "list", "list the root", "read /etc/passwd", "append", "create", "folder", "link", "mode"]
    harmless += ["times", "environment of another", "command of another", "TCP socket", "UDP socket", "unix socket"]
    assert {name: sandbox_tasks.attempt(acts[name]) for name in harmless} == dict.fromkeys(harmless, "")


def test_secrets_of_the_environment_never_reach_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with ConversionPool(1, reads=pool_tasks.code) as pool:
        now, begun = pool.submit(sandbox_tasks.environment, None).result()
        folder = str(pool._all[0].folder)
    assert not set(secrets) & set(now)
    assert "s3cret" not in f"{now} {begun}"
    assert now["OMP_NUM_THREADS"] == "2"
    assert now["HOME"].startswith(folder)
    assert now["TMPDIR"].startswith(folder)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other processors know one way of calling")
def test_calls_in_the_ways_of_older_programs_are_refused() -> None:
    with ConversionPool(1, reads=pool_tasks.code) as pool:
        assert pool.submit(sandbox_tasks.call_x32, None).result() == "ENOSYS"
        with pytest.raises(ConversionError, match="SIGSYS"):
            pool.submit(sandbox_tasks.call_of_another_kind, None).result()


def test_an_answer_that_would_run_code_is_refused_and_its_worker_gone() -> None:
    with ConversionPool(1, reads=pool_tasks.code) as pool:
        with pytest.raises(ConversionError, match="sent an invalid answer"):
            pool.submit(sandbox_tasks.forge, "x").result()
        assert pool._all == []
        assert pool.submit(pool_tasks.square, 3).result() == 9


def test_results_are_plain_files_or_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with (
        ConversionPool(1, reads=pool_tasks.code) as pool,
        pytest.raises(ConversionError, match="not a plain file"),
    ):
        pool.submit(sandbox_tasks.lead_out, out).result()
    assert list(out.iterdir()) == []


def test_a_source_folder_with_links_that_lead_out_is_not_laid(tmp_path: Path) -> None:
    source = tmp_path / "saved"
    source.mkdir()
    (tmp_path / "secret").write_text("s3cret")
    (source / "variables").symlink_to(tmp_path / "secret")
    with ConversionPool(1, reads=pool_tasks.code) as pool:
        with pytest.raises(SourceError, match="variables"):
            pool.submit(sandbox_tasks.lead_out, source).result()
        assert pool.submit(pool_tasks.square, 3).result() == 9, "its worker stays"


def test_a_source_may_be_a_link_itself(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("words")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with ConversionPool(1, reads=pool_tasks.code) as pool:
        assert pool.submit(pool_tasks.read_text, tmp_path / "link.txt").result() == "words"


def test_node_reads_and_writes_only_what_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret")
    own = tmp_path / "own"
    own.mkdir()
    script = own / "try.mjs"
    script.write_text(node_attempts.replace("OWN", str(own)).replace("SECRET", str(tmp_path / "secret")))
    node = shutil.which("node")
    assert node is not None
    done = run_behind_wall(node, [str(script)], [own], [own], 60)
    assert done.stdout, done.stderr
    answer = json.loads(done.stdout)
    assert answer["found"].pop("own") == ""
    assert {name for name, error in answer["found"].items() if error not in {"EACCES", "EPERM"}} == set()
    assert not {name for name in answer["environment"] if "KEY" in name or "TOKEN" in name or name.startswith("SSL")}


def test_a_script_that_stands_for_node_is_seen_through(tmp_path: Path) -> None:
    shim = tmp_path / "node"
    shim.write_text('#!/bin/sh\nexec node "$@"\n')
    shim.chmod(0o755)
    assert Path(real_program(str(shim))).resolve() == Path(real_program("/usr/bin/env")).with_name("node").resolve()


@pytest.mark.parametrize("machine", sorted(audit_arch))
def test_filters_of_all_machines_are_short_and_name_no_call_twice(machine: str) -> None:
    calls = numbers(machine)
    assert len(set(calls.values())) == len(calls)
    assert not {"socket", "connect", "ptrace", "fork", "vfork", "chmod", "mount"} & set(calls)
    assert len(seccomp.compile_filter(machine, 1, may_execute=False)) < 8 * 1000


def test_what_the_system_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wall.missing() == ()
    monkeypatch.setattr(landlock, "version", lambda: 0)
    monkeypatch.setattr(seccomp, "this_machine", lambda: "mips")
    files, calls = wall.missing()
    assert "lacks Landlock" in files
    assert "does not know mips" in calls

    def refuse() -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(landlock, "version", refuse)
    assert "the system forbids Landlock (Operation not permitted), as some containers do" in wall.missing()[0]


def test_a_kernel_that_forbids_it_costs_a_note_and_nothing_more() -> None:
    """A filter over the whole process stands for a container's."""
    program = (
        "import errno, struct; from builder.sandbox import seccomp, wall\n"
        "calls = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x50000 | errno.EPERM), (0x06, 0, 0, 0x7fff0000)]\n"
        "seccomp.compile_filter = lambda *_, **__: b''.join(struct.pack('HBBI', *call) for call in calls)\n"
        "seccomp.apply()\n"
        "print(wall.raise_wall(wall.Wall()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "forbids Landlock (Operation not permitted)" in done.stdout


def test_signals_keep_their_default_meaning() -> None:
    with ConversionPool(1, reads=pool_tasks.code) as pool, pytest.raises(ConversionError, match="SIGSEGV"):
        pool.submit(pool_tasks.crash, int(signal.SIGSEGV)).result()
